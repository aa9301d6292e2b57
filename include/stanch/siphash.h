/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash of two 64-bit words (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012):
 * without the key nobody can tell, or choose, which sources share a hash. Knows no packet.
 */
#ifndef STANCH_SIPHASH_H
#define STANCH_SIPHASH_H

#include <linux/types.h>

#include "portable.h"

struct siphash {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate_left(__u64 x, __u32 bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline void siphash_rounds(struct siphash *s, __u32 rounds)
{
#pragma unroll
	for (__u32 i = 0; i < rounds; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate_left(s->v1, 13) ^ s->v0;
		s->v3 = rotate_left(s->v3, 16) ^ s->v2;
		s->v0 = rotate_left(s->v0, 32) + s->v3;
		s->v2 += s->v1;
		s->v1 = rotate_left(s->v1, 17) ^ s->v2;
		s->v3 = rotate_left(s->v3, 21) ^ s->v0;
		s->v2 = rotate_left(s->v2, 32);
	}
}

/*
 * siphash_pair - SipHash-c-d of the sixteen bytes of @a and @b, least significant first. @rounds
 * and @final are constants of the caller: 1 and 3 are enough where only shares are at stake.
 */
static __always_inline __u64 siphash_pair(const __u64 key[2], const __u64 pair[2], __u32 rounds,
					  __u32 final)
{
	struct siphash s = {
		.v0 = key[0] ^ 0x736f6d6570736575ull,
		.v1 = key[1] ^ 0x646f72616e646f6dull,
		.v2 = key[0] ^ 0x6c7967656e657261ull,
		.v3 = key[1] ^ 0x7465646279746573ull,
	};
	const __u64 words[] = { pair[0], pair[1], 16ull << 56 };

#pragma unroll
	for (__u32 i = 0; i < 3; i++) {
		s.v3 ^= words[i];
		siphash_rounds(&s, rounds);
		s.v0 ^= words[i];
	}
	s.v2 ^= 0xff;
	siphash_rounds(&s, final);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
