/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many samples a trial needs before it says *harm*: SOURCES sources that send alike, some of
 * which the candidate newly drops, looked at every LOOK samples, ROUNDS times over. Needs nothing
 * of the kernel; the same numbers every time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "policies.h"
#include "policy/frame.h"
#include "policy/traffic.h"

#define SOURCES 200
#define ROUNDS 200
#define LOOK 64
#define MOST 65536 /* samples; more is "never" */

static const struct gate_settings usual = { .newly_dropped = 1000,
					    .newly_dropped_sources = 5000,
					    .newly_dropped_port = 50000 };

/* The first packet of a connection of source @n. */
static int make_sample(uint32_t n, struct sample *ret)
{
	static const struct frame_step steps[] = { { FRAME_IPV4, 0 }, { FRAME_TCP, 2 }, { 0 } };
	const struct frame_ends ends = { .src4 = { (0xc6120000ull + n) << 32, 0 },
					 .dst4 = { 0xc000020100000000, 0 },
					 .sport = 40000,
					 .dport = 443 };
	struct frame frame;
	int r = frame_build(steps, &ends, &frame);

	if (r)
		return r;
	*ret = (struct sample){ .time_ns = 1, .length = frame.len };
	ret->captured = frame.len < SAMPLE_HEAD ? (uint8_t)frame.len : SAMPLE_HEAD;
	for (uint32_t i = 0; i < ret->captured; i++)
		ret->head[i] = frame.bytes[i];
	return 0;
}

/* Samples until harm, MOST when it is not found; negative: out of memory. */
static int until_harm(const struct sample *samples, uint32_t harmed, uint64_t *random)
{
	auto_traffic struct traffic *traffic = NULL;
	int r = traffic_new(NULL, &traffic);

	for (int i = 1; i <= MOST && !r; i++) {
		uint32_t source = (uint32_t)(random_next(random) % SOURCES);
		const struct traffic_pair pair = { .candidate_drops = source < harmed,
						   .reason = REASON_LIST_DROP,
						   .list = source < harmed };

		r = traffic_add(traffic, &samples[source], &pair);
		if (!r && i % LOOK == 0 && traffic_judge(traffic, &usual, NULL) == TRAFFIC_HARM)
			return i;
	}
	return r ? r : MOST;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int measure(const struct sample *samples, uint32_t harmed)
{
	uint64_t random = 1118 + harmed;
	int counts[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		counts[i] = until_harm(samples, harmed, &random);
		if (counts[i] < 0)
			return counts[i];
	}
	qsort(counts, ROUNDS, sizeof(*counts), ascending);
	printf("%3u of %u newly dropped: median %5d samples, slowest of a hundred %5d\n", harmed,
	       SOURCES, counts[ROUNDS / 2], counts[ROUNDS * 99 / 100]);
	return 0;
}

int main(void)
{
	static const uint32_t harmed[] = { 1, 2, 4, 10, 50 };
	static struct sample samples[SOURCES];
	int r = 0;

	for (uint32_t i = 0; i < SOURCES && !r; i++)
		r = make_sample(i, &samples[i]);
	for (size_t i = 0; i < ARRAY_SIZE(harmed) && !r; i++)
		r = measure(samples, harmed[i]);
	return r ? 1 : 0;
}
