/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiling at full size: a million prefixes in the shapes that a table structure may dislike. What
 * is bounded is lines, steps and processor time; a sample of addresses is compared with a binary
 * search over the same prefixes.
 * test-timeout: 900
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COMPILE_SECONDS 30.0 /* a sanitiser slows everything down */
#endif
#endif
#ifndef COMPILE_SECONDS
#define COMPILE_SECONDS 6.0 /* about four times what it takes on a quiet machine */
#endif

#define SAMPLES 20000u
#define V6(hi) ((unsigned __int128)(hi) << 64)
#define NET_10 V6(10ull << 56)
#define GLOBAL V6(2ull << 60) /* 2000::/3 */
#define DOCUMENTATION V6(0x20010db8ull << 32)

/* A million random prefixes, in groups that share their first bits. */
struct shape {
	const char *name;
	uint8_t family, shortest, longest;
	uint8_t under_len; /* all start with this many bits of `under` */
	unsigned __int128 under;
	uint16_t lists; /* each prefix is on one of them */
	uint32_t lines, steps; /* bounds */
	uint32_t group; /* so many in a row share group_len bits; 0: none do */
	uint8_t group_len;
	uint8_t apart; /* of a group, number n leaves the others' path n times this many bits later */
};

static const struct shape shapes[] = {
	{ "IPv4 /32", 4, 32, 32, 0, 0, 1, 170000, 4 },
	{ "IPv4 /31", 4, 31, 31, 0, 0, 1, 170000, 4 },
	{ "IPv4 /25", 4, 25, 25, 0, 0, 1, 170000, 4 },
	{ "IPv4 /24", 4, 24, 24, 0, 0, 1, 170000, 4 },
	{ "IPv4 /24, 4096 lists", 4, 24, 24, 0, 0, 4096, 170000, 4 },
	{ "IPv4 /16../32", 4, 16, 32, 0, 0, 1, 170000, 4 },
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
	{ "IPv6 every length", 6, 0, 128, 0, 0, 4096, 800000, 10 },
	{ "IPv6 every length in each of many nests", 6, 0, 128, 0, 0, 4096, 800000, 12, 129, 0, 1 },
};

/* Processor time: another process on the machine must not fail the test. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

static void make_shape(const struct shape *shape, struct made *made)
{
	uint32_t lengths = shape->longest - shape->shortest + 1u;
	uint32_t lists = shape->lists ? shape->lists : 1;
	unsigned __int128 group = 0;
	uint64_t random = 7;

	for (uint32_t i = 0; i < lists; i++)
		make_list(made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < LIMIT_PREFIXES; i++) {
		unsigned __int128 address = shape_address(shape, i, &group, &random);
		uint32_t length = shape->shortest + random_next(&random) % lengths;

		if (shape->group == lengths) /* nests: one of each */
			length = i % lengths;
		make_prefix(made, 1 + i % lists, shape->family, address, (uint8_t)length);
	}
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

struct reference {
	struct prefix *items;
	uint32_t first[130]; /* by length: where its prefixes start, the longest first */
};

/* Sorts the policy itself: what is compiled does not depend on the order. */
static void make_reference(const struct policy *policy, struct reference *ret)
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

static uint16_t search(const struct reference *reference, unsigned __int128 address)
{
	uint16_t list = 0;

	for (uint32_t len = 129; len-- && !list;)
		list = search_length(reference, (uint8_t)len, address);
	return list;
}

/* Half of the samples at random, half at the edges of prefixes. */
static void assert_samples(const struct shape *shape, const struct policy *policy,
			   const struct image *image)
{
	enum table table = shape->family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC;
	struct reference reference;
	uint64_t random = 9;

	make_reference(policy, &reference);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		const struct prefix *prefix =
			&policy->prefixes[random_next(&random) % policy->prefix_count];
		unsigned __int128 size =
			prefix->len ? (unsigned __int128)1 << (128 - prefix->len) : 0;
		unsigned __int128 address = V6(prefix->hi) | prefix->lo;

		if (i & 1)
			address = random_address(&random, shape->family);
		else
			address += i & 2 ? size : size - 1;
		if (shape->family == 4)
			address = address >> 96 << 96;
		assert_int_equal(image_lookup(image, table, address).drop,
				 search(&reference, address));
	}
}

static void compile_shape(const struct shape *shape)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };
	double start, taken;

	make_shape(shape, &made);
	start = seconds();
	made_compile(&made, &file);
	taken = seconds() - start;
	print_message("%s: %u lines, %u steps, %.2f s\n", shape->name, file.image.lines,
		      image_counts(&file.image)->steps, taken);
	if (taken > COMPILE_SECONDS)
		fail_msg("took %.2f s of processor time", taken);
	if (getenv("SHOW"))
		return;
	assert_in_range(file.image.lines, 1, shape->lines);
	assert_in_range(image_counts(&file.image)->steps, 1, shape->steps);
	assert_samples(shape, &made.policy, &file.image);
	assert_int_equal(image_check("compiled", file.bytes, (size_t)file.image.lines * LINE_SIZE,
				     &limits_builtin, &diag),
			 0);
}

static void a_million_prefixes_of_any_shape_fit_and_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		compile_shape(&shapes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_prefixes_of_any_shape_fit_and_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
