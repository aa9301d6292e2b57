/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of a million prefixes: checked, walked and compared in a bounded time of the processor.
 */
#include <errno.h>
#include <time.h>

#include "base/cleanup.h"
#include "image_help.h"
#include "policies.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SECONDS 30.0 /* a sanitiser slows everything down */
#endif
#endif
#ifndef SECONDS
#define SECONDS 2.0
#endif

#define ROWS 1000000u

/* Processor time: another process on the machine must not fail the test. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void assert_in_time(double start, const char *what)
{
	if (seconds() - start > SECONDS)
		fail_msg("%s took %.2f s of processor time", what, seconds() - start);
}

/* Every second row is IPv6; all are single addresses, and none is beside another. */
static void compile_rows(uint32_t skipped, struct image_file *ret)
{
	auto_made struct made made = { 0 };
	uint16_t list = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	uint64_t random = 5;

	for (uint32_t i = 0; i < ROWS + skipped; i++) {
		uint8_t family = i & 1 ? 4 : 6;
		unsigned __int128 address = random_address(&random, family);

		address &= ~((unsigned __int128)1 << (family == 4 ? 96 : 0));
		if (i >= skipped)
			make_prefix(&made, list, family, address, family == 4 ? 32 : 128);
	}
	made_compile(&made, ret);
}

static int count(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	(void)hi;
	(void)lo;
	*(uint32_t *)context += leaf != 0;
	return 0;
}

static uint32_t count_ranges(const struct image *image)
{
	uint32_t ranges = 0;

	for (enum table table = 0; table < TABLES; table++)
		assert_int_equal(image_each_range(image, table, count, &ranges), 0);
	return ranges;
}

static void a_million_prefixes_are_checked_walked_and_compared_in_time(void **state)
{
	auto_image struct image_file from = { 0 }, to = { 0 };
	auto_diag struct diag diag = { 0 };
	struct image_diff diff;
	uint32_t before, after;
	double start;

	(void)state;
	compile_rows(0, &from);
	compile_rows(1000, &to);
	start = seconds();
	assert_int_equal(image_check("big.img", from.bytes, (size_t)from.image.lines * LINE_SIZE,
				     &limits_builtin, &diag),
			 0);
	assert_in_time(start, "checking");
	start = seconds();
	before = count_ranges(&from.image);
	assert_in_time(start, "walking");
	after = count_ranges(&to.image);
	assert_true(before > ROWS - 1000 && before <= ROWS); /* some are drawn twice */
	start = seconds();
	assert_int_equal(image_diff(&from.image, &to.image, &diff), 0);
	assert_in_time(start, "comparing");
	assert_int_equal(diff.count, 1000);
	/* what both have but the thousand that went and the thousand that came */
	assert_in_range(diff.count + diff.omitted, 1990, 2000);
	assert_true(after > ROWS - 1000);
	image_diff_free(&diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_prefixes_are_checked_walked_and_compared_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
