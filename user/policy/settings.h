/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy says about its own transaction: how large a change may be, and how it is tried out.
 * Not part of the image: it judges no packet. Images, and policies that say nothing, have defaults.
 */
#ifndef STANCH_POLICY_SETTINGS_H
#define STANCH_POLICY_SETTINGS_H

#include <stdint.h>

#define CANARY_STEPS 8u

/* `gates:`; shares are parts per million. */
struct gate_settings {
	uint32_t
		growth; /* permille of last-known-good, 1001..1000000; the shrinkage gate is its inverse
			    at most: 1500 -> down to 500 (see gates.h) */
	uint32_t coverage; /* of the address space, by the union of drop prefixes */
	uint32_t newly_dropped; /* of recent packets that passed */
	uint32_t newly_dropped_sources; /* of their sources */
	uint32_t newly_dropped_port; /* of what passed to any one port */
};

/* `canary:` */
struct canary_settings {
	uint16_t steps[CANARY_STEPS]; /* permille of sources, rising; then all of them */
	uint32_t step_count; /* 0: no canary, everybody at once, provisional */
	uint32_t step_ms; /* each step lasts at least this long */
	uint32_t soak_ms; /* live and provisional for so long */
};

struct policy_settings {
	struct gate_settings gates;
	struct canary_settings canary;
};

/* settings_default - growth 1.5, coverage 1 %, newly dropped 0.1 % of packets, 0.5 % of sources,
 * 5 % of a port; steps 1 %, 10 %, 50 % of 10 s, soak 10 min. */
void settings_default(struct policy_settings *ret);

#endif
