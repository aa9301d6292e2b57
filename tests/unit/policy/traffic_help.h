/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of the tally of two generations share: samples made to order. */
#ifndef TESTS_UNIT_POLICY_TRAFFIC_HELP_H
#define TESTS_UNIT_POLICY_TRAFFIC_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/frame.h"
#include "policy/traffic.h"
#include "policies.h"

/* A sample of a frame, cut as the program cuts it. */
static inline struct sample sample_of(const struct frame *frame)
{
	struct sample sample = { .time_ns = 1, .length = frame->len };

	sample.captured = frame->len < SAMPLE_HEAD ? (uint8_t)frame->len : SAMPLE_HEAD;
	memcpy(sample.head, frame->bytes, sample.captured);
	return sample;
}

static inline struct sample sample_steps(uint32_t source, uint16_t port,
					 const struct frame_step *steps)
{
	const struct frame_ends ends = {
		.src4 = address_v4(source),
		.dst4 = address_v4(0xc6120001),
		.src6 = address_v6(0x20010db800000000 | source, 1),
		.dst6 = address_v6(0x20010db8ffff0000, 1),
		.sport = 40000,
		.dport = port,
	};
	struct frame frame;

	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	return sample_of(&frame);
}

static inline struct sample tcp_from(uint32_t source, uint16_t port, uint8_t flags)
{
	const struct frame_step steps[] = { { FRAME_IPV4, 0 }, { FRAME_TCP, flags }, { 0 } };

	return sample_steps(source, port, steps);
}

static inline struct sample udp_from(uint32_t source, uint16_t port)
{
	static const struct frame_step steps[] = { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 }, { 0 } };

	return sample_steps(source, port, steps);
}

/* @count samples; @list is the one that newly drops them, 0: they pass. */
static inline void add_list(struct traffic *traffic, const struct sample *sample, uint16_t list,
			    uint32_t count)
{
	const struct traffic_pair pair = { .candidate_drops = list,
					   .reason = list ? REASON_LIST_DROP : REASON_NO_MATCH,
					   .list = list };

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(traffic_add(traffic, sample, &pair), 0);
}

/* UDP to port 80 from @source: some pass, some are newly dropped. */
static inline void add_udp(struct traffic *traffic, uint32_t source, uint32_t passed,
			   uint32_t dropped)
{
	struct sample sample = udp_from(source, 80);

	add_list(traffic, &sample, 0, passed);
	add_list(traffic, &sample, 1, dropped);
}

static inline struct traffic_sums sums_of(const struct traffic *traffic)
{
	struct traffic_sums sums;

	traffic_sums(traffic, &sums);
	return sums;
}

static inline struct traffic *tally(const struct image *candidate)
{
	struct traffic *traffic = NULL;

	assert_int_equal(traffic_new(candidate, &traffic), 0);
	return traffic;
}

/* The verdict, and that it was this measure that decided. */
static inline enum traffic_verdict judge(const struct traffic *traffic, const char *measure)
{
	static const struct gate_settings usual = { .newly_dropped = 1000,
						    .newly_dropped_sources = 5000,
						    .newly_dropped_port = 50000 };
	char text[DIAG_TEXT] = "";
	enum traffic_verdict verdict = traffic_judge(traffic, &usual, text);

	if (measure && !strstr(text, measure))
		fail_msg("decided by: %s", text);
	return verdict;
}

#endif
