/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the switches share: mode, kill, unkill. They need the control array and nothing else; the
 * audit log is told afterwards, and cannot stop them.
 */
#ifndef STANCH_CMD_SWITCH_H
#define STANCH_CMD_SWITCH_H

#include "cmd.h"
#include "dataplane/dataplane.h"

/* The name of a mode as the operator's word has it: 3 reads as bypass. */
const char *mode_text(unsigned int mode);

/*
 * switch_keep - write mode and kill bits down for the next restart, after the store. A disk that
 * takes nothing is said and stops nobody.
 */
void switch_keep(const struct options *options, const struct control *control);

/* kills_json - the killed stages by name; a stage that this tool does not know is "stage-N". */
json_t *kills_json(uint16_t kills);
/* kills_text - the same in one line, "all" for every bit, "none". @out has KILLS_TEXT bytes. */
#define KILLS_TEXT 256 /* room for every stage's longest name */
const char *kills_text(uint16_t kills, char *out);

#endif
