/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F61: a slot is filled anew while a slow reader that chose it is still on its way. The program is
 * a variant that dawdles between reading the control word and looking into the slot. A generation
 * that drops everything is put into that slot and never becomes live, so each drop is a packet
 * that was judged by it nevertheless. The control puts it there without a grace period.
 */
#include "swap_rig.h"

#define HOME 1u /* live before and after */
#define HOME_TOO 3u
#define REUSED 2u /* live for a moment, then filled anew */
#define BAIT 0u /* holds the generation that drops, for the control to point at */
#define RUN 3u /* packets per test run; each takes longer than staging a small generation */
#define LIVE_NS 25000000 /* longer than a packet takes: one has chosen the slot by then */

static const char lists_pass[] = "  - {name: good, action: allow, entries: [203.0.113.7]}\n";
static const char lists_drop[] = "  - {name: bad, action: drop, entries: [203.0.113.7]}\n";

struct reader {
	int program;
	bool stop; /* atomic */
	int error;
	uint64_t packets;
};

static void *keep_reading(void *context)
{
	struct reader *reader = context;
	struct frame frame;

	stay_on_cpu(0);
	rig_frame(&frame);
	while (!reader->error && !__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.bytes,
			    .data_size_in = frame.len, .repeat = RUN);

		reader->error = bpf_prog_test_run_opts(reader->program, &opts);
		reader->packets += RUN;
	}
	return NULL;
}

/* REUSED is live long enough for a packet to choose it; then two swaps make it a free slot. */
static void live_for_a_moment(const struct swap_rig *rig)
{
	swap_to(rig, REUSED);
	nanosleep(&(struct timespec){ .tv_nsec = LIVE_NS }, NULL);
	swap_to(rig, HOME);
	swap_to(rig, HOME_TOO);
}

struct generations {
	struct image_file pass, drop;
};

static void generations_free(struct generations *images)
{
	image_free(&images->pass);
	image_free(&images->drop);
}

/* What the tool does: slot_stage() waits before it publishes. */
static void refill_with_grace(const struct swap_rig *rig, const struct generations *images)
{
	stage(rig, &images->drop, 5, REUSED);
}

/* The naive way: the outer entry is pointed at the next generation at once. */
static void refill_at_once(const struct swap_rig *rig, const struct generations *images)
{
	uint32_t from = BAIT, to = REUSED, id;
	autoclose int fd = -1;
	int outer = instance_map_fd(rig->instance, "slots");

	(void)images;
	assert_int_equal(bpf_map_lookup_elem(outer, &from, &id), 0);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(outer, &to, &fd, BPF_ANY), 0);
}

static void stage_all(const struct swap_rig *rig, const struct generations *images)
{
	stage(rig, &images->pass, 1, HOME);
	swap_to(rig, HOME);
	stage(rig, &images->pass, 2, HOME_TOO);
	swap_to(rig, HOME_TOO);
	stage(rig, &images->drop, 3, BAIT);
}

/* Packets dropped in @cycles refills of a slot that readers may still be on their way to. */
static uint64_t dropped_while_refilling(struct rig *places,
					void (*refill)(const struct swap_rig *,
						       const struct generations *),
					uint64_t cycles)
{
	static struct counter counters[COUNTERS];
	auto_swap_rig struct swap_rig rig = { .program = -1 };
	cleanup(generations_free) struct generations images = { 0 };
	struct reader reader = { 0 };
	pthread_t thread;
	uint64_t dropped = 0;

	swap_rig_open(places, "slow.bpf.o", &rig);
	image_of(lists_pass, &images.pass);
	image_of(lists_drop, &images.drop);
	stage_all(&rig, &images);
	reader.program = rig.program;
	assert_int_equal(pthread_create(&thread, NULL, keep_reading, &reader), 0);
	stay_on_cpu(1);
	for (uint64_t i = 0; i < cycles; i++) {
		stage(&rig, &images.pass, 4, REUSED);
		live_for_a_moment(&rig);
		refill(&rig, &images);
	}
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(reader.error, 0);
	assert_int_equal(counters_read(rig.instance, counters), 0);
	assert_int_equal(counted(counters), reader.packets);
	for (uint32_t i = 0; i < COUNTERS; i++)
		dropped += counters[i].packets[VERDICT_DROP];
	print_message("%llu refills, %llu packets, %llu of them judged by what was never live\n",
		      (unsigned long long)cycles, (unsigned long long)reader.packets,
		      (unsigned long long)dropped);
	return dropped;
}

static void a_slow_reader_never_sees_a_generation_that_is_not_live(void **state)
{
	struct rig *rig = rig_of(state);

	need_two_cpus();
	assert_int_equal(dropped_while_refilling(rig, refill_with_grace, times(80, 800)), 0);
}

static void without_the_grace_period_slow_readers_see_the_wrong_generation(void **state)
{
	struct rig *rig = rig_of(state);

	need_two_cpus();
	assert_true(dropped_while_refilling(rig, refill_at_once, times(30, 300)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_slow_reader_never_sees_a_generation_that_is_not_live, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			without_the_grace_period_slow_readers_see_the_wrong_generation, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests_name("F61 slot reuse", tests, NULL, NULL);
}
