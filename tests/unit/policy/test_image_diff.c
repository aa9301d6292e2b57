/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_diff(): what people are told when one policy replaces another. Policies are written as an
 * operator would; the whole of what is said is compared.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "image_help.h"
#include "policies.h"

#define SAID 8192

static void compile_text(const char *text, struct image_file *ret)
{
	struct named_text named = { "p.yaml", text, strlen(text) };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };

	if (policy_parse(&named, NULL, NULL, &policy, &diag) ||
	    policy_compile(&policy, &limits_builtin, ret, &diag)) {
		show_image_problems(&diag);
		fail_msg("this policy is refused: %s", text);
	}
}

/* All changes as lines of text, and how many were left out. */
static uint64_t say(const struct image *from, const struct image *to, char *ret)
{
	struct image_diff diff;
	uint64_t omitted;
	size_t len = 0;

	assert_int_equal(image_diff(from, to, &diff), 0);
	*ret = '\0';
	for (uint32_t i = 0; i < diff.count && len < SAID; i++)
		len += (size_t)snprintf(ret + len, SAID - len, "%c %s %s\n", diff.changes[i].sign,
					diff.changes[i].kind, diff.changes[i].text);
	omitted = diff.omitted;
	image_diff_free(&diff);
	assert_null(diff.changes);
	return omitted;
}

static void assert_diff(const char *before, const char *after, const char *expected)
{
	auto_image struct image_file from = { 0 }, to = { 0 };
	char said[SAID];

	compile_text(before, &from);
	compile_text(after, &to);
	assert_int_equal(say(&from.image, &to.image, said), 0);
	assert_string_equal(said, expected);
}

#define POLICY(settings, lists) "version: 1\n" settings "lists:\n" lists
#define A(entries) "  - {name: a, action: drop, entries: [" entries "]}\n"
#define B(entries) "  - {name: b, action: drop, entries: [" entries "]}\n"

static void a_policy_does_not_differ_from_itself(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("10.0.0.0/8")), POLICY("", A("10.0.0.0/8")), "");
	assert_diff("version: 1\n", "version: 1\n", "");
}

static void the_order_of_lists_is_no_difference_where_it_decides_nothing(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("10.0.0.0/8") B("11.0.0.0/8")),
		    POLICY("", B("11.0.0.0/8") A("10.0.0.0/8")), "");
	assert_diff(POLICY("", A("10.0.0.0/8") B("10.0.0.0/8, 11.0.0.0/8")),
		    POLICY("", B("11.0.0.0/8, 10.0.0.0/8") A("10.0.0.0/8")),
		    "~ prefix source 10.0.0.0/8: drop a -> drop b\n");
}

static void every_setting_is_compared(void **state)
{
	(void)state;
	assert_diff("version: 1\nmode: monitor\n",
		    "version: 1\nmode: enforce\ninner: true\nheaders: pass\nsources: true\n"
		    "mark: {mask: 0xff, value: 0x0f}\n",
		    "~ setting mode: monitor -> enforce\n"
		    "~ setting inner headers judged: off -> on\n"
		    "~ setting impossible headers dropped: on -> off\n"
		    "~ setting packets counted by source: off -> on\n"
		    "~ setting mark: 0x00000000/0x00000000 -> 0x0000000f/0x000000ff\n");
}

static void ports_are_said_as_runs(void **state)
{
	(void)state;
	assert_diff("version: 1\nprotect: {ports: [22, 80]}\n",
		    "version: 1\nprotect: {ports: [22, 100, 101, 102, 65535]}\n",
		    "- setting protected port 80\n"
		    "+ setting protected ports 100 to 102\n"
		    "+ setting protected port 65535\n");
	assert_diff("version: 1\n", "version: 1\nprotect: {ports: [1]}\n",
		    "+ setting protected port 1\n");
}

static void lists_are_known_by_their_names(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("10.0.0.0/8") B("11.0.0.0/8, 12.0.0.0/8")),
		    POLICY("", "  - {name: c, action: allow, match: destination,\n"
			       "     entries: ['2001:db8::/32']}\n"
			       "  - {name: b, action: flag, entries: [11.0.0.0/8]}\n"),
		    "- list a: drop on source, 1 prefix\n"
		    "~ list b: drop on source, 2 prefixes -> flag on source, 1 prefix\n"
		    "+ list c: allow on destination, 1 prefix\n"
		    "- prefix source 10.0.0.0/8: drop a\n"
		    "~ prefix source 11.0.0.0/8: drop b -> flag b\n"
		    "- prefix source 12.0.0.0/8: drop b\n"
		    "+ prefix destination 2001:db8::/32: allow c\n");
}

#define SCORE(name, family, points)                                                             \
	"  - {name: " name ", action: score, family: " family ", points: " points ", entries: " \
	"[198.51.100.0/24]}\n"

static void scores_are_compared_with_their_families(void **state)
{
	(void)state;
	assert_diff(POLICY("", SCORE("a", "f", "3") SCORE("b", "g", "4")),
		    POLICY("", SCORE("a", "f", "30") SCORE("b", "h", "4")),
		    "~ list a: score 3 of family f on source, 1 prefix -> "
		    "score 30 of family f on source, 1 prefix\n"
		    "~ list b: score 4 of family g on source, 1 prefix -> "
		    "score 4 of family h on source, 1 prefix\n");
	/* families are numbered by their order, which no packet sees */
	assert_diff(POLICY("", SCORE("a", "f", "3") SCORE("b", "g", "4")),
		    POLICY("", SCORE("b", "g", "4") SCORE("a", "f", "3")), "");
	assert_diff(POLICY("", SCORE("a", "f", "3")),
		    POLICY("", SCORE("a", "f", "3") SCORE("b", "g", "4")),
		    "+ list b: score 4 of family g on source, 1 prefix\n"
		    "~ prefix source 198.51.100.0/24: score a -> score a, score b\n");
	assert_diff(POLICY("", SCORE("a", "f", "3") SCORE("b", "g", "4")),
		    POLICY("", SCORE("a", "f", "3")),
		    "- list b: score 4 of family g on source, 1 prefix\n"
		    "~ prefix source 198.51.100.0/24: score a, score b -> score a\n");
}

/* 10/8 loses its eleventh part: what is left is not one prefix. */
static void a_range_is_said_in_as_few_prefixes_as_it_takes(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("10.0.0.0/8") B("10.10.0.0/15")), POLICY("", A("10.0.0.0/8")),
		    "- list b: drop on source, 1 prefix\n"
		    "~ prefix source 10.10.0.0/15: drop b -> drop a\n");
	assert_diff(POLICY("", A("10.10.0.0/15, 10.9.0.0/16")), POLICY("", A("10.0.0.0/8")),
		    "~ list a: drop on source, 2 prefixes -> drop on source, 1 prefix\n"
		    "+ prefix source 10.0.0.0/13: drop a\n"
		    "+ prefix source 10.8.0.0/16: drop a\n"
		    "+ prefix source 10.12.0.0/14: drop a\n"
		    "+ prefix source 10.16.0.0/12: drop a\n"
		    "+ prefix source 10.32.0.0/11: drop a\n"
		    "+ prefix source 10.64.0.0/10: drop a\n"
		    "+ prefix source 10.128.0.0/9: drop a\n");
}

/* The same addresses in other prefixes are the same for every packet. */
static void only_what_packets_see_is_compared(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("10.0.0.0/9, 10.128.0.0/9")), POLICY("", A("10.0.0.0/8")),
		    "~ list a: drop on source, 2 prefixes -> drop on source, 1 prefix\n");
}

static void the_whole_address_space_is_one_prefix(void **state)
{
	(void)state;
	assert_diff(POLICY("", A("0.0.0.0/0, '::/0'")), POLICY("", B("0.0.0.0/0, '::/0'")),
		    "- list a: drop on source, 2 prefixes\n"
		    "+ list b: drop on source, 2 prefixes\n"
		    "~ prefix source 0.0.0.0/0: drop a -> drop b\n"
		    "~ prefix source ::/0: drop a -> drop b\n");
}

/* 128.0.0.0 to 255.255.255.254 takes a prefix per bit that is left, as does its like in IPv6. */
static void a_range_may_end_next_to_the_last_address(void **state)
{
	auto_image struct image_file from = { 0 }, to = { 0 };
	struct image_diff diff;

	(void)state;
	compile_text(POLICY("", A("0.0.0.0/0, '::/0'")), &from);
	compile_text(POLICY("", A("0.0.0.0/1, '::/1', 255.255.255.255, "
				  "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'")),
		     &to);
	assert_int_equal(image_diff(&from.image, &to.image, &diff), 0);
	assert_int_equal(diff.omitted, 0);
	assert_int_equal(diff.count, 1 + 31 + 127);
	assert_string_equal(diff.changes[1].text, "source 128.0.0.0/2: drop a");
	assert_string_equal(diff.changes[31].text, "source 255.255.255.254/32: drop a");
	assert_string_equal(diff.changes[32].text, "source 8000::/2: drop a");
	assert_string_equal(diff.changes[158].text,
			    "source ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128: drop a");
	image_diff_free(&diff);
}

static void protection_is_compared_too(void **state)
{
	(void)state;
	assert_diff("version: 1\nprotect: {prefixes: [192.0.2.0/24]}\n",
		    "version: 1\nprotect: {prefixes: [192.0.2.0/24, 192.0.3.0/24]}\n",
		    "~ list protect: protect on source, 1 prefix -> protect on source, 2 prefixes\n"
		    "+ prefix source 192.0.3.0/24: protect protect\n");
}

/* ---- more than is stored ---- */

static void make_rows(struct made *made, uint16_t list, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++)
		make_prefix(made, list, 4, (unsigned __int128)(2 * i + 1) << 96, 32);
}

static void changes_past_the_bound_are_counted(void **state)
{
	static const uint32_t rows[] = { 998, 999, 1000, 5000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_image struct image_file from = { 0 }, to = { 0 };
		auto_made struct made none = { 0 }, some = { 0 };
		struct image_diff diff;

		make_list(&none, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		make_rows(&some, make_list(&some, ACTION_DROP, MATCH_SOURCE, NULL, 0), rows[i]);
		made_compile(&none, &from);
		made_compile(&some, &to);
		assert_int_equal(image_diff(&from.image, &to.image, &diff), 0);
		/* the list itself and its rows */
		assert_int_equal(diff.count + diff.omitted, rows[i] + 1);
		assert_int_equal(diff.count, rows[i] < 1000 ? rows[i] + 1 : 1000);
		image_diff_free(&diff);
	}
}

/* What is counted in one step is what would have been said one by one. */
static void omitted_prefixes_are_counted_as_they_would_be_said(void **state)
{
	uint64_t random = 11;

	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		auto_image struct image_file from = { 0 }, some = { 0 }, all = { 0 };
		auto_made struct made none = { 0 }, few = { 0 }, many = { 0 };
		uint16_t list = make_list(&few, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		struct image_diff plain, full;

		make_list(&none, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		make_list(&many, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		/* what a long prefix grew by to become a short one takes many to say */
		for (uint32_t i = 0; i < 3; i++) {
			unsigned __int128 address = random_address(&random, 6);
			uint8_t len = (uint8_t)(1 + random_next(&random) % 80);

			make_prefix(&none, list, 6, address, len + 40);
			make_prefix(&few, list, 6, address, len);
			make_prefix(&many, list, 6, address, len);
		}
		make_rows(&many, list, 1200);
		made_compile(&none, &from);
		made_compile(&few, &some);
		made_compile(&many, &all);
		assert_int_equal(image_diff(&from.image, &some.image, &plain), 0);
		assert_int_equal(plain.omitted, 0);
		assert_int_equal(image_diff(&from.image, &all.image, &full), 0);
		assert_int_equal(full.count, 1000);
		assert_int_equal(full.omitted, plain.count + 1 + 1200 - 1000);
		assert_true(plain.count > 10);
		image_diff_free(&plain);
		image_diff_free(&full);
	}
}

static void a_text_that_is_too_long_says_so(void **state)
{
	auto_image struct image_file from = { 0 }, to = { 0 };
	auto_made struct made none = { 0 }, many = { 0 };
	static const char *const families[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct image_diff diff;
	const char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		uint16_t list = make_list(&many, ACTION_SCORE, MATCH_SOURCE, families[i], 1);
		struct list *item = &many.policy.lists[list - 1];

		free(item->name);
		item->name = malloc(POLICY_NAME_MAX + 1);
		assert_non_null(item->name);
		memset(item->name, families[i][0], POLICY_NAME_MAX);
		item->name[POLICY_NAME_MAX] = '\0';
		make_prefix(&many, list, 4, 0, 8);
	}
	many.policy.mode = none.policy.mode = MODE_ENFORCE;
	made_compile(&none, &from);
	made_compile(&many, &to);
	assert_int_equal(image_diff(&from.image, &to.image, &diff), 0);
	assert_int_equal(diff.count, 9);
	text = diff.changes[8].text;
	assert_memory_equal(text, "source 0.0.0.0/8: score aaa", 27);
	assert_true(strlen(text) < DIAG_TEXT);
	image_diff_free(&diff);
}

static void a_broken_image_cannot_be_compared(void **state)
{
	auto_image struct image_file from = { 0 }, to = { 0 };
	struct image_diff diff = { .count = 77 };

	(void)state;
	compile_text(POLICY("", A("10.0.0.0/8")), &from);
	compile_text(POLICY("", A("10.0.0.0/8")), &to);
	((struct image_hot *)(to.bytes + LINE_SIZE))->root[TABLE_V6_DST] = 7u << 29;
	assert_int_equal(image_diff(&from.image, &to.image, &diff), -EINVAL);
	assert_int_equal(image_diff(&to.image, &from.image, &diff), -EINVAL);
	assert_int_equal(diff.count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_does_not_differ_from_itself),
		cmocka_unit_test(the_order_of_lists_is_no_difference_where_it_decides_nothing),
		cmocka_unit_test(every_setting_is_compared),
		cmocka_unit_test(ports_are_said_as_runs),
		cmocka_unit_test(lists_are_known_by_their_names),
		cmocka_unit_test(scores_are_compared_with_their_families),
		cmocka_unit_test(a_range_is_said_in_as_few_prefixes_as_it_takes),
		cmocka_unit_test(only_what_packets_see_is_compared),
		cmocka_unit_test(the_whole_address_space_is_one_prefix),
		cmocka_unit_test(a_range_may_end_next_to_the_last_address),
		cmocka_unit_test(protection_is_compared_too),
		cmocka_unit_test(changes_past_the_bound_are_counted),
		cmocka_unit_test(omitted_prefixes_are_counted_as_they_would_be_said),
		cmocka_unit_test(a_text_that_is_too_long_says_so),
		cmocka_unit_test(a_broken_image_cannot_be_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
