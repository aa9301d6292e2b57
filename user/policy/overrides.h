/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operator overrides: single prefixes of sources that are allowed or blocked, some only for a time.
 * They are no policy: a small image of their own, rebuilt as a whole, asked beside every generation.
 */
#ifndef STANCH_POLICY_OVERRIDES_H
#define STANCH_POLICY_OVERRIDES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/compile.h"
#include "policy/policy.h"

#define OVERRIDE_REASON 128u /* bytes of what the operator said about it */

struct override {
	struct prefix prefix;
	bool block; /* else allow */
	uint64_t expires; /* seconds of CLOCK_REALTIME; 0: never */
	uint64_t since; /* seconds of CLOCK_REALTIME */
	uint32_t uid; /* who said so */
	char reason[OVERRIDE_REASON];
};

/* Both clocks at one moment: what is kept on disk is wall time, what the program reads is not. */
struct override_clock {
	uint64_t realtime_s, monotonic_ns;
};

/*
 * overrides_compile - image of @items that have not expired yet: two lists' worth of actions (allow,
 * drop), one list per entry, with SECTION_EXPIRY. An entry inside another of the same action that
 * lasts at least as long is left out, so that the longest prefix is also the one that lasts longest.
 * Returns 0; -ENOENT when nothing is left; -EINVAL with problems in @diag (too many); -ENOMEM.
 */
struct override_set {
	const struct override *items;
	uint32_t count;
};
int overrides_compile(const struct override_set *set, const struct override_clock *now,
		      const struct limits *limits, struct image_file *ret, struct diag *diag);

#endif
