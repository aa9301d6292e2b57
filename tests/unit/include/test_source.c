/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is learned about sources: what they are called, where they are put, who gives way to whom,
 * and that nobody can aim at a line without the seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stanch/source.h>

#include "base/cleanup.h"
#include "policies.h"

#define LINES 4096u
#define NEVER 0xffffffffu /* of 32 random bits: gives way only when it has no packet */

static const struct source_packet passed = { .bytes = 100, .tick = 7 };
static const struct source_packet dropped = { .bytes = 60, .dropped = 1, .tick = 7 };

/* ---- what they are called ---- */

static bool is_v4_key(uint64_t key)
{
	return key >> 32 == SOURCE_KEY_V4 >> 32;
}

static void no_ipv6_source_is_taken_for_an_ipv4_one(void **state)
{
	static const uint64_t tricks[] = { 0,
					   1,
					   0xffff,
					   SOURCE_KEY_V4,
					   SOURCE_KEY_V4 | 0xcb007107,
					   0x0000fffeffffffff,
					   0xffffffffffffffff,
					   0xffff000000000000 };
	uint64_t random = 4;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tricks); i++) {
		assert_int_equal(source_key(6, tricks[i]), SOURCE_KEY_RESERVED);
		assert_int_equal(source_group_key(source_key(6, tricks[i])), SOURCE_KEY_RESERVED);
	}
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t hi = random_next(&random) >> i % 64;
		uint64_t four = source_key(4, hi << 32), six = source_key(6, hi);

		assert_true(is_v4_key(four) && is_v4_key(source_group_key(four)));
		assert_false(is_v4_key(six) || is_v4_key(source_group_key(six)));
		assert_true(six != SOURCE_KEY_NONE && six != SOURCE_KEY_BUSY);
		assert_true(source_group_key(six) != SOURCE_KEY_NONE);
	}
}

static void sources_and_networks_are_called_what_they_are(void **state)
{
	(void)state;
	assert_int_equal(source_key(4, 0xcb00710700000000), SOURCE_KEY_V4 | 0xcb007107);
	assert_int_equal(source_group_key(SOURCE_KEY_V4 | 0xcb007107), SOURCE_KEY_V4 | 0xcb007100);
	assert_int_equal(source_key(6, 0x20010db800010002), 0x20010db800010002);
	assert_int_equal(source_group_key(0x20010db800010002), 0x20010db800010000);
	assert_int_equal(source_key(6, 0x0064ff9b00000000), 0x0064ff9b00000000); /* NAT64 */
	assert_int_equal(source_key(4, 0), SOURCE_KEY_V4);
}

/* ---- who gets an entry, and who gives way ---- */

static void count(struct source_line *line, uint64_t key, const struct source_packet *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		assert_true(source_count(line, key, p, NEVER));
}

static void a_line_fills_and_counts_exactly(void **state)
{
	struct source_line line = { 0 };
	const struct source_entry *e;

	(void)state;
	count(&line, 10, &passed, 3);
	count(&line, 20, &passed, 1);
	count(&line, 10, &dropped, 2);
	e = source_find(&line, 10);
	assert_ptr_equal(e, &line.way[0]);
	assert_int_equal(source_packets(e), 5);
	assert_int_equal(e->dropped.word & SOURCE_COUNT_MASK, 2);
	assert_int_equal(e->bytes, 3 * 100 + 2 * 60);
	assert_int_equal(source_packets(source_find(&line, 20)), 1);
	assert_false(source_count(&line, 30, &passed, NEVER));
	assert_null(source_find(&line, 30));
}

static void who_was_idle_for_long_gives_way_whatever_it_sent(void **state)
{
	struct source_line line = { 0 };
	struct source_packet later = passed;

	(void)state;
	count(&line, 10, &passed, 1000);
	count(&line, 20, &passed, 1000);
	later.tick = passed.tick + SOURCE_IDLE;
	assert_false(source_count(&line, 30, &later, NEVER));
	count(&line, 10, &later, 1);
	later.tick++;
	assert_true(source_count(&line, 30, &later, NEVER));
	assert_null(source_find(&line, 20));
	assert_int_equal(source_packets(source_find(&line, 10)), 1001);
	assert_int_equal(source_packets(source_find(&line, 30)), 1);
	assert_int_equal(source_find(&line, 30)->bytes, 100);
	assert_int_equal(source_seen(source_find(&line, 30)), later.tick);
}

static void time_goes_on_past_either_half_of_it(void **state)
{
	static const uint32_t ticks[] = {
		0, 1, 0xffff, 0x10000, 0x20000, 0x12345678, 0xffffffff, 3
	};
	struct source_line line = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++) {
		const struct source_packet p = { .bytes = 1, .tick = ticks[i] };

		count(&line, 10, &p, 1);
		assert_int_equal(source_seen(&line.way[0]), ticks[i]);
		assert_int_equal(source_idle(&line.way[0], ticks[i] + 5), 5);
		assert_int_equal(source_idle(&line.way[0], ticks[i] - 5),
				 0); /* other CPUs' clocks */
		assert_int_equal(source_packets(&line.way[0]), i + 1);
	}
}

static void who_is_giving_way_is_left_alone(void **state)
{
	struct source_line line = { 0 };

	(void)state;
	count(&line, 10, &passed, 1);
	line.way[1].key = SOURCE_KEY_BUSY;
	assert_false(source_count(&line, 20, &passed, 0));
	assert_true(source_count(&line, 10, &passed, 0));
	assert_int_equal(line.way[1].key, SOURCE_KEY_BUSY);
}

/* One in (packets + 1), and it is always the one that sent less. */
static void newcomers_are_admitted_by_chance(void **state)
{
	static const uint32_t sent[] = { 1, 3, 9, 99 };
	uint64_t random = 99;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		uint32_t admitted = 0, expected = 1000000 / (sent[i] + 1);
		struct source_line full = { 0 }, line;

		count(&full, 10, &passed, 100);
		count(&full, 20, &dropped, sent[i]);
		for (uint32_t j = 0; j < 1000000; j++) {
			line = full;
			admitted +=
				source_count(&line, 30, &passed, (uint32_t)random_next(&random));
			assert_non_null(source_find(&line, 10));
			assert_true(!source_find(&line, 20) == !!source_find(&line, 30));
		}
		assert_in_range(admitted, expected - 2500, expected + 2500); /* five deviations */
	}
}

/* Counts at their largest do not make a source easy to push out. */
static void the_chance_never_overflows(void **state)
{
	struct source_line line = { 0 };

	(void)state;
	count(&line, 10, &passed, 1);
	count(&line, 20, &passed, 1);
	line.way[0].passed.word |= SOURCE_COUNT_MASK;
	line.way[1].dropped.word |= SOURCE_COUNT_MASK;
	assert_false(source_count(&line, 30, &passed, NEVER));
	assert_false(source_count(&line, 30, &passed, 1));
	assert_true(source_count(&line, 30, &passed, 0));
}

/* ---- a flood ---- */

struct flooded {
	struct source_line lines[LINES];
	__u64 seed[3];
	uint64_t random;
};

static struct source_line *line_of(struct flooded *table, uint64_t key)
{
	return &table->lines[source_place_of(source_hash(table->seed, key), LINES)];
}

static uint32_t known_after_flood(struct flooded *table, bool chance)
{
	uint32_t known = 0, talkers = LINES / 16;

	for (uint32_t i = 0; i < ARRAY_SIZE(table->seed); i++)
		table->seed[i] = random_next(&table->random);
	for (uint32_t i = 0; i < 1000 * talkers; i++)
		source_count(line_of(table, i / 1000 + 1), i / 1000 + 1, &passed, NEVER);
	for (uint32_t i = 0; i < 40 * LINES; i++) {
		uint64_t key = random_next(&table->random) | 1ull << 40;
		struct source_line *line = line_of(table, key);

		if (chance)
			source_count(line, key, &passed, (uint32_t)random_next(&table->random));
		else
			line->way[random_next(&table->random) & 1] =
				(struct source_entry){ .key = key };
	}
	for (uint32_t i = 0; i < talkers; i++)
		known += !!source_find(line_of(table, i + 1), i + 1);
	return known * 1000 / talkers;
}

static void a_flood_takes_turns_in_the_place_of_whoever_sent_least(void **state)
{
	autofree struct flooded *table = calloc(1, sizeof(*table));
	autofree struct flooded *naive = calloc(1, sizeof(*naive));

	(void)state;
	assert_non_null(table);
	assert_non_null(naive);
	table->random = naive->random = 11;
	assert_in_range(known_after_flood(table, true), 990, 1000);
	assert_in_range(known_after_flood(naive, false), 0, 10);
}

/* ---- aiming ---- */

#define SETS 8u
#define SEEDS 64u

/* The i-th of a set of sources that somebody without the seed may think of. */
static uint64_t aimed(uint32_t set, uint32_t i)
{
	switch (set) {
	case 0:
		return SOURCE_KEY_V4 | (0x0a000000 + i); /* neighbours */
	case 1:
		return SOURCE_KEY_V4 |
		       (i << 20); /* what a table of a power of two would put together */
	case 2:
		return SOURCE_KEY_V4 | (0x0a000000 + i * 256);
	case 3:
		return 0x20010db800000000 + i; /* a /48's /64s and more */
	case 4:
		return 0x2001000000000001 + ((uint64_t)i << 32);
	case 5:
		return 0x0000000100000001 | (uint64_t)i << 52; /* highest bits only */
	case 6:
		return 0x2001000000000000 | (uint64_t)i << 32 | i; /* halves that cancel out */
	default:
		return 0x2001000000000000 +
		       0x9e3779b97f4a7c15ull % 0x1000000000000 * i % (1ull << 48);
	}
}

/* The most sources of one set in one line, over all seeds. */
static uint32_t heaviest_line(uint32_t set, bool keyed)
{
	uint32_t most = 0;
	uint64_t random = set + 1;

	for (uint32_t s = 0; s < SEEDS; s++) {
		__u64 seed[3] = { random_next(&random), random_next(&random),
				  random_next(&random) };
		uint16_t load[LINES] = { 0 };

		for (uint32_t i = 0; i < LINES; i++) {
			uint64_t key = aimed(set, i);
			uint32_t at = keyed ? source_place_of(source_hash(seed, key), LINES)
					    : key % LINES;

			if (++load[at] > most)
				most = load[at];
		}
	}
	return most;
}

/* At random a line with more than 13 of 4,096 sources comes once in a million such sets. */
static void nobody_can_aim_at_a_line_without_the_seed(void **state)
{
	(void)state;
	for (uint32_t set = 0; set < SETS; set++) {
		uint32_t most = heaviest_line(set, true);

		print_message("set %u: at most %u sources in a line\n", set, most);
		assert_in_range(most, 1, 13);
	}
	assert_int_equal(heaviest_line(1, false), LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_ipv6_source_is_taken_for_an_ipv4_one),
		cmocka_unit_test(sources_and_networks_are_called_what_they_are),
		cmocka_unit_test(a_line_fills_and_counts_exactly),
		cmocka_unit_test(who_was_idle_for_long_gives_way_whatever_it_sent),
		cmocka_unit_test(time_goes_on_past_either_half_of_it),
		cmocka_unit_test(who_is_giving_way_is_left_alone),
		cmocka_unit_test(newcomers_are_admitted_by_chance),
		cmocka_unit_test(the_chance_never_overflows),
		cmocka_unit_test(a_flood_takes_turns_in_the_place_of_whoever_sent_least),
		cmocka_unit_test(nobody_can_aim_at_a_line_without_the_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
