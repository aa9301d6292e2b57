/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an instance lives. Relocatable by environment (ignored for set-id programs):
 * STANCH_STATE_DIR (default /var/lib/stanch), STANCH_RUN_DIR (/run/stanch),
 * STANCH_BPF_DIR (/run/stanch/bpf).
 */
#ifndef STANCH_BASE_PLACES_H
#define STANCH_BASE_PLACES_H

#include <limits.h>

struct places {
	char instance[64]; /* [a-z0-9][a-z0-9_-]{0,62} */
	char state[PATH_MAX]; /* STATE/INSTANCE */
	char run[PATH_MAX]; /* RUN */
	char lock[PATH_MAX]; /* RUN/INSTANCE.lock */
	char bpf[PATH_MAX]; /* the bpffs mount point */
	char pins[PATH_MAX]; /* BPF/INSTANCE */
};

/* places_find - Returns 0; -EINVAL for an instance name that is not one; -ENAMETOOLONG. */
int places_find(const char *instance, struct places *ret);

#endif
