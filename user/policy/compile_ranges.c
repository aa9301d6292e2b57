/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorted prefixes to ranges: one sweep over the address space with a stack of the prefixes that
 * are open. Here, and only here, is decided which list wins where: inside an action the longest
 * prefix, then the list that comes first; of score lists of one family the one with most points.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "compile_parts.h"

#define NESTED 130u /* lengths 0 to 128 inside each other, and the space around them */

/* A prefix that is open at this point of the sweep. score[] is indexed by family here. */
struct open {
	bits128 end; /* first address behind it, 0 when it reaches the end of the space */
	struct leaf lists;
};

struct sweep {
	const struct policy *policy;
	const uint8_t *families;
	struct leaves *leaves;
	struct ranges *ranges;
	struct open open[NESTED];
	uint32_t depth; /* of open[], the space itself included */
	bits128 start; /* of the range that is not yet written, whose end nobody knows */
	struct leaf lists; /* of it */
};

/* Score lists of one leaf stand at the front, in the order of their families. */
static struct leaf pack_scores(const struct leaf *lists)
{
	struct leaf ret = *lists;
	uint32_t count = 0;

	for (uint32_t i = 0; i < LIMIT_FAMILIES; i++) {
		uint16_t list = ret.score[i];

		ret.score[i] = 0;
		if (list)
			ret.score[count++] = list;
	}
	return ret;
}

static int ranges_reserve(struct ranges *ranges)
{
	uint32_t cap = ranges->cap ? ranges->cap * 2 : 64;
	struct range *items;

	if (ranges->count < ranges->cap)
		return 0;
	items = reallocarray(ranges->items, cap, sizeof(*items));
	if (!items)
		return -ENOMEM;
	ranges->items = items;
	ranges->cap = cap;
	return 0;
}

/* Writes the range that was waiting for its end, unless it continues the one before. */
static int sweep_write(struct sweep *sweep)
{
	const struct leaf packed = pack_scores(&sweep->lists);
	struct ranges *ranges = sweep->ranges;
	uint32_t id;

	if (leaf_intern(sweep->leaves, &packed, &id) || ranges_reserve(ranges))
		return -ENOMEM;
	if (ranges->count && ranges->items[ranges->count - 1].leaf == id)
		return 0;
	ranges->items[ranges->count++] = (struct range){ .hi = (uint64_t)(sweep->start >> 64),
							 .lo = (uint64_t)sweep->start,
							 .leaf = id };
	return 0;
}

/* From @start on the lists of the innermost open prefix hold. */
static int sweep_to(struct sweep *sweep, bits128 start)
{
	int err = start == sweep->start ? 0 : sweep_write(sweep);

	sweep->start = start;
	sweep->lists = sweep->open[sweep->depth - 1].lists;
	return err;
}

/* Closes the innermost prefixes that end at or before @start; all of them when it is 0. */
static int sweep_close(struct sweep *sweep, bits128 start)
{
	int err = 0;

	while (!err && sweep->depth > 1) {
		bits128 end = sweep->open[sweep->depth - 1].end;

		if (start && (!end || end > start))
			break;
		sweep->depth--;
		err = end ? sweep_to(sweep, end) : 0;
	}
	return err;
}

static uint8_t points_of(const struct sweep *sweep, uint16_t list)
{
	return sweep->policy->lists[list - 1].points;
}

/* Of one family the list with most points; merged later wins at equal points. */
static void merge_score(const struct sweep *sweep, struct leaf *lists, uint16_t list)
{
	uint16_t *winner = &lists->score[sweep->families[list - 1]];

	if (!*winner || points_of(sweep, list) >= points_of(sweep, *winner))
		*winner = list;
}

static void merge_list(const struct sweep *sweep, struct leaf *lists, uint16_t list)
{
	uint32_t index = list - 1u;
	enum action action = index < sweep->policy->list_count ? sweep->policy->lists[index].action
							       : ACTION_PROTECT;

	switch (action) {
	case ACTION_ALLOW:
		lists->allow = list;
		break;
	case ACTION_DROP:
		lists->drop = list;
		break;
	case ACTION_FLAG:
		lists->flag = list;
		break;
	case ACTION_SCORE:
		merge_score(sweep, lists, list);
		break;
	default:
		lists->protect = list;
	}
}

/*
 * Opens the prefix that @items start with and returns how many of them are that same prefix, of
 * several lists. What is merged later wins, and they come in file order: so from the last on.
 */
static uint32_t sweep_open(struct sweep *sweep, const struct prefix *items, uint32_t count)
{
	struct open *open = &sweep->open[sweep->depth];
	uint32_t same = 1;

	assert(sweep->depth < NESTED);
	while (same < count && items[same].hi == items[0].hi && items[same].lo == items[0].lo &&
	       items[same].len == items[0].len)
		same++;
	open->lists = sweep->open[sweep->depth - 1].lists;
	for (uint32_t i = same; i > 0; i--)
		merge_list(sweep, &open->lists, items[i - 1].list);
	open->end = bits128_of(items->hi, items->lo);
	open->end = items->len ? open->end + ((bits128)1 << (128 - items->len)) : 0;
	sweep->depth++;
	return same;
}

static int sweep_all(struct sweep *sweep, const struct prefix *items, uint32_t count)
{
	int err = 0;

	for (uint32_t i = 0; i < count && !err;) {
		bits128 start = bits128_of(items[i].hi, items[i].lo);

		err = start ? sweep_close(sweep, start) : 0;
		if (err)
			break;
		i += sweep_open(sweep, &items[i], count - i);
		err = sweep_to(sweep, start);
	}
	if (!err)
		err = sweep_close(sweep, 0);
	return err ? err : sweep_write(sweep);
}

int ranges_sweep(const struct policy *policy, const uint8_t *families, enum table table,
		 struct leaves *leaves, struct ranges *ret)
{
	auto_ranges struct ranges ranges = { 0 };
	autofree struct prefix *items = NULL;
	struct sweep sweep = { .policy = policy,
			       .families = families,
			       .leaves = leaves,
			       .ranges = &ranges,
			       .depth = 1 };
	uint32_t count;
	int err;

	err = table_prefixes(policy, table, &items, &count);
	if (!err)
		err = sweep_all(&sweep, items, count);
	if (err)
		return err;
	*ret = ranges;
	ranges = (struct ranges){ 0 };
	return 0;
}

void ranges_free(struct ranges *ranges)
{
	free(ranges->items);
	*ranges = (struct ranges){ 0 };
}
