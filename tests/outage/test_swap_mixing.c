/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F59: packets during continuous swaps. One CPU judges, another swaps between two generations of
 * opposite verdicts as fast as it can. What a packet was judged by is visible in the counters, by
 * slot, reason and verdict; anything but the two legal combinations is a mix. The control is a
 * program that reads the control word twice.
 * test-timeout: 600
 */
#include "swap_rig.h"

#define SLOT_A 1u
#define SLOT_B 2u
#define LARGE 19000u /* packets per test run; 20,000 would lengthen grace periods */
#define SMALL 1500u /* over in a millisecond, before anybody is interrupted */
#define LASTS_AT_MOST (240 * SECOND_NS)

/* A drops by the source, B lets in by the destination: no table of one explains the other. */
static const char lists_a[] = "  - {name: a, action: drop, entries: [203.0.113.7]}\n";
static const char lists_b[] =
	"  - {name: b, action: allow, match: destination, entries: [192.0.2.1]}\n";

struct swapping {
	struct control *control;
	int (*swap)(struct control *control);
	uint64_t wanted;
	uint64_t done; /* atomic */
	int error;
	bool stop; /* atomic */
};

struct contest {
	const char *variant; /* of the program; NULL: as it is */
	int (*swap)(struct control *control);
	uint32_t batch;
	uint64_t packets; /* contested ones, at least */
};

/*
 * A test run spends most of its time getting ready, and a busy machine runs one thread at a time.
 * Packets are contested when both generations judged at least a quarter of their batch: only then
 * were there swaps while they were judged.
 */
struct outcome {
	uint64_t judged, contested, swaps;
	uint64_t by_a, by_b, mixed, contested_mixed;
};

/* What `apply` does in the end: the other slot becomes live. */
static int swap_slots(struct control *control)
{
	struct word word = word_unpack(control_load(control, CONTROL_WORD));

	return control_swap(control, word.live == SLOT_A ? SLOT_B : SLOT_A, word.epoch);
}

static int turn_everything(struct word *word, void *unused)
{
	bool to_b = word->live == SLOT_A;

	(void)unused;
	word->live = to_b ? SLOT_B : SLOT_A;
	word->mode = to_b ? MODE_MONITOR : MODE_ENFORCE;
	word->kills = to_b ? 0xffff : 0;
	return 0;
}

/* Slot, mode and kill bits in one store: under B nothing is enforced and every stage is killed. */
static int swap_everything(struct control *control)
{
	return control_update(control, turn_everything, NULL, NULL, NULL);
}

static void *keep_swapping(void *context)
{
	struct swapping *s = context;

	stay_on_cpu(1);
	while (!s->error && !__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		s->error = s->swap(s->control);
		__atomic_fetch_add(&s->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Packets under one slot, reason and verdict, quicker than reading all counters. */
static uint64_t packets_of(int counters, unsigned int slot, enum reason reason,
			   enum verdict verdict)
{
	uint32_t index = slot * LIMIT_REASONS + reason;
	struct counter cpus[RIG_CPUS] = { 0 };
	uint64_t sum = 0;

	assert_int_equal(bpf_map_lookup_elem(counters, &index, cpus), 0);
	for (uint32_t i = 0; i < RIG_CPUS; i++)
		sum += cpus[i].packets[verdict];
	return sum;
}

static uint64_t swaps_so_far(struct swapping *s)
{
	return __atomic_load_n(&s->done, __ATOMIC_RELAXED);
}

static void judge_batch(const struct swap_rig *rig, const struct frame *frame, uint32_t batch,
			struct outcome *ret)
{
	int counters = instance_map_fd(rig->instance, "counters");
	uint64_t a, b;

	run_program(rig->program, frame, batch);
	a = packets_of(counters, SLOT_A, REASON_LIST_DROP, VERDICT_DROP) - ret->by_a;
	b = packets_of(counters, SLOT_B, REASON_LIST_ALLOW, VERDICT_PASS) - ret->by_b;
	ret->judged += batch;
	ret->by_a += a;
	ret->by_b += b;
	if (batch - a < batch / 4 || batch - b < batch / 4)
		return;
	ret->contested += batch;
	ret->contested_mixed += batch - a - b;
}

static void judge_until_enough(const struct swap_rig *rig, struct swapping *s,
			       const struct contest *contest, struct outcome *ret)
{
	uint64_t end = traffic_now() + LASTS_AT_MOST;
	struct frame frame;

	rig_frame(&frame);
	while ((ret->contested < contest->packets || swaps_so_far(s) < s->wanted) && !s->error &&
	       traffic_now() < end)
		judge_batch(rig, &frame, contest->batch, ret);
}

static void sum_up(const struct swap_rig *rig, struct outcome *ret)
{
	static struct counter counters[COUNTERS];

	assert_int_equal(counters_read(rig->instance, counters), 0);
	ret->mixed = counted(counters) - ret->by_a - ret->by_b;
	assert_int_equal(counted(counters), ret->judged);
	print_message("%llu swaps, %llu packets, %llu of them contested: "
		      "%llu by A, %llu by B, %llu mixed\n",
		      (unsigned long long)ret->swaps, (unsigned long long)ret->judged,
		      (unsigned long long)ret->contested, (unsigned long long)ret->by_a,
		      (unsigned long long)ret->by_b, (unsigned long long)ret->mixed);
}

/* Both generations staged, A live, then swaps on one CPU against packets on the other. */
static void swap_against_packets(struct rig *places, const struct contest *contest,
				 struct outcome *ret)
{
	auto_swap_rig struct swap_rig rig = { .program = -1 };
	auto_image struct image_file a = { 0 }, b = { 0 };
	struct swapping s = { .swap = contest->swap, .wanted = times(10000000, 100000000) };
	pthread_t swapper;

	swap_rig_open(places, contest->variant, &rig);
	image_of(lists_a, &a);
	image_of(lists_b, &b);
	stage(&rig, &a, 1, SLOT_A);
	stage(&rig, &b, 2, SLOT_B);
	swap_to(&rig, SLOT_A);
	s.control = rig.control;
	stay_on_cpu(0);
	assert_int_equal(pthread_create(&swapper, NULL, keep_swapping, &s), 0);
	*ret = (struct outcome){ 0 };
	judge_until_enough(&rig, &s, contest, ret);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(swapper, NULL);
	assert_int_equal(s.error, 0);
	assert_true(s.done >= s.wanted);
	assert_true(ret->contested >= contest->packets);
	ret->swaps = s.done;
	sum_up(&rig, ret);
}

static void no_packet_is_judged_by_a_mix_of_two_generations(void **state)
{
	const struct contest contest = { NULL, swap_slots, LARGE, times(1000000, 10000000) };
	struct rig *rig = rig_of(state);
	struct outcome outcome;

	need_two_cpus();
	swap_against_packets(rig, &contest, &outcome);
	assert_int_equal(outcome.mixed, 0);
}

static void no_packet_gets_the_mode_or_the_kill_bits_of_another_word(void **state)
{
	const struct contest contest = { NULL, swap_everything, LARGE, times(1000000, 10000000) };
	struct rig *rig = rig_of(state);
	struct outcome outcome;

	need_two_cpus();
	swap_against_packets(rig, &contest, &outcome);
	assert_int_equal(outcome.mixed, 0);
}

static void a_program_that_reads_the_word_twice_mixes_at_least_a_tenth(void **state)
{
	const struct contest contest = { "mixed.bpf.o", swap_slots, SMALL, times(100000, 1000000) };
	struct rig *rig = rig_of(state);
	struct outcome outcome;

	need_two_cpus();
	swap_against_packets(rig, &contest, &outcome);
	assert_true(outcome.contested_mixed >= outcome.contested / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_packet_is_judged_by_a_mix_of_two_generations,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			no_packet_gets_the_mode_or_the_kill_bits_of_another_word, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_program_that_reads_the_word_twice_mixes_at_least_a_tenth, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests_name("F59 swaps", tests, NULL, NULL);
}
