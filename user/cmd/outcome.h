/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of each interface that one command named. One that cannot be done does not stop the
 * others, and all that cannot be are reported together.
 */
#ifndef STANCH_CMD_OUTCOME_H
#define STANCH_CMD_OUTCOME_H

#include "cmd/live.h"

struct outcome {
	const struct options *options;
	struct diag diag; /* one problem per interface that could not be done */
	json_t *interfaces; /* the others */
	int code; /* of the first problem */
};

#define auto_outcome cleanup(outcome_free)

void outcome_free(struct outcome *outcome);
/* outcome_done - @result is what is true of the interface now: "attached", "was not attached". */
void outcome_done(struct outcome *outcome, const char *name, const char *result);
/* outcome_problem - @about holds the data plane's own words, when it had any. */
void outcome_problem(struct outcome *outcome, const char *name, int error,
		     const struct diag *about);
/* outcome_record - into the audit log, when anything was done: it changes what is filtered. */
void outcome_record(const struct outcome *outcome, const char *event);
/* outcome_say - the document or the problems of @verb; returns the exit code. */
int outcome_say(struct outcome *outcome, const char *verb);

#endif
