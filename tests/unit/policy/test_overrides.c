/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of overrides against a linear scan over what the operator said: at random moments and
 * addresses, with entries that nest, repeat and contradict each other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"
#include "policy/overrides.h"

#define SETS 400u
#define ITEMS_MOST 60u
#define QUESTIONS 60u
#define REALTIME 1800000000ull
#define MONOTONIC 5000000000123ull
#define NS 1000000000ull

static const struct override_clock now = { .realtime_s = REALTIME, .monotonic_ns = MONOTONIC };

/* A list of overrides with room for all that a test wants. */
struct list_of {
	struct override items[ITEMS_MOST];
	uint32_t count;
};

static struct override *say(struct list_of *list, const char *prefix, bool block, uint64_t left_s)
{
	struct override *item = &list->items[list->count++];

	assert_in_range(list->count, 1, ITEMS_MOST);
	*item = (struct override){ .block = block, .expires = left_s ? REALTIME + left_s : 0 };
	assert_int_equal(prefix_parse(prefix, strlen(prefix), &item->prefix), 0);
	return item;
}

static int compile(const struct list_of *list, struct image_file *ret)
{
	const struct override_set set = { list->items, list->count };
	auto_diag struct diag diag = { 0 };
	int err = overrides_compile(&set, &now, &limits_builtin, ret, &diag);

	if (err == -EINVAL)
		fail_msg("%s", diag.problems[0].message);
	return err;
}

/* As the program finds it: the list of the longest prefix alone, while it has not expired. */
static bool in_force(const struct image *image, uint16_t list, uint64_t at_ns)
{
	uint32_t first = image_hot(image)->expiry_line;
	const uint64_t *expiry = (const uint64_t *)(image->bytes + (size_t)first * LINE_SIZE);

	if (!list)
		return false;
	assert_in_range(list, 1, image_hot(image)->lists);
	return !first || !expiry[list] || at_ns < expiry[list];
}

/* -1: nothing is said; else whether it is blocked. */
static int answer(const struct image *image, enum table table, unsigned __int128 address,
		  uint64_t at_ns)
{
	struct leaf leaf = image_lookup(image, table, address);

	if (in_force(image, leaf.allow, at_ns))
		return 0;
	return in_force(image, leaf.drop, at_ns) ? 1 : -1;
}

/* The same by asking every item. */
static int scan(const struct list_of *list, uint8_t family, unsigned __int128 address,
		uint64_t at_ns)
{
	int ret = -1;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct override *item = &list->items[i];
		uint8_t len = item->prefix.len;
		unsigned __int128 start =
			(unsigned __int128)item->prefix.hi << 64 | item->prefix.lo;
		unsigned __int128 size = len ? (unsigned __int128)1 << (128 - len) : 0;

		if (item->prefix.family != family || (size && address - start >= size))
			continue;
		if (item->expires && (item->expires <= REALTIME ||
				      at_ns >= MONOTONIC + (item->expires - REALTIME) * NS))
			continue;
		if (!item->block)
			return 0;
		ret = 1;
	}
	return ret;
}

/* ---- random sets ---- */

/* Few bits are random, so that prefixes fall into each other. */
static unsigned __int128 some_address(uint64_t *random, uint8_t family)
{
	unsigned __int128 ret = random_address(random, family);
	unsigned __int128 keep = (unsigned __int128)0xf00f000f << 96;

	return family == 6 ? ret & (keep | 0xff) : ret & (keep | (unsigned __int128)7 << 96);
}

static void some_override(uint64_t *random, struct override *ret)
{
	uint8_t family = random_next(random) % 2 ? 4 : 6;
	uint8_t len = (uint8_t)(random_next(random) % (family == 4 ? 33 : 129));
	unsigned __int128 address = some_address(random, family);
	uint64_t left = random_next(random) % 40; /* 0..9 have expired */

	address = len ? address >> (128 - len) << (128 - len) : 0;
	*ret = (struct override){ .block = random_next(random) % 3 > 0,
				  .expires = left > 35 ? 0 : REALTIME - 9 + left };
	ret->prefix = (struct prefix){ .hi = (uint64_t)(address >> 64),
				       .lo = (uint64_t)address,
				       .family = family,
				       .len = len };
}

static void ask(const struct list_of *list, const struct image *image, uint64_t *random)
{
	uint8_t family = random_next(random) % 2 ? 4 : 6;
	unsigned __int128 address = some_address(random, family);
	uint64_t at_ns = MONOTONIC + random_next(random) % 30 * NS + random_next(random) % 2;
	int got = answer(image, family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC, address, at_ns);
	int want = scan(list, family, address, at_ns);

	if (got != want)
		fail_msg("IPv%u %016llx%016llx at %llu: %d, not %d", family,
			 (unsigned long long)(address >> 64), (unsigned long long)address,
			 (unsigned long long)at_ns, got, want);
}

static void what_was_said_holds_until_its_time_at_every_address(void **state)
{
	uint64_t random = 20;
	uint32_t asked = 0;

	(void)state;
	for (uint32_t n = 0; n < SETS; n++) {
		auto_image struct image_file file = { 0 };
		struct list_of list = { .count = 1 + random_next(&random) % ITEMS_MOST };

		for (uint32_t i = 0; i < list.count; i++)
			some_override(&random, &list.items[i]);
		if (compile(&list, &file))
			continue;
		for (uint32_t i = 0; i < QUESTIONS; i++, asked++)
			ask(&list, &file.image, &random);
	}
	assert_true(asked > SETS * QUESTIONS / 2);
}

/* ---- single sentences ---- */

static void the_image_is_one_that_the_checker_accepts(void **state)
{
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };
	struct list_of list = { 0 };

	(void)state;
	say(&list, "192.0.2.0/24", true, 60);
	say(&list, "192.0.2.7/32", false, 0);
	say(&list, "2001:db8::/32", true, 0);
	assert_int_equal(compile(&list, &file), 0);
	if (image_check("overrides", file.bytes, (size_t)file.image.lines * LINE_SIZE,
			&limits_builtin, &diag))
		fail_msg("%s", diag.problems[0].message);
}

static void the_order_in_which_things_were_said_does_not_matter(void **state)
{
	auto_image struct image_file one = { 0 }, other = { 0 };
	struct list_of list = { 0 }, backwards = { 0 };

	(void)state;
	say(&list, "192.0.2.0/24", true, 60);
	say(&list, "192.0.2.7/32", false, 0);
	say(&list, "192.0.0.0/16", true, 30);
	while (backwards.count < list.count) {
		backwards.items[backwards.count] = list.items[list.count - 1 - backwards.count];
		backwards.count++;
	}
	assert_int_equal(compile(&list, &one), 0);
	assert_int_equal(compile(&backwards, &other), 0);
	assert_int_equal(one.image.lines, other.image.lines);
	assert_memory_equal(one.bytes, other.bytes, (size_t)one.image.lines * LINE_SIZE);
}

static void an_entry_that_does_not_outlast_its_cover_is_left_out(void **state)
{
	auto_image struct image_file file = { 0 };
	struct list_of list = { 0 };

	(void)state;
	say(&list, "192.0.2.0/24", true, 60);
	say(&list, "192.0.2.7/32", true, 60);
	say(&list, "192.0.2.8/32", true, 61);
	say(&list, "192.0.2.9/32", false, 5);
	say(&list, "192.0.2.0/24", true, 20);
	assert_int_equal(compile(&list, &file), 0);
	assert_int_equal(image_hot(&file.image)->lists, 3);
	assert_int_equal(image_list(&file.image, 1)->action, ACTION_ALLOW);
	assert_memory_equal(image_text(&file.image, image_list(&file.image, 2)->name), "o-2", 3);
}

static void each_list_says_which_prefix_it_is(void **state)
{
	auto_image struct image_file file = { 0 };
	const struct list_record *record;
	struct list_of list = { 0 };

	(void)state;
	say(&list, "203.0.113.64/26", true, 9);
	assert_int_equal(compile(&list, &file), 0);
	record = image_list(&file.image, 1);
	assert_int_equal(record->first_family, 4);
	assert_int_equal(record->first_len, 26);
	assert_memory_equal(record->first, "\xcb\x00\x71\x40", 4);
}

static void what_has_expired_is_nothing(void **state)
{
	auto_image struct image_file file = { 0 };
	struct list_of list = { 0 };

	(void)state;
	assert_int_equal(compile(&list, &file), -ENOENT);
	say(&list, "192.0.2.0/24", true, 1)->expires = REALTIME;
	say(&list, "192.0.3.0/24", false, 1)->expires = 1;
	assert_int_equal(compile(&list, &file), -ENOENT);
	assert_null(file.bytes);
}

static void an_end_that_no_clock_reaches_is_never(void **state)
{
	auto_image struct image_file file = { 0 };
	struct list_of list = { 0 };

	(void)state;
	say(&list, "192.0.2.0/24", true, 1)->expires = UINT64_MAX;
	assert_int_equal(compile(&list, &file), 0);
	assert_int_equal(
		answer(&file.image, TABLE_V4_SRC, (unsigned __int128)0xc0000201 << 96, UINT64_MAX),
		1);
}

/* ---- how many ---- */

static struct override *many(uint32_t count)
{
	struct override *items = calloc(count, sizeof(*items));

	assert_non_null(items);
	for (uint32_t i = 0; i < count; i++) {
		items[i].block = i % 2;
		items[i].expires = REALTIME + 1 + i;
		items[i].prefix = (struct prefix){ .hi = (uint64_t)(0x0a000000 + i * 3) << 32,
						   .family = 4,
						   .len = 32 };
	}
	return items;
}

static void more_than_the_program_holds_are_refused_with_the_number(void **state)
{
	const uint32_t most = limits_builtin.overrides;
	autofree struct override *items = many(most + 1);
	const struct override_set whole = { items, most }, over = { items, most + 1 };
	auto_image struct image_file file = { 0 }, none = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_int_equal(overrides_compile(&whole, &now, &limits_builtin, &file, &diag), 0);
	assert_int_equal(image_hot(&file.image)->lists, most);
	assert_int_equal(overrides_compile(&over, &now, &limits_builtin, &none, &diag), -EINVAL);
	assert_string_equal(diag.problems[0].code, "too_many_overrides");
	assert_string_equal(diag.problems[0].message,
			    "4097 overrides, the loaded program holds 4096");
	assert_int_equal(diag.problems[0].limit, 4096);
	assert_null(none.bytes);
}

static void those_that_have_expired_do_not_count_against_the_limit(void **state)
{
	const uint32_t count = limits_builtin.overrides + 1;
	autofree struct override *items = many(count);
	const struct override_set set = { items, count };
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	items[0].expires = REALTIME - 1;
	assert_int_equal(overrides_compile(&set, &now, &limits_builtin, &file, &diag), 0);
}

static void a_prefix_covers_what_lies_within_it(void **state)
{
	static const struct {
		const char *cover, *inside;
		bool covers;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.0/24", true },
		{ "192.0.2.0/24", "192.0.2.255/32", true },
		{ "192.0.2.0/24", "192.0.3.0/32", false },
		{ "192.0.2.0/24", "192.0.0.0/16", false },
		{ "0.0.0.0/0", "255.255.255.255/32", true },
		{ "0.0.0.0/0", "::/0", false },
		{ "::/0", "2001:db8::/32", true },
		{ "2001:db8::/64", "2001:db8::ffff:0:0:0/128", true },
		{ "2001:db8::/65", "2001:db8:0:0:8000::/128", false },
		{ "2001:db8::1/128", "2001:db8::1/128", true },
		{ "2001:db8::1/128", "2001:db8::/128", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefix cover, inside;

		assert_int_equal(prefix_parse(rows[i].cover, strlen(rows[i].cover), &cover), 0);
		assert_int_equal(prefix_parse(rows[i].inside, strlen(rows[i].inside), &inside), 0);
		if (prefix_covers(&cover, &inside) != rows[i].covers)
			fail_msg("%s, %s", rows[i].cover, rows[i].inside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said_holds_until_its_time_at_every_address),
		cmocka_unit_test(the_image_is_one_that_the_checker_accepts),
		cmocka_unit_test(the_order_in_which_things_were_said_does_not_matter),
		cmocka_unit_test(an_entry_that_does_not_outlast_its_cover_is_left_out),
		cmocka_unit_test(each_list_says_which_prefix_it_is),
		cmocka_unit_test(what_has_expired_is_nothing),
		cmocka_unit_test(an_end_that_no_clock_reaches_is_never),
		cmocka_unit_test(more_than_the_program_holds_are_refused_with_the_number),
		cmocka_unit_test(those_that_have_expired_do_not_count_against_the_limit),
		cmocka_unit_test(a_prefix_covers_what_lies_within_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
