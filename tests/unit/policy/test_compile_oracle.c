/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of an image against a linear scan over its policy's prefixes, at random addresses and
 * at every edge of every prefix. Hundreds of small policies of nested, adjacent and equal prefixes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"

#define POLICIES 300u
#define PREFIXES_MOST 160u
#define ADDRESSES 200u

static void assert_same(const struct policy *policy, const struct image *image, enum table table,
			unsigned __int128 address)
{
	struct leaf want = oracle_leaf(policy, table, address);
	struct leaf got = image_lookup(image, table, address);

	if (!memcmp(&want, &got, sizeof(want)))
		return;
	fail_msg("table %d, %016llx%016llx: drop %u allow %u flag %u protect %u score %u, "
		 "not drop %u allow %u flag %u protect %u score %u",
		 (int)table, (unsigned long long)(address >> 64), (unsigned long long)address,
		 got.drop, got.allow, got.flag, got.protect, got.score[0], want.drop, want.allow,
		 want.flag, want.protect, want.score[0]);
}

static unsigned __int128 address_bits(enum table table, unsigned __int128 address)
{
	return table == TABLE_V4_SRC || table == TABLE_V4_DST ? address >> 96 << 96 : address;
}

/* First and last address of every prefix, and their neighbours. */
static void assert_edges(const struct policy *policy, const struct image *image, enum table table)
{
	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		const struct prefix *prefix = &policy->prefixes[i];
		unsigned __int128 one = (unsigned __int128)1 << (prefix->family == 4 ? 96 : 0);
		unsigned __int128 first = (unsigned __int128)prefix->hi << 64 | prefix->lo;
		unsigned __int128 size =
			prefix->len ? (unsigned __int128)1 << (128 - prefix->len) : 0;
		const unsigned __int128 edges[] = { first - one,	first,
						    first + one,	first + size - one - one,
						    first + size - one, first + size };

		for (size_t j = 0; j < ARRAY_SIZE(edges); j++)
			assert_same(policy, image, table, address_bits(table, edges[j]));
	}
}

/* What the compiler makes, the checker accepts; the two share no code. */
static void assert_checked(const struct image *image)
{
	auto_diag struct diag diag = { 0 };
	size_t len = (size_t)image->lines * LINE_SIZE;

	if (image_check("compiled", image->bytes, len, &limits_builtin, &diag))
		fail_msg("%s", diag.stored ? diag.problems[0].message : "no memory");
}

static void assert_agrees(const struct made *made, uint64_t *random)
{
	auto_image struct image_file file = { 0 };

	made_compile(made, &file);
	assert_checked(&file.image);
	for (enum table table = 0; table < TABLES; table++) {
		assert_edges(&made->policy, &file.image, table);
		for (uint32_t i = 0; i < ADDRESSES; i++)
			assert_same(&made->policy, &file.image, table,
				    address_bits(table, random_address(random, 6)));
	}
}

static void random_policies_give_what_a_linear_scan_gives(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < POLICIES; i++) {
		auto_made struct made made = { 0 };
		uint32_t tries = random_next(&random) % PREFIXES_MOST;

		make_random_lists(&made, &random);
		while (tries--)
			make_random_prefix(&made, &random);
		assert_agrees(&made, &random);
	}
}

/* ---- the rules one by one, each against the oracle and against what it says ---- */

#define V4(address) ((unsigned __int128)(address) << 96)
#define V6(hi, lo) ((unsigned __int128)(hi) << 64 | (lo))

/* @made at @address: the leaf that both agree on. */
static struct leaf leaf_at(const struct made *made, enum table table, unsigned __int128 address)
{
	auto_image struct image_file file = { 0 };
	uint64_t random = 2;

	made_compile(made, &file);
	assert_agrees(made, &random);
	return image_lookup(&file.image, table, address);
}

static void a_policy_without_prefixes_names_no_address(void **state)
{
	auto_made struct made made = { 0 };
	const struct leaf nothing = { 0 };
	struct leaf got;

	(void)state;
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (enum table table = 0; table < TABLES; table++) {
		got = leaf_at(&made, table, V4(0xc0000201));
		assert_memory_equal(&got, &nothing, sizeof(got));
	}
}

static void a_prefix_of_length_zero_covers_its_family_and_no_other(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t drop;

	(void)state;
	drop = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_prefix(&made, drop, 6, 0, 0);
	assert_int_equal(leaf_at(&made, TABLE_V6_SRC, 0).drop, drop);
	assert_int_equal(leaf_at(&made, TABLE_V6_SRC, ~(unsigned __int128)0).drop, drop);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(1)).drop, 0);
	assert_int_equal(leaf_at(&made, TABLE_V6_DST, 0).drop, 0);
}

static void the_longest_prefix_wins_inside_an_action(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t wide, narrow, allow;

	(void)state;
	wide = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	narrow = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	allow = make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	make_prefix(&made, wide, 4, V4(0x0a000000), 8);
	make_prefix(&made, narrow, 4, V4(0x0a010000), 16);
	make_prefix(&made, wide, 4, V4(0x0a010100), 24);
	make_prefix(&made, allow, 4, V4(0x0a010101), 32);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a020000)).drop, wide);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a010000)).drop, narrow);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a010101)).drop, wide);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a010101)).allow, allow);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a010102)).allow, 0);
}

static void of_equal_prefixes_the_list_that_comes_first_wins(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t first, second;

	(void)state;
	first = make_list(&made, ACTION_FLAG, MATCH_DESTINATION, NULL, 0);
	second = make_list(&made, ACTION_FLAG, MATCH_DESTINATION, NULL, 0);
	make_prefix(&made, second, 6, V6(0x20010db8ull << 32, 0), 32);
	make_prefix(&made, first, 6, V6(0x20010db8ull << 32, 0), 32);
	assert_int_equal(leaf_at(&made, TABLE_V6_DST, V6(0x20010db8ull << 32, 1)).flag, first);
	assert_int_equal(leaf_at(&made, TABLE_V6_SRC, V6(0x20010db8ull << 32, 1)).flag, 0);
}

static void of_one_family_the_most_points_win_whatever_the_length(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t strong, weak, other;
	struct leaf leaf;

	(void)state;
	weak = make_list(&made, ACTION_SCORE, MATCH_SOURCE, "reputation", 5);
	other = make_list(&made, ACTION_SCORE, MATCH_SOURCE, "geography", 1);
	strong = make_list(&made, ACTION_SCORE, MATCH_SOURCE, "reputation", 9);
	make_prefix(&made, weak, 4, V4(0x0a010101), 32);
	make_prefix(&made, strong, 4, V4(0x0a010000), 16);
	make_prefix(&made, weak, 4, V4(0x0a000000), 8);
	make_prefix(&made, other, 4, V4(0x0a010000), 17);
	leaf = leaf_at(&made, TABLE_V4_SRC, V4(0x0a010101));
	assert_int_equal(leaf.score[0], strong);
	assert_int_equal(leaf.score[1], other);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0x0a000001)).score[0], weak);
}

static void score_lists_of_a_leaf_stand_at_the_front(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t second;
	struct leaf leaf;

	(void)state;
	make_list(&made, ACTION_SCORE, MATCH_SOURCE, "reputation", 5);
	second = make_list(&made, ACTION_SCORE, MATCH_SOURCE, "geography", 1);
	make_prefix(&made, second, 4, V4(0x0a000000), 8);
	leaf = leaf_at(&made, TABLE_V4_SRC, V4(0x0a000001));
	assert_int_equal(leaf.score[0], second);
	assert_int_equal(leaf.score[1], 0);
}

/* The same boundary from both sides, at the ends of the space and of a node. */
static void prefixes_that_touch_stay_apart(void **state)
{
	auto_made struct made made = { 0 };
	uint16_t left, right;

	(void)state;
	left = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	right = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < 256; i++)
		make_prefix(&made, i & 1 ? right : left, 4, V4(0xffffff00u + i), 32);
	make_prefix(&made, left, 4, V4(0), 32);
	make_prefix(&made, right, 4, V4(1), 32);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0)).drop, left);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0xfffffffeu)).drop, left);
	assert_int_equal(leaf_at(&made, TABLE_V4_SRC, V4(0xffffffffu)).drop, right);
}

/* One list per length around one address: the deepest nesting there is. */
static void prefixes_of_every_length_nest(void **state)
{
	static const unsigned __int128 spines[] = { 0, ~(unsigned __int128)0,
						    V6(0x5555555555555555, 0xaaaaaaaaaaaaaaaa) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spines); i++) {
		auto_made struct made made = { 0 };

		for (uint8_t len = 0; len <= 128; len++)
			make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		for (uint8_t len = 0; len <= 128; len++)
			make_prefix(&made, len + 1, 6, spines[i], len);
		for (uint8_t len = 0; len <= 32; len++)
			make_prefix(&made, len + 1, 4, spines[i] >> 96 << 96, len);
		assert_int_equal(leaf_at(&made, TABLE_V6_SRC, spines[i]).drop, 129);
		assert_int_equal(leaf_at(&made, TABLE_V4_SRC, spines[i] >> 96 << 96).drop, 33);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_without_prefixes_names_no_address),
		cmocka_unit_test(a_prefix_of_length_zero_covers_its_family_and_no_other),
		cmocka_unit_test(the_longest_prefix_wins_inside_an_action),
		cmocka_unit_test(of_equal_prefixes_the_list_that_comes_first_wins),
		cmocka_unit_test(of_one_family_the_most_points_win_whatever_the_length),
		cmocka_unit_test(score_lists_of_a_leaf_stand_at_the_front),
		cmocka_unit_test(prefixes_that_touch_stay_apart),
		cmocka_unit_test(prefixes_of_every_length_nest),
		cmocka_unit_test(random_policies_give_what_a_linear_scan_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
