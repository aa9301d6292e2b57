/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no command of stanch does: any bytes into a slot, any slot into the word. For tests of what
 * the program makes of it. Everything here fails the test when the kernel refuses.
 */
#ifndef TESTS_LIB_FORCE_H
#define TESTS_LIB_FORCE_H

#include "rig.h"

/* force_slot - an outer map (`slots` of an instance or of a twin) gets @lines lines of @bytes. */
void force_slot(int slots, unsigned int slot, const void *bytes, uint32_t lines);
/* force_word - the control word of @rig, as it stands in @word. */
void force_word(struct rig *rig, const struct word *word);
/* force_lease - the deadline, CLOCK_MONOTONIC ns. */
void force_lease(const struct instance *instance, uint64_t deadline);
/* force_root - an otherwise empty image of @lines lines whose IPv4 source table begins at @entry. */
void force_root(unsigned char *bytes, uint32_t lines, uint32_t entry);

#endif
