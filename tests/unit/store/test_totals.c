/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hits of a list go on under its name, through slots, renames, reboots, damage and full disks. */
#include "store_help.h"

#include <stdlib.h>

#include "policies.h"

#define FILE_NAME "totals.json"
#define KEPT_NAME "totals.bad"
#define ENTRIES 8u

/* An image with lists of these names, in this order; the list ends with NULL. */
static void make_lists(const char *const *names, struct image_file *ret)
{
	auto_made struct made made = { 0 };

	for (unsigned int i = 0; names[i]; i++) {
		uint16_t id = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);

		free(made.policy.lists[i].name);
		made.policy.lists[i].name = strdup(names[i]);
		assert_non_null(made.policy.lists[i].name);
		make_prefix(&made, id, 4, (unsigned __int128)(i + 1) << 96, 32);
	}
	made_compile(&made, ret);
}

static struct totals *load(const char *boot)
{
	struct totals *totals = NULL;

	assert_int_equal(totals_load(&places, boot, &totals), 0);
	assert_non_null(totals);
	return totals;
}

static uint64_t total_of(const struct totals *totals, const char *name)
{
	struct hit hit;

	totals_of(totals, name, strlen(name), &hit);
	assert_true(hit.bytes == 100 * hit.packets || hit.bytes == UINT64_MAX);
	return hit.packets;
}

static uint64_t base_of(const struct totals *totals, unsigned int slot, uint32_t id)
{
	struct hit hit;

	totals_base(totals, slot, id, &hit);
	assert_true(hit.bytes == 100 * hit.packets);
	return hit.packets;
}

/* The kernel's counters of one slot: packets by list id, 100 bytes each. */
static int retire(struct totals *totals, unsigned int slot, const struct image_file *image,
		  const uint64_t packets[ENTRIES])
{
	struct hit now[ENTRIES];

	for (unsigned int id = 0; id < ENTRIES; id++)
		now[id] = (struct hit){ packets[id], 100 * packets[id] };
	return totals_retire(totals, slot, image ? &image->image : NULL, now, ENTRIES);
}

#define counts(...) ((const uint64_t[ENTRIES]){ __VA_ARGS__ })

static void a_list_keeps_its_hits_when_it_changes_slot_and_place(void **state)
{
	auto_image struct image_file first = { 0 }, second = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_lists((const char *const[]){ "abusers", "grey", NULL }, &first);
	make_lists((const char *const[]){ "fresh", "grey", "abusers", NULL }, &second);
	assert_int_equal(retire(totals, 1, &first, counts(0, 10, 20)), 0);
	assert_int_equal(total_of(totals, "abusers"), 10);
	assert_int_equal(total_of(totals, "grey"), 20);
	/* The same slot again: only what came since is new, and it belongs to other lists. */
	assert_int_equal(retire(totals, 1, &second, counts(0, 11, 25, 7)), 0);
	assert_int_equal(total_of(totals, "fresh"), 1);
	assert_int_equal(total_of(totals, "grey"), 25);
	assert_int_equal(total_of(totals, "abusers"), 17);
	/* Another slot has counters of its own. */
	assert_int_equal(retire(totals, 3, &first, counts(0, 100)), 0);
	assert_int_equal(total_of(totals, "abusers"), 117);
	assert_int_equal(base_of(totals, 1, 2), 25);
	assert_int_equal(base_of(totals, 3, 1), 100);
	assert_int_equal(base_of(totals, 0, 1), 0);
}

static void retiring_twice_counts_once(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &image);
	for (int i = 0; i < 3; i++)
		assert_int_equal(retire(totals, 0, &image, counts(0, 10)), 0);
	assert_int_equal(total_of(totals, "abusers"), 10);
}

static void a_renamed_list_begins_again_and_the_old_name_stays(void **state)
{
	auto_image struct image_file old = { 0 }, renamed = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &old);
	make_lists((const char *const[]){ "villains", NULL }, &renamed);
	assert_int_equal(retire(totals, 0, &old, counts(0, 10)), 0);
	assert_int_equal(retire(totals, 0, &renamed, counts(0, 13)), 0);
	assert_int_equal(total_of(totals, "abusers"), 10);
	assert_int_equal(total_of(totals, "villains"), 3);
	assert_int_equal(total_of(totals, "unheard-of"), 0);
	assert_int_equal(total_of(totals, "abusersx"), 0);
}

static void protected_prefixes_count_under_their_own_name(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_prefix(&made, make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0), 4, 0, 8);
	make_protect(&made, 4, (unsigned __int128)9 << 120, 8);
	made_compile(&made, &image);
	assert_int_equal(retire(totals, 0, &image, counts(0, 4, 5)), 0);
	assert_int_equal(total_of(totals, "list-1"), 4);
	assert_int_equal(total_of(totals, "protect"), 5);
}

static void everything_is_there_after_a_restart(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot"), *again = NULL;

	(void)state;
	make_lists((const char *const[]){ "abusers", "grey", NULL }, &image);
	assert_int_equal(retire(totals, 2, &image, counts(0, 10, 20)), 0);
	assert_int_equal(mode_of(in_state(FILE_NAME)), 0640);
	again = load("boot");
	assert_int_equal(total_of(again, "abusers"), 10);
	assert_int_equal(total_of(again, "grey"), 20);
	assert_int_equal(base_of(again, 2, 2), 20);
	assert_false(totals_damaged(again));
}

static void after_a_reboot_counters_begin_at_zero_and_names_go_on(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *before = load("boot"), *after = NULL;

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &image);
	assert_int_equal(retire(before, 2, &image, counts(0, 1000)), 0);
	after = load("other boot");
	assert_int_equal(total_of(after, "abusers"), 1000);
	assert_int_equal(base_of(after, 2, 1), 0);
	assert_int_equal(retire(after, 2, &image, counts(0, 1500)), 0);
	assert_int_equal(total_of(after, "abusers"), 2500);
}

static void a_counter_below_its_base_has_begun_again(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &image);
	assert_int_equal(retire(totals, 0, &image, counts(0, 1000)), 0);
	assert_int_equal(retire(totals, 0, &image, counts(0, 3)), 0);
	assert_int_equal(total_of(totals, "abusers"), 1003);
}

static void hits_that_belong_to_no_name_are_kept_apart(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot");

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &image);
	assert_int_equal(retire(totals, 0, NULL, counts(9, 1, 2)), 0);
	assert_int_equal(total_of(totals, ""), 3);
	assert_int_equal(retire(totals, 1, &image, counts(9, 1, 0, 5)), 0);
	assert_int_equal(total_of(totals, ""), 8);
	assert_int_equal(total_of(totals, "abusers"), 1);
}

static void a_total_stays_at_the_largest_number(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot"), *again = NULL;
	struct hit now[2] = { { 0, 0 }, { UINT64_MAX, UINT64_MAX } };

	(void)state;
	make_lists((const char *const[]){ "abusers", NULL }, &image);
	assert_int_equal(totals_retire(totals, 0, &image.image, now, 2), 0);
	assert_int_equal(totals_retire(totals, 1, &image.image, now, 2), 0);
	again = load("boot");
	assert_true(total_of(again, "abusers") == UINT64_MAX);
}

static void what_cannot_be_is_refused(void **state)
{
	auto_totals struct totals *totals = load("boot");
	autofree struct hit *now = calloc(70000, sizeof(*now));
	struct hit hit = { 1, 1 };

	(void)state;
	assert_non_null(now);
	assert_int_equal(totals_retire(totals, SLOTS, NULL, now, 2), -EINVAL);
	assert_int_equal(totals_retire(totals, 0, NULL, now, 70000), -EINVAL);
	totals_base(totals, SLOTS, 0, &hit);
	assert_int_equal(hit.packets, 0);
	assert_int_equal(size_of(in_state(FILE_NAME)), -1);
}

static int retire_on_a_full_disk(void)
{
	struct totals *totals = load("boot");
	off_t size = size_of(in_state(FILE_NAME));
	int wrong = 0;

	for (off_t room = 1; room < size; room++) {
		limit_files((size_t)room);
		wrong += retire(totals, 0, NULL, counts(0, 20)) != -EFBIG;
		wrong += total_of(totals, "") != 10 || base_of(totals, 0, 1) != 10;
	}
	limit_files(0);
	wrong += retire(totals, 0, NULL, counts(0, 20)) != 0 || total_of(totals, "") != 20;
	totals_free(&totals);
	return wrong;
}

static void a_full_disk_changes_nothing_neither_in_memory_nor_on_disk(void **state)
{
	auto_totals struct totals *totals = load("boot"), *again = NULL;

	(void)state;
	assert_int_equal(retire(totals, 0, NULL, counts(0, 10)), 0);
	assert_int_equal(in_child(retire_on_a_full_disk), 0);
	again = load("boot");
	assert_int_equal(total_of(again, ""), 20);
}

static void names_past_the_limit_are_counted_together(void **state)
{
	auto_buf struct buf text = { 0 };
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = NULL;

	(void)state;
	assert_int_equal(buf_printf(&text,
				    "{\"schema\":\"stanch.totals/1\",\"boot\":\"b\","
				    "\"bases\":[[],[],[],[]],\"retired\":{\"n0\":[\"1\",\"100\"]"),
			 0);
	for (unsigned int i = 1; i < TOTALS_NAMES - 2; i++)
		assert_int_equal(buf_printf(&text, ",\"n%u\":[\"1\",\"100\"]", i), 0);
	assert_int_equal(buf_append(&text, "}}", 2), 0);
	put_file(in_state(FILE_NAME), text.data, text.len);
	totals = load("b");
	assert_false(totals_damaged(totals));
	make_lists((const char *const[]){ "n7", "last-one", "too-late", "later", NULL }, &image);
	assert_int_equal(retire(totals, 0, &image, counts(0, 10, 20, 30, 40)), 0);
	assert_int_equal(total_of(totals, "n7"), 11);
	assert_int_equal(total_of(totals, "last-one"), 20);
	assert_int_equal(total_of(totals, "too-late"), 0);
	assert_int_equal(total_of(totals, ""), 70);
	totals_free(&totals);
	totals = load("b");
	assert_false(totals_damaged(totals));
	assert_int_equal(total_of(totals, ""), 70);
}

#define HEAD "{\"schema\":\"stanch.totals/1\",\"boot\":\"boot\","
#define BASES "\"bases\":[[],[],[],[]]"
#define NAMES "\"retired\":{}"

static const char *const hostile[] = {
	"",
	"null",
	"[]",
	"{}",
	"\"stanch.totals/1\"",
	HEAD NAMES "}",
	HEAD BASES "}",
	HEAD NAMES "," BASES "} x",
	HEAD NAMES "," NAMES "," BASES "}",
	"{\"schema\":\"stanch.totals/2\",\"boot\":\"boot\"," NAMES "," BASES "}",
	"{\"schema\":\"stanch.totals/1\",\"boot\":7," NAMES "," BASES "}",
	HEAD "\"retired\":[]," BASES "}",
	HEAD "\"retired\":{\"a\":7}," BASES "}",
	HEAD "\"retired\":{\"a\":[1,2]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"1\"]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"1\",\"2\",\"3\"]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"-1\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"1 \",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"a\":[\"18446744073709551616\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"A\":[\"1\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"a\\u0000b\":[\"1\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"../x\":[\"1\",\"2\"]}," BASES "}",
	HEAD "\"retired\":{\"0123456789012345678901234567890123456789012345678901234567890123x\":"
	     "[\"1\",\"2\"]}," BASES "}",
	HEAD NAMES ",\"bases\":[[],[],[]]}",
	HEAD NAMES ",\"bases\":[[],[],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[],[],[],{}]}",
	HEAD NAMES ",\"bases\":[[7],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[0,\"1\",\"2\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[-1,\"1\",\"2\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[65538,\"1\",\"2\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[4294967297,\"1\",\"2\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[1.5,\"1\",\"2\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[1,\"1\"]],[],[],[]]}",
	HEAD NAMES ",\"bases\":[[[1,1,2]],[],[],[]]}",
};

static void a_damaged_file_stops_nobody_and_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		auto_buf struct buf kept = { 0 };
		auto_totals struct totals *totals = NULL;
		size_t len = strlen(hostile[i]);

		put_file(in_state(FILE_NAME), hostile[i], len);
		totals = load("boot");
		assert_true(totals_damaged(totals));
		assert_int_equal(total_of(totals, "a"), 0);
		assert_int_equal(base_of(totals, 0, 1), 0);
		assert_int_equal(retire(totals, 0, NULL, counts(0, 5)), 0);
		assert_false(totals_damaged(totals));
		get_file(in_state(KEPT_NAME), &kept);
		assert_int_equal(kept.len, len);
		assert_memory_equal(kept.data, hostile[i], len);
		totals_free(&totals);
		totals = load("boot");
		assert_false(totals_damaged(totals));
		assert_int_equal(total_of(totals, ""), 5);
	}
}

static void a_huge_file_is_not_read(void **state)
{
	auto_totals struct totals *totals = NULL;

	(void)state;
	put_file(in_state(FILE_NAME), "{", 1);
	assert_int_equal(truncate(in_state(FILE_NAME), 1ll << 40), 0);
	totals = load("boot");
	assert_true(totals_damaged(totals));
}

static void every_cut_of_the_file_is_seen_as_damage(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_totals struct totals *totals = load("boot");
	auto_buf struct buf text = { 0 };

	(void)state;
	make_lists((const char *const[]){ "abusers", "grey", NULL }, &image);
	assert_int_equal(retire(totals, 1, &image, counts(0, 10, 20)), 0);
	get_file(in_state(FILE_NAME), &text);
	for (size_t cut = 0; cut < text.len; cut++) {
		auto_totals struct totals *torn = NULL;

		put_file(in_state(FILE_NAME), text.data, cut);
		torn = load("boot");
		assert_true(totals_damaged(torn));
	}
}

static void retire_for_ever(struct totals *totals, uint64_t now)
{
	for (;;)
		retire(totals, 0, NULL, counts(0, ++now));
}

static void killed_writers_leave_the_old_or_the_new_totals(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		auto_totals struct totals *totals = load("boot");
		uint64_t before = total_of(totals, "");
		pid_t pid = fork();
		uint64_t now = base_of(totals, 0, 1);

		assert_int_equal(now, before);
		assert_false(totals_damaged(totals));
		assert_true(pid >= 0);
		if (!pid)
			retire_for_ever(totals, now);
		usleep((useconds_t)(random() % 3000));
		end_child(pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_list_keeps_its_hits_when_it_changes_slot_and_place),
		store_test(retiring_twice_counts_once),
		store_test(a_renamed_list_begins_again_and_the_old_name_stays),
		store_test(protected_prefixes_count_under_their_own_name),
		store_test(everything_is_there_after_a_restart),
		store_test(after_a_reboot_counters_begin_at_zero_and_names_go_on),
		store_test(a_counter_below_its_base_has_begun_again),
		store_test(hits_that_belong_to_no_name_are_kept_apart),
		store_test(a_total_stays_at_the_largest_number),
		store_test(what_cannot_be_is_refused),
		store_test(a_full_disk_changes_nothing_neither_in_memory_nor_on_disk),
		store_test(names_past_the_limit_are_counted_together),
		store_test(a_damaged_file_stops_nobody_and_is_kept),
		store_test(a_huge_file_is_not_read),
		store_test(every_cut_of_the_file_is_seen_as_damage),
		store_test(killed_writers_leave_the_old_or_the_new_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
