/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tally of two generations: what counts, how often, as what, and in how much memory. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "frames.h"
#include "traffic_help.h"

static void only_what_the_reference_passes_counts(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample sample = udp_from(1, 80);
	struct traffic_pair both = { .reference_drops = true, .candidate_drops = true };
	struct traffic_pair passed = { .reference_drops = true };
	struct traffic_sums sums;

	(void)state;
	add_udp(traffic, 1, 10, 3);
	assert_int_equal(traffic_add(traffic, &sample, &both), 0);
	assert_int_equal(traffic_add(traffic, &sample, &passed), 0);
	sums = sums_of(traffic);
	assert_int_equal(sums.samples, 13);
	assert_int_equal(sums.samples_dropped, 3);
	assert_int_equal(sums.packets, 13);
	assert_int_equal(sums.newly_dropped, 3);
	assert_int_equal(sums.newly_passed, 1);
	assert_int_equal(sums.sources, 1);
	assert_int_equal(sums.sources_dropped, 1);
}

static void established_connections_count_twice(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t times;
	} kinds[] = { { TCP_SYN, 1 },		{ TCP_SYN | TCP_ACK, 1 }, { TCP_RST | TCP_ACK, 1 },
		      { TCP_RST, 1 },		{ TCP_PSH, 1 },		  { TCP_ACK, 2 },
		      { TCP_ACK | TCP_PSH, 2 }, { TCP_ACK | TCP_FIN, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		auto_traffic struct traffic *traffic = tally(NULL);
		struct sample sample = tcp_from(1, 80, kinds[i].flags);
		struct traffic_sums sums;

		add_list(traffic, &sample, 0, 5);
		add_list(traffic, &sample, 1, 3);
		sums = sums_of(traffic);
		assert_int_equal(sums.samples, 8);
		assert_int_equal(sums.packets, 8 * kinds[i].times);
		assert_int_equal(sums.newly_dropped, 3 * kinds[i].times);
		assert_int_equal(sums.established, kinds[i].times == 2 ? 3 : 0);
	}
}

static void later_fragments_and_what_is_no_tcp_are_not_established(void **state)
{
	static const struct frame_step steps[] = {
		{ FRAME_IPV4, 0 }, { FRAME_FRAGMENT, 64 }, { FRAME_TCP, TCP_ACK }, { 0 }
	};
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample fragment = sample_steps(1, 80, steps), udp = udp_from(2, 80);

	(void)state;
	add_list(traffic, &fragment, 1, 1);
	add_list(traffic, &udp, 1, 1);
	assert_int_equal(sums_of(traffic).newly_dropped, 2);
	assert_int_equal(sums_of(traffic).established, 0);
	assert_int_equal(sums_of(traffic).ports, 1);
}

static void a_sample_counts_as_many_packets_as_it_stands_for(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample sample = udp_from(1, 80);

	(void)state;
	sample.weight = 6;
	add_list(traffic, &sample, 0, 2);
	sample.weight = 3;
	add_list(traffic, &sample, 1, 1);
	assert_int_equal(sums_of(traffic).packets, 136);
	assert_int_equal(sums_of(traffic).newly_dropped, 8);
	assert_int_equal(sums_of(traffic).samples, 3);
}

static void named_lists(struct made *made, struct image_file *ret)
{
	for (int i = 0; i < 3; i++)
		make_prefix(made, make_list(made, ACTION_DROP, MATCH_SOURCE, NULL, 0), 4,
			    (unsigned __int128)(0xcb007100u + i) << 96, 32);
	made_compile(made, ret);
}

static void what_an_expected_list_drops_does_not_count(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_traffic struct traffic *traffic = NULL;
	struct sample syn = tcp_from(1, 80, TCP_SYN);
	struct traffic_sums sums;

	(void)state;
	named_lists(&made, &image);
	traffic = tally(&image.image);
	assert_int_equal(traffic_expect(traffic, "list-2"), 0);
	add_list(traffic, &syn, 0, 400);
	add_list(traffic, &syn, 2, 100);
	sums = sums_of(traffic);
	assert_int_equal(sums.newly_dropped, 0);
	assert_int_equal(sums.expected, 100);
	assert_int_equal(sums.packets, 400);
	assert_int_equal(sums.sources_dropped, 0);
	assert_int_equal(judge(traffic, NULL), TRAFFIC_GOOD);
	add_list(traffic, &syn, 3, 100); /* another list does */
	assert_int_equal(sums_of(traffic).newly_dropped, 100);
	assert_int_equal(judge(traffic, "`list-3`"), TRAFFIC_HARM);
}

static void an_expected_list_may_not_cut_established_connections(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_traffic struct traffic *traffic = NULL;
	struct sample ack = tcp_from(1, 80, TCP_ACK);

	(void)state;
	named_lists(&made, &image);
	traffic = tally(&image.image);
	assert_int_equal(traffic_expect(traffic, "list-2"), 0);
	add_list(traffic, &ack, 0, 400);
	add_list(traffic, &ack, 2, 20);
	assert_int_equal(sums_of(traffic).expected, 0);
	assert_int_equal(sums_of(traffic).newly_dropped, 40);
	assert_int_equal(judge(traffic, "`list-2`"), TRAFFIC_HARM);
}

static void only_lists_that_are_there_can_be_expected(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_traffic struct traffic *traffic = NULL, *nameless = tally(NULL);

	(void)state;
	named_lists(&made, &image);
	traffic = tally(&image.image);
	assert_int_equal(traffic_expect(traffic, "list"), -ENOENT);
	assert_int_equal(traffic_expect(traffic, "list-22"), -ENOENT);
	assert_int_equal(traffic_expect(traffic, ""), -ENOENT);
	assert_int_equal(traffic_expect(nameless, "list-2"), -ENOENT);
}

static void clearing_forgets_packets_and_keeps_what_is_expected(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_traffic struct traffic *traffic = NULL;
	struct sample syn = tcp_from(1, 80, TCP_SYN);
	struct traffic_sums sums, zero = { 0 };

	(void)state;
	named_lists(&made, &image);
	traffic = tally(&image.image);
	assert_int_equal(traffic_expect(traffic, "list-2"), 0);
	add_udp(traffic, 7, 10, 10);
	traffic_clear(traffic);
	sums = sums_of(traffic);
	assert_memory_equal(&sums, &zero, sizeof(sums));
	add_list(traffic, &syn, 2, 1);
	assert_int_equal(sums_of(traffic).expected, 1);
}

static void the_worst_list_and_the_worst_port_are_named(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample a = udp_from(1, 53), b = tcp_from(2, 53, TCP_SYN);
	struct traffic_sums sums;

	(void)state;
	add_list(traffic, &a, 0, 10);
	add_list(traffic, &a, 4, 10);
	add_list(traffic, &b, 0, 100);
	add_list(traffic, &b, 5, 11);
	sums = sums_of(traffic);
	assert_int_equal(sums.worst_list, 5);
	assert_int_equal(sums.worst_list_dropped, 11);
	assert_int_equal(sums.ports, 2);
	assert_int_equal(sums.worst_port, 53 | TRAFFIC_PORT_UDP);
	assert_int_equal(sums.port_packets, 20);
	assert_int_equal(sums.port_dropped, 10);
}

static void a_list_number_out_of_range_is_no_list(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample sample = udp_from(1, 53);

	(void)state;
	add_list(traffic, &sample, HITS_PER_SLOT, 3);
	add_list(traffic, &sample, UINT16_MAX, 3);
	assert_int_equal(sums_of(traffic).newly_dropped, 6);
	assert_int_equal(sums_of(traffic).worst_list, 0);
}

/* ---- sources ---- */

static void sources_are_addresses_and_64_bit_networks(void **state)
{
	static const struct frame_step v6[] = { { FRAME_IPV6, 0 }, { FRAME_UDP, 0 }, { 0 } };
	static const struct frame_step arp[] = { { FRAME_ARP, 0 }, { 0 } };
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample six = sample_steps(1, 80, v6), other = sample_steps(2, 80, v6);
	struct sample none = sample_steps(3, 80, arp);

	(void)state;
	add_udp(traffic, 1, 1, 0);
	add_udp(traffic, 2, 1, 0);
	add_list(traffic, &six, 0, 1);
	six.head[14 + 8 + 15] ^= 0xff; /* another host of the same network */
	add_list(traffic, &six, 0, 1);
	add_list(traffic, &other, 0, 1);
	add_list(traffic, &none, 0, 1);
	assert_int_equal(sums_of(traffic).sources, 4);
	assert_int_equal(sums_of(traffic).samples, 6);
}

static void a_source_is_regular_from_its_fourth_sample_on(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_udp(traffic, 1, TRAFFIC_REGULAR - 1, 0);
	add_udp(traffic, 2, 0, TRAFFIC_REGULAR - 1);
	assert_int_equal(sums_of(traffic).regular, 0);
	add_udp(traffic, 1, 1, 0);
	assert_int_equal(sums_of(traffic).regular, 1);
	assert_int_equal(sums_of(traffic).regular_dropped, 0);
	add_udp(traffic, 2, 1, 0); /* regular, but newly dropped three times only */
	assert_int_equal(sums_of(traffic).regular_dropped, 0);
	add_udp(traffic, 2, 0, 1);
	assert_int_equal(sums_of(traffic).regular, 2);
	assert_int_equal(sums_of(traffic).regular_dropped, 1);
}

#define FLOOD 1000000u

static void a_million_sources_take_no_memory_and_displace_no_regular_one(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	size_t before = mallinfo2().uordblks;
	struct sample sample = udp_from(0, 80);
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < 500; i++)
		add_udp(traffic, 0xc0a80000 + i, TRAFFIC_REGULAR, 0);
	for (uint32_t i = 0; i < FLOOD; i++) {
		uint32_t source = (uint32_t)random_next(&random) | 0x80000000;

		memcpy(sample.head + 14 + 12, &source, 4);
		add_list(traffic, &sample, 0, 1);
	}
	assert_int_equal(mallinfo2().uordblks, before);
	assert_in_range(sums_of(traffic).sources, FLOOD - FLOOD / 100, FLOOD + 500);
	assert_in_range(sums_of(traffic).regular, 500, 510);
	for (uint32_t i = 0; i < 500; i++)
		add_udp(traffic, 0xc0a80000 + i, 0, TRAFFIC_REGULAR);
	assert_in_range(sums_of(traffic).regular, 500, 510);
	assert_int_equal(sums_of(traffic).regular_dropped, 500);
}

/* ---- samples ---- */

static void a_trials_sample_says_which_generation_judged_it(void **state)
{
	struct sample sample = { .reason = 1, .list = 2, .other_reason = 3, .other_list = 4 };
	struct traffic_pair pair = { .reason = 99 };

	(void)state;
	sample.flags = SAMPLE_DROPS | SAMPLE_CANDIDATE;
	assert_false(traffic_pair_of(&sample, &pair));
	assert_int_equal(pair.reason, 99);
	sample.flags = SAMPLE_TRIAL | SAMPLE_DROPS;
	assert_true(traffic_pair_of(&sample, &pair));
	assert_true(pair.reference_drops && !pair.candidate_drops);
	assert_true(pair.reason == 3 && pair.list == 4);
	sample.flags = SAMPLE_TRIAL | SAMPLE_CANDIDATE | SAMPLE_DROPS;
	assert_true(traffic_pair_of(&sample, &pair));
	assert_true(!pair.reference_drops && pair.candidate_drops);
	assert_true(pair.reason == 1 && pair.list == 2);
	sample.flags = SAMPLE_TRIAL | SAMPLE_OTHER_DROPS;
	assert_true(traffic_pair_of(&sample, &pair));
	assert_true(!pair.reference_drops && pair.candidate_drops);
}

struct seen {
	const struct image *image;
	uint32_t judged, unread;
};

/* What is judged by the bytes of a sample is judged as the whole frame is. */
static void judged_as_the_frame(void *context, const char *name, const struct frame *frame)
{
	struct seen *seen = context;
	struct sample sample = sample_of(frame);
	struct traffic_pair pair = { 0 };
	struct judgement judgement;
	int r = traffic_judge_sample(NULL, seen->image, &sample, &pair);

	if (r) {
		assert_int_equal(r, -ENODATA);
		if (frame->len <= SAMPLE_HEAD)
			fail_msg("%s: not judged", name);
		seen->unread++;
		return;
	}
	seen->judged++;
	frame_judge(seen->image, frame->bytes, frame->len, 0, &judgement);
	if (pair.candidate_drops != (judgement.verdict == VERDICT_DROP) ||
	    pair.reason != judgement.reason || pair.list != judgement.list)
		fail_msg("%s: reason %u, not %u", name, pair.reason, judgement.reason);
	assert_false(pair.reference_drops);
}

static void samples_are_judged_as_their_frames_or_not_at_all(void **state)
{
	auto_diag struct diag diag = { 0 };

	(void)state;
	for (enum conformance_setting setting = 0; setting < SETTINGS; setting++) {
		auto_image struct image_file image = { 0 };
		struct seen seen = { 0 };

		assert_int_equal(conformance_image(setting, &image, &diag), 0);
		seen.image = &image.image;
		frame_each(&image.image, judged_as_the_frame, &seen);
		print_message("%u frames judged, %u not\n", seen.judged, seen.unread);
		assert_true(seen.judged > 100);
		assert_true(seen.unread < seen.judged / 10);
	}
}

static void headers_beyond_the_sample_are_not_judged(void **state)
{
	static const struct frame_step deep[] = {
		{ FRAME_IPV6, 0 }, { FRAME_DEST_OPTIONS, 8 }, { FRAME_TCP, TCP_ACK }, { 0 }
	};
	struct sample sample = sample_steps(1, 80, deep);
	struct traffic_pair pair = { .reason = 99 };
	auto_image struct image_file image = { 0 };
	auto_made struct made made = { 0 };
	auto_buf struct buf frame = { 0 };

	(void)state;
	named_lists(&made, &image);
	assert_int_equal(traffic_judge_sample(NULL, &image.image, &sample, &pair), -ENODATA);
	assert_int_equal(pair.reason, 99);
	assert_int_equal(traffic_frame(&sample, &frame), -ENODATA);
	assert_int_equal(frame.len, 0);
	sample = udp_from(1, 80);
	sample.length = 1500;
	sample.head[16] = 1400 >> 8; /* of IP */
	sample.head[17] = 1400 & 255;
	assert_int_equal(traffic_frame(&sample, &frame), 0);
	assert_int_equal(frame.len, 1500);
	assert_memory_equal(frame.data, sample.head, sample.captured);
	sample.length = TRAFFIC_FRAME_MAX + 1;
	assert_int_equal(traffic_frame(&sample, &frame), -ENODATA);
	sample.length = 0;
	assert_int_equal(traffic_frame(&sample, &frame), -ENODATA);
}

static void both_images_judge_and_only_enforced_drops_are_drops(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file drops = { 0 }, watches = { 0 }, passes = { 0 };
	auto_made struct made empty = { 0 };
	struct sample sample = udp_from(0xcb007101, 80);
	struct traffic_pair pair;

	(void)state;
	named_lists(&made, &drops);
	made.policy.mode = MODE_MONITOR;
	made_compile(&made, &watches);
	empty.policy.mode = MODE_ENFORCE;
	made_compile(&empty, &passes);
	assert_int_equal(traffic_judge_sample(&passes.image, &drops.image, &sample, &pair), 0);
	assert_true(!pair.reference_drops && pair.candidate_drops && pair.list == 2);
	assert_int_equal(traffic_judge_sample(&drops.image, &watches.image, &sample, &pair), 0);
	assert_true(pair.reference_drops && !pair.candidate_drops);
	sample.flags = SAMPLE_DROPS; /* what it got when it was live matters only without one */
	assert_int_equal(traffic_judge_sample(&passes.image, &drops.image, &sample, &pair), 0);
	assert_false(pair.reference_drops);
	assert_int_equal(traffic_judge_sample(NULL, &drops.image, &sample, &pair), 0);
	assert_true(pair.reference_drops);
}

/* ---- at random ---- */

/* Bytes that may be anything, as a sample may hold, on few addresses and ports so that they meet. */
static void random_sample(uint64_t *random, struct sample *ret)
{
	uint64_t *words = (uint64_t *)ret;
	struct sample base = tcp_from((uint32_t)random_next(random) % 64, 80, TCP_ACK);

	for (size_t i = 0; i < sizeof(*ret) / sizeof(*words); i++)
		words[i] = random_next(random);
	if (random_next(random) % 4)
		memcpy(ret->head, base.head, random_next(random) % base.captured);
	if (random_next(random) % 4)
		ret->length %= 2000;
}

static void assert_sums_agree(const struct traffic_sums *sums)
{
	assert_true(sums->samples_dropped <= sums->samples);
	assert_true(sums->newly_dropped <= sums->packets);
	assert_true(sums->samples <= sums->packets);
	assert_true(sums->sources_dropped <= sums->sources);
	assert_true(sums->regular_dropped <= sums->regular);
	assert_true(sums->regular <= sums->sources);
	assert_true(sums->port_dropped <= sums->port_packets);
	assert_true(sums->port_packets <= sums->packets);
	assert_true(sums->worst_list_dropped <= sums->newly_dropped);
}

static void whatever_a_sample_holds_the_sums_agree(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 };
	auto_traffic struct traffic *traffic = NULL;
	uint64_t random = 3;
	uint32_t judged = 0;

	(void)state;
	named_lists(&made, &image);
	traffic = tally(&image.image);
	assert_int_equal(traffic_expect(traffic, "list-3"), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		struct sample sample;
		struct traffic_pair pair = { .list = (uint16_t)random_next(&random) };
		struct traffic_sums sums;

		random_sample(&random, &sample);
		pair.reference_drops = random_next(&random) & 1;
		pair.candidate_drops = random_next(&random) & 1;
		judged += !traffic_judge_sample(NULL, &image.image, &sample, &pair);
		assert_int_equal(traffic_add(traffic, &sample, &pair), 0);
		if (i % 100)
			continue;
		sums = sums_of(traffic);
		assert_sums_agree(&sums);
		judge(traffic, NULL);
	}
	print_message("%u samples could be judged\n", judged);
	assert_true(judged > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_reference_passes_counts),
		cmocka_unit_test(established_connections_count_twice),
		cmocka_unit_test(later_fragments_and_what_is_no_tcp_are_not_established),
		cmocka_unit_test(a_sample_counts_as_many_packets_as_it_stands_for),
		cmocka_unit_test(what_an_expected_list_drops_does_not_count),
		cmocka_unit_test(an_expected_list_may_not_cut_established_connections),
		cmocka_unit_test(only_lists_that_are_there_can_be_expected),
		cmocka_unit_test(clearing_forgets_packets_and_keeps_what_is_expected),
		cmocka_unit_test(the_worst_list_and_the_worst_port_are_named),
		cmocka_unit_test(a_list_number_out_of_range_is_no_list),
		cmocka_unit_test(sources_are_addresses_and_64_bit_networks),
		cmocka_unit_test(a_source_is_regular_from_its_fourth_sample_on),
		cmocka_unit_test(a_million_sources_take_no_memory_and_displace_no_regular_one),
		cmocka_unit_test(a_trials_sample_says_which_generation_judged_it),
		cmocka_unit_test(samples_are_judged_as_their_frames_or_not_at_all),
		cmocka_unit_test(headers_beyond_the_sample_are_not_judged),
		cmocka_unit_test(both_images_judge_and_only_enforced_drops_are_drops),
		cmocka_unit_test(whatever_a_sample_holds_the_sums_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
