/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of prefixes in the shapes that a table structure may like or dislike, addresses to look up in
 * them, and an answer that shares nothing with tables: binary search, one length after the other.
 */
#ifndef TESTS_LIB_SHAPES_H
#define TESTS_LIB_SHAPES_H

#include "policies.h"

/* Random prefixes, in groups that share their first bits. */
struct shape {
	const char *name;
	uint8_t family, shortest, longest;
	uint8_t under_len; /* all start with this many bits of `under` */
	unsigned __int128 under;
	uint16_t lists; /* each prefix is on one of them */
	uint32_t lines, steps; /* what a million of them may take */
	uint32_t group; /* so many in a row share group_len bits; 0: none do */
	uint8_t group_len;
	uint8_t apart; /* of a group, number n leaves the others' path n times this many bits later */
	bool mixed; /* lengths as in a blocklist, most of them the longest */
};

extern const struct shape shapes[];
extern const size_t shape_count;

/* shape_named - the test fails when there is none. */
const struct shape *shape_named(const char *name);
/* shape_make - @count prefixes, the same every time. */
void shape_make(const struct shape *shape, uint32_t count, struct made *made);

/* Addresses: at random, at the edges of a prefix, in one, and near one. */
enum key_kind { KEY_RANDOM, KEY_EDGE, KEY_LISTED, KEY_NEAR, KEY_KINDS };
/* shape_key - an address of that kind. */
unsigned __int128 shape_key(const struct shape *shape, const struct policy *policy,
			    enum key_kind kind, uint64_t *random);

struct reference {
	struct prefix *items;
	uint32_t first[130]; /* by length: where its prefixes start, the longest first */
};

/* reference_make - sorts @policy itself: what is compiled does not depend on the order. */
void reference_make(const struct policy *policy, struct reference *ret);
/* reference_find - the list of the longest prefix that holds @address, 0 for none. */
uint16_t reference_find(const struct reference *reference, unsigned __int128 address);

#endif
