/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources of unattended changes: two failures within half an hour put one on hold. */
#include "json_help.h"

#define FILE_NAME "sources.json"

static struct source_state state_of(const char *name)
{
	struct source_state found;

	assert_int_equal(source_state_read(&places, name, &found), 0);
	assert_string_equal(found.name, name);
	return found;
}

static bool held(const char *name)
{
	return state_of(name).held;
}

static void two_failures_within_the_window_hold_a_source(void **state)
{
	struct source_state found;

	(void)state;
	assert_int_equal(source_failed(&places, "feed", "growth", &found), 0);
	assert_int_equal(found.failures, 1);
	assert_false(found.held);
	clock_s += 1799;
	assert_int_equal(source_failed(&places, "feed", "host", &found), 0);
	assert_int_equal(found.failures, 2);
	assert_true(found.held);
	assert_int_equal(found.held_since_s, clock_s);
	assert_string_equal(found.why, "growth,host");
	assert_false(held("other"));
	clock_s += 864000;
	assert_true(held("feed"));
	assert_int_equal(source_failed(&places, "feed", "more", NULL), 0);
	assert_string_equal(state_of("feed").why, "growth,host");
}

static void failures_that_are_long_ago_count_no_more(void **state)
{
	(void)state;
	assert_int_equal(source_failed(&places, "feed", "growth", NULL), 0);
	clock_s += 1800;
	assert_int_equal(state_of("feed").failures, 0);
	assert_int_equal(source_failed(&places, "feed", "host", NULL), 0);
	assert_int_equal(state_of("feed").failures, 1);
	assert_string_equal(state_of("feed").why, "host");
	clock_s += 1000;
	assert_int_equal(source_failed(&places, "feed", "host", NULL), 0);
	assert_true(held("feed"));
}

static void an_operator_holds_and_releases(void **state)
{
	(void)state;
	assert_int_equal(source_release(&places, "feed"), 0);
	assert_int_equal(source_hold(&places, "feed", "operator"), 0);
	assert_true(held("feed"));
	assert_string_equal(state_of("feed").why, "operator");
	assert_int_equal(source_hold(&places, "feed", "again"), 0);
	assert_string_equal(state_of("feed").why, "operator");
	assert_int_equal(source_release(&places, "feed"), 0);
	assert_false(held("feed"));
	assert_int_equal(source_release(&places, "feed"), 0);
	/* Released means a clean slate: one more failure does not hold it again. */
	assert_int_equal(source_failed(&places, "feed", "growth", NULL), 0);
	assert_false(held("feed"));
}

static int count(void *context, const struct source_state *source)
{
	*(unsigned int *)context += 1;
	return !strcmp(source->name, "stop") ? 42 : 0;
}

static void each_known_source_is_shown(void **state)
{
	unsigned int seen = 0;

	(void)state;
	assert_int_equal(source_each(&places, count, &seen), 0);
	assert_int_equal(source_hold(&places, "a", "x") | source_failed(&places, "b", "y", NULL) |
				 source_failed(&places, "c", "y", NULL) |
				 source_release(&places, "c"),
			 0);
	assert_int_equal(source_each(&places, count, &seen), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(source_hold(&places, "stop", "x"), 0);
	assert_int_equal(source_each(&places, count, &seen), 42);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const names[] = {
		"", "a b", "A", "a/b",
		"12345678901234567890123456789012345678901234567890123456789012345"
	};
	struct source_state found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(source_state_read(&places, names[i], &found), -EINVAL);
		assert_int_equal(source_hold(&places, names[i], "x"), -EINVAL);
		assert_int_equal(source_release(&places, names[i]), -EINVAL);
		assert_int_equal(source_failed(&places, names[i], "x", NULL), -EINVAL);
	}
	assert_int_equal(size_of(in_state(FILE_NAME)), -1);
}

/* Built by hand: a thousand times through the disk would take long. */
static void put_full(bool held_all)
{
	auto_buf struct buf text = { 0 };

	assert_int_equal(buf_printf(&text, "{\"schema\":\"stanch.sources/1\",\"sources\":{"), 0);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(buf_printf(&text,
					    "%s\"s%d\":{\"failures\":[\"%lld\"],\"held\":\"%d\","
					    "\"why\":\"\"}",
					    i ? "," : "", i, (long long)clock_s - 1024 + i,
					    held_all || i == 0),
				 0);
	assert_int_equal(buf_printf(&text, "}}"), 0);
	put_file(in_state(FILE_NAME), text.data, text.len);
}

static void who_failed_longest_ago_makes_room_but_no_hold_is_forgotten(void **state)
{
	(void)state;
	put_full(false);
	assert_int_equal(source_hold(&places, "new", "x"), 0);
	assert_true(held("new"));
	assert_true(held("s0"));
	assert_int_equal(state_of("s1").failures, 0);
	assert_int_equal(state_of("s2").failures, 1);
	put_full(true);
	assert_int_equal(source_hold(&places, "new", "x"), -ENOSPC);
	assert_true(held("s1"));
}

static bool damaged(void)
{
	return !held("feed");
}

static void a_damaged_file_is_empty_and_kept_aside(void **state)
{
	static const char *const texts[] = {
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"a\":1}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"a\":{}}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"a\":{\"failures\":[],\"held\":1,"
		"\"why\":\"\"}}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"a\":{\"failures\":[1],\"held\":"
		"\"1\",\"why\":\"\"}}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"a\":{\"failures\":[\"1\",\"1\","
		"\"1\"],\"held\":\"1\",\"why\":\"\"}}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{\"A\":{\"failures\":[],\"held\":"
		"\"1\",\"why\":\"\"}}}",
		"{\"schema\":\"stanch.sources/1\",\"sources\":{},\"sources\":{}}",
	};

	(void)state;
	assert_int_equal(source_hold(&places, "feed", "x"), 0);
	try_cuts(FILE_NAME, damaged);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(FILE_NAME, texts[i]);
		assert_false(held("a"));
		unlink(in_state("sources.bad"));
		assert_int_equal(source_hold(&places, "b", "x"), 0);
		assert_int_equal(size_of(in_state("sources.bad")), strlen(texts[i]));
		assert_true(held("b"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(two_failures_within_the_window_hold_a_source),
		store_test(failures_that_are_long_ago_count_no_more),
		store_test(an_operator_holds_and_releases),
		store_test(each_known_source_is_shown),
		store_test(what_is_no_name_is_refused),
		store_test(who_failed_longest_ago_makes_room_but_no_hold_is_forgotten),
		store_test(a_damaged_file_is_empty_and_kept_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
