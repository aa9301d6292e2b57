/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside policy/: what the tally of two generations' verdicts holds, for those who add and judge. */
#ifndef STANCH_POLICY_TRAFFIC_TALLY_H
#define STANCH_POLICY_TRAFFIC_TALLY_H

#include "policy/traffic.h"

#define TRAFFIC_PORTS 0x20000u /* TCP's, then UDP's */
#define TRAFFIC_WAYS 16u /* places that one source may have in the table */
/* Newly dropped samples that make one source evidence, without any other. */
#define TRAFFIC_HEAVY 16u

struct traffic_source {
	uint64_t key; /* IPv4: the address; IPv6: the upper half of it */
	uint32_t seen, dropped; /* samples that the reference passes; of these newly dropped */
	uint32_t last; /* number of the sample it was last seen in */
	uint8_t family; /* 0: a free place */
	uint8_t reserved[3];
};

struct traffic_port {
	uint64_t packets, dropped; /* with weights */
	uint32_t samples_dropped; /* without */
	uint32_t reserved;
};

/* Everything that traffic_clear() forgets. */
struct tally {
	struct traffic_sums sums; /* but for the worst port, which is looked for when asked */
	double squares; /* of the weights */
	uint32_t heavy; /* regular sources of which TRAFFIC_HEAVY samples were newly dropped */
	uint32_t regular_at[64]; /* regular sources when 2^n samples had been seen */
	uint64_t lists[HITS_PER_SLOT]; /* newly dropped, by list of the candidate */
	uint32_t hurt[TRAFFIC_PORTS]; /* ports of which anything was newly dropped */
	uint32_t hurt_count;
	struct traffic_port ports[TRAFFIC_PORTS];
	struct traffic_source sources[TRAFFIC_SOURCES];
};

struct traffic {
	const struct image *candidate;
	uint8_t expected[HITS_PER_SLOT];
	struct tally tally;
};

#endif
