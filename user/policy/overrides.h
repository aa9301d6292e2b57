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
#include "policy/host.h"
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

/* prefix_covers - does @inside lie within @cover? A prefix covers itself. */
bool prefix_covers(const struct prefix *cover, const struct prefix *inside);

/* Both clocks at one moment: what is kept on disk is wall time, what the program reads is not. */
struct override_clock {
	uint64_t realtime_s, monotonic_ns;
};

struct override_set {
	const struct override *items;
	uint32_t count;
};

/*
 * overrides_compile - image of the items of @set that have not expired yet: one list per entry, of
 * action allow or drop, with SECTION_EXPIRY. An entry inside another of the same action that lasts
 * at least as long is left out, so that the longest prefix is also the one that lasts longest.
 * Returns 0; -ENOENT when nothing is left; -EINVAL with problems in @diag (too many); -ENOMEM.
 */
int overrides_compile(const struct override_set *set, const struct override_clock *now,
		      const struct limits *limits, struct image_file *ret, struct diag *diag);

/* ---- overrides_merge.c ---- */
/*
 * override_of_list - what list @id of a checked image of overrides says; nobody is named. False
 * when it has expired.
 */
bool override_of_list(const struct image *image, uint32_t id, const struct override_clock *now,
		      struct override *ret);

/* override_is_over - by the wall clock. */
bool override_is_over(const struct override *override, const struct override_clock *now);

/* What is in force, and in what the list on disk differs from it. */
struct override_merge {
	struct override *items; /* the caller's to free; none of them has expired */
	uint32_t count;
	uint32_t stale; /* on disk alone: left out */
	uint32_t unlisted; /* in force alone: at the end of the items, without who and why */
	uint32_t expired; /* on disk, but over: left out */
};
/*
 * overrides_merge - Nothing in force (@image, checked, is NULL) and the list @disk is believed as
 * it is. Else the image says what is in force and for how long, since it was published last and its
 * clock does not jump; the list says who wanted it and why, and what an outlasting cover hides.
 * Returns 0 or -ENOMEM.
 */
int overrides_merge(const struct override_set *disk, const struct image *image,
		    const struct override_clock *now, struct override_merge *ret);

/* ---- overrides_refuse.c: why a block would do nothing, or too much ---- */
/*
 * override_allowed - does @live (checked) protect or allow a source that @item would block? Then
 * it would pass all the same. Adds a problem that names the list.
 */
bool override_allowed(const struct image *live, const struct override *item, struct diag *diag);
/*
 * override_hits_host - would @item block an address of @host, which no item of @all that is allowed
 * for as long keeps open? Adds a problem of code "gate_host".
 */
bool override_hits_host(const struct override_set *all, const struct override *item,
			const struct host *host, struct diag *diag);

#endif
