/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of several lengths, as people's are: mostly hosts and whole networks, some of any other
 * length. And sources to look up in them. A listed source is the first address of a prefix, which a
 * hash can find, too; whether the others of a network would be asked for makes no difference to
 * those that know prefixes.
 */
#include <arpa/inet.h>
#include <endian.h>

#include "packets.h"

#define LISTS 64u
#define ACTIVE 10000u
#define FLOWS_BITS 16u
#define ZIPF_KEYS (1u << 18)
#define UNLISTED_KEYS (1u << 20)
#define FLAGGED4 0xc0000200u /* 192.0.2.0/24 and 2001:db8:f1a9::/48 are flagged */
#define FLAGGED6 0x20010db8f1a90000ull

/* One entry is the flagged network: what a policy may hold is then held. */
const uint32_t sizes[SIZES] = { 1, 1000, 100000, LIMIT_PREFIXES - 1 };
const char *const mix_names[MIXES] = { "spread", "active", "zipf", "unlisted", "flagged" };

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("bench: out of memory\n", stderr);
	exit(1);
}

/* Of a hundred: 60 hosts, 25 networks of 256, 10 smaller ones, 5 larger ones. */
static uint8_t length4(uint64_t random)
{
	uint32_t percent = random % 100;

	if (percent < 60)
		return 32;
	if (percent < 85)
		return 24;
	return percent < 95 ? 25 + random / 100 % 7 : 16 + random / 100 % 8;
}

/* Of a hundred: 40 customers of /64, 25 sites of /48, 15 hosts, 20 of any length from /29 on. */
static uint8_t length6(uint64_t random)
{
	uint32_t percent = random % 100;

	if (percent < 40)
		return 64;
	if (percent < 65)
		return 48;
	return percent < 80 ? 128 : 29 + random / 100 % 100;
}

/* IPv6 from 2000::/3, which is what there is. */
static unsigned __int128 any_address(uint64_t *random, enum family family)
{
	unsigned __int128 address = random_address(random, family == V4 ? 4 : 6);

	return family == V4 ? address : address >> 3 | (unsigned __int128)1 << 125;
}

static bool covers(const struct prefix *prefix, uint64_t hi)
{
	return prefix->len <= 64 && !((prefix->hi ^ hi) >> (64 - prefix->len));
}

/* The flagged network must not be on a list that drops, however large a network that names. */
static void add_prefix(struct made *made, enum family family, uint64_t *random)
{
	struct policy *policy = &made->policy;
	uint16_t list = (uint16_t)(1 + policy->prefix_count % LISTS);
	const struct prefix *last;

	do {
		uint8_t len =
			family == V4 ? length4(random_next(random)) : length6(random_next(random));

		make_prefix(made, list, family == V4 ? 4 : 6, any_address(random, family), len);
		last = &policy->prefixes[policy->prefix_count - 1];
		if (!covers(last, family == V4 ? (uint64_t)FLAGGED4 << 32 : FLAGGED6))
			return;
		policy->prefix_count--;
		policy->lists[list - 1].prefixes--;
	} while (true);
}

static void make_family(struct lists *lists, enum family family, uint64_t *random)
{
	struct made *made = &lists->made[family];
	unsigned __int128 flagged = family == V4 ? (unsigned __int128)FLAGGED4 << 96
						 : (unsigned __int128)FLAGGED6 << 64;

	for (uint32_t i = 0; i < LISTS; i++)
		make_list(made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_prefix(made, make_list(made, ACTION_FLAG, MATCH_SOURCE, NULL, 0), family == V4 ? 4 : 6,
		    flagged, family == V4 ? 24 : 48);
	made->policy.headers = made->policy.inner = true;
	for (int size = 0; size < SIZES; size++) {
		while (made->policy.prefix_count <= sizes[size])
			add_prefix(made, family, random);
		made_compile(made, &lists->images[family][size]);
	}
}

/* ---- keys ---- */

struct key key_of(const struct prefix *prefix)
{
	struct key ret = { { 0 } };
	uint64_t halves[2] = { htobe64(prefix->hi), htobe64(prefix->lo) };

	memcpy(&ret, halves, prefix->family == 4 ? 4 : sizeof(ret));
	return ret;
}

static void add_key(struct lists *lists, struct key key)
{
	if (lists->count == lists->cap) {
		lists->cap = lists->cap ? lists->cap * 2 : 1u << 20;
		lists->keys = must(reallocarray(lists->keys, lists->cap, sizeof(*lists->keys)));
	}
	lists->keys[lists->count++] = key;
}

/* The first prefix is the flagged one. */
static struct key listed_key(const struct lists *lists, enum family family, int size,
			     uint64_t *random)
{
	return key_of(&lists->made[family].policy.prefixes[1 + random_next(random) % sizes[size]]);
}

static void add_listed(struct lists *lists, enum family family, int size, uint32_t count,
		       uint64_t *random)
{
	for (uint32_t i = 0; i < count; i++)
		add_key(lists, listed_key(lists, family, size, random));
}

static void add_zipf(struct lists *lists, enum family family, int size, uint64_t *random)
{
	struct key flows[1u << FLOWS_BITS];

	for (uint32_t i = 0; i < 1u << FLOWS_BITS; i++)
		flows[i] = listed_key(lists, family, size, random);
	for (uint32_t i = 0; i < ZIPF_KEYS; i++) {
		uint64_t draw = random_next(random);
		uint32_t scale = 1u << draw % FLOWS_BITS; /* flows scale..2*scale-1 */

		add_key(lists, flows[scale + (draw >> 8) % scale]);
	}
}

/* On no list of the longest, and so on none of the others. */
static void add_unlisted(struct lists *lists, enum family family, uint64_t *random)
{
	enum table table = family == V4 ? TABLE_V4_SRC : TABLE_V6_SRC;
	const struct image *image = &lists->images[family][SIZES - 1].image;

	for (uint32_t i = 0; i < UNLISTED_KEYS;) {
		unsigned __int128 address = any_address(random, family);
		struct leaf leaf = image_lookup(image, table, address);
		struct prefix prefix = { .hi = (uint64_t)(address >> 64),
					 .lo = (uint64_t)address,
					 .family = family == V4 ? 4 : 6 };

		if (leaf.drop || leaf.flag)
			continue;
		add_key(lists, key_of(&prefix));
		i++;
	}
}

static void add_mix(struct lists *lists, enum family family, int size, enum mix mix,
		    uint64_t *random)
{
	struct range *range = &lists->ranges[family][size][mix];

	if (mix == MIX_UNLISTED && size) {
		*range = lists->ranges[family][0][mix];
		return;
	}
	range->start = lists->count;
	if (mix == MIX_SPREAD)
		add_listed(lists, family, size, sizes[size], random);
	else if (mix == MIX_ACTIVE)
		add_listed(lists, family, size, ACTIVE, random);
	else if (mix == MIX_ZIPF)
		add_zipf(lists, family, size, random);
	else if (mix == MIX_UNLISTED)
		add_unlisted(lists, family, random);
	else
		add_key(lists, key_of(&lists->made[family].policy.prefixes[0]));
	range->count = lists->count - range->start;
}

void lists_make(struct lists *ret)
{
	uint64_t random = 11;

	for (enum family family = 0; family < FAMILIES; family++)
		make_family(ret, family, &random);
	for (enum family family = 0; family < FAMILIES; family++)
		for (int size = 0; size < SIZES; size++)
			for (enum mix mix = 0; mix < MIXES; mix++)
				add_mix(ret, family, size, mix, &random);
}

void lists_free(struct lists *lists)
{
	for (enum family family = 0; family < FAMILIES; family++) {
		made_free(&lists->made[family]);
		for (int size = 0; size < SIZES; size++)
			image_free(&lists->images[family][size]);
	}
	free(lists->keys);
	lists->keys = NULL;
}
