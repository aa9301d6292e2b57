/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What policy_compile() writes around the tables: header, sections, counts, list records, names;
 * that the same policy gives the same bytes; that what does not fit is refused with its number.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"

#define V4(address) ((unsigned __int128)(address) << 96)
#define V6(hi, lo) ((unsigned __int128)(hi) << 64 | (lo))

/* One list of each action, both families, both matches, something protected. */
static void make_mixed(struct made *made)
{
	uint16_t allow = make_list(made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	uint16_t drop = make_list(made, ACTION_DROP, MATCH_DESTINATION, NULL, 0);
	uint16_t first = make_list(made, ACTION_SCORE, MATCH_SOURCE, "reputation", 7);
	uint16_t second = make_list(made, ACTION_SCORE, MATCH_SOURCE, "geography", 3);
	uint16_t third = make_list(made, ACTION_SCORE, MATCH_SOURCE, "reputation", 9);

	make_list(made, ACTION_FLAG, MATCH_SOURCE, NULL, 0);
	make_prefix(made, allow, 4, V4(0x0a000000), 8);
	make_prefix(made, allow, 4, V4(0x0a000000), 24);
	make_prefix(made, drop, 6, V6(0x20010db8ull << 32, 0), 32);
	make_prefix(made, drop, 4, V4(0xc6336400), 24);
	make_prefix(made, drop, 4, V4(0xc6336440), 26);
	make_prefix(made, first, 6, V6(0x20010db8ull << 32, 1), 128);
	make_prefix(made, second, 4, 0, 0);
	make_prefix(made, third, 6, V6(0x20010db8ull << 32, 0), 32);
	make_protect(made, 4, V4(0xc0000200), 24);
	make_protected_port(made, 22);
	make_protected_port(made, 65535);
}

static void compile_mixed(struct made *made, struct image_file *ret)
{
	make_mixed(made);
	made_compile(made, ret);
}

static void line_two_counts_what_the_image_holds(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const struct image_counts *counts;
	const struct image_hot *hot;

	(void)state;
	compile_mixed(&made, &file);
	counts = image_counts(&file.image);
	hot = image_hot(&file.image);
	assert_int_equal(counts->prefixes, 8);
	assert_int_equal(counts->protects, 1);
	assert_int_equal(counts->lists, 6);
	assert_int_equal(counts->families, 2);
	assert_int_equal(counts->ports, 2);
	assert_int_equal(counts->leaves, hot->leaves);
	assert_int_equal(hot->lists, 7);
	assert_in_range(counts->steps, 1, 3);
}

static void line_one_carries_the_settings(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const struct image_hot *hot;

	(void)state;
	make_mixed(&made);
	made.policy.mode = MODE_MONITOR;
	made.policy.headers = true;
	made.policy.mark_mask = 0xff000000;
	made.policy.mark_value = 0x5b000000;
	made_compile(&made, &file);
	hot = image_hot(&file.image);
	assert_int_equal(hot->mode, MODE_MONITOR);
	assert_int_equal(hot->flags, IMAGE_HEADERS);
	assert_int_equal(hot->mark_mask, 0xff000000);
	assert_int_equal(hot->mark_value, 0x5b000000);
	image_free(&file);
	made.policy.headers = false;
	made.policy.inner = true;
	made_compile(&made, &file);
	assert_int_equal(image_hot(&file.image)->flags, IMAGE_INNER);
	image_free(&file);
	made.policy.sources = true;
	made_compile(&made, &file);
	assert_int_equal(image_hot(&file.image)->flags, IMAGE_INNER | IMAGE_SOURCES);
}

static void the_sections_cover_the_image_in_order(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	uint32_t next = IMAGE_HEADER_LINES, seen = 0;

	(void)state;
	compile_mixed(&made, &file);
	for (enum section_kind kind = SECTION_V4_SRC; kind < SECTION_KINDS; kind++) {
		const struct section *section = image_section(&file.image, kind);

		if (!section)
			continue;
		seen++;
		assert_int_equal(section->first, next);
		next += section->lines;
	}
	assert_int_equal(next, file.image.lines);
	assert_int_equal(seen, image_id(&file.image)->sections);
	assert_non_null(image_section(&file.image, SECTION_V6_SRC));
	assert_non_null(image_section(&file.image, SECTION_V4_DST));
}

static void the_smallest_image_has_no_tables(void **state)
{
	auto_policy struct policy policy = { 0 };
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	policy_factory(&policy);
	assert_int_equal(policy_compile(&policy, &limits_builtin, &file, &diag), 0);
	assert_int_equal(file.image.lines, IMAGE_HEADER_LINES + 1);
	for (enum table table = 0; table < TABLES; table++)
		assert_int_equal(image_hot(&file.image)->root[table], 0);
	assert_int_equal(image_hot(&file.image)->ports_line, 0);
	assert_int_equal(image_counts(&file.image)->steps, 0);
}

static void a_policy_with_one_prefix_stays_small(void **state)
{
	(void)state;
	for (uint8_t len = 1; len <= 128; len++) {
		auto_made struct made made = { 0 };
		auto_image struct image_file file = { 0 };

		make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		make_prefix(&made, 1, 6, V6(0x20010db8ffffffff, 0xfffffffffffffffe), len);
		if (len <= 32)
			make_prefix(&made, 1, 4, V4(0xfffffffe), len);
		made_compile(&made, &file);
		assert_in_range(file.image.lines, IMAGE_HEADER_LINES + 4, IMAGE_HEADER_LINES + 5);
	}
}

static void ports_are_bits_in_the_order_of_their_numbers(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const uint64_t *bits;
	uint32_t first;

	(void)state;
	compile_mixed(&made, &file);
	first = image_hot(&file.image)->ports_line;
	assert_int_equal(image_section(&file.image, SECTION_PORTS)->first, first);
	assert_int_equal(image_section(&file.image, SECTION_PORTS)->lines, 128);
	bits = image_line(&file.image, first);
	for (uint32_t port = 0; port < 65536; port++)
		assert_int_equal(bits[port / 64] >> port % 64 & 1, port == 22 || port == 65535);
}

/* ---- list records ---- */

static void assert_text(const struct image *image, uint32_t offset, uint16_t len, const char *want)
{
	assert_int_equal(len, strlen(want));
	assert_memory_equal(image_text(image, offset), want, len);
}

static void a_record_says_what_its_list_is(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const struct list_record *list;

	(void)state;
	compile_mixed(&made, &file);
	list = image_list(&file.image, 2);
	assert_text(&file.image, list->name, list->name_len, "list-2");
	assert_int_equal(list->action, ACTION_DROP);
	assert_int_equal(list->match, MATCH_DESTINATION);
	assert_int_equal(list->prefixes_v4, 2);
	assert_int_equal(list->prefixes_v6, 1);
	list = image_list(&file.image, 5);
	assert_int_equal(list->action, ACTION_SCORE);
	assert_int_equal(list->family, 0);
	assert_int_equal(list->points, 9);
	assert_text(&file.image, list->family_name, list->family_len, "reputation");
	list = image_list(&file.image, 4);
	assert_int_equal(list->family, 1);
	assert_text(&file.image, list->family_name, list->family_len, "geography");
}

static void the_last_record_is_what_is_protected(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const struct list_record *list;

	(void)state;
	compile_mixed(&made, &file);
	list = image_list(&file.image, 7);
	assert_non_null(list);
	assert_text(&file.image, list->name, list->name_len, "protect");
	assert_int_equal(list->action, ACTION_PROTECT);
	assert_int_equal(list->prefixes_v4, 1);
	assert_null(image_list(&file.image, 8));
}

static void a_record_knows_its_lowest_and_highest_prefix(void **state)
{
	static const uint8_t low[16] = { 198, 51, 100, 0 };
	static const uint8_t high[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	const struct list_record *list;

	(void)state;
	compile_mixed(&made, &file);
	list = image_list(&file.image, 2);
	assert_int_equal(list->first_family, 4);
	assert_int_equal(list->first_len, 24);
	assert_memory_equal(list->first, low, 16);
	assert_int_equal(list->last_family, 6);
	assert_int_equal(list->last_len, 32);
	assert_memory_equal(list->last, high, 16);
	list = image_list(&file.image, 1); /* two at one address: the longer is the higher */
	assert_int_equal(list->first_len, 8);
	assert_int_equal(list->last_len, 24);
	list = image_list(&file.image, 3);
	assert_int_equal(list->last[15], 1);
	assert_int_equal(list->last_len, 128);
	list = image_list(&file.image, 6);
	assert_int_equal(list->first_family, 0);
	assert_int_equal(list->last_family, 0);
}

/* ---- the same bytes ---- */

static void the_same_policy_gives_the_same_bytes(void **state)
{
	auto_made struct made made = { 0 }, again = { 0 };
	auto_image struct image_file one = { 0 }, two = { 0 };
	uint64_t random = 3;

	(void)state;
	make_mixed(&made);
	for (uint32_t i = 0; i < 20000; i++)
		make_prefix(&made, 1 + random_next(&random) % 6, 6, random_address(&random, 6),
			    random_next(&random) % 129);
	make_mixed(&again);
	again.policy.prefix_count = 0;
	again.policy.protect_count = made.policy.protect_count;
	for (uint32_t i = made.policy.prefix_count; i; i--) { /* in another order */
		const struct prefix *prefix = &made.policy.prefixes[i - 1];

		make_prefix(&again, prefix->list, prefix->family, V6(prefix->hi, prefix->lo),
			    prefix->len);
	}
	made_compile(&made, &one);
	made_compile(&again, &two);
	assert_int_equal(one.image.lines, two.image.lines);
	assert_memory_equal(one.bytes, two.bytes, (size_t)one.image.lines * LINE_SIZE);
	assert_int_equal((uintptr_t)one.bytes % LINE_SIZE, 0);
}

static void the_digest_is_the_sha256_of_the_image_without_it(void **state)
{
	/* of the factory policy's image, laid out by hand */
	static const uint8_t known[32] = { 0xdf, 0x2e, 0xc7, 0x4f, 0x99, 0x0a, 0x63, 0xb4,
					   0xd2, 0x90, 0xee, 0x7f, 0x9a, 0xe4, 0x6a, 0xab,
					   0xef, 0x59, 0xcd, 0x32, 0x78, 0xe2, 0x64, 0xad,
					   0x49, 0x57, 0xf4, 0xea, 0x0f, 0x53, 0x17, 0x87 };
	auto_policy struct policy policy = { 0 };
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };
	uint8_t digest[32];

	(void)state;
	policy_factory(&policy);
	assert_int_equal(policy_compile(&policy, &limits_builtin, &file, &diag), 0);
	assert_memory_equal(image_id(&file.image)->digest, known, sizeof(known));
	image_digest(&file.image, digest);
	assert_memory_equal(digest, known, sizeof(known));
	file.bytes[LINE_SIZE] ^= 1;
	image_digest(&file.image, digest);
	assert_memory_not_equal(digest, known, sizeof(known));
}

/* ---- limits ---- */

static void assert_refused(const struct made *made, const struct limits *limits, const char *code,
			   const char *message)
{
	struct image_file file = { .bytes = (unsigned char *)1 };
	auto_diag struct diag diag = { 0 };

	assert_int_equal(policy_compile(&made->policy, limits, &file, &diag), -EINVAL);
	assert_ptr_equal(file.bytes, 1);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].code, code);
	assert_string_equal(diag.problems[0].message, message);
	assert_true(diag.problems[0].has_limit);
}

static void assert_accepted(const struct made *made, const struct limits *limits)
{
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };

	assert_int_equal(policy_compile(&made->policy, limits, &file, &diag), 0);
}

static void one_line_too_many_is_refused_with_the_number(void **state)
{
	auto_made struct made made = { 0 };
	struct limits limits = limits_builtin;
	auto_image struct image_file file = { 0 };
	uint64_t random = 4;
	char message[100];

	(void)state;
	make_mixed(&made);
	for (uint32_t i = 0; i < 1000; i++)
		make_prefix(&made, 1, 6, random_address(&random, 6), 128);
	made_compile(&made, &file);
	limits.lines = file.image.lines;
	assert_accepted(&made, &limits);
	for (limits.lines--; limits.lines > 2; limits.lines /= 3) {
		snprintf(message, sizeof(message), "%u lines, the loaded program holds %u",
			 file.image.lines, limits.lines);
		assert_refused(&made, &limits, "too_many_lines", message);
	}
}

static void one_step_too_many_is_refused_with_the_number(void **state)
{
	auto_made struct made made = { 0 };
	struct limits limits = limits_builtin;
	uint64_t random = 5;

	(void)state;
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < 100; i++)
		make_prefix(&made, 1, 4, random_address(&random, 4), 24);
	limits.steps = 2;
	assert_accepted(&made, &limits);
	limits.steps = 1;
	assert_refused(&made, &limits, "too_many_steps", "2 steps, the loaded program holds 1");
}

/* @count addresses, each on another pair of a drop and a flag list. */
static void make_combinations(struct made *made, uint32_t count)
{
	for (uint32_t i = 0; i < 512; i++)
		make_list(made, i < 256 ? ACTION_DROP : ACTION_FLAG, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < count; i++) {
		make_prefix(made, (uint16_t)(1 + i / 256), 4, V4(i * 3), 32);
		make_prefix(made, (uint16_t)(257 + i % 256), 4, V4(i * 3), 32);
	}
}

static void one_combination_too_many_is_refused_with_the_number(void **state)
{
	auto_made struct made full = { 0 }, over = { 0 };
	auto_image struct image_file file = { 0 };

	(void)state;
	make_combinations(&full, LIMIT_LEAVES - 1); /* and "on no list" */
	made_compile(&full, &file);
	assert_int_equal(image_counts(&file.image)->leaves, LIMIT_LEAVES);
	for (uint32_t i = 0; i < LIMIT_LEAVES - 1; i++) {
		struct leaf leaf = image_lookup(&file.image, TABLE_V4_SRC, V4(i * 3));

		assert_int_equal(leaf.drop, 1 + i / 256);
		assert_int_equal(leaf.flag, 257 + i % 256);
	}
	make_combinations(&over, LIMIT_LEAVES);
	assert_refused(&over, &limits_builtin, "too_many_leaves",
		       "65536 combinations of lists, the loaded program holds 65535");
}

static void every_list_of_the_most_there_may_be_is_found(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };

	(void)state;
	for (uint32_t i = 0; i < LIMIT_LISTS; i++)
		make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < LIMIT_LISTS; i++) {
		make_prefix(&made, (uint16_t)(i + 1), 4, V4(i << 20), 12);
		make_prefix(&made, (uint16_t)(i + 1), 6, V6(1, 0), 64); /* the same for all */
	}
	make_protect(&made, 6, 0, 128);
	made_compile(&made, &file);
	for (uint32_t i = 0; i < LIMIT_LISTS; i++)
		assert_int_equal(image_lookup(&file.image, TABLE_V4_SRC, V4((i << 20) + 5)).drop,
				 i + 1);
	assert_int_equal(image_lookup(&file.image, TABLE_V6_SRC, V6(1, 5)).drop, 1);
	assert_int_equal(image_lookup(&file.image, TABLE_V6_SRC, 0).protect, LIMIT_LISTS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_two_counts_what_the_image_holds),
		cmocka_unit_test(line_one_carries_the_settings),
		cmocka_unit_test(the_sections_cover_the_image_in_order),
		cmocka_unit_test(the_smallest_image_has_no_tables),
		cmocka_unit_test(a_policy_with_one_prefix_stays_small),
		cmocka_unit_test(ports_are_bits_in_the_order_of_their_numbers),
		cmocka_unit_test(a_record_says_what_its_list_is),
		cmocka_unit_test(the_last_record_is_what_is_protected),
		cmocka_unit_test(a_record_knows_its_lowest_and_highest_prefix),
		cmocka_unit_test(the_same_policy_gives_the_same_bytes),
		cmocka_unit_test(the_digest_is_the_sha256_of_the_image_without_it),
		cmocka_unit_test(one_line_too_many_is_refused_with_the_number),
		cmocka_unit_test(one_step_too_many_is_refused_with_the_number),
		cmocka_unit_test(one_combination_too_many_is_refused_with_the_number),
		cmocka_unit_test(every_list_of_the_most_there_may_be_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
