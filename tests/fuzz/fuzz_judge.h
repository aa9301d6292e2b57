/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every verdict promises, whatever the packet and whatever the image. */
#ifndef TESTS_FUZZ_FUZZ_JUDGE_H
#define TESTS_FUZZ_FUZZ_JUDGE_H

#ifdef NDEBUG
#error "a fuzz target without assertions checks nothing"
#endif

#include <assert.h>

#include <stanch/override.h>

#include "policy/compile.h"

static inline bool fuzz_is_anomaly(uint8_t reason)
{
	return reason >= REASON_BAD_VERSION && reason <= REASON_BAD_UDP_LENGTH;
}

static inline bool fuzz_is_broken(uint8_t reason)
{
	return reason == REASON_IMAGE_MAGIC || reason == REASON_IMAGE_REFERENCE ||
	       reason == REASON_IMAGE_STEPS;
}

/* A verdict that is no pass names a list that the image has, or a header it drops. */
static inline void fuzz_check_verdict(const struct image *image, const struct judgement *j)
{
	const struct image_hot *hot = image_line((struct image *)image, IMAGE_HOT_LINE);

	assert(j->reason < REASONS);
	if (j->verdict == VERDICT_PASS) {
		assert(!fuzz_is_broken(j->reason) || !j->list);
		return;
	}
	assert(j->verdict == VERDICT_FLAG || j->verdict == VERDICT_DROP);
	assert(hot && hot->magic == IMAGE_HOT_MAGIC);
	assert(j->list <= hot->lists);
	switch (j->reason) {
	case REASON_LIST_DROP:
	case REASON_INNER_DROP:
		assert(j->verdict == VERDICT_DROP && j->list);
		break;
	case REASON_LIST_FLAG:
	case REASON_INNER_FLAG:
		assert(j->verdict == VERDICT_FLAG && j->list);
		break;
	case REASON_OVERRIDE_BLOCK:
		assert(j->verdict == VERDICT_DROP && !j->list);
		break;
	default:
		assert(j->verdict == VERDICT_DROP && !j->list);
		assert(fuzz_is_anomaly(j->reason) && (hot->flags & IMAGE_HEADERS));
	}
}

/* In a checked image there is no trouble, and the list says itself what it does. */
static inline void fuzz_check_checked(const struct image *image, const struct judgement *j)
{
	static const uint8_t actions[REASONS] = {
		[REASON_PROTECT_PREFIX] = 1 + ACTION_PROTECT,
		[REASON_LIST_ALLOW] = 1 + ACTION_ALLOW,
		[REASON_LIST_DROP] = 1 + ACTION_DROP,
		[REASON_LIST_FLAG] = 1 + ACTION_FLAG,
		[REASON_INNER_ALLOW] = 1 + ACTION_ALLOW,
		[REASON_INNER_DROP] = 1 + ACTION_DROP,
		[REASON_INNER_FLAG] = 1 + ACTION_FLAG,
	};

	fuzz_check_verdict(image, j);
	assert(!fuzz_is_broken(j->reason));
	if (actions[j->reason])
		assert(image_list(image, j->list)->action + 1 == actions[j->reason]);
	else
		assert(!j->list || j->reason == REASON_KILLED);
	if (j->reason == REASON_LIST_SCORE)
		assert(image_leaf(image, j->src_leaf ? j->src_leaf : j->dst_leaf)->score[0]);
}

#endif
