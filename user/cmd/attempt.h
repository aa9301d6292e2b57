/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt to make a generation live: what apply and `rollback GEN` share. An attempt that got
 * the lock leaves exactly one audit record, whatever becomes of it (a second one only when the
 * word was changed by somebody else between that record and the store).
 */
#ifndef STANCH_CMD_ATTEMPT_H
#define STANCH_CMD_ATTEMPT_H

#include "cmd/live.h"

struct attempt {
	const struct options *options;
	const char *event; /* "apply" or "rollback" */
	const char *path; /* of the policy as given; NULL when the image comes from the store */
	int lock;
	struct instance *instance;
	struct control *control;
	struct word before; /* the word when the attempt began */
	struct slot_info live; /* the generation that was live then */
	struct image_file image;
	struct buf text; /* of the policy; empty when it came as an image */
	uint32_t merged; /* duplicates in its lists */
	uint64_t generation; /* 0: the next free number */
	unsigned int slot;
	bool staged, recorded, swapped, unchanged;
	struct proof proof;
	struct diag diag;
	json_t *timings; /* microseconds by step */
};

#define auto_attempt cleanup(attempt_free)
#define ATTEMPT(options_, event_)                                                              \
	{                                                                                      \
		.options = (options_), .event = (event_), .lock = -1, .timings = json_object() \
	}

/* One step; it says what went wrong and returns the exit code for that. */
struct attempt_step {
	const char *name;
	int (*run)(struct attempt *attempt);
};

/*
 * attempt_run - take the lock, then @first, whose task is an opened instance and a checked image,
 * then the steps that stage, prove, store, record and swap. Says the result. Returns the exit code.
 */
int attempt_run(struct attempt *attempt, const struct attempt_step *first);
void attempt_free(struct attempt *attempt);

/* attempt_refused - say attempt->diag as the reason for a refusal; returns EXIT_REFUSED. */
int attempt_refused(struct attempt *attempt, const char *message);

#endif
