/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a killed predecessor left in the kernel is put right, and what judges is not touched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "dataplane/inside.h"
#include "rig.h"

#define POLICY(prefix)    \
	"version: 1\n"    \
	"mode: enforce\n" \
	"lists:\n"        \
	"  - {name: bad, action: drop, entries: [" prefix "]}\n"

static char said[2048];

static void note(void *context, const char *text)
{
	(void)context;
	strncat(said, text, sizeof(said) - strlen(said) - 2);
	strcat(said, "\n");
}

static const char *repair(struct instance *instance)
{
	*said = '\0';
	assert_int_equal(slots_repair(instance, note, NULL), 0);
	return said;
}

static void stage(struct instance *instance, uint64_t generation, unsigned int slot)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	rig_image(POLICY("192.0.2.0/24"), &image);
	assert_int_equal(slot_stage(instance, &image, generation, slot, &diag), 0);
}

static void clear_info(const struct instance *instance, unsigned int slot)
{
	const struct slot_info none = { 0 };
	uint32_t key = slot;

	assert_int_equal(
		bpf_map_update_elem(instance_map_fd(instance, "slot_info"), &key, &none, BPF_ANY),
		0);
}

static void clear_entry(const struct instance *instance, unsigned int slot)
{
	uint32_t key = slot;

	assert_int_equal(bpf_map_delete_elem(instance_map_fd(instance, "slots"), &key), 0);
}

static void clear_pin(const struct instance *instance, unsigned int slot)
{
	char name[PIN_NAME];

	snprintf(name, sizeof(name), "gen-%u", slot);
	assert_int_equal(bpffs_unpin(instance->places.pins, name), 0);
}

/* A map that belongs to nobody, as after half of a second staging. */
static void exchange_entry(const struct instance *instance, unsigned int slot)
{
	autoclose int map = image_map_scratch();
	uint32_t key = slot;

	assert_true(map >= 0);
	assert_int_equal(
		bpf_map_update_elem(instance_map_fd(instance, "slots"), &key, &map, BPF_ANY), 0);
}

static bool is_empty(const struct rig *rig, const struct instance *instance, unsigned int slot)
{
	struct slot_info info;
	char name[PIN_NAME];
	uint32_t key = slot, id;

	snprintf(name, sizeof(name), "gen-%u", slot);
	assert_int_equal(slot_read(instance, slot, &info), 0);
	return !info.lines && !rig_pinned(rig, name) &&
	       bpf_map_lookup_elem(instance_map_fd(instance, "slots"), &key, &id) == -ENOENT;
}

static void what_is_whole_is_left_alone(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int live = rig_apply(rig, instance, POLICY("203.0.113.0/24"), 1);

	stage(instance, 2, 2);
	assert_string_equal(repair(instance), "");
	assert_int_equal(slot_verify(instance, live), 0);
	assert_int_equal(slot_verify(instance, 0), 0);
	assert_int_equal(slot_verify(instance, 2), 0);
	assert_int_equal(rig_pins(rig), RIG_WHOLE + 2);
}

/* Bits: no description, no map in the outer map, no pin, another map. */
static void damage(struct instance *instance, unsigned int slot, unsigned int how)
{
	if (how & 1)
		clear_info(instance, slot);
	if (how & 2)
		clear_entry(instance, slot);
	if (how & 4)
		clear_pin(instance, slot);
	if (how & 8)
		exchange_entry(instance, slot);
}

static void a_slot_that_was_half_staged_is_emptied(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);

	for (unsigned int how = 1; how < 16; how++) {
		if (how == 7)
			continue; /* nothing is left of it */
		stage(instance, 5, 2);
		damage(instance, 2, how);
		assert_string_equal(repair(instance),
				    "slot 2 was half staged and has been emptied\n");
		assert_true(is_empty(rig, instance, 2));
		assert_string_equal(repair(instance), "");
		assert_int_equal(rig_pins(rig), RIG_WHOLE);
	}
}

static void a_slot_that_the_word_names_is_not_touched_whatever_it_holds(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int live = rig_apply(rig, instance, POLICY("203.0.113.0/24"), 1);

	clear_info(instance, live);
	clear_pin(instance, 0);
	assert_string_equal(repair(instance), "");
	assert_false(is_empty(rig, instance, live));
	assert_false(is_empty(rig, instance, 0));
}

static uint64_t seconds_from_now(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec + seconds) * 1000000000u;
}

static struct word word_of(const struct control *control)
{
	return word_unpack(control_load(control, CONTROL_WORD));
}

/* A trial in slot 2 that runs for an hour; @share 0: provisional. */
static struct control *begin_trial(struct rig *rig, struct instance *instance, uint16_t share)
{
	struct trial_step step = { .slot = 2,
				   .share = share,
				   .deadline_ns = seconds_from_now(3600) };
	struct control *control = NULL;
	uint16_t epoch;

	assert_int_equal(rig_apply(rig, instance, POLICY("203.0.113.0/24"), 1), 1);
	stage(instance, 2, 2);
	assert_int_equal(control_open(&rig->places, &control), 0);
	epoch = word_of(control).epoch;
	assert_int_equal(share ? control_canary(control, &step, &epoch)
			       : control_provisional(control, &step, &epoch),
			 0);
	return control;
}

/* The lease is over, as when its owner died long ago. */
static void expire(const struct rig *rig)
{
	autoclose int fd = bpffs_get(rig->places.pins, "control");
	uint64_t past = seconds_from_now(-1);
	uint32_t key = CONTROL_LEASE;

	assert_int_equal(bpf_map_update_elem(fd, &key, &past, BPF_ANY), 0);
}

static void check_trial(struct rig *rig, uint16_t share)
{
	auto_instance struct instance *instance = rig_create(rig);
	auto_control struct control *control = begin_trial(rig, instance, share);
	uint64_t before = control_load(control, CONTROL_WORD);
	struct word word;

	assert_string_equal(repair(instance), "");
	assert_int_equal(control_load(control, CONTROL_WORD), before);
	assert_int_equal(slot_verify(instance, 2), 0);
	expire(rig);
	assert_string_equal(repair(instance),
			    "the trial of generation 2 was never ended and its lease has passed; "
			    "generation 1 is live\n");
	word = word_of(control);
	assert_int_equal(word.live, 1);
	assert_int_equal(word.good, share ? 0 : 1);
	assert_int_equal(word.share | word.provisional, 0);
	assert_int_equal(word.epoch, (uint16_t)(word_unpack(before).epoch + 1));
	assert_true(is_empty(rig, instance, 2));
	assert_int_equal(slot_verify(instance, 1), 0);
	assert_string_equal(repair(instance), "");
}

static void a_canary_is_ended_when_its_lease_has_passed_and_not_before(void **state)
{
	check_trial(rig_of(state), 10);
}

static void a_provisional_generation_is_ended_likewise(void **state)
{
	check_trial(rig_of(state), 0);
}

static void pins_that_were_being_made_are_removed(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	autoclose int map = image_map_scratch();

	assert_int_equal(bpffs_pin(map, rig->places.pins, "gen-3+new", 0640), 0);
	assert_string_equal(repair(instance),
			    "removed the pin `gen-3+new`, which was being made\n");
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_whole_is_left_alone),
		TEST(a_slot_that_was_half_staged_is_emptied),
		TEST(a_slot_that_the_word_names_is_not_touched_whatever_it_holds),
		TEST(a_canary_is_ended_when_its_lease_has_passed_and_not_before),
		TEST(a_provisional_generation_is_ended_likewise),
		TEST(pins_that_were_being_made_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
