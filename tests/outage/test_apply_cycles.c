/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole applies one after the other under live packets: compile, wait, stage into a slot that was
 * live two applies ago, swap. Nothing may be lost, let in against the live policy, or left over.
 * test-timeout: 900
 */
#include <errno.h>

#include "street.h"

#define RATE 50000u
#define FIRST_CYCLES 4u /* after which every slot has been used */

static uint32_t slot_map(const struct street *street, unsigned int slot)
{
	uint32_t id = 0;

	bpf_map_lookup_elem(instance_map_fd(street->at.instance, "slots"), &slot, &id);
	return id;
}

static bool is_staged(const struct street *street, uint32_t id)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		if (slot_map(street, slot) == id)
			return true;
	return false;
}

/* The kernel frees a map some time after its last user is gone. */
static bool is_gone(uint32_t id)
{
	for (int i = 0; i < 100; i++) {
		autoclose int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0)
			return errno == ENOENT;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	return false;
}

static void whole_applies_lose_nothing_leak_nothing_and_leave_nothing(void **state)
{
	uint64_t cycles = times(1000, 10000);
	autofree uint32_t *maps = calloc(cycles, sizeof(*maps));
	unsigned int pins = 0, held = 0, slot;
	auto_street struct street street;
	uint64_t start;

	street_open(state, &street);
	assert_non_null(maps);
	street_go(&street, RATE);
	start = traffic_now();
	for (uint64_t i = 0; i < cycles; i++) {
		slot = rig_apply(street.rig, street.at.instance, street_policy(i & 1), i + 2);
		maps[i] = slot_map(&street, slot);
		if (i + 1 != FIRST_CYCLES)
			continue;
		pins = rig_pins(street.rig);
		held = rig_held();
	}
	print_message("%llu applies in %llu ms\n", (unsigned long long)cycles,
		      (unsigned long long)(traffic_now() - start) / 1000000);
	street_stop(&street);
	street_settled(&street);
	assert_int_equal(rig_pins(street.rig), pins);
	assert_int_equal(rig_held(), held);
	for (uint64_t i = 0; i < cycles; i++)
		assert_true(is_staged(&street, maps[i]) || is_gone(maps[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			whole_applies_lose_nothing_leak_nothing_and_leave_nothing, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests_name("apply cycles", tests, NULL, NULL);
}
