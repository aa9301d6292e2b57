/* SPDX-License-Identifier: GPL-2.0-or-later */
/* List files: plain and JSON, what each refusal says and where, and that bad bytes cost little. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/policy.h"

static void vec_free(struct prefix_vec *vec)
{
	free(vec->items);
}
#define auto_vec cleanup(vec_free)

static int parse(const char *text, struct prefix_vec *vec, struct diag *diag)
{
	return list_parse(&(struct named_text){ "l.txt", text, strlen(text) }, 7, 1000, vec, diag);
}

/* The text gives exactly these prefixes, written "prefix@line" with spaces between. */
static void assert_gives(const char *text, const char *expected)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };
	char all[2000] = "", one[PREFIX_TEXT];
	size_t len = 0;
	uint32_t i;

	if (parse(text, &vec, &diag))
		fail_msg("refused: %s: %s", text, diag.problems[0].message);
	for (i = 0; i < vec.count; i++) {
		assert_int_equal(vec.items[i].list, 7);
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s@%u", i ? " " : "",
					prefix_format(&vec.items[i], one), vec.items[i].line);
	}
	assert_string_equal(all, expected);
}

/* The text has exactly one problem: this code at this place. */
static void assert_refused(const char *text, const char *code, uint32_t line, uint32_t col)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };

	assert_int_equal(parse(text, &vec, &diag), -EINVAL);
	assert_int_equal(vec.count, 0);
	if (diag.total != 1 || strcmp(diag.problems[0].code, code) ||
	    diag.problems[0].line != line || diag.problems[0].col != col)
		fail_msg("%s: %s at %u:%u '%s', %u problems", text, diag.problems[0].code,
			 diag.problems[0].line, diag.problems[0].col, diag.problems[0].message,
			 (unsigned int)diag.total);
	assert_string_equal(diag.problems[0].file, "l.txt");
}

static void one_prefix_a_line_with_comments(void **state)
{
	(void)state;
	assert_gives("", "");
	assert_gives("# only a comment", "");
	assert_gives("\n\n \t\n;x\n", "");
	assert_gives("192.0.2.1", "192.0.2.1/32@1");
	assert_gives("192.0.2.0/24 # net\n\t 2001:db8::/32;v6\n10.0.0.0/8#x\n",
		     "192.0.2.0/24@1 2001:db8::/32@2 10.0.0.0/8@3");
}

static void windows_line_ends_and_a_byte_order_mark_do_not_matter(void **state)
{
	(void)state;
	assert_gives("\xef\xbb\xbf"
		     "10.0.0.0/8\r\n\r\n# \xc3\xa9\r\n::1\r\n",
		     "10.0.0.0/8@1 ::1/128@4");
}

static void refusals_name_the_place(void **state)
{
	(void)state;
	assert_refused("\n  300.1.2.3", "bad_prefix", 2, 3);
	assert_refused("::\n1.2.3.4/33\n", "prefix_length", 2, 1);
	assert_refused("10.0.0.1/8", "host_bits", 1, 1);
	assert_refused("10.0.0.1 10.0.0.2\n", "trailing_text", 1, 10);
	assert_refused("10.0.0.1\t7\n", "trailing_text", 1, 10);
	assert_refused("10.0.0.1\r10.0.0.2\n", "trailing_text", 1, 10);
	assert_refused("10.0.0.1,10.0.0.2\n", "bad_prefix", 1, 1);
	assert_refused("10.0.0.1\xc2\xa0\n", "bad_prefix", 1, 1);
}

static void what_is_not_text_is_refused_once(void **state)
{
	static const char nul[] = "1.2.3.4\n\0x\n";
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_refused("1.2.3.4\n# caf\xe9\n", "not_utf8", 2, 6);
	assert_refused("\xff\xfe"
		       "1\n",
		       "not_utf8", 1, 1);
	assert_refused("\xfe\xff"
		       "1\n",
		       "not_utf8", 1, 1);
	assert_refused("# 12345678\xc3\xa9\xc3", "not_utf8", 1, 12);
	assert_int_equal(list_parse(&(struct named_text){ "l.txt", nul, sizeof(nul) - 1 }, 1, 9,
				    &vec, &diag),
			 -EINVAL);
	assert_string_equal(diag.problems[0].code, "nul_byte");
	assert_int_equal(diag.problems[0].line, 2);
}

static void every_bad_line_is_counted(void **state)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };
	char text[4000] = "";
	int i;

	(void)state;
	for (i = 0; i < 400; i++)
		strcat(text, i % 2 ? "bad\n" : "::1\n");
	assert_int_equal(parse(text, &vec, &diag), -EINVAL);
	assert_int_equal(diag.total, 200);
	assert_int_equal(diag.stored, DIAG_PROBLEMS);
	assert_int_equal(diag.problems[1].line, 4);
	assert_string_equal(diag.problems[1].excerpt, "bad");
}

static void a_failure_keeps_what_was_in_the_vector(void **state)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_int_equal(parse("10.0.0.0/8", &vec, &diag), 0);
	assert_int_equal(parse("11.0.0.0/8\nbad", &vec, &diag), -EINVAL);
	assert_int_equal(vec.count, 1);
	assert_int_equal(parse("12.0.0.0/8", &vec, &diag), 0);
	assert_int_equal(vec.count, 2);
}

static void rows_past_the_room_are_counted_not_stored(void **state)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };
	const char *text = "::1\n::2\n::3\n::4\n";

	(void)state;
	assert_int_equal(
		list_parse(&(struct named_text){ "l", text, strlen(text) }, 1, 4, &vec, &diag), 0);
	assert_int_equal(vec.count, 4);
	assert_int_equal(
		list_parse(&(struct named_text){ "l", text, strlen(text) }, 1, 3, &vec, &diag),
		-EINVAL);
	assert_int_equal(vec.count, 4);
	assert_string_equal(diag.problems[0].code, "too_many_prefixes");
	assert_int_equal(diag.problems[0].actual, 4);
	assert_int_equal(diag.problems[0].limit, 3);
	assert_string_equal(diag.problems[0].message, "4 prefixes, there is room for 3");
}

static void published_json_is_read_with_lines(void **state)
{
	(void)state;
	assert_gives("{\"creationTime\": \"2026-01-01T00:00:00\",\n \"n\": -1.5E+3, \"b\": true,\n"
		     "\"prefixes\": [\n{\"ipv4Prefix\": \"192.0.2.0/24\"},\n"
		     "{\"ipv6Prefix\":\"2001:db8::/32\", \"service\":\"a \\\" b\"}\n]}\n",
		     "192.0.2.0/24@4 2001:db8::/32@5");
	assert_gives("\xef\xbb\xbf \r\n{\"prefixes\":[]}", "");
	assert_gives("{\"prefixes\":[{\"ipv4Prefix\":\"10.0.0.0\\/8\"}]}", "10.0.0.0/8@1");
}

static void json_of_another_shape_is_refused_where_it_begins(void **state)
{
	(void)state;
	assert_refused("[]", "unknown_shape", 1, 1);
	assert_refused("{}", "unknown_shape", 1, 1);
	assert_refused("\n {\"syncToken\":\"1\"}", "unknown_shape", 2, 2);
	assert_refused("{\"prefixes\":{}}", "unknown_shape", 1, 13);
	assert_refused("{\"prefixes\":{\"ipv4Prefix\":\"::\"}]}", "unknown_shape", 1, 13);
	assert_refused("{\"prefixes\":[\"10.0.0.0/8\"]}", "unknown_shape", 1, 14);
	assert_refused("{\"prefixes\":[{\"ip_prefix\":\"10.0.0.0/8\"}]}", "unknown_shape", 1, 14);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":7}]}", "unknown_shape", 1, 28);
	assert_refused("{\"prefixes\":[{}]}", "unknown_shape", 1, 14);
	assert_refused("{\"x\":{}}", "unknown_shape", 1, 6);
	assert_refused("{7:1}", "unknown_shape", 1, 2);
	assert_refused("{\"prefixes\":[],\"prefixes\":[]}", "duplicate_key", 1, 27);
}

static void broken_json_is_refused_where_it_breaks(void **state)
{
	(void)state;
	assert_refused("{", "unknown_shape", 1, 2);
	assert_refused("{\"prefixes", "json", 1, 2);
	assert_refused("{\"pre\nfixes\":1}", "json", 1, 2);
	assert_refused("{\"a\\", "json", 1, 2);
	assert_refused("{\"prefixes\" []}", "json", 1, 13);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":\"::\"}", "json", 1, 33);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":\"::\" ", "json", 1, 33);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":\"::\"}}", "json", 1, 33);
	assert_refused("{\"prefixes\":[]", "json", 1, 15);
	assert_refused("{\"prefixes\":[]} x", "json", 1, 17);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":\"10.0.0.1/8\"}]}", "host_bits", 1, 29);
	assert_refused("{\"prefixes\":[{\"ipv4Prefix\":\"10.0.0.0\\u002f8\"}]}", "bad_prefix", 1,
		       29);
}

static void nothing_behind_the_end_is_read(void **state)
{
	static const char whole[] = "{\"prefixes\":[]}";
	struct named_text cut = { "l", whole, 10 }; /* the quote that ends the key is not in it */
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_int_equal(list_parse(&cut, 1, 10, &vec, &diag), -EINVAL);
	assert_string_equal(diag.problems[0].message, "a string without its closing quote");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void hostile_bytes_of_many_kinds_take_bounded_time(void **state)
{
	static const char *const patterns[] = { "1",   "1.",	":",	    "[",  "{\"prefixes\":[",
						"/",   "1 ",	"\xc3\xa9", "\n", "\"",
						"#\n", "::%\n", "{\"",	    "\\", "1.2.3.4\r" };
	size_t len = 32 << 20, i, at;
	autofree char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		auto_vec struct prefix_vec vec = { 0 };
		auto_diag struct diag diag = { 0 };
		size_t step = strlen(patterns[i]);
		double start;

		for (at = 0; at + step <= len; at += step)
			memcpy(text + at, patterns[i], step);
		start = seconds();
		list_parse(&(struct named_text){ "l", text, at }, 1, 1000000, &vec, &diag);
		if (seconds() - start > 20)
			fail_msg("pattern %zu took %.1f s", i, seconds() - start);
	}
}

static void a_text_longer_than_any_list_file_is_not_even_read(void **state)
{
	auto_vec struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_int_equal(
		list_parse(&(struct named_text){ "l", "x", FILE_MAX_LIST + 1 }, 1, 1, &vec, &diag),
		-EINVAL);
	assert_string_equal(diag.problems[0].code, "lists_too_long");
	assert_int_equal(diag.problems[0].limit, FILE_MAX_LIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_prefix_a_line_with_comments),
		cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_do_not_matter),
		cmocka_unit_test(refusals_name_the_place),
		cmocka_unit_test(what_is_not_text_is_refused_once),
		cmocka_unit_test(every_bad_line_is_counted),
		cmocka_unit_test(a_failure_keeps_what_was_in_the_vector),
		cmocka_unit_test(rows_past_the_room_are_counted_not_stored),
		cmocka_unit_test(published_json_is_read_with_lines),
		cmocka_unit_test(json_of_another_shape_is_refused_where_it_begins),
		cmocka_unit_test(broken_json_is_refused_where_it_breaks),
		cmocka_unit_test(nothing_behind_the_end_is_read),
		cmocka_unit_test(hostile_bytes_of_many_kinds_take_bounded_time),
		cmocka_unit_test(a_text_longer_than_any_list_file_is_not_even_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
