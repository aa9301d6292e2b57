/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control word: every switch is one store, and none disturbs another. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "rig.h"

static struct control *word_of(struct rig *rig)
{
	struct instance *instance = rig_create(rig);
	struct control *control = NULL;

	instance_close(&instance);
	assert_int_equal(control_open(&rig->places, &control), 0);
	return control;
}

static struct word now(const struct control *control)
{
	return word_unpack(control_load(control, CONTROL_WORD));
}

static int make_provisional(struct word *word, void *context)
{
	(void)context;
	word->provisional = 1;
	word->candidate = 3;
	word->share = 500;
	return 0;
}

static int give_up(struct word *word, void *context)
{
	(void)context;
	word->live = 3;
	return -ECANCELED;
}

static void a_swap_changes_slots_and_epoch_and_nothing_else(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	struct word word;

	assert_int_equal(control_set_mode(control, MODE_MONITOR), 0);
	assert_int_equal(control_set_kills(control, 0x0015, 0), 0);
	assert_int_equal(control_update(control, make_provisional, NULL, NULL, NULL), 0);
	assert_int_equal(control_swap(control, 2, 0), 0);
	word = now(control);
	assert_int_equal(word.live, 2);
	assert_int_equal(word.good, 0);
	assert_int_equal(word.share, 0);
	assert_int_equal(word.candidate, 0);
	assert_int_equal(word.provisional, 0);
	assert_int_equal(word.epoch, 1);
	assert_int_equal(word.mode, MODE_MONITOR);
	assert_int_equal(word.kills, 0x0015);
}

static void a_swap_that_comes_too_late_is_refused(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	uint64_t before;

	assert_int_equal(control_swap(control, 1, 0), 0);
	before = control_load(control, CONTROL_WORD);
	assert_int_equal(control_swap(control, 2, 0), -ESTALE);
	assert_int_equal(control_swap(control, SLOTS, 1), -EINVAL);
	assert_int_equal(control_load(control, CONTROL_WORD), before);
	assert_int_equal(control_rollback(control, NULL), 0);
	assert_int_equal(control_swap(control, 2, 1), -ESTALE);
	assert_int_equal(control_swap(control, 2, 2), 0);
}

static void a_rollback_makes_last_known_good_live(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	struct word before, after;

	assert_int_equal(control_swap(control, 1, 0), 0);
	assert_int_equal(control_swap(control, 2, 1), 0);
	assert_int_equal(control_update(control, make_provisional, NULL, NULL, NULL), 0);
	assert_int_equal(control_rollback(control, &before), 0);
	after = now(control);
	assert_int_equal(before.live, 2);
	assert_true(before.provisional);
	assert_int_equal(after.live, 1);
	assert_int_equal(after.good, 1);
	assert_int_equal(after.provisional, 0);
	assert_int_equal(after.share, 0);
	assert_int_equal(after.epoch, 3);
	assert_int_equal(after.mode, MODE_ENFORCE);
}

static void kill_bits_are_set_and_cleared_one_by_one(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));

	assert_int_equal(control_set_kills(control, 1 << STAGE_DROP | 1 << STAGE_FLAG, 0), 0);
	assert_int_equal(now(control).kills, 1 << STAGE_DROP | 1 << STAGE_FLAG);
	assert_int_equal(control_set_kills(control, 0xffff, 0), 0);
	assert_int_equal(now(control).kills, 0xffff);
	assert_int_equal(control_set_kills(control, 0, 1 << STAGE_FLAG), 0);
	assert_int_equal(now(control).kills, 0xffff & ~(1 << STAGE_FLAG));
	assert_int_equal(now(control).mode, MODE_ENFORCE);
}

static void a_change_that_gives_up_changes_nothing(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	uint64_t before = control_load(control, CONTROL_WORD), old = 1, new = 2;

	assert_int_equal(control_update(control, give_up, NULL, &old, &new), -ECANCELED);
	assert_int_equal(control_load(control, CONTROL_WORD), before);
	assert_int_equal(old, 1);
	assert_int_equal(new, 2);
}

static void break_glass_survives_swaps_and_is_not_the_word(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	uint64_t before = control_load(control, CONTROL_WORD);

	assert_int_equal(control_set_break_glass(control, true), 0);
	assert_int_equal(control_load(control, CONTROL_WORD), before);
	assert_int_equal(control_swap(control, 1, 0), 0);
	assert_int_equal(control_rollback(control, NULL), 0);
	assert_int_not_equal(control_load(control, CONTROL_BREAK_GLASS), 0);
	assert_int_equal(control_set_break_glass(control, false), 0);
	assert_int_equal(control_load(control, CONTROL_BREAK_GLASS), 0);
}

/* The switches work when everything else is broken. */
static void the_word_needs_its_own_pin_only(void **state)
{
	static const char *const pins[] = { "slots",  "slot_info", "counters",	  "hits",
					    "limits", "gen-0",	   "prog-stanch", "prog-mark" };
	struct rig *rig = rig_of(state);
	struct control *control = word_of(rig);
	char path[PATH_MAX + 64];

	control_close(&control);
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		snprintf(path, sizeof(path), "%s/%s", rig->places.pins, pins[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(control_open(&rig->places, &control), 0);
	assert_int_equal(control_set_mode(control, MODE_BYPASS), 0);
	assert_int_equal(now(control).mode, MODE_BYPASS);
	control_close(&control);
	snprintf(path, sizeof(path), "%s/control", rig->places.pins);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_open(&rig->places, &control), -ENOENT);
	assert_null(control);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_swap_changes_slots_and_epoch_and_nothing_else),
		TEST(a_swap_that_comes_too_late_is_refused),
		TEST(a_rollback_makes_last_known_good_live),
		TEST(kill_bits_are_set_and_cleared_one_by_one),
		TEST(a_change_that_gives_up_changes_nothing),
		TEST(break_glass_survives_swaps_and_is_not_the_word),
		TEST(the_word_needs_its_own_pin_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
