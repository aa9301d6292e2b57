/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A twin of the program, set to one generation, for packets that are not live: explain and replay.
 * Live state is never touched. What goes wrong is said here.
 */
#ifndef STANCH_CMD_TRIAL_H
#define STANCH_CMD_TRIAL_H

#include "cmd/cmd.h"
#include "dataplane/dataplane.h"

struct trial {
	struct twin *twin;
	struct instance *instance; /* whose slots are used; NULL: the twin's own */
	struct image_file image; /* for the names of lists; bytes NULL when it is damaged */
	unsigned int slot;
	bool numbered; /* false: a policy that never was a generation */
	uint64_t generation;
};

#define auto_trial cleanup(trial_free)
void trial_free(struct trial *trial);

/* What packets are to be tried on: at most one of them is set, none means what is live. */
struct trial_choice {
	const char *policy; /* a policy or an image */
	const char *generation; /* a number */
};

/*
 * trial_open - The live generation is judged with the operator's mode, kill bits and overrides, any
 * other in mode enforce without them. Returns EXIT_DONE or the exit code.
 */
int trial_open(const struct options *options, const struct trial_choice *choice, struct trial *ret);
/* trial_close - was the generation in its slot to the end? Returns EXIT_DONE or EXIT_CONFLICT. */
int trial_close(const struct options *options, const struct trial *trial);

/* trial_generation_json - its number, or null for a policy. */
json_t *trial_generation_json(const struct trial *trial);

#endif
