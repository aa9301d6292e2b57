/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs that `make bench` runs beside stanch share with the bench itself. */
#ifndef TESTS_BENCH_KEYED_H
#define TESTS_BENCH_KEYED_H

#include <linux/types.h>

/* A source address as it stands in a packet; IPv4 fills the first four bytes. */
struct key {
	__u32 bytes[4];
};

/* Which sources come next, and where in the frame they belong. */
struct turn {
	__u32 start, count; /* of the array of keys */
	__u32 cursor; /* 0..count-1: the one that was taken last */
	__u32 at; /* offset of the source address */
	__u32 words; /* of it: 1 or 4 */
	__u32 fresh; /* non-zero: take away what the last run put in front of the frame */
	__u32 reserved[2];
};

/* What an LPM trie is asked. The map's key size says how much of it counts. */
struct trie_key {
	__u32 len;
	struct key key;
};

#endif
