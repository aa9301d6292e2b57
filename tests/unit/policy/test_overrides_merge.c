/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in force beside what is written down: who is believed about what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/overrides.h"

#define REALTIME 1800000000ull
#define MONOTONIC 5000000000123ull
#define NS 1000000000ull
#define DAY 86400u

static const struct override_clock then = { .realtime_s = REALTIME, .monotonic_ns = MONOTONIC };

struct rig {
	struct override items[8];
	uint32_t count;
	struct image_file image;
	struct override_merge merge;
};

static void rig_free(struct rig *rig)
{
	image_free(&rig->image);
	free(rig->merge.items);
}
#define auto_rig cleanup(rig_free)

static struct override *say(struct rig *rig, const char *prefix, bool block, uint64_t left_s)
{
	struct override *item = &rig->items[rig->count++];

	*item = (struct override){ .block = block,
				   .expires = left_s ? REALTIME + left_s : 0,
				   .since = REALTIME - 5,
				   .uid = 42,
				   .reason = "why" };
	assert_int_equal(prefix_parse(prefix, strlen(prefix), &item->prefix), 0);
	return item;
}

/* All that has been said so far comes into force. */
static void publish(struct rig *rig)
{
	const struct override_set set = { rig->items, rig->count };
	auto_diag struct diag diag = { 0 };

	image_free(&rig->image);
	assert_int_equal(overrides_compile(&set, &then, &limits_builtin, &rig->image, &diag), 0);
}

static const struct override_merge *merge(struct rig *rig, uint64_t realtime_s, uint64_t later_s)
{
	const struct override_clock now = { realtime_s, MONOTONIC + later_s * NS };
	const struct override_set set = { rig->items, rig->count };

	free(rig->merge.items);
	rig->merge = (struct override_merge){ 0 };
	assert_int_equal(overrides_merge(&set, rig->image.bytes ? &rig->image.image : NULL, &now,
					 &rig->merge),
			 0);
	return &rig->merge;
}

static void what_was_published_and_written_is_as_it_was_said(void **state)
{
	auto_rig struct rig rig = { 0 };
	const struct override_merge *found;

	(void)state;
	say(&rig, "192.0.2.0/24", true, 600);
	say(&rig, "192.0.2.0/24", false, 60);
	say(&rig, "192.0.2.9/32", true, 30); /* hidden by the first */
	say(&rig, "2001:db8:1::/48", false, 0);
	publish(&rig);
	found = merge(&rig, REALTIME + 10, 10);
	assert_int_equal(found->count, 4);
	assert_memory_equal(found->items, rig.items, 4 * sizeof(*rig.items));
	assert_int_equal(found->stale + found->unlisted + found->expired, 0);
}

static void without_anything_in_force_the_disk_is_believed(void **state)
{
	auto_rig struct rig rig = { 0 };
	const struct override_merge *found;

	(void)state;
	say(&rig, "192.0.2.0/24", true, 600);
	say(&rig, "192.0.3.0/24", true, 5);
	found = merge(&rig, REALTIME + 10, 10);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->expired, 1);
	assert_memory_equal(found->items, rig.items, sizeof(*rig.items));
}

static void what_is_only_written_down_is_left_out(void **state)
{
	auto_rig struct rig rig = { 0 };
	const struct override_merge *found;

	(void)state;
	say(&rig, "192.0.2.0/24", true, 600);
	publish(&rig);
	say(&rig, "192.0.2.0/24", false, 600); /* another action */
	say(&rig, "192.0.2.1/32", true, 900); /* outlasts its cover */
	say(&rig, "192.0.2.2/32", true, 0);
	say(&rig, "192.0.2.0/23", true, 60);
	found = merge(&rig, REALTIME, 0);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->stale, 4);
}

static void what_is_only_in_force_is_found_without_who_and_why(void **state)
{
	auto_rig struct rig rig = { 0 };
	const struct override_merge *found;

	(void)state;
	say(&rig, "192.0.2.0/24", true, 600);
	say(&rig, "2001:db8::5/128", false, 0);
	say(&rig, "192.0.9.0/24", true, 5);
	publish(&rig);
	rig.count = 0;
	found = merge(&rig, REALTIME + 10, 10);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->unlisted, 2);
	assert_int_equal(found->items[0].block, false);
	assert_memory_equal(&found->items[0].prefix.hi, &rig.items[1].prefix.hi, 16);
	assert_int_equal(found->items[0].prefix.len, 128);
	assert_int_equal(found->items[0].expires, 0);
	assert_int_equal(found->items[1].expires, REALTIME + 600);
	assert_string_equal(found->items[1].reason, "");
}

static void a_wall_clock_that_jumps_changes_no_time_that_is_left(void **state)
{
	auto_rig struct rig rig = { 0 };
	const struct override_merge *found;

	(void)state;
	say(&rig, "192.0.2.0/24", true, 600);
	say(&rig, "192.0.3.0/24", false, 0);
	publish(&rig);
	found = merge(&rig, REALTIME + DAY, 100);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->items[0].expires, REALTIME + DAY + 500);
	assert_int_equal(found->items[1].expires, 0);
	found = merge(&rig, REALTIME - DAY, 100);
	assert_int_equal(found->items[0].expires, REALTIME - DAY + 500);
	found = merge(&rig, REALTIME - DAY, 600);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->expired, 1);
	assert_int_equal(found->stale, 0);
}

static void a_list_says_its_prefix_and_the_time_that_is_left(void **state)
{
	const struct override_clock now = { REALTIME + 7, MONOTONIC + 7 * NS };
	const struct override_clock over = { REALTIME + 9, MONOTONIC + 9 * NS };
	auto_rig struct rig rig = { 0 };
	struct override item;

	(void)state;
	say(&rig, "2001:db8:ffff:1:8000::/65", true, 9);
	publish(&rig);
	assert_true(override_of_list(&rig.image.image, 1, &now, &item));
	assert_true(item.block);
	assert_int_equal(item.expires, REALTIME + 9);
	assert_true(prefix_covers(&item.prefix, &rig.items[0].prefix));
	assert_int_equal(item.prefix.len, 65);
	assert_false(override_of_list(&rig.image.image, 1, &over, &item));
	assert_false(override_of_list(&rig.image.image, 2, &now, &item));
	assert_false(override_of_list(&rig.image.image, 0, &now, &item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_published_and_written_is_as_it_was_said),
		cmocka_unit_test(without_anything_in_force_the_disk_is_believed),
		cmocka_unit_test(what_is_only_written_down_is_left_out),
		cmocka_unit_test(what_is_only_in_force_is_found_without_who_and_why),
		cmocka_unit_test(a_wall_clock_that_jumps_changes_no_time_that_is_left),
		cmocka_unit_test(a_list_says_its_prefix_and_the_time_that_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
