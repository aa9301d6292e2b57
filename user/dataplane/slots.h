/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dataplane/: what the instance and the twin need of slots.c. */
#ifndef STANCH_DATAPLANE_SLOTS_H
#define STANCH_DATAPLANE_SLOTS_H

#include "dataplane/inside.h"

/* slot_put - slot_stage() without asking the word: for an instance that is being made. */
int slot_put(const struct instance *instance, const struct image_file *image, uint64_t generation,
	     unsigned int slot, struct diag *diag);
/* slot_map - the pinned map of a generation, however this user may open it. fd or -errno. */
int slot_map(const struct instance *instance, unsigned int slot);
/* slots_wait - until no program runs that may have read the word before now. */
int slots_wait(int slots);
/* slots_publish - put a map into the outer map; returns after a grace period. */
int slots_publish(int slots, unsigned int slot, int map);

#endif
