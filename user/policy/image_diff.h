/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside policy/: what the parts of image_diff() share. */
#ifndef STANCH_POLICY_IMAGE_DIFF_H
#define STANCH_POLICY_IMAGE_DIFF_H

#include "policy/compile.h"

#define DIFF_STORED 1000u

struct diffing {
	const struct image *from, *to;
	const uint16_t *renumbered; /* by list id in @from: its id in @to, DIFF_GONE without one */
	struct image_diff diff;
};

#define DIFF_GONE 0xffffu

/* diff_renumber - by list id of @from: the id of the list of that name in @to, or DIFF_GONE.
 * The caller frees @ret. 0 or -ENOMEM. */
int diff_renumber(const struct image *from, const struct image *to, uint16_t **ret);

/* diff_add - one change more, stored while there is room. */
void diff_add(struct diffing *diffing, const char *kind, char sign, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool diff_is_full(const struct diffing *diffing)
{
	return diffing->diff.count == DIFF_STORED;
}

/* diff_ranges - what addresses are on. 0, or -EINVAL when a table is broken. */
int diff_ranges(struct diffing *diffing);

extern const char *const diff_actions[ACTIONS];

#endif
