/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The prefixes of one table in order. A radix sort over the bytes of address, length and list, so
 * that no choice of prefixes makes it slow; bytes that are all the same cost no pass.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_parts.h"

/* The least significant first: list, length, address. */
#define DIGITS 19u
#define DIGIT_VALUES 256u

static uint8_t digit_of(const struct prefix *prefix, uint32_t digit)
{
	if (digit < 2)
		return (uint8_t)(prefix->list >> 8 * digit);
	if (digit == 2)
		return prefix->len;
	if (digit < 11)
		return (uint8_t)(prefix->lo >> 8 * (digit - 3));
	return (uint8_t)(prefix->hi >> 8 * (digit - 11));
}

static void sort_digit(const struct prefix *from, struct prefix *to, uint32_t count, uint32_t digit)
{
	uint32_t place[DIGIT_VALUES] = { 0 }, before = 0;

	for (uint32_t i = 0; i < count; i++)
		place[digit_of(&from[i], digit)]++;
	for (uint32_t i = 0; i < DIGIT_VALUES; i++) {
		uint32_t here = place[i];

		place[i] = before;
		before += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[place[digit_of(&from[i], digit)]++] = from[i];
}

/* A bit per digit in which not all prefixes are the same. */
static uint32_t digits_that_differ(const struct prefix *items, uint32_t count)
{
	struct prefix differ = { 0 };
	uint32_t ret = 0;

	for (uint32_t i = 1; i < count; i++) {
		differ.hi |= items[i].hi ^ items[0].hi;
		differ.lo |= items[i].lo ^ items[0].lo;
		differ.len |= items[i].len ^ items[0].len;
		differ.list |= items[i].list ^ items[0].list;
	}
	for (uint32_t digit = 0; digit < DIGITS; digit++)
		ret |= (uint32_t) !!digit_of(&differ, digit) << digit;
	return ret;
}

static int sort_prefixes(struct prefix **items, uint32_t count)
{
	uint32_t differ = digits_that_differ(*items, count);
	autofree struct prefix *spare = NULL;

	if (!differ)
		return 0;
	spare = reallocarray(NULL, count, sizeof(*spare));
	if (!spare)
		return -ENOMEM;
	for (uint32_t digit = 0; digit < DIGITS; digit++) {
		struct prefix *sorted = spare;

		if (!(differ >> digit & 1))
			continue;
		sort_digit(*items, sorted, count, digit);
		spare = *items;
		*items = sorted;
	}
	return 0;
}

/* Protected prefixes count as sources. */
static bool belongs(const struct policy *policy, const struct prefix *prefix, enum table table)
{
	uint32_t index = prefix->list - 1u;
	bool destination =
		index < policy->list_count && policy->lists[index].match == MATCH_DESTINATION;
	bool six = prefix->family == 6;

	return table == (six ? (destination ? TABLE_V6_DST : TABLE_V6_SRC)
			     : (destination ? TABLE_V4_DST : TABLE_V4_SRC));
}

int table_prefixes(const struct policy *policy, enum table table, struct prefix **ret,
		   uint32_t *ret_count)
{
	autofree struct prefix *items = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < policy->prefix_count; i++)
		count += belongs(policy, &policy->prefixes[i], table);
	if (!count) {
		*ret = NULL;
		*ret_count = 0;
		return 0;
	}
	items = reallocarray(NULL, count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	count = 0;
	for (uint32_t i = 0; i < policy->prefix_count; i++)
		if (belongs(policy, &policy->prefixes[i], table))
			items[count++] = policy->prefixes[i];
	if (sort_prefixes(&items, count))
		return -ENOMEM;
	*ret = TAKE_PTR(items);
	*ret_count = count;
	return 0;
}
