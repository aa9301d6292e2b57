/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recent traffic by two generations: all of it natively, what is newly dropped in the kernel too,
 * within bounds, and no disagreement stays unseen (F38).
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "frames.h"
#include "policy/traffic.h"
#include "rig.h"

#define RING (LIMIT_SAMPLES / SAMPLE_KINDS)
#define GOOD 0xc6336400u /* 198.51.100.0/24 */
#define BAD 0xcb007100u /* 203.0.113.0/24 */
#define HARMED 0xc633640au

static const char live[] = "version: 1\nmode: enforce\nlists:\n"
			   "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";
static const char worse[] = "version: 1\nmode: enforce\nlists:\n"
			    "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
			    "  - {name: worse, action: drop, entries: [198.51.100.10]}\n";

/* An instance of which only the reservoir is used, and a twin with slots of its own. */
struct replay {
	struct instance *instance;
	struct reservoir *reservoir;
	struct twin *twin;
	struct traffic *traffic;
	struct image_file reference, candidate;
	struct sample *ring; /* what will be written */
	uint32_t count;
	struct recent recent;
	struct diag diag;
};

static void replay_free(struct replay **replay)
{
	struct replay *r = *replay;

	traffic_free(&r->traffic);
	twin_close(&r->twin);
	reservoir_close(&r->reservoir);
	instance_close(&r->instance);
	image_free(&r->reference);
	image_free(&r->candidate);
	diag_free(&r->diag);
	free(r->ring);
	free(r);
}
#define auto_replay cleanup(replay_free)

/* @staged is what the kernel judges by, @candidate what the tool takes it for. */
static struct replay *replay_of(void **state, const char *candidate, const char *staged)
{
	struct replay *r = calloc(1, sizeof(*r));
	auto_image struct image_file image = { 0 };

	assert_non_null(r);
	r->instance = rig_create(rig_of(state));
	r->ring = calloc(RING, sizeof(*r->ring));
	assert_non_null(r->ring);
	rig_image(live, &r->reference);
	rig_image(candidate, &r->candidate);
	rig_image(staged, &image);
	assert_int_equal(reservoir_open(r->instance, &r->reservoir), 0);
	assert_int_equal(twin_open(NULL, &r->twin, &r->diag), 0);
	assert_int_equal(twin_stage(r->twin, &image, 2, &r->diag), 0);
	assert_int_equal(traffic_new(&r->candidate.image, &r->traffic), 0);
	return r;
}

static void sample_from(struct replay *r, uint32_t source)
{
	struct sample *sample = &r->ring[r->count++];
	struct frame frame;

	assert_true(r->count <= RING);
	syn_from(source, &frame);
	*sample = (struct sample){ .time_ns = r->count, .length = frame.len };
	sample->captured = (uint8_t)frame.len;
	memcpy(sample->head, frame.bytes, frame.len);
}

/* As the program would have left it, had all of this passed. */
static void write_ring(const struct replay *r)
{
	int samples = instance_map_fd(r->instance, "reservoir");
	int at = instance_map_fd(r->instance, "reservoir_at");
	uint64_t count = r->count;
	uint32_t zero = 0;

	for (uint32_t i = 0; i < r->count; i++)
		assert_int_equal(bpf_map_update_elem(samples, &i, &r->ring[i], BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(at, &zero, &count, BPF_ANY), 0);
}

static int replay(struct replay *r)
{
	const struct recent_question question = { .twin = r->twin,
						  .slot = 2,
						  .reservoir = r->reservoir,
						  .reference = &r->reference.image,
						  .candidate = &r->candidate.image };

	write_ring(r);
	return recent_replay(&question, r->traffic, &r->recent, &r->diag);
}

static struct traffic_sums sums_of(const struct replay *r)
{
	struct traffic_sums sums;

	traffic_sums(r->traffic, &sums);
	return sums;
}

static void nothing_recent_is_nothing_judged(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, worse);

	assert_int_equal(replay(r), 0);
	assert_int_equal(r->recent.samples, 0);
	assert_int_equal(r->recent.runs, 0);
}

static void all_is_judged_and_what_is_newly_dropped_in_the_kernel_too(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, worse);
	uint64_t before = rig_total(r->instance);

	for (uint32_t i = 0; i < 6400; i++)
		sample_from(r, i % 2 ? BAD + i % 256 : GOOD + i % 256);
	assert_int_equal(replay(r), 0);
	assert_int_equal(r->recent.samples, 6400);
	assert_int_equal(sums_of(r).samples, 3200);
	assert_int_equal(sums_of(r).newly_dropped, 25);
	assert_int_equal(sums_of(r).worst_list, 2);
	assert_in_range(r->recent.runs, 100 + 24, 100 + 25); /* one of 64 of the rest */
	assert_int_equal(r->recent.left_out, 0);
	assert_int_equal(r->recent.disputed, 0);
	assert_int_equal(rig_total(r->instance), before);
}

static void what_a_sample_got_when_it_was_live_does_not_matter(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, worse);

	for (uint32_t i = 0; i < 100; i++) {
		sample_from(r, i % 2 ? BAD : HARMED);
		r->ring[i].flags = i % 2 ? 0 : SAMPLE_DROPS; /* as under kill bits, and a trial */
	}
	assert_int_equal(replay(r), 0);
	assert_int_equal(sums_of(r).newly_dropped, 50);
	assert_int_equal(sums_of(r).samples, 50);
}

static void a_disagreement_is_a_problem_and_its_samples_are_kept(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, live);

	for (uint32_t i = 0; i < 200; i++)
		sample_from(r, i < 100 ? GOOD : HARMED);
	assert_int_equal(replay(r), -EBADMSG);
	assert_true(rig_has(&r->diag, "disputed"));
	assert_int_equal(r->diag.total, 1);
	assert_int_equal(r->recent.disputed, 100);
	for (uint32_t i = 0; i < RECENT_DISPUTED; i++)
		assert_memory_equal(&r->recent.disputes[i], &r->ring[100 + i],
				    sizeof(struct sample));
}

/* The other way round: the kernel drops what the tool thinks passes. One of 64 is enough to see. */
static void a_disagreement_about_what_passes_is_seen_too(void **state)
{
	auto_replay struct replay *r = replay_of(state, live, worse);

	for (uint32_t i = 0; i < 640; i++)
		sample_from(r, HARMED);
	assert_int_equal(replay(r), -EBADMSG);
	assert_int_equal(r->recent.disputed, 10);
}

static void the_kernels_part_is_bounded_and_the_rest_is_said(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, worse);

	for (uint32_t i = 0; i < RECENT_RUNS + 1000; i++)
		sample_from(r, HARMED);
	assert_int_equal(replay(r), 0);
	assert_int_equal(r->recent.samples, RECENT_RUNS + 1000);
	assert_int_equal(r->recent.runs + r->recent.left_out, RECENT_RUNS + 1000);
	assert_in_range(r->recent.left_out, 1000, RECENT_RUNS + 1000); /* fewer runs when slow */
	assert_int_equal(sums_of(r).newly_dropped, RECENT_RUNS + 1000);
}

static void samples_cut_inside_their_headers_are_counted_and_not_judged(void **state)
{
	auto_replay struct replay *r = replay_of(state, worse, worse);

	for (uint32_t i = 0; i < 100; i++) {
		sample_from(r, HARMED);
		r->ring[i].captured = i < 30 ? 30 : r->ring[i].captured;
	}
	assert_int_equal(replay(r), 0);
	assert_int_equal(r->recent.unread, 30);
	assert_int_equal(r->recent.samples, 70);
}

/* ---- how samples are taken ---- */

#define NUMBERED 400000u

struct gaps {
	uint32_t last,
		gap; /* number of the packet before, and how far it was from the one before */
	uint32_t seen, repeated;
};

static int look_at_gap(void *context, const struct sample *sample)
{
	struct gaps *gaps = context;
	uint32_t number, gap;

	memcpy(&number, sample->head + 14 + 12, sizeof(number)); /* the source is its number */
	number = __builtin_bswap32(number);
	gap = number - gaps->last;
	gaps->seen += gap > 32;
	gaps->repeated += gap > 32 && gap == gaps->gap;
	gaps->last = number;
	gaps->gap = gap;
	return 0;
}

/* Sources that take turns would be sampled always or never by a countdown that is always the same. */
static void samples_are_taken_at_irregular_distances(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_reservoir struct reservoir *reservoir = NULL;
	struct reservoir_reader reader = { .kind = SAMPLE_PASSED };
	autoclose int program = rig_program(rig);
	struct gaps gaps = { 0 };
	struct frame frame;
	cpu_set_t before, one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (uint32_t i = 1; i <= NUMBERED; i++) {
		syn_from(i, &frame);
		rig_judge(program, frame.bytes, frame.len);
	}
	sched_setaffinity(0, sizeof(before), &before);
	assert_int_equal(reservoir_open(instance, &reservoir), 0);
	assert_int_equal(reservoir_read(reservoir, &reader, look_at_gap, &gaps), 0);
	print_message("%u distances, %u like the one before\n", gaps.seen, gaps.repeated);
	assert_true(gaps.seen > 100);
	assert_true(gaps.repeated * 10 < gaps.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_recent_is_nothing_judged, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(
			all_is_judged_and_what_is_newly_dropped_in_the_kernel_too, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(what_a_sample_got_when_it_was_live_does_not_matter,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_disagreement_is_a_problem_and_its_samples_are_kept, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(a_disagreement_about_what_passes_is_seen_too,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(the_kernels_part_is_bounded_and_the_rest_is_said,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			samples_cut_inside_their_headers_are_counted_and_not_judged, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(samples_are_taken_at_irregular_distances, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
