/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One record of the audit log in words, whatever its members are: logs outlive versions. */
#ifndef STANCH_CMD_HISTORY_H
#define STANCH_CMD_HISTORY_H

#include "cmd/cmd.h"

/* history_head - the names of the columns. */
void history_head(void);
/*
 * history_record - its line, and below it what must not be overlooked: gates that refused or were
 * forced, a trial that went wrong, what was repaired. With -v every gate's value and the evidence.
 */
void history_record(const struct options *options, const json_t *record, const char *role);

#endif
