/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt to make a generation live: what apply and `rollback GEN` share. An attempt that got
 * the lock leaves one audit record, whatever becomes of it; one that was tried out on traffic leaves
 * two: `trial` before the first packet is judged, and what became of it.
 */
#ifndef STANCH_CMD_ATTEMPT_H
#define STANCH_CMD_ATTEMPT_H

#include "cmd/args.h"
#include "cmd/live.h"
#include "policy/gates.h"
#include "policy/traffic.h"

/* What was asked for on the command line. */
struct wish {
	bool now; /* no canary, no soak */
	uint64_t confirm_ms; /* somebody must confirm within so long; 0: nobody need */
	uint32_t forced; /* bits by enum gate */
	const struct arg_values *expect; /* lists whose drops are wanted; may be NULL */
	const char *source; /* of an unattended change; NULL: somebody is there */
};

/* What became of a trial. */
struct trial_report {
	char phase[48]; /* "canary 1.0 %", "soak"; "": there was no trial */
	const char *result; /* "kept", "harm", "expired", "too little evidence" ... */
	char why[DIAG_TEXT];
	uint64_t spent_ms;
	struct traffic_sums sums;
};

struct attempt {
	const struct options *options;
	const char *event; /* "apply" or "rollback" */
	const char *path; /* of the policy as given; NULL when the image comes from the store */
	struct wish wish;
	int lock;
	struct instance *instance;
	struct control *control;
	struct word before; /* the word when the attempt began */
	struct slot_info live; /* the generation that was live then */
	struct image_file reference; /* its image; bytes NULL when it cannot be read */
	struct image_file image;
	struct policy_settings settings;
	struct buf text; /* of the policy; empty when it came as an image */
	uint32_t merged; /* duplicates in its lists */
	uint64_t generation; /* 0: the next free number */
	unsigned int slot;
	bool staged, recorded, pointed, swapped, unchanged;
	bool planning; /* nothing will be changed: what is refused is collected, not said */
	bool gated; /* gates[] was filled */
	struct gate_result gates[GATES];
	struct proof proof;
	struct traffic_sums recent;
	struct trial_report trial;
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
 * then the steps that gate, stage, prove, store, try out and swap. Says the result. Returns the exit
 * code.
 */
int attempt_run(struct attempt *attempt, const struct attempt_step *first);
void attempt_free(struct attempt *attempt);

/*
 * attempt_refused - say attempt->diag as the reason for a refusal, unless it is only planned;
 * returns EXIT_REFUSED.
 */
int attempt_refused(struct attempt *attempt, const char *message);
/* attempt_failed - say what the data plane or the store reported; returns its exit code. */
int attempt_failed(struct attempt *attempt, int error, const char *what);

/* ---- attempt_read.c ---- */
/* attempt_read - a policy or an image at attempt->path, checked against @limits. */
int attempt_read(struct attempt *attempt, const struct limits *limits);
/* attempt_force - gates by name into attempt->wish.forced. False: wrong usage, said. */
bool attempt_force(struct attempt *attempt, const struct arg_values *names);

/* ---- attempt_gates.c ---- */
/* attempt_held - is the source of this change on hold? Returns EXIT_DONE or EXIT_REFUSED. */
int attempt_held(struct attempt *attempt);
/* attempt_look - the reference generation, and whether the image is what is live already. */
int attempt_look(struct attempt *attempt);
/* attempt_gates - every gate that needs no traffic, quarantine included. */
int attempt_gates(struct attempt *attempt);
/* attempt_learn - how the attempt ended, for quarantine and for its source. */
void attempt_learn(const struct attempt *attempt, int code);

/* ---- attempt_traffic.c ---- */
/*
 * attempt_recent - recent traffic through the candidate in @slot of @twin; fills attempt->recent
 * and the gate of what is newly dropped. EXIT_DONE, EXIT_REFUSED or another code.
 */
int attempt_recent(struct attempt *attempt, struct twin *twin, unsigned int slot);
/* attempt_tally - an empty tally that expects what was asked for. 0, -ENOENT with a problem. */
int attempt_tally(struct attempt *attempt, struct traffic **ret);

/* ---- attempt_record.c ---- */
/* attempt_record - one audit record of this attempt. 0 or -errno. */
int attempt_record(struct attempt *attempt, const char *result);
/* attempt_point - the live pointer names this generation. 0 or -errno. */
int attempt_point(struct attempt *attempt);
/* attempt_point_back - it names again what it was before. */
void attempt_point_back(struct attempt *attempt);
/* attempt_keep - this generation is the newest of those that were kept. Failure is a warning. */
void attempt_keep(struct attempt *attempt);
/* attempt_say - the document, or the line for people, of an attempt that succeeded. */
void attempt_say(const struct attempt *attempt);
/* The facts of the attempt as JSON, for records, documents and `plan`. */
json_t *attempt_gates_json(const struct attempt *attempt);
json_t *attempt_sums_json(const struct traffic_sums *sums);
void attempt_image_json(const struct attempt *attempt, json_t *document);

#endif
