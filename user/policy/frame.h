/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames made to order: a short list of steps becomes the bytes of an Ethernet frame. Lengths and
 * next-header fields come out right unless a step lies on purpose; checksums stay zero, since
 * nothing here reads them. Pure; used by golden packets, the conformance table, tests and tools.
 */
#ifndef STANCH_POLICY_FRAME_H
#define STANCH_POLICY_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include <stanch/judge.h>

#define FRAME_MAX 2048u
#define FRAME_STEPS 16u

enum frame_op {
	FRAME_END = 0,
	FRAME_VLAN, /* arg: ethertype of the tag, 0x8100 or 0x88a8 */
	FRAME_IPV4, /* arg: words of options, 0..10. The second IP header is the inner one */
	FRAME_IPV6,
	FRAME_FRAGMENT, /* arg: offset in units of 8 bytes, plus 0x2000 when more follow */
	FRAME_HOP_OPTIONS, /* arg of these: extra units of 8 bytes (AH: of 4) */
	FRAME_DEST_OPTIONS,
	FRAME_ROUTING,
	FRAME_MOBILITY,
	FRAME_AH,
	FRAME_TCP, /* arg: flags, plus words of options << 8 */
	FRAME_UDP,
	FRAME_ICMP, /* arg: type << 8 | code */
	FRAME_ICMPV6,
	FRAME_SCTP,
	FRAME_GRE, /* arg: flags; announced fields are there */
	FRAME_ESP,
	FRAME_ARP,
	FRAME_PROTO, /* arg: protocol number of whatever comes next, no header of its own */
	FRAME_ETHERTYPE, /* arg: the same for an ethertype */
	FRAME_WORD, /* arg: two bytes of payload, big endian */
	FRAME_PAYLOAD, /* arg: so many bytes of payload */
	/* settings of what is built after them */
	FRAME_SPORT,
	FRAME_DPORT,
	FRAME_SRC_BYTE, /* arg: last byte of the outer source */
	FRAME_SRC_MAPPED, /* the IPv6 source is the IPv4 one as ::ffff:a.b.c.d */
	FRAME_SRC_6TO4, /* the same as 2002:aabb:ccdd::1 */
	/* lies, told when everything else is in place */
	FRAME_SET, /* arg: offset in the last header << 8 | value of that byte */
	FRAME_LENGTH, /* arg: the frame is cut or padded to so many bytes */
};

struct frame_step {
	uint8_t op; /* enum frame_op */
	uint16_t arg;
};

/* Who talks to whom; which of them are used follows from the steps. Ports in host order. */
struct frame_ends {
	struct address src4, dst4, src6, dst6;
	struct address inner_src4, inner_dst4, inner_src6, inner_dst6;
	uint16_t sport, dport;
};

struct frame {
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
};

/*
 * frame_build - @steps (ended by FRAME_END or FRAME_STEPS of them) as bytes.
 * Returns 0; -EINVAL for an unknown step or a frame that does not fit; @ret is untouched then.
 */
int frame_build(const struct frame_step *steps, const struct frame_ends *ends, struct frame *ret);

/* frame_judge - parse and judge natively, as the program in the kernel does. */
void frame_judge(const struct image *image, const void *bytes, uint32_t len, uint32_t kills,
		 struct judgement *ret);

/*
 * frame_is_readable - of a frame's @len bytes only the first @there are known, the others are zero.
 * False when anything that is read of it lies among those: a verdict would be about zeroes.
 */
bool frame_is_readable(const void *bytes, uint32_t there, uint32_t len);

/* address_v4, address_v6 - literal addresses: 0xc0000201, (0x20010db800000000, 1). */
static inline struct address address_v4(uint32_t address)
{
	return (struct address){ .hi = (uint64_t)address << 32 };
}

static inline struct address address_v6(uint64_t hi, uint64_t lo)
{
	return (struct address){ .hi = hi, .lo = lo };
}

#endif
