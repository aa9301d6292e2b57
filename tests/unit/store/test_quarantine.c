/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quarantine: for how long, how many, and what a damaged file means. */
#include "json_help.h"

#define FILE_NAME "quarantine.json"
#define HEAD "{\"schema\":\"stanch.quarantine/1\",\"digests\":{"
#define SINCE "\"since\":\"1700000000\""
#define HEX "0101010101010101010101010101010101010101010101010101010101010101"

static int add(unsigned int n, const char *why)
{
	uint8_t digest[32];

	memset(digest, 0, sizeof(digest));
	memcpy(digest, &n, sizeof(n));
	return quarantine_add(&places, digest, why);
}

/* Seconds that are left, 0 when it is not there. */
static uint64_t left(unsigned int n)
{
	struct quarantine found = { 0 };
	uint8_t digest[32];
	int err;

	memset(digest, 0, sizeof(digest));
	memcpy(digest, &n, sizeof(n));
	err = quarantine_find(&places, digest, &found);
	assert_true(!err || err == -ENOENT);
	assert_true(err || *found.why);
	return found.left_s;
}

static bool damaged(void)
{
	return !left(7);
}

static void a_digest_stays_for_half_an_hour(void **state)
{
	time_t start = clock_s;

	(void)state;
	assert_int_equal(left(7), 0);
	assert_int_equal(add(7, "newly_dropped"), 0);
	assert_int_equal(mode_of(in_state(FILE_NAME)), 0640);
	assert_int_equal(left(7), 1800);
	assert_int_equal(left(8), 0);
	clock_s = start + 1799;
	assert_int_equal(left(7), 1);
	clock_s = start + 1800;
	assert_int_equal(left(7), 0);
	clock_s = start - 86400;
	assert_int_equal(left(7), 1800);
	clock_s = start;
}

static void whoever_does_harm_again_stays_from_then_on(void **state)
{
	time_t start = clock_s;

	(void)state;
	assert_int_equal(add(7, "growth"), 0);
	clock_s += 1000;
	assert_int_equal(add(7, "host"), 0);
	assert_int_equal(left(7), 1800);
	clock_s = start;
}

static void the_oldest_makes_room(void **state)
{
	time_t start = clock_s;

	(void)state;
	for (unsigned int n = 1; n <= 257; n++, clock_s++)
		assert_int_equal(add(n, "growth"), 0);
	assert_int_equal(left(1), 0);
	assert_int_not_equal(left(2), 0);
	assert_int_not_equal(left(257), 0);
	clock_s = start;
}

static void a_reason_that_is_no_short_code_is_cut(void **state)
{
	struct quarantine found;

	(void)state;
	assert_int_equal(add(7, "a\nb\x7f\xff"
				"c------------------------------------------------------------"),
			 0);
	assert_int_equal(left(7), 1800);
	assert_int_equal(quarantine_find(&places, (uint8_t[32]){ 7 }, &found), 0);
	assert_int_equal(strlen(found.why), 63);
	assert_memory_equal(found.why, "a?b??c-", 7);
}

static void a_damaged_file_is_empty_and_kept_aside(void **state)
{
	(void)state;
	assert_int_equal(add(7, "growth"), 0);
	try_cuts(FILE_NAME, damaged);
	put_text(FILE_NAME, "{}");
	assert_int_equal(add(8, "growth"), 0);
	assert_int_equal(left(7), 0);
	assert_int_equal(left(8), 1800);
	assert_int_equal(size_of(in_state("quarantine.bad")), 2);
}

static void what_is_not_exactly_such_a_file_is_damaged(void **state)
{
	static const char *const texts[] = {
		"{\"schema\":\"stanch.quarantine/2\",\"digests\":{}}",
		"{\"schema\":\"stanch.quarantine/1\"}",
		"{\"schema\":\"stanch.quarantine/1\",\"digests\":[]}",
		HEAD "},\"more\":1}",
		HEAD "\"" HEX "\":1}}",
		HEAD "\"" HEX "\":{\"since\":\"1700000000\"}}}",
		HEAD "\"" HEX "\":{\"since\":1700000000,\"why\":\"x\"}}}",
		HEAD "\"" HEX "\":{" SINCE ",\"why\":\"x\",\"more\":1}}}",
		HEAD "\"" HEX "\":{\"since\":\"18446744073709551616\",\"why\":\"x\"}}}",
		HEAD "\"" HEX "\":{" SINCE ",\"why\":\"\\u0001\"}}}",
		HEAD "\"XX\":{" SINCE ",\"why\":\"x\"}}}",
	};
	struct quarantine found;
	uint8_t digest[32];

	(void)state;
	memset(digest, 1, sizeof(digest));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(FILE_NAME, texts[i]);
		assert_int_equal(quarantine_find(&places, digest, &found), -ENOENT);
		unlink(in_state("quarantine.bad"));
		assert_int_equal(add(9, "growth"), 0);
		assert_int_equal(size_of(in_state("quarantine.bad")), strlen(texts[i]));
	}
	put_text(FILE_NAME, HEAD "\"" HEX "\":{" SINCE ",\"why\":\"x\"}}}");
	assert_int_equal(quarantine_find(&places, digest, &found), 0);
}

static int add_on_a_full_disk(void)
{
	limit_files(100);
	return add(8, "growth") != -EFBIG || left(8) || !left(7);
}

static void a_full_disk_adds_nothing_and_loses_nothing(void **state)
{
	(void)state;
	assert_int_equal(add(7, "growth"), 0);
	assert_int_equal(in_child(add_on_a_full_disk), 0);
	assert_int_equal(left(7), 1800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_digest_stays_for_half_an_hour),
		store_test(whoever_does_harm_again_stays_from_then_on),
		store_test(the_oldest_makes_room),
		store_test(a_reason_that_is_no_short_code_is_cut),
		store_test(a_damaged_file_is_empty_and_kept_aside),
		store_test(what_is_not_exactly_such_a_file_is_damaged),
		store_test(a_full_disk_adds_nothing_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
