/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs that are compared and the one that compares them share. */
#ifndef TESTS_BENCH_SOURCES_H
#define TESTS_BENCH_SOURCES_H

#include <linux/types.h>

#define BENCH_SOURCES (1u << 18) /* different ones */
#define BENCH_PACKETS (1u << 20) /* after so many the same sources come again */

/* Set by who compares, between runs. */
struct bench_state {
	__u64 at; /* packets so far */
	__u64 flood; /* not 0: every packet is from a source that never was */
};

/* Eight bytes in which every bit depends on every bit of @x (the end of MurmurHash3). */
static inline __u64 bench_scatter(__u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

#endif
