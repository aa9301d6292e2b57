/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the traffic generator's programs and its user side share: a flow with its template, and
 * what is counted about each flow where it arrives. Knows nothing about policies.
 */
#ifndef STANCH_TOOLS_TRAFFIC_H
#define STANCH_TOOLS_TRAFFIC_H

#include <linux/types.h>

#define TRAFFIC_FLOWS 16u
#define TRAFFIC_HEAD 128u /* bytes of a frame that the program writes */
#define TRAFFIC_ROOM (TRAFFIC_HEAD + 16) /* an address at the last offset still fits */
#define TRAFFIC_SCHEDULE 1024u /* packets after which the mixture of flows repeats */
#define TRAFFIC_SOURCES 1000000u
#define TRAFFIC_MAGIC 0x54535043u

/* First bytes of every payload, little endian. */
struct traffic_tag {
	__u32 magic;
	__u32 flow;
	__u64 seq;
};
_Static_assert(sizeof(struct traffic_tag) == 16, "on the wire");

enum traffic_source {
	SOURCE_ROTATE, /* base, base + 1 ... base + span - 1, and again */
	SOURCE_RANDOM, /* base + any number below span */
	SOURCE_LISTED, /* entries first ... first + span - 1 of the map, and again */
	SOURCE_SCATTERED, /* the first span of what traffic_scatter() makes of base, and again */
};

/*
 * One flow. The template is a whole frame with source, source port, tag and checksums zero; the
 * two sums are what is known of the checksums before those are filled in.
 */
struct traffic_flow {
	__u8 frame[TRAFFIC_ROOM];
	__u32 len; /* of the frame */
	__u32 family; /* 4 or 6 */
	__u16 src_at, sport_at, tag_at;
	__u16 ip_sum_at, l4_sum_at; /* 0: there is none */
	__u16 sport, sports; /* source ports: so many from the first one on */
	__u8 bits, shift; /* of scattered sources: so many bits vary, above so many others */
	__u32 ip_sum, l4_sum;
	__u32 source, first; /* enum traffic_source */
	__u64 hi, lo; /* base, host order; an IPv4 address is the low half of lo */
	__u64 span;
	__u64 sent; /* also the next sequence number */
};

/*
 * traffic_scatter - the n-th of 2^@bits numbers in an order that looks like none, each once: steps
 * that can all be undone (a product with an odd number, a folding of the upper half) lose nothing.
 * The same list of addresses is so known here, in the kernel, and to whoever writes it to a file.
 */
static __attribute__((always_inline)) inline __u32 traffic_scatter(__u32 n, __u32 bits)
{
	__u32 mask = bits < 32 ? (1u << bits) - 1 : ~0u;

	n = n * 0x9e3779b1u & mask;
	n ^= n >> ((bits + 1) / 2 & 31);
	n = n * 0x85ebca6bu & mask;
	return n ^ n >> ((bits + 1) / 2 & 31);
}

/* What arrived of one flow. */
struct traffic_arrival {
	__u64 packets, bytes;
	__u64 lowest, highest; /* sequence numbers; meaningful when packets > 0 */
	__u64 late; /* arrived behind a higher number */
	__u64 gap_ns; /* longest time between two */
	__u64 marked; /* with a non-zero skb mark; seen behind XDP only */
};

#endif
