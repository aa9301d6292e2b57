/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden packets: from an image alone, the packets that any generation made of it has to judge in
 * a known way. They are what must pass whatever a policy says (ARP, neighbour discovery, path-MTU
 * messages, DHCP, its own protected prefixes and ports) and the first and last entry of every
 * list. Expectations come from the guard's rules and the list records, never from the tables
 * under test.
 */
#ifndef STANCH_POLICY_GOLDEN_H
#define STANCH_POLICY_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/frame.h"

#define GOLDEN_NAME 96u

struct golden {
	char name[GOLDEN_NAME]; /* "list 3 `abusers`, first entry" */
	struct frame frame;
	uint8_t verdict, reason; /* expected */
	uint16_t list; /* expected list id, 0 where the reason has none */
	uint8_t family; /* 0: exactly this; else another list may outrank it */
	struct address src, dst;
};

/*
 * golden_each - call @fn for every golden packet of a checked image, until it returns non-zero,
 * which is returned then. 0 when all were seen.
 */
int golden_each(const struct image *image, int (*fn)(void *context, const struct golden *golden),
		void *context);

/*
 * golden_accepts - is this outcome what @golden demands? An entry of a list may be outranked by
 * another list, but only by one that by its record can hold the packet's address and stands
 * above it in the order of precedence (or beside it: longest prefix, then file order).
 */
bool golden_accepts(const struct image *image, const struct golden *golden, uint8_t verdict,
		    uint8_t reason, uint16_t list);

#endif
