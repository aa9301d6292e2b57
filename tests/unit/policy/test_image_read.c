/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading an image: its parts, and its tables as ranges. What the walk says is compared with
 * table_lookup() on both sides of every boundary, on an image written by hand and on compiled ones.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "image_help.h"
#include "made_image.h"
#include "policies.h"
#include "policy/image_walk.h"

static void every_part_is_where_the_section_table_says(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);

	(void)state;
	made_image(&made);
	assert_ptr_equal(image_id(&image), made.bytes[0]);
	assert_ptr_equal(image_hot(&image), made.bytes[1]);
	assert_ptr_equal(image_counts(&image), made.bytes[2]);
	assert_int_equal(image_section(&image, SECTION_V4_SRC)->first, MADE_V4_SRC);
	assert_int_equal(image_section(&image, SECTION_NAMES)->first, MADE_NAMES);
	assert_null(image_section(&image, SECTION_V6_DST));
	assert_null(image_section(&image, SECTION_NONE));
	assert_ptr_equal(image_leaf(&image, LEAF_NONE), made.bytes[MADE_LEAVES]);
	assert_ptr_equal(image_leaf(&image, LEAF_SCORED), made.bytes[MADE_LEAVES + 1] + 32);
	assert_null(image_leaf(&image, MADE_LEAF_COUNT));
}

static void lists_are_numbered_from_one(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);
	const struct list_record *list;

	(void)state;
	made_image(&made);
	assert_null(image_list(&image, 0));
	assert_null(image_list(&image, MADE_LIST_COUNT + 1));
	list = image_list(&image, MADE_BAD);
	assert_int_equal(list->name_len, 3);
	assert_memory_equal(image_text(&image, list->name), "bad", 3);
	list = image_list(&image, MADE_PROTECT);
	assert_memory_equal(image_text(&image, list->name), "protect", 7);
	assert_null(image_text(&image, sizeof(MADE_NAMES_TEXT) - 1));
}

static void an_image_without_lists_has_no_names(void **state)
{
	auto_image struct image_file file = { 0 };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	policy_factory(&policy);
	assert_int_equal(policy_compile(&policy, &limits_builtin, &file, &diag), 0);
	assert_null(image_list(&file.image, 1));
	assert_null(image_text(&file.image, 0));
	assert_non_null(image_leaf(&file.image, 0));
}

/* ---- ranges ---- */

struct seen {
	const struct image *image;
	enum table table;
	struct image_range ranges[64];
	uint32_t count, stop;
};

static int note(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct seen *seen = context;

	seen->ranges[seen->count++ % 64] = (struct image_range){ hi, lo, leaf };
	return seen->count == seen->stop ? 42 : 0;
}

static void see(struct seen *seen, enum table table)
{
	seen->count = 0;
	assert_int_equal(image_each_range(seen->image, table, note, seen), 0);
}

static void assert_range(const struct seen *seen, uint32_t i, struct image_range range)
{
	assert_int_equal(seen->ranges[i].hi, range.hi);
	assert_int_equal(seen->ranges[i].lo, range.lo);
	assert_int_equal(seen->ranges[i].leaf, range.leaf);
}

static void every_kind_of_node_becomes_its_ranges(void **state)
{
	static const struct image_range sources[] = {
		{ 0, 0, LEAF_NONE },
		{ 0x20010db80bad0000, 0, LEAF_BAD },
		{ 0x20010db80bae0000, 0, LEAF_NONE },
		{ 0x20010db810000000, 1, LEAF_BAD },
		{ 0x20010db810000000, 2, LEAF_NONE },
		{ 0x20010db820000000, 0, LEAF_BAD },
		{ 0x20010db828000000, 0, LEAF_NONE },
		{ 0x20010db8f0000000, 0, LEAF_BAD },
		{ 0x20010db900000000, 0, LEAF_NONE },
	};
	static const struct image_range destinations[] = {
		{ 0, 0, LEAF_NONE },
		{ 0xc632ull << 48, 0, LEAF_TARGET },
		{ 0xc634ull << 48, 0, LEAF_NONE },
		{ 0xfffeull << 48, 0, LEAF_TARGET },
	};
	struct made_image made;
	struct image image = made_as_image(&made);
	struct seen seen = { .image = &image };

	(void)state;
	made_image(&made);
	see(&seen, TABLE_V6_SRC);
	assert_int_equal(seen.count, ARRAY_SIZE(sources));
	for (uint32_t i = 0; i < ARRAY_SIZE(sources); i++)
		assert_range(&seen, i, sources[i]);
	see(&seen, TABLE_V4_DST);
	assert_int_equal(seen.count, ARRAY_SIZE(destinations));
	for (uint32_t i = 0; i < ARRAY_SIZE(destinations); i++)
		assert_range(&seen, i, destinations[i]);
	see(&seen, TABLE_V6_DST);
	assert_int_equal(seen.count, 1);
	assert_range(&seen, 0, (struct image_range){ 0, 0, LEAF_TARGET });
}

static void neighbours_with_one_leaf_are_one_range(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);
	struct seen seen = { .image = &image };
	uint32_t *direct = (uint32_t *)made.bytes[MADE_DIRECT];

	(void)state;
	made_image(&made);
	see(&seen, TABLE_V4_SRC);
	assert_int_equal(seen.count, 11);
	/* what is before, in and behind the array: 2001:db8:e::/47 and up to ::/0 join it */
	direct[14] = LEAF_BAD;
	((struct skip *)made.bytes[MADE_V6_SRC])->above = LEAF_BAD;
	see(&seen, TABLE_V6_SRC);
	assert_int_equal(seen.count, 8);
	assert_range(&seen, 7, (struct image_range){ 0x20010db8e0000000, 0, LEAF_BAD });
}

/* The edges of what a skip compares: nothing is before all zeroes, nothing behind all ones. */
static void a_skip_at_the_edge_of_its_space_has_no_other_side(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);
	struct seen seen = { .image = &image };
	struct skip *skip = (struct skip *)made.bytes[MADE_SKIP];

	(void)state;
	made_image(&made);
	*skip = (struct skip){ .shared = 0, .bits = 6, .below = 2, .above = 3, .inside = 4 };
	see(&seen, TABLE_V4_SRC);
	assert_int_equal(seen.count, 11);
	assert_range(&seen, 9, (struct image_range){ 0xc0ull << 56, 0, 4 });
	assert_range(&seen, 10, (struct image_range){ 0xc1ull << 56, 0, 3 });
	*skip = (struct skip){
		.shared = 63ull << 58, .bits = 6, .below = 2, .above = 3, .inside = 4
	};
	see(&seen, TABLE_V4_SRC);
	assert_int_equal(seen.count, 11);
	assert_range(&seen, 9, (struct image_range){ 0xc0ull << 56, 0, 2 });
	assert_range(&seen, 10, (struct image_range){ 0xffull << 56, 0, 4 });
}

static void a_walk_stops_when_it_is_told_to(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);
	struct seen seen = { .image = &image, .stop = 3 };

	(void)state;
	made_image(&made);
	assert_int_equal(image_each_range(&image, TABLE_V4_SRC, note, &seen), 42);
	assert_int_equal(seen.count, 3);
}

/* ---- against table_lookup() ---- */

struct comparing {
	const struct image *image;
	enum table table;
	unsigned __int128 last; /* address of this table before the range */
	uint32_t leaf, count;
};

static uint32_t lookup(const struct comparing *c, unsigned __int128 address)
{
	return table_lookup((struct image *)c->image, image_hot(c->image)->root[c->table],
			    (uint64_t)(address >> 64), (uint64_t)address);
}

static int compare(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct comparing *c = context;
	unsigned __int128 first = (unsigned __int128)hi << 64 | lo;
	bool four = c->table == TABLE_V4_SRC || c->table == TABLE_V4_DST;

	assert_int_equal(lookup(c, first), leaf);
	if (c->count) {
		assert_int_not_equal(c->leaf, leaf);
		assert_true(first > c->last);
		assert_int_equal(lookup(c, first - ((unsigned __int128)1 << (four ? 96 : 0))),
				 c->leaf);
	} else {
		assert_true(first == 0);
	}
	c->last = first;
	c->leaf = leaf;
	c->count++;
	return 0;
}

static uint32_t compare_all(const struct image *image)
{
	uint32_t count = 0;

	for (enum table table = 0; table < TABLES; table++) {
		struct comparing c = { .image = image, .table = table };

		assert_int_equal(image_each_range(image, table, compare, &c), 0);
		assert_int_equal(lookup(&c, ~(unsigned __int128)0), c.leaf);
		count += c.count;
	}
	return count;
}

static void ranges_are_what_lookups_find_on_both_sides_of_each_boundary(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);
	uint64_t random = 3;

	(void)state;
	made_image(&made);
	assert_int_equal(compare_all(&image), 11 + 4 + 9 + 1);
	for (uint32_t i = 1; i <= 100; i++) {
		auto_image struct image_file file = { 0 };
		auto_made struct made policy = { 0 };
		uint16_t source = make_list(&policy, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		uint16_t other = make_list(&policy, ACTION_FLAG, MATCH_DESTINATION, NULL, 0);

		for (uint32_t j = 0; j < i * i; j++) {
			uint8_t family = j & 1 ? 4 : 6;
			uint8_t bits = family == 4 ? 32 : 128;

			make_prefix(&policy, j & 2 ? source : other, family,
				    random_address(&random, family) >> (j & 4 ? i : 0),
				    (uint8_t)(8 + random_next(&random) % (bits - 7u)));
		}
		made_compile(&policy, &file);
		assert_true(compare_all(&file.image) > i);
	}
}

/* ---- an image that nobody checked ---- */

static int walk_all(const struct image *image, enum table table)
{
	struct image_walk walk;
	struct image_range range;
	int r;

	image_walk_start(&walk, image, table);
	for (uint32_t i = 0; i < 1000; i++) {
		r = image_walk_next(&walk, &range);
		if (r != 1)
			return r;
	}
	return 1;
}

static void a_broken_node_ends_the_walk(void **state)
{
	static const struct {
		uint32_t line, at, value;
	} breaks[] = {
		{ MADE_V4_SRC, 1, 0x10000 }, /* no leaf id */
		{ MADE_V4_SRC, 3, 6u << NODE_KIND_SHIFT | MADE_LINES }, /* outside */
		{ MADE_V4_SRC, 2, 1u << NODE_KIND_SHIFT | 20u << 24 | MADE_LINES / 2 }, /* partly */
		{ MADE_V4_SRC, 2, 1u << NODE_KIND_SHIFT | MADE_V4_DST }, /* an array of nothing */
		{ MADE_SKIP, 2, 0 }, /* a skip of nothing */
		{ MADE_SKIP, 2, 64 },
		{ MADE_SKIP, 3, 1u << NODE_KIND_SHIFT }, /* before a skip is always a leaf */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		struct made_image made;
		struct image image = made_as_image(&made);

		made_image(&made);
		assert_int_equal(walk_all(&image, TABLE_V4_SRC), 0);
		((uint32_t *)made.bytes[breaks[i].line])[breaks[i].at] = breaks[i].value;
		assert_int_equal(walk_all(&image, TABLE_V4_SRC), -EINVAL);
	}
}

static void a_circle_ends_where_the_address_does(void **state)
{
	struct made_image made;
	struct image image = made_as_image(&made);

	(void)state;
	made_image(&made);
	((uint32_t *)made.bytes[MADE_DIRECT])[0] = made_direct(4, MADE_DIRECT);
	assert_int_equal(walk_all(&image, TABLE_V6_SRC), -EINVAL);
	((struct skip *)made.bytes[MADE_V6_SRC])->inside = made_entry(NODE_SKIP, MADE_V6_SRC);
	assert_int_equal(walk_all(&image, TABLE_V6_SRC), -EINVAL);
	((struct skip *)made.bytes[MADE_V6_SRC])->inside = made_entry(NODE_SPLIT, MADE_SPLIT);
	((struct split *)made.bytes[MADE_SPLIT])->entries[1] = made_entry(NODE_SPLIT, MADE_SPLIT);
	assert_int_equal(walk_all(&image, TABLE_V6_SRC), -EINVAL);
}

static void a_line_that_is_missing_ends_the_walk(void **state)
{
	struct made_image made;
	struct image image = { .bytes = made.bytes[0], .lines = 1 };

	(void)state;
	made_image(&made);
	assert_int_equal(walk_all(&image, TABLE_V4_SRC), -EINVAL);
	assert_int_equal(image_each_range(&image, TABLE_V4_SRC, note, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_is_where_the_section_table_says),
		cmocka_unit_test(lists_are_numbered_from_one),
		cmocka_unit_test(an_image_without_lists_has_no_names),
		cmocka_unit_test(every_kind_of_node_becomes_its_ranges),
		cmocka_unit_test(neighbours_with_one_leaf_are_one_range),
		cmocka_unit_test(a_skip_at_the_edge_of_its_space_has_no_other_side),
		cmocka_unit_test(a_walk_stops_when_it_is_told_to),
		cmocka_unit_test(ranges_are_what_lookups_find_on_both_sides_of_each_boundary),
		cmocka_unit_test(a_broken_node_ends_the_walk),
		cmocka_unit_test(a_circle_ends_where_the_address_does),
		cmocka_unit_test(a_line_that_is_missing_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
