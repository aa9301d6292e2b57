/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F67: two interfaces under load switch at the same store. Every generation flags every packet, so
 * that each carries the slot that judged it; a program behind both filters keeps the order. On one
 * interface no packet of the old generation may come after one of the new; between the two, only
 * those that were in flight. Control: an instance for each interface, applied one after the other.
 * test-timeout: 600
 */
#include "crossing.h"

#define RATE 60000u
#define FIRST_SLOT 1u
#define GENERATIONS 3u /* by turns, so that the slot of the one before is never named anew */

/* What one round left behind, and the most of any. */
static void add_round(const struct crossing *crossing, uint64_t before, uint64_t *worst)
{
	uint64_t behind = crossing_behind(crossing) - before;

	if (behind > *worst)
		*worst = behind;
}

static void print_worst(const struct crossing *crossing, const char *what, uint64_t rounds,
			uint64_t worst)
{
	const struct order_side *sides = crossing->order->sides;
	uint64_t ns = sides[sides[1].behind_ns > sides[0].behind_ns].behind_ns;

	print_message("%llu %s, %llu packets: at most %llu behind the newest generation, by at "
		      "most %llu us\n",
		      (unsigned long long)rounds, what,
		      (unsigned long long)(sides[0].packets + sides[1].packets),
		      (unsigned long long)worst, (unsigned long long)ns / 1000);
}

static void one_store_switches_both_interfaces(void **state)
{
	auto_crossing struct crossing crossing;
	auto_image struct image_file image = { 0 };
	uint64_t swaps = times(300, 3000), worst = 0, before;

	need_two_cpus();
	crossing_open(state, 2, &crossing);
	rig_image(CROSSING_POLICY, &image);
	for (uint32_t i = 0; i < GENERATIONS; i++)
		stage(&crossing.at, &image, i + 1, FIRST_SLOT + i);
	swap_to(&crossing.at, FIRST_SLOT);
	for (uint32_t i = 0; i < 2; i++)
		crossing_attach(crossing.at.instance, i);
	crossing_go(&crossing, RATE);
	for (uint64_t rank = 1; rank <= swaps; rank++) {
		unsigned int slot = FIRST_SLOT + rank % GENERATIONS;

		for (uint32_t i = 0; i < 2; i++)
			crossing_rank(&crossing, i, slot, rank);
		before = crossing_behind(&crossing);
		swap_to(&crossing.at, slot);
		crossing_wait(&crossing, rank);
		add_round(&crossing, before, &worst);
	}
	crossing_stop(&crossing);
	print_worst(&crossing, "swaps", swaps, worst);
	crossing_orderly(&crossing);
	assert_true(worst <= CROSSING_IN_FLIGHT);
}

/* ---- the control ---- */

/* An instance and its places; the first is the rig's own. */
struct owner {
	struct rig rig;
	struct instance *instance;
};

/* What an apply does; the slot that it will take is known before. */
static void apply_to(struct crossing *crossing, struct owner *owner, uint32_t side, uint64_t rank)
{
	auto_control struct control *control = NULL;
	struct word word;
	int slot;

	assert_int_equal(control_open(&owner->rig.places, &control), 0);
	word = word_unpack(control_load(control, CONTROL_WORD));
	slot = slot_free(owner->instance, &word);
	assert_in_range(slot, 0, SLOTS - 1);
	crossing_rank(crossing, side, slot, rank);
	assert_int_equal(rig_apply(&owner->rig, owner->instance, CROSSING_POLICY, rank), slot);
}

static void two_words_switched_one_after_the_other_are_seen(void **state)
{
	const uint64_t least = 20, most = 200; /* on a busy machine nobody may send meanwhile */
	uint64_t applies = 0;
	auto_crossing struct crossing crossing;
	auto_instance struct instance *second = NULL;
	struct owner owners[2];
	uint64_t worst = 0, before;

	need_two_cpus();
	crossing_open(state, 2, &crossing);
	owners[0] = (struct owner){ *crossing.rig, crossing.at.instance };
	owners[1] = owners[0];
	assert_int_equal(places_find("second", &owners[1].rig.places), 0);
	second = rig_create(&owners[1].rig);
	owners[1].instance = second;
	for (uint32_t i = 0; i < 2; i++) {
		apply_to(&crossing, &owners[i], i, 1);
		crossing_attach(owners[i].instance, i);
	}
	crossing_go(&crossing, RATE);
	while (applies < least || (applies < most && worst <= 4 * CROSSING_IN_FLIGHT)) {
		uint64_t rank = 2 + applies++;

		before = crossing_behind(&crossing);
		for (uint32_t i = 0; i < 2; i++)
			apply_to(&crossing, &owners[i], i, rank);
		crossing_wait(&crossing, rank);
		add_round(&crossing, before, &worst);
	}
	crossing_stop(&crossing);
	print_worst(&crossing, "applies to each", applies, worst);
	assert_true(worst > 4 * CROSSING_IN_FLIGHT);
}

static int teardown(void **state)
{
	struct places second;

	if (!places_find("second", &second))
		instance_destroy(&second);
	return rig_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_store_switches_both_interfaces, rig_setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_words_switched_one_after_the_other_are_seen,
						rig_setup, teardown),
	};

	return cmocka_run_group_tests_name("F67 two interfaces", tests, NULL, NULL);
}
