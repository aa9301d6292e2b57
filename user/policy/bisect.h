/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which row of a policy does the harm: the drop rows are halved, each round compiles one half of
 * them and judges recent samples by it, until one row is left. Pure; enforces nothing.
 */
#ifndef STANCH_POLICY_BISECT_H
#define STANCH_POLICY_BISECT_H

#include "policy/policy.h"
#include "policy/traffic.h"

struct bisect;
#define auto_bisect cleanup(bisect_free)

/* All of it outlives the search. */
struct bisect_question {
	const struct policy *policy;
	const struct limits *limits;
	const struct image *reference; /* checked */
	const struct sample *samples;
	uint32_t count; /* of samples */
};

/* What the whole policy does to the samples. */
struct bisect_whole {
	struct traffic_sums sums;
	enum traffic_verdict verdict; /* by the policy's own gates */
	char text[DIAG_TEXT]; /* of the verdict */
	uint32_t rows; /* drop rows */
	uint32_t unread; /* samples whose headers are not all there */
	uint64_t by_rows; /* newly dropped packets that these rows drop; others: its settings do */
};

struct bisect_row {
	const struct prefix *prefix; /* one of the policy's */
	uint32_t rounds; /* images compiled to find it */
	uint64_t dropped; /* newly, by this row without any other */
	uint64_t
		remaining; /* newly dropped by rows when this one and those found before are gone */
};

/*
 * bisect_open - judge the whole policy. Returns 0; -EINVAL with problems in @diag when it cannot be
 * compiled; -ENOMEM.
 */
int bisect_open(const struct bisect_question *question, struct bisect **ret,
		struct bisect_whole *ret_whole, struct diag *diag);
void bisect_free(struct bisect **bisect);
/*
 * bisect_next - the row in that half of the rows, of that half and so on, which newly drops most;
 * from then on it is left out. At most ceil(log2(rows)) rounds.
 * Returns 1 and fills @ret; 0 when the rows left drop nothing newly; -errno.
 */
int bisect_next(struct bisect *bisect, struct bisect_row *ret, struct diag *diag);
/* bisect_image - the policy with this row alone of all its drop rows. Errors as bisect_open(). */
int bisect_image(struct bisect *bisect, const struct bisect_row *row, struct image_file *ret,
		 struct diag *diag);
/* bisect_each - samples that @image, from bisect_image(), newly drops, until @fn returns non-zero. */
int bisect_each(struct bisect *bisect, const struct image *image,
		int (*fn)(void *context, const struct sample *sample), void *context);

#endif
