/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collecting problems: bounded, safe to print, in the order a reader wants. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/diag.h"

static void a_problem_keeps_its_place_code_and_numbers(void **state)
{
	auto_diag struct diag diag = { 0 };
	char file[] = "p.yaml", line[] = "abc: def";
	struct diag_place place = { file, 7, 3, line, 3 };

	(void)state;
	diag_add_limit(&diag, &place, "too_many", (struct diag_limit){ 412, 256 }, "%d features",
		       412);
	memset(file, 'x', sizeof(file) - 1);
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].file, "p.yaml");
	assert_string_equal(diag.problems[0].excerpt, "abc");
	assert_string_equal(diag.problems[0].code, "too_many");
	assert_string_equal(diag.problems[0].message, "412 features");
	assert_int_equal(diag.problems[0].line, 7);
	assert_int_equal(diag.problems[0].col, 3);
	assert_true(diag.problems[0].has_limit);
	assert_int_equal(diag.problems[0].actual, 412);
	assert_int_equal(diag.problems[0].limit, 256);
}

static void a_problem_without_a_place_is_kept(void **state)
{
	auto_diag struct diag diag = { 0 };

	(void)state;
	diag_add(&diag, NULL, "odd", "something");
	assert_null(diag.problems[0].file);
	assert_null(diag.problems[0].excerpt);
	assert_int_equal(diag.problems[0].line, 0);
	assert_false(diag.problems[0].has_limit);
}

static void past_the_bound_problems_are_only_counted(void **state)
{
	auto_diag struct diag diag = { 0 };
	struct diag_place place = { .file = "f" };
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		diag_add(&diag, &place, "x", "%d", i);
		diag_add_limit(&diag, &place, "y", (struct diag_limit){ 1, 1 }, "%d", i);
	}
	assert_int_equal(diag.stored, DIAG_PROBLEMS);
	assert_int_equal(diag.total, 2000);
	diag_free(&diag);
	assert_int_equal(diag.stored, 0);
	assert_int_equal(diag.total, 0);
}

static void what_steers_a_terminal_is_shown_as_question_marks(void **state)
{
	auto_diag struct diag diag = { 0 };
	static const char line[] = "a\033[31m\tb\xc2\x9b"
				   "c\xe2\x80\xae"
				   "d\xff\xc3\xa9\xf0\x9f\x98\x80";
	struct diag_place place = { "f\033]0;x\007", 1, 1, line, sizeof(line) - 1 };

	(void)state;
	diag_add(&diag, &place, "x", "key '%s'", "a\nb\x7f");
	assert_string_equal(diag.problems[0].excerpt, "a?[31m b?c?d?\xc3\xa9\xf0\x9f\x98\x80");
	assert_string_equal(diag.problems[0].file, "f?]0;x?");
	assert_string_equal(diag.problems[0].message, "key 'a?b?'");
}

static void broken_utf8_never_gets_through(void **state)
{
	static const char *const broken[] = {
		"\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf8", "\xe2\x82", "\x80"
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		auto_diag struct diag diag = { 0 };

		diag_add(&diag, NULL, "x", "%s", broken[i]);
		assert_int_equal(diag.problems[0].message[0], '?');
		assert_int_equal(strspn(diag.problems[0].message, "?"),
				 strlen(diag.problems[0].message));
	}
}

static void a_long_message_ends_in_dots_between_characters(void **state)
{
	auto_diag struct diag diag = { 0 };
	char text[1200];
	size_t i, len;

	(void)state;
	for (i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[i] = '\0';
	diag_add(&diag, NULL, "x", "%s", text);
	len = strlen(diag.problems[0].message);
	assert_true(len < DIAG_TEXT && len > DIAG_TEXT - 8);
	assert_string_equal(diag.problems[0].message + len - 3, "...");
	assert_memory_equal(diag.problems[0].message + len - 5, "\xc3\xa9", 2);

	memset(text, 'a', sizeof(text));
	text[DIAG_TEXT - 1] = '\0';
	diag_add(&diag, NULL, "x", "%s", text);
	assert_string_equal(diag.problems[1].message, text);
	text[DIAG_TEXT - 1] = 'a';
	text[DIAG_TEXT] = '\0';
	diag_add(&diag, NULL, "x", "%s", text);
	assert_int_equal(strlen(diag.problems[2].message), DIAG_TEXT - 1);
	assert_string_equal(diag.problems[2].message + DIAG_TEXT - 4, "...");
}

static void an_excerpt_that_cannot_hold_the_caret_is_left_out(void **state)
{
	auto_diag struct diag diag = { 0 };
	char line[1000];
	struct diag_place place = { "f", 1, DIAG_TEXT, line, sizeof(line) };

	(void)state;
	memset(line, 'a', sizeof(line));
	diag_add(&diag, &place, "x", "far right");
	assert_null(diag.problems[0].excerpt);
	place.col = DIAG_TEXT - 1;
	diag_add(&diag, &place, "x", "just inside");
	assert_int_equal(strlen(diag.problems[1].excerpt), DIAG_TEXT - 1);
}

static void sorting_goes_by_file_as_first_seen_then_line_then_column(void **state)
{
	static const struct diag_place places[] = {
		{ "z", 9, 1, NULL, 0 }, { "a", 5, 5, NULL, 0 },	 { NULL, 0, 0, NULL, 0 },
		{ "z", 2, 8, NULL, 0 }, { "a", 5, 1, NULL, 0 },	 { "z", 2, 3, NULL, 0 },
		{ "a", 5, 5, NULL, 0 }, { NULL, 0, 0, NULL, 0 },
	};
	static const char order[] = "53041627";
	auto_diag struct diag diag = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(places); i++)
		diag_add(&diag, &places[i], "x", "%zu", i);
	/* "41" before "6": equal places keep their order. */
	diag_sort(&diag);
	for (i = 0; i < ARRAY_SIZE(places); i++)
		assert_int_equal(diag.problems[i].message[0], order[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_problem_keeps_its_place_code_and_numbers),
		cmocka_unit_test(a_problem_without_a_place_is_kept),
		cmocka_unit_test(past_the_bound_problems_are_only_counted),
		cmocka_unit_test(what_steers_a_terminal_is_shown_as_question_marks),
		cmocka_unit_test(broken_utf8_never_gets_through),
		cmocka_unit_test(a_long_message_ends_in_dots_between_characters),
		cmocka_unit_test(an_excerpt_that_cannot_hold_the_caret_is_left_out),
		cmocka_unit_test(sorting_goes_by_file_as_first_seen_then_line_then_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
