/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at a running instance, for the verbs that only observe: the word and what it means at
 * this moment. Takes no lock, changes nothing.
 */
#ifndef STANCH_CMD_LOOK_H
#define STANCH_CMD_LOOK_H

#include "cmd.h"
#include "dataplane/dataplane.h"

struct look {
	struct instance *instance;
	uint64_t raw; /* the control word as it was read, once */
	struct word word;
	uint64_t lease_ns; /* CLOCK_MONOTONIC, 0: none */
	bool break_glass;
	bool expired; /* a trial whose lease is over: what was kept before it judges */
	struct slot_info slots[SLOTS];
};

#define auto_look cleanup(look_close)

/* look_open - Returns EXIT_DONE or the exit code of what was said. */
int look_open(const struct options *options, struct look *ret);
void look_close(struct look *look);

/* look_judging - the slot that judges now; in a canary, all but the candidate's sources. */
unsigned int look_judging(const struct look *look);

/* look_mode - what is effective: the more permissive of the operator's and of the policy's mode. */
enum mode look_mode(const struct look *look, enum mode policy);

/* now_ns - of CLOCK_MONOTONIC or CLOCK_REALTIME. */
uint64_t now_ns(int clock);
/* age_text - "5 s", "3 min", "2 h", "9 d". @out has AGE_TEXT bytes. */
#define AGE_TEXT 24
const char *age_text(uint64_t ns, char *out);

#endif
