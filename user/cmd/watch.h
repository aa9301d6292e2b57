/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying a staged generation out on live traffic: a growing share of sources, then everybody, on a
 * lease, until there is evidence that it may stay or that it must not.
 */
#ifndef STANCH_CMD_WATCH_H
#define STANCH_CMD_WATCH_H

#include "cmd/attempt.h"

/* watch_needed - is there traffic to try it out on, and was that not ruled out? */
bool watch_needed(const struct attempt *attempt);

/*
 * watch_run - canary, soak, keep or take back. Sets attempt->swapped when the generation stays, and
 * attempt->trial. Records the attempt. Returns EXIT_DONE, EXIT_REVERTED (taken back, the word is as
 * before), EXIT_CONFLICT or EXIT_FAILED.
 */
int watch_run(struct attempt *attempt);

#endif
