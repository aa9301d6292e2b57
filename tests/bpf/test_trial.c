/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trials in the data path: whose turn it is, for how long, and what is written down about packets
 * that two generations judge.
 */
#include "trial_rig.h"

#define GOOD 1 /* slots: last-known-good before any trial, live, on trial */
#define LIVE 2
#define TRIED 3
#define SOURCES 4000u
#define OLD_BAD 0xcb007101 /* both drop it */
#define NEW_BAD 0xc6336401 /* only the one on trial does */
#define ANYBODY 0x0a000001 /* nobody does */
#define FIRST 0x0b000000 /* of a row of sources that only the one on trial drops */

static const char live_text[] = "version: 1\nmode: enforce\nlists:\n"
				"  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";
static const char tried_text[] =
	"version: 1\nmode: enforce\nlists:\n"
	"  - {name: other, action: flag, entries: [192.0.2.0/24]}\n"
	"  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
	"  - {name: new, action: drop, entries: [198.51.100.0/24, 11.0.0.0/8, '2001:db8::/32']}\n";

/* GOOD and LIVE hold the same policy, so that only their slots tell them apart. */
static struct bed trial_bed(void **state, const char *tried)
{
	struct bed bed = bed_of(state);

	stage_text(&bed, live_text, GOOD);
	stage_text(&bed, live_text, LIVE);
	stage_text(&bed, tried, TRIED);
	assert_int_equal(control_swap(bed.control, GOOD, 0), 0);
	assert_int_equal(control_swap(bed.control, LIVE, 1), 0);
	return bed;
}

static uint16_t epoch_of(const struct bed *bed)
{
	return word_unpack(control_load(bed->control, CONTROL_WORD)).epoch;
}

static void canary(const struct bed *bed, uint16_t share, uint64_t ns)
{
	const struct trial_step step = { TRIED, share, monotonic_ns() + ns };
	uint16_t epoch = epoch_of(bed);

	assert_int_equal(control_canary(bed->control, &step, &epoch), 0);
}

static void provisional(const struct bed *bed, uint64_t ns)
{
	const struct trial_step step = { .slot = TRIED, .deadline_ns = monotonic_ns() + ns };
	uint16_t epoch = epoch_of(bed);

	assert_int_equal(control_provisional(bed->control, &step, &epoch), 0);
}

/* ---- whose turn it is ---- */

struct turns {
	bool tried[SOURCES];
	uint32_t count;
};

static void take_turns(const struct bed *bed, struct turns *ret)
{
	ret->count = 0;
	for (uint32_t i = 0; i < SOURCES; i++) {
		ret->tried[i] = dropped(bed, FIRST + i);
		ret->count += ret->tried[i];
	}
}

static void a_canary_is_its_share_of_sources_and_the_same_each_time(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	struct turns first, again;

	canary(&bed, 100, FOREVER);
	take_turns(&bed, &first);
	take_turns(&bed, &again);
	assert_in_range(first.count, SOURCES / 10 - 100, SOURCES / 10 + 100); /* five deviations */
	assert_memory_equal(first.tried, again.tried, sizeof(first.tried));
}

static void a_larger_share_keeps_those_that_were_in_the_smaller(void **state)
{
	const uint16_t shares[] = { 10, 500, 999, 1000 };
	auto_bed struct bed bed = trial_bed(state, tried_text);
	struct turns before = { .count = 0 }, now;

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		canary(&bed, shares[i], FOREVER);
		take_turns(&bed, &now);
		assert_in_range(now.count, SOURCES / 1000 * shares[i] * 7 / 10,
				SOURCES / 1000 * shares[i] * 13 / 10 + 20);
		for (uint32_t j = 0; j < SOURCES; j++)
			assert_true(now.tried[j] || !before.tried[j]);
		before = now;
	}
	assert_int_equal(now.count, SOURCES);
	assert_int_equal(control_rollback(bed.control, NULL), 0);
	take_turns(&bed, &now);
	assert_int_equal(now.count, 0);
}

static void another_secret_chooses_other_sources(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	uint8_t seed[32] = { 1 };
	uint32_t zero = 0, both = 0;
	struct turns first, second;

	canary(&bed, 500, FOREVER);
	take_turns(&bed, &first);
	assert_int_equal(bpf_map_update_elem(instance_map_fd(bed.instance, "seed"), &zero, seed, 0),
			 0);
	take_turns(&bed, &second);
	for (uint32_t i = 0; i < SOURCES; i++)
		both += first.tried[i] && second.tried[i];
	assert_in_range(both, SOURCES / 4 - 150, SOURCES / 4 + 150);
}

static bool dropped_v6(const struct bed *bed, uint64_t net, uint64_t host)
{
	static const struct frame_step steps[] = { { FRAME_IPV6, 0 }, { FRAME_TCP, 2 }, { 0 } };
	const struct frame_ends ends = { .src6 = { net, host }, .dst6 = { 1, 1 }, .dport = 80 };
	struct frame frame;

	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	return send_frame(bed, &frame, 1) == XDP_DROP;
}

static void one_customer_of_ipv6_is_one_source(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	uint32_t tried = 0;

	canary(&bed, 500, FOREVER);
	for (uint64_t net = 0; net < 400; net++) {
		uint64_t prefix = 0x20010db800000000 | net;
		bool first = dropped_v6(&bed, prefix, 1);

		for (uint64_t host = 2; host < 10; host++)
			assert_int_equal(dropped_v6(&bed, prefix, host << 40 | host), first);
		tried += first;
	}
	assert_in_range(tried, 140, 260);
}

/* ARP: nobody's turn; every generation would pass it, so the counters tell. */
static void what_has_no_source_stays_with_live(void **state)
{
	static const struct frame_step steps[] = { { FRAME_ARP, 0 }, { 0 } };
	const struct frame_ends ends = { .dport = 1 };
	auto_bed struct bed bed = trial_bed(state, tried_text);
	struct frame frame;

	canary(&bed, 1000, FOREVER);
	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	send_frame(&bed, &frame, 5);
	assert_int_equal(rig_counted(bed.instance, LIVE, REASON_GUARD_ARP, VERDICT_PASS), 5);
	assert_int_equal(rig_counted(bed.instance, TRIED, REASON_GUARD_ARP, VERDICT_PASS), 0);
}

/* ---- leases ---- */

static void an_expired_canary_is_no_canary(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	uint64_t deadline;

	canary(&bed, 1000, 300 * MS);
	deadline = control_load(bed.control, CONTROL_LEASE);
	assert_true(dropped(&bed, NEW_BAD) || monotonic_ns() >= deadline);
	rest_until(deadline);
	assert_false(dropped(&bed, NEW_BAD));
	assert_true(dropped(&bed, OLD_BAD));
	assert_int_equal(rig_counted(bed.instance, LIVE, REASON_LIST_DROP, VERDICT_DROP), 1);
	assert_int_equal(rig_counted(bed.instance, GOOD, REASON_LIST_DROP, VERDICT_DROP), 0);
}

static void an_expired_provisional_generation_gives_way_to_the_good_one(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	uint64_t deadline;

	provisional(&bed, 300 * MS);
	deadline = control_load(bed.control, CONTROL_LEASE);
	assert_true(dropped(&bed, NEW_BAD) || monotonic_ns() >= deadline);
	rest_until(deadline);
	assert_false(dropped(&bed, NEW_BAD));
	assert_true(dropped(&bed, OLD_BAD));
	assert_int_equal(rig_counted(bed.instance, LIVE, REASON_LIST_DROP, VERDICT_DROP), 1);
}

/* A share in a word that nobody leased. */
static void a_candidate_without_a_lease_is_never_asked(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	const struct word word = {
		.live = LIVE, .good = GOOD, .candidate = TRIED, .share = 1000, .mode = MODE_ENFORCE
	};

	force_word(bed.rig, &word);
	assert_false(dropped(&bed, NEW_BAD));
}

/* ---- what is written down ---- */

struct expected {
	uint32_t source;
	uint8_t verdict, enforced, slot, other_verdict, other_slot, flags;
	uint16_t list, other_list;
};

struct seen {
	const struct expected *expected;
	uint16_t epoch;
	uint32_t count;
};

static int compare(void *context, const struct sample *sample)
{
	struct seen *seen = context;
	const struct expected *e = seen->expected;

	if (sampled_source(sample) != e->source || sample->epoch != seen->epoch)
		return 0;
	seen->count++;
	assert_int_equal(sample->flags & ~SAMPLE_ODD_LAP, e->flags);
	assert_int_equal(sample->verdict, e->verdict);
	assert_int_equal(sample->enforced, e->enforced);
	assert_int_equal(sample->slot, e->slot);
	assert_int_equal(sample->list, e->list);
	if (!(e->flags & SAMPLE_TRIAL))
		return 0;
	assert_int_equal(sample->other_verdict, e->other_verdict);
	assert_int_equal(sample->other_slot, e->other_slot);
	assert_int_equal(sample->other_list, e->other_list);
	return 0;
}

/* The countdown takes one in a few of them: by far not the first only. */
static void assert_sampled(const struct bed *bed, const struct expected *expected)
{
	struct seen seen = { .expected = expected, .epoch = epoch_of(bed) };
	struct reservoir_reader reader = { .kind = expected->enforced == VERDICT_DROP
							   ? SAMPLE_DROPPED
							   : SAMPLE_PASSED };
	auto_reservoir struct reservoir *reservoir = NULL;

	for (uint32_t i = 0; i < 300; i++)
		send_many(bed, expected->source, 1);
	assert_int_equal(reservoir_open(bed->instance, &reservoir), 0);
	assert_int_equal(reservoir_read(reservoir, &reader, compare, &seen), 0);
	assert_in_range(seen.count, 1, 300 + 100); /* some were sent to find the source */
}

#define BOTH_DROP (SAMPLE_DROPS | SAMPLE_OTHER_DROPS)
#define P VERDICT_PASS
#define D VERDICT_DROP

static void outside_a_trial_nobody_is_asked_twice(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);

	assert_sampled(&bed, &(struct expected){ ANYBODY, P, P, LIVE, .flags = 0 });
	assert_sampled(&bed,
		       &(struct expected){ OLD_BAD, D, D, LIVE, .list = 1, .flags = SAMPLE_DROPS });
}

static void in_a_canary_both_are_written_down(void **state)
{
	const uint8_t trial = SAMPLE_TRIAL, by_tried = SAMPLE_TRIAL | SAMPLE_CANDIDATE;
	auto_bed struct bed bed = trial_bed(state, tried_text);
	uint32_t in = FIRST, out = FIRST;

	canary(&bed, 500, FOREVER);
	while (in < FIRST + 100 && !dropped(&bed, in))
		in++;
	while (out < FIRST + 100 && dropped(&bed, out))
		out++;
	assert_sampled(&bed, &(struct expected){ in, D, D, TRIED, P, LIVE, by_tried | SAMPLE_DROPS,
						 3, 0 });
	assert_sampled(&bed, &(struct expected){ out, P, P, LIVE, D, TRIED,
						 trial | SAMPLE_OTHER_DROPS, 0, 3 });
	canary(&bed, 1000, FOREVER);
	assert_sampled(&bed, &(struct expected){ OLD_BAD, D, D, TRIED, D, LIVE,
						 by_tried | BOTH_DROP, 2, 1 });
	assert_sampled(&bed, &(struct expected){ ANYBODY, P, P, TRIED, P, LIVE, by_tried, 0, 0 });
}

static void a_provisional_generation_is_compared_with_the_good_one(void **state)
{
	const uint8_t by_tried = SAMPLE_TRIAL | SAMPLE_CANDIDATE;
	auto_bed struct bed bed = trial_bed(state, tried_text);

	provisional(&bed, FOREVER);
	assert_sampled(&bed, &(struct expected){ NEW_BAD, D, D, TRIED, P, LIVE,
						 by_tried | SAMPLE_DROPS, 3, 0 });
	assert_sampled(&bed, &(struct expected){ OLD_BAD, D, D, TRIED, D, LIVE,
						 by_tried | BOTH_DROP, 2, 1 });
	assert_sampled(&bed, &(struct expected){ ANYBODY, P, P, TRIED, P, LIVE, by_tried, 0, 0 });
}

static void an_expired_trial_is_no_trial_any_more(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);

	canary(&bed, 1000, 0);
	assert_sampled(&bed, &(struct expected){ NEW_BAD, P, P, LIVE, .flags = 0 });
	assert_int_equal(control_rollback(bed.control, NULL), 0);
	provisional(&bed, 0);
	assert_sampled(&bed,
		       &(struct expected){ OLD_BAD, D, D, LIVE, .list = 1, .flags = SAMPLE_DROPS });
}

/* Nothing is dropped, but it is written down what would be. */
static void the_operators_monitor_mode_hides_no_harm(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);

	assert_int_equal(control_set_mode(bed.control, MODE_MONITOR), 0);
	provisional(&bed, FOREVER);
	assert_sampled(&bed,
		       &(struct expected){ NEW_BAD, D, P, TRIED, P, LIVE,
					   SAMPLE_TRIAL | SAMPLE_CANDIDATE | SAMPLE_DROPS, 3, 0 });
}

/* A policy that only watches drops nobody. */
static void a_policy_in_monitor_mode_drops_nothing(void **state)
{
	static const char watching[] =
		"version: 1\nmode: monitor\nlists:\n"
		"  - {name: new, action: drop, entries: [198.51.100.0/24]}\n";
	auto_bed struct bed bed = trial_bed(state, watching);

	provisional(&bed, FOREVER);
	assert_sampled(&bed, &(struct expected){ NEW_BAD, D, P, TRIED, P, LIVE,
						 SAMPLE_TRIAL | SAMPLE_CANDIDATE, 1, 0 });
}

static void kill_bits_hold_for_both(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);

	assert_int_equal(control_set_kills(bed.control, 1 << STAGE_DROP, 0), 0);
	provisional(&bed, FOREVER);
	assert_sampled(&bed, &(struct expected){ OLD_BAD, P, P, TRIED, P, LIVE,
						 SAMPLE_TRIAL | SAMPLE_CANDIDATE, 2, 1 });
}

static void the_second_judgement_counts_nothing(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	autofree struct hit *hits = calloc(LIMIT_LISTS + 2, sizeof(*hits));

	assert_non_null(hits);
	canary(&bed, 1000, FOREVER);
	assert_sampled(&bed,
		       &(struct expected){ OLD_BAD, D, D, TRIED, D, LIVE,
					   SAMPLE_TRIAL | SAMPLE_CANDIDATE | BOTH_DROP, 2, 1 });
	assert_int_equal(rig_total(bed.instance), 300);
	assert_int_equal(rig_counted(bed.instance, TRIED, REASON_LIST_DROP, VERDICT_DROP), 300);
	assert_int_equal(hits_read(bed.instance, TRIED, hits), 0);
	assert_int_equal(hits[2].packets, 300);
	assert_int_equal(hits_read(bed.instance, LIVE, hits), 0);
	assert_int_equal(hits[1].packets, 0);
}

static void nothing_is_sampled_while_nothing_is_judged(void **state)
{
	auto_bed struct bed bed = trial_bed(state, tried_text);
	auto_reservoir struct reservoir *reservoir = NULL;
	uint64_t at[SAMPLE_KINDS];

	canary(&bed, 1000, FOREVER);
	assert_int_equal(control_set_mode(bed.control, MODE_BYPASS), 0);
	send_many(&bed, OLD_BAD, 1000);
	assert_int_equal(control_set_mode(bed.control, MODE_ENFORCE), 0);
	assert_int_equal(control_set_break_glass(bed.control, true), 0);
	send_many(&bed, OLD_BAD, 1000);
	assert_int_equal(reservoir_open(bed.instance, &reservoir), 0);
	reservoir_at(reservoir, at);
	assert_int_equal(at[SAMPLE_PASSED] + at[SAMPLE_DROPPED], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(a_canary_is_its_share_of_sources_and_the_same_each_time),
		BED_TEST(a_larger_share_keeps_those_that_were_in_the_smaller),
		BED_TEST(another_secret_chooses_other_sources),
		BED_TEST(one_customer_of_ipv6_is_one_source),
		BED_TEST(what_has_no_source_stays_with_live),
		BED_TEST(an_expired_canary_is_no_canary),
		BED_TEST(an_expired_provisional_generation_gives_way_to_the_good_one),
		BED_TEST(a_candidate_without_a_lease_is_never_asked),
		BED_TEST(outside_a_trial_nobody_is_asked_twice),
		BED_TEST(in_a_canary_both_are_written_down),
		BED_TEST(a_provisional_generation_is_compared_with_the_good_one),
		BED_TEST(an_expired_trial_is_no_trial_any_more),
		BED_TEST(the_operators_monitor_mode_hides_no_harm),
		BED_TEST(a_policy_in_monitor_mode_drops_nothing),
		BED_TEST(kill_bits_hold_for_both),
		BED_TEST(the_second_judgement_counts_nothing),
		BED_TEST(nothing_is_sampled_while_nothing_is_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
