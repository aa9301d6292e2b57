/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What shapes there are, their prefixes, and answers without a table. */
#include "shapes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define V6(hi) ((unsigned __int128)(hi) << 64)
#define NET_10 V6(10ull << 56)
#define GLOBAL V6(2ull << 60) /* 2000::/3 */
#define DOCUMENTATION V6(0x20010db8ull << 32)

const struct shape shapes[] = {
	{ "IPv4 /32", 4, 32, 32, 0, 0, 1, 170000, 4 },
	{ "IPv4 /31", 4, 31, 31, 0, 0, 1, 170000, 4 },
	{ "IPv4 /25", 4, 25, 25, 0, 0, 1, 170000, 4 },
	{ "IPv4 /24", 4, 24, 24, 0, 0, 1, 170000, 4 },
	{ "IPv4 /24, 4096 lists", 4, 24, 24, 0, 0, 4096, 170000, 4 },
	{ "IPv4 /16../32", 4, 16, 32, 0, 0, 1, 170000, 4 },
	{ "IPv4 blocklist", 4, 16, 32, 0, 0, 64, 170000, 4, .mixed = true },
	{ "IPv4 every length", 4, 0, 32, 0, 0, 4096, 170000, 5 },
	{ "IPv4 /32 in one /8", 4, 32, 32, 8, NET_10, 1, 170000, 5 },
	{ "IPv4 /32 in one /11, 4096 lists", 4, 32, 32, 11, NET_10, 4096, 170000, 5 },
	{ "IPv4 /32 in pairs in /24", 4, 32, 32, 0, 0, 4096, 170000, 4, 2, 24 },
	{ "IPv6 /48", 6, 48, 48, 0, 0, 1, 300000, 4 },
	{ "IPv6 /64", 6, 64, 64, 0, 0, 1, 500000, 4 },
	{ "IPv6 /64 in 2000::/3", 6, 64, 64, 3, GLOBAL, 1, 500000, 5 },
	{ "IPv6 /64 in one /32", 6, 64, 64, 32, DOCUMENTATION, 1, 500000, 5 },
	{ "IPv6 /128", 6, 128, 128, 0, 0, 1, 800000, 5 },
	{ "IPv6 /128 in 2000::/3", 6, 128, 128, 3, GLOBAL, 1, 800000, 5 },
	{ "IPv6 /128 in one /32", 6, 128, 128, 32, DOCUMENTATION, 1, 800000, 5 },
	{ "IPv6 /128 in one /48", 6, 128, 128, 48, DOCUMENTATION, 1, 800000, 5 },
	{ "IPv6 /128 in one /64", 6, 128, 128, 64, DOCUMENTATION, 1, 800000, 5 },
	{ "IPv6 /128, pairs in /48", 6, 128, 128, 3, GLOBAL, 1, 900000, 5, 2, 48 },
	{ "IPv6 /128, fours in /48", 6, 128, 128, 3, GLOBAL, 4096, 900000, 8, 4, 48 },
	{ "IPv6 /128, fives in /64", 6, 128, 128, 3, GLOBAL, 4096, 900000, 8, 5, 64 },
	{ "IPv6 /128, twenties in /32", 6, 128, 128, 3, GLOBAL, 1, 900000, 8, 20, 32 },
	{ "IPv6 /128, a hundred in /64", 6, 128, 128, 3, GLOBAL, 1, 900000, 8, 100, 64 },
	{ "IPv6 /128 in ladders of 7 bits", 6, 128, 128, 3, GLOBAL, 1, 900000, 12, 13, 32, 7 },
	{ "IPv6 /128 in ladders of 1 bit", 6, 128, 128, 3, GLOBAL, 1, 900000, 12, 96, 32, 1 },
	{ "IPv6 /128 in ladders of 30 bits", 6, 128, 128, 3, GLOBAL, 1, 900000, 12, 4, 32, 30 },
	{ "IPv6 /29../128", 6, 29, 128, 0, 0, 1, 800000, 8 },
	{ "IPv6 /29../128 in 2000::/3", 6, 29, 128, 3, GLOBAL, 4096, 800000, 8 },
	{ "IPv6 blocklist in 2000::/3", 6, 29, 128, 3, GLOBAL, 64, 800000, 8, .mixed = true },
	{ "IPv6 every length", 6, 0, 128, 0, 0, 4096, 800000, 10 },
	{ "IPv6 every length in each of many nests", 6, 0, 128, 0, 0, 4096, 800000, 12, 129, 0, 1 },
};
const size_t shape_count = ARRAY_SIZE(shapes);

const struct shape *shape_named(const char *name)
{
	for (size_t i = 0; i < shape_count; i++)
		if (!strcmp(shapes[i].name, name))
			return &shapes[i];
	fail_msg("no shape %s", name);
	return NULL;
}

/* The next address: random behind what the shape and the group of this number share. */
static unsigned __int128 shape_address(const struct shape *shape, uint32_t number,
				       unsigned __int128 *group, uint64_t *random)
{
	unsigned __int128 all = ~(unsigned __int128)0, host = all >> shape->under_len;
	unsigned __int128 ret = random_address(random, shape->family);
	uint32_t shared;

	if (shape->group && number % shape->group == 0)
		*group = ret;
	if (shape->group) {
		shared = shape->group_len + number % shape->group * shape->apart;
		host = shared < 128 ? host & all >> shared : 0;
		ret = (*group & ~host) | (ret & host);
	}
	host = all >> shape->under_len;
	return (ret & host) | (shape->under & ~host);
}

/* Of a hundred: 60 of the longest, 25 of 24 or 64 bits, 10 in between, 5 shorter ones. */
static uint32_t mixed_length(const struct shape *shape, uint64_t random)
{
	uint32_t percent = random % 100, network = shape->family == 4 ? 24 : 64;

	random /= 100;
	if (percent < 60)
		return shape->longest;
	if (percent < 85)
		return network;
	if (percent < 95)
		return network + 1 + random % (shape->longest - network - 1u);
	return shape->shortest + random % (network - shape->shortest);
}

void shape_make(const struct shape *shape, uint32_t count, struct made *made)
{
	uint32_t lengths = shape->longest - shape->shortest + 1u;
	uint32_t lists = shape->lists ? shape->lists : 1;
	unsigned __int128 group = 0;
	uint64_t random = 7;

	for (uint32_t i = 0; i < lists; i++)
		make_list(made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < count; i++) {
		unsigned __int128 address = shape_address(shape, i, &group, &random);
		uint32_t length = shape->shortest + random_next(&random) % lengths;

		if (shape->group == lengths) /* nests: one of each */
			length = i % lengths;
		if (shape->mixed)
			length = mixed_length(shape, random_next(&random));
		make_prefix(made, 1 + i % lists, shape->family, address, (uint8_t)length);
	}
}

/* ---- what is looked up ---- */

unsigned __int128 shape_key(const struct shape *shape, const struct policy *policy,
			    enum key_kind kind, uint64_t *random)
{
	const struct prefix *prefix = &policy->prefixes[random_next(random) % policy->prefix_count];
	unsigned __int128 all = ~(unsigned __int128)0, start = V6(prefix->hi) | prefix->lo;
	unsigned __int128 size = prefix->len ? (unsigned __int128)1 << (128 - prefix->len) : 0;
	unsigned __int128 one = (unsigned __int128)1 << (shape->family == 4 ? 96 : 0), address;
	uint64_t choice = random_next(random);

	address = random_address(random, shape->family);
	if (kind == KEY_RANDOM && choice & 1)
		address = (address & all >> shape->under_len) | shape->under;
	if (kind == KEY_LISTED)
		address = start | (address & (size - 1));
	if (kind == KEY_NEAR)
		address = start ^ ((address | one) & (all >> choice % 120));
	if (kind == KEY_EDGE)
		address = (choice & 2 ? start : start + size) - (choice & 1 ? one : 0);
	return shape->family == 4 ? address >> 96 << 96 : address;
}

/* ---- the same answers by binary search, one length after the other ---- */

static int by_length(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->list - y->list;
}

void reference_make(const struct policy *policy, struct reference *ret)
{
	uint32_t at = 0;

	qsort(policy->prefixes, policy->prefix_count, sizeof(*policy->prefixes), by_length);
	ret->items = policy->prefixes;
	for (uint32_t len = 129; len--;) {
		ret->first[len + 1] = at;
		while (at < policy->prefix_count && policy->prefixes[at].len == len)
			at++;
	}
	ret->first[0] = at;
}

static uint16_t search_length(const struct reference *reference, uint8_t len,
			      unsigned __int128 address)
{
	unsigned __int128 start = len ? address >> (128 - len) << (128 - len) : 0;
	const struct prefix key = { .hi = (uint64_t)(start >> 64),
				    .lo = (uint64_t)start,
				    .len = len };
	uint32_t low = reference->first[len + 1], high = reference->first[len];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (by_length(&reference->items[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == reference->first[len] || reference->items[low].hi != key.hi ||
	    reference->items[low].lo != key.lo)
		return 0;
	return reference->items[low].list;
}

uint16_t reference_find(const struct reference *reference, unsigned __int128 address)
{
	uint16_t list = 0;

	for (uint32_t len = 129; len-- && !list;)
		list = search_length(reference, (uint8_t)len, address);
	return list;
}
