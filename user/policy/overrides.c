/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overrides to an image: expired ones and those that a cover outlasts are left out, the rest become
 * lists of one prefix each. What is left nests so that the longest prefix also lasts longest: the
 * program, which finds the longest alone, needs no second look when that one has expired.
 */
#include "policy/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NESTED 129u /* lengths 0 to 128 of one action inside each other */
#define NS_PER_S 1000000000ull

/* Those of the set that are in force, sorted; then without what a cover outlasts. */
struct chosen {
	const struct override **items;
	uint32_t count;
};

static void chosen_free(struct chosen *chosen)
{
	free(chosen->items);
}

static uint64_t mask_of(uint32_t bits)
{
	return bits < 64 ? ~(UINT64_MAX >> bits) : UINT64_MAX;
}

bool prefix_covers(const struct prefix *cover, const struct prefix *inside)
{
	uint32_t low = cover->len > 64 ? cover->len - 64u : 0;

	return cover->family == inside->family && cover->len <= inside->len &&
	       (inside->hi & mask_of(cover->len)) == cover->hi &&
	       (inside->lo & mask_of(low)) == cover->lo;
}

static uint64_t end_of(const struct override *override)
{
	return override->expires ? override->expires : UINT64_MAX;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By action, family, address, length; of the same prefix the one that lasts longest comes first. */
static int compare(const void *left, const void *right)
{
	const struct override *a = *(const struct override *const *)left;
	const struct override *b = *(const struct override *const *)right;
	int order = compare_u64(a->block, b->block);

	if (!order)
		order = compare_u64(a->prefix.family, b->prefix.family);
	if (!order)
		order = compare_u64(a->prefix.hi, b->prefix.hi);
	if (!order)
		order = compare_u64(a->prefix.lo, b->prefix.lo);
	if (!order)
		order = compare_u64(a->prefix.len, b->prefix.len);
	return order ? order : compare_u64(end_of(b), end_of(a));
}

static int choose(const struct override_set *set, const struct override_clock *now,
		  struct chosen *ret)
{
	ret->items = calloc(set->count + 1u, sizeof(const struct override *));
	if (!ret->items)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->count; i++)
		if (!override_is_over(&set->items[i], now))
			ret->items[ret->count++] = &set->items[i];
	qsort(ret->items, ret->count, sizeof(const struct override *), compare);
	return 0;
}

static bool covers(const struct override *cover, const struct override *inside)
{
	return cover->block == inside->block && prefix_covers(&cover->prefix, &inside->prefix);
}

/* Each prefix comes behind those that it is inside of; open[] holds these, the longest last. */
static void leave_out_outlasted(struct chosen *chosen)
{
	const struct override *open[NESTED];
	uint32_t depth = 0, kept = 0;

	for (uint32_t i = 0; i < chosen->count; i++) {
		const struct override *override = chosen->items[i];

		while (depth && !covers(open[depth - 1], override))
			depth--;
		if (depth && end_of(open[depth - 1]) >= end_of(override))
			continue;
		open[depth++] = override;
		chosen->items[kept++] = override;
	}
	chosen->count = kept;
}

/* ---- as a policy ---- */

static int add_list(struct policy *policy, const struct override *override)
{
	struct list *list = &policy->lists[policy->list_count];
	char name[16];

	snprintf(name, sizeof(name), "o-%u", policy->list_count + 1);
	list->name = strdup(name);
	if (!list->name)
		return -ENOMEM;
	list->action = override->block ? ACTION_DROP : ACTION_ALLOW;
	list->match = MATCH_SOURCE;
	list->prefixes = 1;
	policy->prefixes[policy->list_count] = override->prefix;
	policy->prefixes[policy->list_count].list = (uint16_t)(policy->list_count + 1);
	policy->prefix_count = ++policy->list_count;
	return 0;
}

static int make_policy(const struct chosen *chosen, struct policy *ret)
{
	int err = 0;

	policy_factory(ret);
	ret->lists = calloc(chosen->count, sizeof(*ret->lists));
	ret->prefixes = calloc(chosen->count, sizeof(*ret->prefixes));
	if (!ret->lists || !ret->prefixes)
		return -ENOMEM;
	for (uint32_t i = 0; i < chosen->count && !err; i++)
		err = add_list(ret, chosen->items[i]);
	return err;
}

/* By list id. What is too far away to be told in nanoseconds is never. */
static uint64_t *make_expiry(const struct chosen *chosen, const struct override_clock *now)
{
	uint64_t *expiry = calloc(chosen->count + 1u, sizeof(*expiry));

	for (uint32_t i = 0; expiry && i < chosen->count; i++) {
		uint64_t left_s = end_of(chosen->items[i]) - now->realtime_s;

		if (left_s < (UINT64_MAX - now->monotonic_ns) / NS_PER_S)
			expiry[i + 1] = now->monotonic_ns + left_s * NS_PER_S;
	}
	return expiry;
}

int overrides_compile(const struct override_set *set, const struct override_clock *now,
		      const struct limits *limits, struct image_file *ret, struct diag *diag)
{
	cleanup(chosen_free) struct chosen chosen = { 0 };
	auto_policy struct policy policy = { 0 };
	autofree uint64_t *expiry = NULL;
	int err = choose(set, now, &chosen);

	if (err)
		return err;
	if (chosen.count > limits->overrides) {
		diag_add_limit(diag, NULL, "too_many_overrides",
			       (struct diag_limit){ chosen.count, limits->overrides },
			       "%u overrides, the loaded program holds %u", chosen.count,
			       limits->overrides);
		return -EINVAL;
	}
	if (!chosen.count)
		return -ENOENT;
	leave_out_outlasted(&chosen);
	expiry = make_expiry(&chosen, now);
	err = expiry ? make_policy(&chosen, &policy) : -ENOMEM;
	return err ? err : policy_compile_overrides(&policy, limits, expiry, ret, diag);
}
