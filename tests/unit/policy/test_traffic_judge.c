/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Evidence on newly dropped traffic: every measure refuses by itself, at its exact boundary, and
 * chance, stray packets and floods do not.
 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "traffic_help.h"

/* @count sources from @first on, one packet each. */
static void add_crowd(struct traffic *traffic, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add_udp(traffic, first + i, 1, 0);
}

/* @count sources from @first on, in turns. */
static void add_turns(struct traffic *traffic, uint32_t first, uint32_t count, uint32_t turns)
{
	while (turns--)
		add_crowd(traffic, first, count);
}

#define CROWD 0x10000000u
#define HARMED 0xc0a80000u

/* ---- each measure alone ---- */

/* Of n packets 8 are over 0.1 % by the score test up to n = 2640, by hand. */
static void packets_refuse_by_themselves(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_udp(traffic, HARMED, 0, 8); /* one source of 2633, one packet in 300 to its port */
	add_crowd(traffic, CROWD, 2640 - 8);
	assert_int_equal(judge(traffic, "of packets (8 of 2640)"), TRAFFIC_HARM);
	add_crowd(traffic, CROWD + 10000, 1);
	assert_int_equal(judge(traffic, NULL), TRAFFIC_TOO_LITTLE);
}

static void fewer_than_eight_packets_are_no_evidence(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_udp(traffic, HARMED, 0, 7);
	assert_int_equal(judge(traffic, "only 7 packets"), TRAFFIC_TOO_LITTLE);
	add_udp(traffic, HARMED, 0, 1);
	assert_int_equal(judge(traffic, "packets"), TRAFFIC_HARM);
}

/* Of n sources 8 are over 0.5 % up to n = 529: (8/n - 0.005)^2 n > 10.89 * 0.005 * 0.995. */
static void sources_refuse_by_themselves(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++) /* each once: none of them is a regular source */
		add_udp(traffic, HARMED + i, 0, 1);
	for (; i < 529; i++)
		add_udp(traffic, HARMED + i, 100, 0);
	assert_int_equal(judge(traffic, "of sources (8 of 529)"), TRAFFIC_HARM);
	add_udp(traffic, HARMED + i, 100, 0);
	assert_int_equal(judge(traffic, "of sources (8 of 530)"), TRAFFIC_TOO_LITTLE);
}

/* With no other limit than that of sources. */
static void of_sources_there_must_be_two_and_eight_packets(void **state)
{
	static const struct gate_settings sources = { .newly_dropped = 1000000,
						      .newly_dropped_sources = 5000,
						      .newly_dropped_port = 1000000 };
	auto_traffic struct traffic *many = tally(NULL), *one = tally(NULL);

	(void)state;
	add_crowd(many, CROWD, 12);
	for (uint32_t i = 0; i < 7; i++)
		add_udp(many, HARMED + i, 0, 1);
	assert_int_equal(traffic_judge(many, &sources, NULL), TRAFFIC_TOO_LITTLE);
	add_udp(many, HARMED, 0, 1);
	assert_int_equal(traffic_judge(many, &sources, NULL), TRAFFIC_HARM);
	add_crowd(one, CROWD, 9);
	add_udp(one, HARMED, 0, 8);
	assert_int_equal(traffic_judge(one, &sources, NULL), TRAFFIC_TOO_LITTLE);
	add_udp(one, HARMED + 1, 0, 1);
	assert_int_equal(traffic_judge(one, &sources, NULL), TRAFFIC_HARM);
}

static void ports_refuse_by_themselves(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct sample sample;

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		sample = tcp_from(HARMED + i, 8443, TCP_SYN);
		add_list(traffic, &sample, i < 12, 1);
	}
	add_crowd(traffic, CROWD, 40000);
	assert_int_equal(judge(traffic, "TCP port 8443 (12 of 60)"), TRAFFIC_HARM);
	sample = tcp_from(HARMED + 60, 8443, TCP_SYN);
	add_list(traffic, &sample, 0, 60); /* 12 of 120: 10 %, but that may be chance */
	assert_int_equal(judge(traffic, "a port"), TRAFFIC_TOO_LITTLE);
}

/* A regular source in fifty, among enough packets that their share says nothing. */
static void one_of_fifty_regular_sources_is_harm(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_turns(traffic, HARMED, 50, 1000);
	add_udp(traffic, HARMED, 0, 15);
	assert_int_equal(judge(traffic, "several times"), TRAFFIC_TOO_LITTLE);
	add_udp(traffic, HARMED, 0, 1);
	assert_int_equal(judge(traffic, "several times (1 of 50)"), TRAFFIC_HARM);
}

static void two_regular_sources_are_harm_sooner(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_turns(traffic, HARMED, 200, 1000);
	add_udp(traffic, HARMED, 0, 4);
	add_udp(traffic, HARMED + 1, 0, 3);
	assert_int_equal(judge(traffic, "sources (2 of 200)"), TRAFFIC_TOO_LITTLE);
	add_udp(traffic, HARMED + 1, 0, 1);
	assert_int_equal(judge(traffic, "several times (2 of 200)"), TRAFFIC_HARM);
}

/* While ever more regular sources turn up, two of a few are chance. */
static void regular_sources_are_judged_by_chance_until_they_are_known(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	uint32_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		add_udp(traffic, CROWD + i, 60, i % 150 ? 0 : 4);
	assert_int_equal(judge(traffic, "several times (2 of 300)"), TRAFFIC_TOO_LITTLE);
	for (; i < 400; i++)
		add_udp(traffic, CROWD + i, 60, 0);
	assert_int_equal(judge(traffic, NULL), TRAFFIC_GOOD); /* they are 0.5 %, not more */
}

/* ---- floods ---- */

/* One good source in a hundred, and ten times as many packets from sources seen once. */
static void a_flood_does_not_dilute_what_regular_sources_suffer(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	uint32_t flood = 0;
	struct traffic_sums sums;

	(void)state;
	for (uint32_t round = 0; round < 50; round++)
		for (uint32_t i = 0; i < 100; i++) {
			add_udp(traffic, HARMED + i, i > 0, i == 0);
			add_crowd(traffic, CROWD + flood, 10);
			flood += 10;
		}
	sums = sums_of(traffic);
	assert_true(sums.newly_dropped * 1000 < sums.packets); /* 0.09 % of packets */
	assert_true(sums.sources_dropped * 200 < sums.sources);
	assert_int_equal(judge(traffic, "several times (1 of 100)"), TRAFFIC_HARM);
}

static void a_flood_that_a_list_hits_by_chance_is_no_harm(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	uint64_t random = 7;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		bool hit = random_next(&random) % 10000 == 0; /* 0.01 % of all addresses */

		add_udp(traffic, (uint32_t)random_next(&random), !hit, hit);
		if (i % 10 == 0)
			add_udp(traffic, HARMED + i / 10 % 60, 1, 0);
		if (i % 500 == 0)
			assert_int_not_equal(judge(traffic, NULL), TRAFFIC_HARM);
	}
	assert_true(sums_of(traffic).newly_dropped > 8);
	assert_int_equal(judge(traffic, NULL), TRAFFIC_GOOD);
}

/* What was dropped is sampled more often than what passed: weights put that right. */
static void samples_of_different_weights_are_compared_as_packets(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL), *control = tally(NULL);
	struct sample sample = udp_from(0, 80);

	(void)state;
	for (uint32_t i = 0; i < 8000; i++) {
		uint32_t source = __builtin_bswap32(CROWD + i);
		bool dropped = i % 400 == 0; /* 20 packets of 510,740 */

		memcpy(sample.head + 14 + 12, &source, 4);
		sample.weight = dropped ? 0 : 6;
		add_list(traffic, &sample, dropped, 1);
		sample.weight = 0;
		add_list(control, &sample, dropped, 1);
	}
	assert_int_equal(judge(control, "packets"), TRAFFIC_HARM);
	assert_int_equal(judge(traffic, NULL), TRAFFIC_GOOD);
}

/* ---- good, and too little ---- */

static void three_hundred_packets_of_which_none_is_dropped_are_enough(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	assert_int_equal(judge(traffic, "only 0 packets"), TRAFFIC_TOO_LITTLE);
	add_crowd(traffic, CROWD, 299);
	assert_int_equal(judge(traffic, "only 299 packets were seen, 300"), TRAFFIC_TOO_LITTLE);
	add_crowd(traffic, CROWD, 1);
	assert_int_equal(judge(traffic, "0.00 % of packets (0 of 300)"), TRAFFIC_GOOD);
}

/* One of n is surely below 0.1 % from n = 4481 on: (0.001 - 1/n)^2 n > 2.706 * 0.001 * 0.999. */
static void a_stray_packet_asks_for_more_and_is_no_harm(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);

	(void)state;
	add_udp(traffic, HARMED, 0, 1);
	add_crowd(traffic, CROWD, 998);
	assert_int_equal(judge(traffic, "999 packets were seen, 1000"), TRAFFIC_TOO_LITTLE);
	for (uint32_t n = 999; n < 4480; n++)
		add_udp(traffic, CROWD + n % 50, 1, 0);
	assert_int_equal(judge(traffic, "(1 of 4480)"), TRAFFIC_TOO_LITTLE);
	add_udp(traffic, CROWD, 1, 0);
	assert_int_equal(judge(traffic, "(1 of 4481)"), TRAFFIC_GOOD);
}

static void limits_are_those_of_the_settings(void **state)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	struct gate_settings none = { 0 };
	const struct gate_settings all = { .newly_dropped = 1000000,
					   .newly_dropped_sources = 1000000,
					   .newly_dropped_port = 1000000 };

	(void)state;
	add_udp(traffic, HARMED, 0, 5000);
	assert_int_equal(traffic_judge(traffic, &all, NULL), TRAFFIC_GOOD);
	assert_int_equal(traffic_judge(traffic, &none, NULL), TRAFFIC_HARM);
	traffic_clear(traffic);
	add_crowd(traffic, CROWD, 5000);
	assert_int_equal(traffic_judge(traffic, &none, NULL), TRAFFIC_GOOD);
}

/* ---- at random ---- */

struct town {
	uint64_t random;
	uint32_t good; /* regular sources */
	uint32_t flood; /* packets of sources seen once, to one good packet */
	uint32_t harmed; /* good sources that the candidate drops */
	uint32_t chance; /* one flood packet in so many is newly dropped, 0: none */
};

static uint32_t draw(struct town *town, uint32_t n)
{
	return (uint32_t)(random_next(&town->random) % n);
}

/* The verdict after at most @most samples, looked for every hundred of them. */
static enum traffic_verdict live_through(struct town *town, uint32_t most)
{
	auto_traffic struct traffic *traffic = tally(NULL);
	enum traffic_verdict verdict = TRAFFIC_TOO_LITTLE;

	for (uint32_t i = 0; i < most && verdict != TRAFFIC_HARM; i++) {
		uint32_t source = draw(town, town->good);
		struct sample sample = tcp_from(HARMED + source, 443, TCP_ACK);
		bool hit = source < town->harmed;

		if (draw(town, town->flood + 1)) {
			sample = tcp_from((uint32_t)random_next(&town->random), 443, TCP_SYN);
			hit = town->chance && !draw(town, town->chance);
		}
		add_list(traffic, &sample, hit, 1);
		if (i % 100 == 99)
			verdict = judge(traffic, NULL);
	}
	return verdict;
}

static void good_candidates_are_never_harm_at_any_time(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		struct town town = { .random = 1000 + i, .chance = 10000 };

		town.good = 20 + draw(&town, 2000);
		town.flood = 1 + draw(&town, 10);
		if (live_through(&town, 20000) != TRAFFIC_GOOD)
			fail_msg("seed %u: %u sources, flood x%u", 1000 + i, town.good, town.flood);
	}
}

/* Half of them hit under 2 % of the good sources; under ten times as much flood. */
static void bad_candidates_are_always_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		struct town town = { .random = 2000 + i, .flood = 10, .chance = 10000 };
		uint32_t share = i % 2 ? 10 + draw(&town, 10) : 20 + draw(&town, 980);

		town.good = 50 + draw(&town, 250);
		town.harmed = (town.good * share + 999) / 1000;
		if (live_through(&town, 160000) != TRAFFIC_HARM)
			fail_msg("seed %u: %u of %u sources", 2000 + i, town.harmed, town.good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_refuse_by_themselves),
		cmocka_unit_test(fewer_than_eight_packets_are_no_evidence),
		cmocka_unit_test(sources_refuse_by_themselves),
		cmocka_unit_test(of_sources_there_must_be_two_and_eight_packets),
		cmocka_unit_test(ports_refuse_by_themselves),
		cmocka_unit_test(one_of_fifty_regular_sources_is_harm),
		cmocka_unit_test(two_regular_sources_are_harm_sooner),
		cmocka_unit_test(regular_sources_are_judged_by_chance_until_they_are_known),
		cmocka_unit_test(a_flood_does_not_dilute_what_regular_sources_suffer),
		cmocka_unit_test(a_flood_that_a_list_hits_by_chance_is_no_harm),
		cmocka_unit_test(samples_of_different_weights_are_compared_as_packets),
		cmocka_unit_test(three_hundred_packets_of_which_none_is_dropped_are_enough),
		cmocka_unit_test(a_stray_packet_asks_for_more_and_is_no_harm),
		cmocka_unit_test(limits_are_those_of_the_settings),
		cmocka_unit_test(good_candidates_are_never_harm_at_any_time),
		cmocka_unit_test(bad_candidates_are_always_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
