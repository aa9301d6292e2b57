/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What frames look like on the wire, and the only two ways to their bytes: a view (the whole
 * frame, as the kernel or a test holds it) and a cursor on it. Network byte order ends here and in
 * packet.h.
 */
#ifndef STANCH_WIRE_H
#define STANCH_WIRE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>

#include "portable.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images and pins are little endian");

static __always_inline __u16 host16(__be16 x)
{
	return __builtin_bswap16((__force __u16)x);
}

static __always_inline __u32 host32(__be32 x)
{
	return __builtin_bswap32((__force __u32)x);
}

static __always_inline __u64 host64(__be64 x)
{
	return __builtin_bswap64((__force __u64)x);
}

/*
 * A frame. In the kernel it is the context of the program, which functions that the verifier
 * checks on their own must name by its real type; natively it is bytes of which the program may
 * see the first few only.
 */
#ifdef __bpf__
#define view xdp_md
/* Pointers from here on: kept as the 32-bit numbers they are read as, they could not be spilled. */
static __always_inline void *view_start(const struct view *view)
{
	void *start = (void *)(long)view->data;

	opaque(start);
	return start;
}

static __always_inline void *view_end(const struct view *view)
{
	void *end = (void *)(long)view->data_end;

	opaque(end);
	return end;
}

static __always_inline __u32 view_length(struct view *view)
{
	return bpf_xdp_get_buff_len(view);
}
#else
struct view {
	void *start, *end;
	__u32 length; /* of the whole frame; end - start may be less */
};

static inline void *view_start(const struct view *view)
{
	return view->start;
}

static inline void *view_end(const struct view *view)
{
	return view->end;
}

static inline __u32 view_length(const struct view *view)
{
	return view->length;
}
#endif

/* No header of interest starts behind this: nine IPv6 headers of the largest size end before. */
#define VIEW_REACH 0x7fffu

struct cursor {
	void *pos, *end;
};

/* take - the next @n bytes, or NULL when the frame ends before that. */
static __always_inline void *take(struct cursor *c, __u32 n)
{
	void *start = c->pos;

	if (start + n > c->end)
		return (void *)0;
	c->pos = start + n;
	return start;
}

/* A cursor @at bytes into the frame. The verifier learns nothing from where they came. */
static __always_inline struct cursor cursor_at(const struct view *view, __u32 at)
{
	opaque(at);
	return (struct cursor){
		.pos = view_start(view) + (at & VIEW_REACH),
		.end = view_end(view),
	};
}

/* What the wire says, without alignment assumptions. */
struct wire_vlan {
	__be16 tci, ethertype;
} __attribute__((packed));

/* The first eight bytes of any IPv6 extension header; offset and id are the fragment header's. */
struct wire_extension {
	__u8 next, len;
	__be16 offset; /* 13 bits of offset, 2 reserved, 1 more */
	__be32 id;
} __attribute__((packed));

struct wire_ports {
	__be16 sport, dport;
} __attribute__((packed));

struct wire_tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window, check, urgent;
} __attribute__((packed));

struct wire_udp {
	__be16 sport, dport, len, check;
} __attribute__((packed));

struct wire_icmp {
	__u8 type, code;
	__be16 check;
} __attribute__((packed));

struct wire_gre {
	__be16 flags, proto;
} __attribute__((packed));

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8

#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff

#define PROTO_HOP_OPTIONS 0
#define PROTO_ICMP 1
#define PROTO_IPIP 4
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_IPV6 41
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_GRE 47
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_DEST_OPTIONS 60
#define PROTO_SCTP 132
#define PROTO_MOBILITY 135
#define PROTO_HIP 139
#define PROTO_SHIM6 140

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

#endif
