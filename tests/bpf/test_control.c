/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control word: every switch is one store, and none disturbs another. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "rig.h"

#define SECOND 1000000000ull
#define LONG (3600 * SECOND)

/* From its n-th reading on, the clock that this program sees is an hour ahead: it was stopped. */
static int readings_until_stopped = -1;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	if (id != CLOCK_MONOTONIC || readings_until_stopped < 0)
		return r;
	if (readings_until_stopped > 0)
		readings_until_stopped--;
	else
		ret->tv_sec += LONG / SECOND;
	return r;
}

static int reset_clock(void **state)
{
	readings_until_stopped = -1;
	return rig_setup(state);
}

static uint64_t in(int64_t ns)
{
	struct timespec now;

	assert_int_equal(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * SECOND + now.tv_nsec + ns;
}

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
	word->provisional = 1;
	word->candidate = 3;
	word->share = context ? *(uint16_t *)context : 500;
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
	uint16_t no_share = 0;

	assert_int_equal(control_swap(control, 1, 0), 0);
	assert_int_equal(control_swap(control, 2, 1), 0);
	assert_int_equal(control_update(control, make_provisional, &no_share, NULL, NULL), 0);
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

/* Slot 1 is live, 0 last-known-good; a canary of slot 2 at epoch 2. */
static struct control *canary_of(struct rig *rig, uint16_t *ret_epoch)
{
	const struct trial_step step = { 2, 10, in(60 * SECOND) };
	struct control *control = word_of(rig);

	*ret_epoch = 1;
	assert_int_equal(control_swap(control, 1, 0), 0);
	assert_int_equal(control_canary(control, &step, ret_epoch), 0);
	return control;
}

/* The same generation live and provisional, at epoch 3. */
static struct control *provisional_of(struct rig *rig, uint16_t *ret_epoch)
{
	const struct trial_step step = { .slot = 2, .deadline_ns = in(60 * SECOND) };
	struct control *control = canary_of(rig, ret_epoch);

	assert_int_equal(control_provisional(control, &step, ret_epoch), 0);
	return control;
}

static void assert_word(const struct control *control, struct word expected)
{
	expected.mode = MODE_ENFORCE;
	assert_int_equal(control_load(control, CONTROL_WORD), word_pack(&expected));
}

static const struct word canary_word = {
	.live = 1, .candidate = 2, .share = 10, .provisional = 1, .epoch = 2
};
static const struct word provisional_word = { .live = 2, .good = 1, .provisional = 1, .epoch = 3 };

static void a_canary_leaves_live_alone_and_grows_by_steps(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	struct trial_step step = { 2, 1000, in(90 * SECOND) };

	assert_int_equal(epoch, 2);
	assert_word(control, canary_word);
	assert_int_equal(control_canary(control, &step, &epoch), 0);
	assert_word(
		control,
		(struct word){
			.live = 1, .candidate = 2, .share = 1000, .provisional = 1, .epoch = 3 });
	assert_int_equal(control_load(control, CONTROL_LEASE), step.deadline_ns);
	assert_int_equal(epoch, 3);
}

static void a_provisional_generation_is_live_and_the_one_before_it_good(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);

	assert_int_equal(epoch, 3);
	assert_word(control, provisional_word);
	assert_int_equal(control_keep(control, &epoch), 0);
	assert_word(control, (struct word){ .live = 2, .good = 1, .epoch = 4 });
	assert_int_equal(epoch, 4);
}

static void a_trial_may_begin_with_everybody_at_once(void **state)
{
	auto_control struct control *control = word_of(rig_of(state));
	const struct trial_step step = { .slot = 3, .deadline_ns = in(SECOND) };
	uint16_t epoch = 0;

	assert_int_equal(control_provisional(control, &step, &epoch), 0);
	assert_word(control, (struct word){ .live = 3, .provisional = 1, .epoch = 1 });
}

static void a_rollback_of_a_canary_drops_the_candidate(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);

	assert_int_equal(control_rollback(control, NULL), 0);
	assert_word(control, (struct word){ .live = 1, .epoch = 3 });
}

static void a_reverted_trial_leaves_what_was_good_before_it(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);

	assert_int_equal(control_revert(control, SLOTS, &epoch), -EINVAL);
	assert_int_equal(control_renew(control, in(-1), epoch), 0); /* expired at once */
	assert_int_equal(control_revert(control, 0, &epoch), 0);
	assert_word(control, (struct word){ .live = 1, .good = 0, .epoch = 4 });
	assert_int_equal(epoch, 4);
	assert_int_equal(control_revert(control, 0, &epoch), -EINVAL); /* no trial any more */
}

static void a_reverted_canary_leaves_live_alone(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);

	assert_int_equal(control_revert(control, 3, &epoch), 0);
	assert_word(control, (struct word){ .live = 1, .good = 3, .epoch = 3 });
}

static void a_renewed_lease_leaves_the_word_alone(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	uint64_t deadline = in(LONG);

	assert_int_equal(control_renew(control, deadline, epoch), 0);
	assert_int_equal(control_load(control, CONTROL_LEASE), deadline);
	assert_word(control, canary_word);
}

static void mode_and_kill_bits_outlive_a_trial_and_disturb_none(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	const struct trial_step step = { .slot = 2, .deadline_ns = in(60 * SECOND) };

	assert_int_equal(control_set_mode(control, MODE_MONITOR), 0);
	assert_int_equal(control_set_kills(control, 0x8001, 0), 0);
	assert_int_equal(control_provisional(control, &step, &epoch), 0);
	assert_int_equal(control_keep(control, &epoch), 0);
	assert_int_equal(now(control).mode, MODE_MONITOR);
	assert_int_equal(now(control).kills, 0x8001);
}

static void nobody_goes_on_with_a_trial_that_somebody_else_changed(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);
	const struct trial_step step = { 2, 500, in(LONG) };
	uint64_t word, lease = control_load(control, CONTROL_LEASE);

	assert_int_equal(control_rollback(control, NULL), 0);
	word = control_load(control, CONTROL_WORD);
	assert_int_equal(control_canary(control, &step, &epoch), -ESTALE);
	assert_int_equal(control_provisional(control, &step, &epoch), -ESTALE);
	assert_int_equal(control_renew(control, in(LONG), epoch), -ESTALE);
	assert_int_equal(control_keep(control, &epoch), -ESTALE);
	assert_int_equal(control_revert(control, 0, &epoch), -ESTALE);
	assert_int_equal(control_load(control, CONTROL_WORD), word);
	assert_int_equal(control_load(control, CONTROL_LEASE), lease);
	assert_int_equal(epoch, 3);
}

static void an_expired_trial_cannot_go_on(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	const struct trial_step step = { 2, 500, in(LONG) };
	uint64_t expired = in(-1);

	assert_int_equal(control_renew(control, expired, epoch), 0);
	assert_int_equal(control_canary(control, &step, &epoch), -ETIME);
	assert_int_equal(control_provisional(control, &step, &epoch), -ETIME);
	assert_int_equal(control_renew(control, in(LONG), epoch), -ETIME);
	assert_word(control, canary_word);
	assert_int_equal(control_load(control, CONTROL_LEASE), expired);
	assert_int_equal(epoch, 2);
}

static void an_expired_generation_cannot_be_kept(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);

	assert_int_equal(control_renew(control, in(-1), epoch), 0);
	assert_int_equal(control_keep(control, &epoch), -ETIME);
	assert_word(control, provisional_word);
	assert_int_equal(epoch, 3);
}

static void steps_that_make_no_sense_change_nothing(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	struct trial_step step = { 3, 500,
				   in(LONG) }; /* another generation than the one on trial */
	uint64_t lease = control_load(control, CONTROL_LEASE);

	assert_int_equal(control_canary(control, &step, &epoch), -EBUSY);
	assert_int_equal(control_provisional(control, &step, &epoch), -EBUSY);
	assert_int_equal(control_keep(control, &epoch), -EINVAL); /* not before everybody saw it */
	step.slot = SLOTS;
	assert_int_equal(control_canary(control, &step, &epoch), -EINVAL);
	step = (struct trial_step){ 2, 1001, in(LONG) };
	assert_int_equal(control_canary(control, &step, &epoch), -EINVAL);
	step.share = 0;
	assert_int_equal(control_canary(control, &step, &epoch), -EINVAL);
	assert_word(control, canary_word);
	assert_int_equal(control_load(control, CONTROL_LEASE), lease);
	assert_int_equal(control_rollback(control, NULL), 0);
	epoch = 3;
	step = (struct trial_step){ 1, 500, in(LONG) };
	assert_int_equal(control_canary(control, &step, &epoch), -EINVAL); /* it is live already */
	assert_int_equal(control_renew(control, in(LONG), epoch), -EINVAL); /* no trial */
}

static void a_provisional_generation_is_no_canary_again(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);
	const struct trial_step step = { 2, 500, in(LONG) };

	assert_int_equal(control_canary(control, &step, &epoch), -EBUSY);
	assert_int_equal(control_provisional(control, &step, &epoch), -EBUSY);
	assert_word(control, provisional_word);
}

/* Stopped after the first look at the clock: the old lease passes, then the new one is stored. */
static void a_renewal_that_was_stopped_on_the_way_revives_nothing(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);

	readings_until_stopped = 1;
	assert_int_equal(control_renew(control, in(2 * LONG), epoch), -ETIME);
	assert_int_equal(readings_until_stopped, 0);
	assert_word(control, (struct word){ .live = 1, .good = 1, .epoch = 4 });
}

static void a_step_that_was_stopped_on_the_way_revives_nothing(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = canary_of(rig_of(state), &epoch);
	const struct trial_step step = { 2, 500, in(2 * LONG) };

	readings_until_stopped = 1;
	assert_int_equal(control_canary(control, &step, &epoch), -ETIME);
	assert_word(control, (struct word){ .live = 1, .epoch = 3 });
	assert_int_equal(epoch, 2);
}

static void a_generation_kept_too_late_is_not_kept(void **state)
{
	uint16_t epoch;
	auto_control struct control *control = provisional_of(rig_of(state), &epoch);

	readings_until_stopped = 1;
	assert_int_equal(control_keep(control, &epoch), -ETIME);
	assert_word(control, (struct word){ .live = 1, .good = 1, .epoch = 5 });
	assert_int_equal(epoch, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset_clock, rig_teardown)

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
		TEST(a_canary_leaves_live_alone_and_grows_by_steps),
		TEST(a_provisional_generation_is_live_and_the_one_before_it_good),
		TEST(a_trial_may_begin_with_everybody_at_once),
		TEST(a_rollback_of_a_canary_drops_the_candidate),
		TEST(a_reverted_trial_leaves_what_was_good_before_it),
		TEST(a_reverted_canary_leaves_live_alone),
		TEST(a_renewed_lease_leaves_the_word_alone),
		TEST(mode_and_kill_bits_outlive_a_trial_and_disturb_none),
		TEST(nobody_goes_on_with_a_trial_that_somebody_else_changed),
		TEST(an_expired_trial_cannot_go_on),
		TEST(an_expired_generation_cannot_be_kept),
		TEST(steps_that_make_no_sense_change_nothing),
		TEST(a_provisional_generation_is_no_canary_again),
		TEST(a_renewal_that_was_stopped_on_the_way_revives_nothing),
		TEST(a_step_that_was_stopped_on_the_way_revives_nothing),
		TEST(a_generation_kept_too_late_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
