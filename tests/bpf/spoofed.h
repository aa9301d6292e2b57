/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What spoofed.bpf.c makes of packets to these ports, and what its tests know about it. */
#ifndef TESTS_BPF_SPOOFED_H
#define TESTS_BPF_SPOOFED_H

#include <linux/types.h>

#define FLOOD_PORT 9 /* from a source that no packet had before */
#define TALKER_PORT 10 /* from TALKERS sources in turn */
#define RIVAL_PORT 11 /* from RIVALS sources in turn, the first of which is FIRST_RIVAL */
#define TALKERS 10000u
#define RIVALS 6u
#define FIRST_RIVAL 0x0a000000u

/* The end of MurmurHash3: every number becomes another one. */
static inline __u32 scattered(__u64 x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x >> 32;
}

static inline __u32 talker(__u64 n)
{
	return scattered(~(n % TALKERS));
}

#endif
