/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_parse() at full size: a million rows accepted, one more refused, and bad ones refused
 * within the two seconds that a refusal may take. With STANCH_DATA also on published lists.
 */
#include <dirent.h>
#include <limits.h>
#include <time.h>

#include "base/file.h"
#include "parse_help.h"

#define ROWS 1000000u
#define ROW_TEXT 32

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REFUSAL_SECONDS 30.0 /* a sanitiser slows everything down */
#endif
#endif
#ifndef REFUSAL_SECONDS
#define REFUSAL_SECONDS 2.0
#endif

static const struct limits million = { .prefixes = ROWS, .lists = 4, .families = 8 };
static const char policy_text[] = "version: 1\nlists: [{name: a, action: drop, file: f}]\n";

/* A bijection on 32 bits: rows that are all different and in no order. */
static uint32_t scatter(uint32_t i)
{
	i = (i ^ i >> 16) * 0x7feb352du;
	i = (i ^ i >> 15) * 0x846ca68bu;
	return i ^ i >> 16;
}

static char *make_rows(uint32_t rows, uint32_t different, const char *ending)
{
	char *text = malloc((size_t)rows * ROW_TEXT + 1);
	size_t len = 0;
	uint32_t i;

	assert_non_null(text);
	for (i = 0; i < rows; i++) {
		uint32_t v4 = scatter(i % different);

		len += (size_t)sprintf(text + len, "%u.%u.%u.%u%s\n", v4 >> 24, v4 >> 16 & 0xff,
				       v4 >> 8 & 0xff, v4 & 0xff, ending);
	}
	return text;
}

/* Processor time: another process on the machine must not fail the test. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void parse_rows(uint32_t rows, uint32_t different, const char *ending, struct result *ret)
{
	autofree char *text = make_rows(rows, different, ending);
	struct memory_file files[] = { { "f", text, 0 }, { NULL, NULL, 0 } };
	double start = seconds();

	parse_limited(policy_text, files, &million, ret);
	if (seconds() - start > REFUSAL_SECONDS)
		fail_msg("took %.2f s of processor time", seconds() - start);
}

static void a_million_rows_are_accepted_and_one_more_is_not(void **state)
{
	auto_result struct result full = { 0 }, over = { 0 };

	(void)state;
	parse_rows(ROWS, ROWS, "", &full);
	assert_int_equal(full.err, 0);
	assert_int_equal(full.policy.prefix_count, ROWS);
	parse_rows(ROWS + 1, ROWS + 1, "", &over);
	assert_int_equal(over.diag.total, 1);
	assert_string_equal(over.diag.problems[0].message,
			    "1000001 prefixes, the loaded program holds 1000000");
}

static void a_doubled_file_is_refused_in_time(void **state)
{
	auto_result struct result half = { 0 }, whole = { 0 }, tenfold = { 0 };

	(void)state;
	parse_rows(ROWS, ROWS / 2, "", &half);
	assert_int_equal(half.diag.total, 6);
	assert_string_equal(half.diag.problems[5].message,
			    "... and 499995 more duplicates in list 'a', 500000 in all");
	parse_rows(2 * ROWS, ROWS, "", &whole);
	assert_int_equal(whole.diag.total, 7);
	assert_int_equal(whole.diag.problems[6].actual, 2 * ROWS);
	parse_rows(ROWS, 1, "", &tenfold);
	assert_int_equal(tenfold.diag.total, 6);
}

static void a_million_bad_rows_are_refused_in_time(void **state)
{
	auto_result struct result bits = { 0 }, broken = { 0 };

	(void)state;
	parse_rows(ROWS, ROWS, "/1", &bits);
	assert_true(bits.diag.total > ROWS / 2);
	parse_rows(ROWS, ROWS, "/x", &broken);
	assert_int_equal(broken.diag.total, ROWS);
	assert_int_equal(broken.diag.stored, DIAG_PROBLEMS);
}

static void read_published(const char *folder, const char *name)
{
	static const char *const lists[] = { "ipv4.txt", "ipv6.txt" };
	struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };
	auto_buf struct buf text = { 0 };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (strstr(name, lists[i]))
			break;
	if (i == ARRAY_SIZE(lists))
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(file_read(path, FILE_MAX_LIST, &text), 0);
	if (list_parse(&(struct named_text){ name, text.data, text.len }, 1, ROWS, &vec, &diag))
		show_problems(&diag);
	assert_int_equal(diag.total, 0);
	assert_true(vec.count > 0);
	free(vec.items);
}

static void published_ranges_are_read_without_a_problem(void **state)
{
	const char *data = getenv("STANCH_DATA");
	char folder[PATH_MAX - NAME_MAX - 1];
	struct dirent *entry;
	DIR *dir;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/ranges", data ? data : "");
	dir = data ? opendir(folder) : NULL;
	if (!dir) {
		print_message("skipped: STANCH_DATA names no folder with ranges/\n");
		skip();
	}
	while ((entry = readdir(dir)))
		read_published(folder, entry->d_name);
	closedir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_rows_are_accepted_and_one_more_is_not),
		cmocka_unit_test(a_doubled_file_is_refused_in_time),
		cmocka_unit_test(a_million_bad_rows_are_refused_in_time),
		cmocka_unit_test(published_ranges_are_read_without_a_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
