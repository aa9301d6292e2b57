/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F80: changing a policy by detaching and attaching is the control that must let bad packets in;
 * the swap, under the same packets, lets in none. Both while the sources that are dropped take
 * turns.
 */
#include "street.h"

#define RATE 200000u

static void swap_now(const struct street *street, unsigned int slot)
{
	swap_to(&street->at, slot);
	nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static void thousands_of_swaps_under_load_let_in_none(void **state)
{
	unsigned int slots[2];
	auto_street struct street street;
	uint64_t swaps = times(10000, 100000);

	street_open(state, &street);
	for (int i = 0; i < 2; i++)
		slots[i] = rig_apply(street.rig, street.at.instance, street_policy(i), i + 2);
	street_go(&street, RATE);
	for (uint64_t i = 0; i < swaps; i++)
		swap_now(&street, slots[i & 1]);
	street_stop(&street);
	street_settled(&street);
}

static void detaching_and_attaching_lets_bad_packets_in(void **state)
{
	auto_diag struct diag diag = { 0 };
	auto_street struct street street;
	struct instance *instance;

	street_open(state, &street);
	instance = street.at.instance;
	street_go(&street, RATE);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(detach_interface(instance, STREET_DEV, &diag), 0);
		assert_int_equal(attach_interface(instance, STREET_DEV, ATTACH_NATIVE, &diag), 0);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	street_stop(&street);
	print_message("%llu of %llu bad packets came through\n",
		      (unsigned long long)street_through(&street, FLOW_B),
		      (unsigned long long)street_sent(&street, FLOW_B));
	assert_true(street_through(&street, FLOW_B) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(thousands_of_swaps_under_load_let_in_none,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(detaching_and_attaching_lets_bad_packets_in,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("F80 detach", tests, NULL, NULL);
}
