/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing: bytes of a frame -> struct packet. Compiled for the kernel and natively.
 * One cursor, one take() with the only bounds check, one function per header. Network byte order
 * never leaves this file. The parser never decides: it records what it saw, `anomaly` for what no
 * working stack sends, `note` for what is legal but unusual, and judge.h gives the verdict.
 */
#ifndef STANCH_PACKET_H
#define STANCH_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>

#include "abi.h"
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

enum packet_shape {
	SHAPE_FRAGMENT = 1,	/* not the first fragment: nothing past the IP header is a header */
	SHAPE_FIRST_FRAGMENT = 2,
	SHAPE_PORTS = 4,	/* sport and dport were read */
	SHAPE_ARP = 8,
	SHAPE_TUNNEL = 16,	/* carries GRE, IPIP or 6in4 */
	SHAPE_INNER = 32,	/* inner addresses were read */
	SHAPE_ICMP = 64,	/* icmp_type and icmp_code were read */
};

/* An address, most significant bit first. IPv4 fills the upper half of hi. */
struct address {
	__u64 hi, lo;
};

struct packet {
	struct address src, dst;
	struct address inner_src, inner_dst;
	__u32 length;		/* of the whole frame, bytes */
	__u16 ethertype;	/* after VLAN tags */
	__u16 vlan;		/* outermost tag's TCI, 0 without */
	__u16 sport, dport;
	__u8 family;		/* 4, 6, or 0 for anything that is not IP */
	__u8 inner_family;
	__u8 proto;		/* after IPv6 extension headers */
	__u8 hops;		/* TTL or hop limit */
	__u8 shape;		/* enum packet_shape */
	__u8 anomaly;		/* enum reason: impossible header; 0 none */
	__u8 note;		/* enum reason: legal but unusual; 0 none */
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
};

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

/* The first fault wins: what a packet is reported as must not depend on later headers. */
static __always_inline void set_anomaly(struct packet *p, __u8 reason)
{
	if (!p->anomaly)
		p->anomaly = reason;
}

static __always_inline void set_note(struct packet *p, __u8 reason)
{
	if (!p->note)
		p->note = reason;
}

/* The program may lack bytes that the frame has (they sit in fragments of the buffer). */
static __always_inline void set_short(struct packet *p, __u32 linear, __u8 reason)
{
	if (p->length > linear)
		set_note(p, REASON_NOT_LINEAR);
	else
		set_anomaly(p, reason);
}

/* What the wire says, without alignment assumptions. */
struct wire_vlan {
	__be16 tci, ethertype;
} __attribute__((packed));

struct wire_ext {
	__u8 next, len;
} __attribute__((packed));

struct wire_fragment {
	__u8 next, reserved;
	__be16 offset;		/* 13 bits of offset, 2 reserved, 1 more */
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
	__be32 rest;
} __attribute__((packed));

struct wire_gre {
	__be16 flags, proto;
} __attribute__((packed));

#define ETHERTYPE_IPV4		0x0800
#define ETHERTYPE_ARP		0x0806
#define ETHERTYPE_VLAN		0x8100
#define ETHERTYPE_IPV6		0x86dd
#define ETHERTYPE_QINQ		0x88a8

#define IP_MORE_FRAGMENTS	0x2000
#define IP_OFFSET		0x1fff

#define PROTO_HOP_OPTIONS	0
#define PROTO_ICMP		1
#define PROTO_IPIP		4
#define PROTO_TCP		6
#define PROTO_UDP		17
#define PROTO_IPV6		41
#define PROTO_ROUTING		43
#define PROTO_FRAGMENT		44
#define PROTO_GRE		47
#define PROTO_AH		51
#define PROTO_ICMPV6		58
#define PROTO_DEST_OPTIONS	60
#define PROTO_SCTP		132
#define PROTO_MOBILITY		135
#define PROTO_HIP		139
#define PROTO_SHIM6		140

#define TCP_FIN			0x01
#define TCP_SYN			0x02
#define TCP_RST			0x04
#define TCP_PSH			0x08
#define TCP_ACK			0x10
#define TCP_URG			0x20

/* Ethernet and up to LIMIT_VLAN_TAGS tags. Sets ethertype; 0 when the frame is too short. */
static __always_inline void take_ethernet(struct cursor *c, struct packet *p)
{
	const struct ethhdr *eth = take(c, sizeof(*eth));
	__u16 ethertype;

	if (!eth)
		return;
	ethertype = host16(eth->h_proto);
	for (__u32 i = 0; i < LIMIT_VLAN_TAGS; i++) {
		const struct wire_vlan *tag;

		if (ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ)
			break;
		tag = take(c, sizeof(*tag));
		if (!tag)
			break;
		if (!p->vlan)
			p->vlan = host16(tag->tci);
		ethertype = host16(tag->ethertype);
	}
	p->ethertype = ethertype;
}

#define OPTION_BYTES		64u	/* more than the 40 that IPv4 and TCP options can have */

/*
 * IPv4 and TCP options share one shape: 0 ends, 1 pads, anything else has a length of at least 2
 * that must stay inside (RFC 791 section 3.1, RFC 9293 section 3.2).
 */
static __noinline __u32 options_valid(void *start, void *end, __u32 length)
{
	__u32 at = 0;

	for (__u32 i = 0; i < 40; i++) {
		__u32 size, pad;
		__u8 *option;

		at &= OPTION_BYTES - 1;
		opaque(at);
		if (at >= length)
			return 1;
		option = start + (at & (OPTION_BYTES - 1));
		if ((void *)(option + 2) > end)
			return (void *)(option + 1) <= end && *option <= 1;
		if (!option[0])
			return 1;
		pad = ((option[0] ^ 1u) - 1) >> 31;
		opaque(pad);	/* a branch here would double the verifier's paths every round */
		size = pad | (option[1] & (pad - 1));
		if (size + pad < 2 || at + size > length)
			return 0;
		at += size;
	}
	return 1;
}

static __always_inline void take_tcp(struct cursor *c, struct packet *p, __u32 left, __u32 linear)
{
	struct wire_tcp *tcp = c->pos;
	__u32 header;

	if (left < sizeof(*tcp) || !take(c, sizeof(*tcp))) {
		set_short(p, left < sizeof(*tcp) ? p->length : linear, REASON_TRUNCATED_L4);
		return;
	}
	p->tcp_flags = tcp->flags;
	header = (tcp->offset >> 4) * 4u;
	if (header < sizeof(*tcp) || header > left)
		set_anomaly(p, REASON_BAD_TCP_OFFSET);
	else if (header > sizeof(*tcp) &&
		 !options_valid(c->pos, c->end, header - (__u32)sizeof(*tcp)))
		set_anomaly(p, REASON_BAD_TCP_OPTIONS);
	if (!(tcp->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)))
		set_anomaly(p, REASON_TCP_NULL);
	else if ((tcp->flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN))
		set_anomaly(p, REASON_TCP_SYN_FIN);
	else if ((tcp->flags & (TCP_SYN | TCP_RST)) == (TCP_SYN | TCP_RST))
		set_anomaly(p, REASON_TCP_SYN_RST);
	else if ((tcp->flags & (TCP_FIN | TCP_PSH | TCP_URG | TCP_ACK)) == (TCP_FIN | TCP_PSH | TCP_URG))
		set_anomaly(p, REASON_TCP_XMAS);
}

static __always_inline void take_udp(struct cursor *c, struct packet *p, __u32 left, __u32 linear)
{
	const struct wire_udp *udp = take(c, sizeof(*udp));
	__u32 length;

	if (left < sizeof(*udp) || !udp) {
		set_short(p, left < sizeof(*udp) ? p->length : linear, REASON_TRUNCATED_L4);
		return;
	}
	length = host16(udp->len);
	/* zero is legal in a jumbogram only (RFC 2675 section 4), which is not read this far */
	if (length < sizeof(*udp) || (length > left && !(p->shape & SHAPE_FIRST_FRAGMENT)))
		set_anomaly(p, REASON_BAD_UDP_LENGTH);
}

static __always_inline void take_icmp(struct cursor *c, struct packet *p, __u32 left, __u32 linear)
{
	const struct wire_icmp *icmp = take(c, 4);

	if (left < 4 || !icmp) {
		set_short(p, left < 4 ? p->length : linear, REASON_TRUNCATED_L4);
		return;
	}
	p->icmp_type = icmp->type;
	p->icmp_code = icmp->code;
	p->shape |= SHAPE_ICMP;
}

static __always_inline struct address address4(__be32 address)
{
	return (struct address){ .hi = (__u64)host32(address) << 32 };
}

static __always_inline struct address address6(const struct in6_addr *address)
{
	const __be64 *half = (const __be64 *)address;

	return (struct address){ .hi = host64(half[0]), .lo = host64(half[1]) };
}

/* The addresses of one more IP header behind the first. Nothing else of it is judged. */
static __always_inline void take_inner(struct cursor *c, struct packet *p, __u16 ethertype)
{
	if (ethertype == ETHERTYPE_IPV4) {
		const struct iphdr *ip = take(c, sizeof(*ip));

		if (!ip || ip->version != 4)
			return;
		p->inner_src = address4(ip->saddr);
		p->inner_dst = address4(ip->daddr);
		p->inner_family = 4;
	} else if (ethertype == ETHERTYPE_IPV6) {
		const struct ipv6hdr *ip = take(c, sizeof(*ip));

		if (!ip || ip->version != 6)
			return;
		p->inner_src = address6(&ip->saddr);
		p->inner_dst = address6(&ip->daddr);
		p->inner_family = 6;
	}
	if (p->inner_family)
		p->shape |= SHAPE_INNER;
}

/* RFC 2784 and RFC 2890: checksum, key and sequence number are four bytes each when announced. */
static __always_inline void take_gre(struct cursor *c, struct packet *p)
{
	const struct wire_gre *gre = take(c, sizeof(*gre));
	__u16 flags;

	if (!gre)
		return;
	flags = host16(gre->flags);
	if (flags & 0x4007)	/* routing present, or a version other than 0 */
		return;
	if ((flags & 0x8000) && !take(c, 4))
		return;
	if ((flags & 0x2000) && !take(c, 4))
		return;
	if ((flags & 0x1000) && !take(c, 4))
		return;
	take_inner(c, p, host16(gre->proto));
}

static __always_inline void take_tunnel(struct cursor *c, struct packet *p)
{
	p->shape |= SHAPE_TUNNEL;
	set_note(p, REASON_TUNNEL);
	if (p->proto == PROTO_GRE)
		take_gre(c, p);
	else
		take_inner(c, p, p->proto == PROTO_IPIP ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
}

/*
 * Behind the IP header. @left: bytes that IP says follow, @linear: bytes of the frame that the
 * program can see.
 */
static __always_inline void take_l4(struct cursor *c, struct packet *p, __u32 left, __u32 linear)
{
	const struct wire_ports *ports = c->pos;

	if ((p->proto == PROTO_TCP || p->proto == PROTO_UDP || p->proto == PROTO_SCTP) &&
	    left >= sizeof(*ports) && (void *)(ports + 1) <= c->end) {
		p->sport = host16(ports->sport);
		p->dport = host16(ports->dport);
		p->shape |= SHAPE_PORTS;
	}
	switch (p->proto) {
	case PROTO_TCP:
		take_tcp(c, p, left, linear);
		break;
	case PROTO_UDP:
		take_udp(c, p, left, linear);
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		take_icmp(c, p, left, linear);
		break;
	case PROTO_GRE:
	case PROTO_IPIP:
	case PROTO_IPV6:
		take_tunnel(c, p);
		break;
	}
}

/* A first fragment may legally end inside its L4 header: unusual, never impossible. */
static __always_inline void take_first_fragment(struct cursor *c, struct packet *p, __u32 left,
						__u32 linear)
{
	__u32 need = p->proto == PROTO_TCP ? sizeof(struct wire_tcp) : sizeof(struct wire_udp);

	p->shape |= SHAPE_FIRST_FRAGMENT;
	set_note(p, left < need ? REASON_TINY_FRAGMENT : REASON_FRAGMENT);
	if (left >= need)
		take_l4(c, p, left, linear);
}

static __always_inline void take_ipv4(struct cursor *c, struct packet *p, __u32 at, __u32 linear)
{
	const struct iphdr *ip = take(c, sizeof(*ip));
	__u32 header, total, fragment;

	if (!ip) {
		set_short(p, linear, REASON_TRUNCATED_IP);
		return;
	}
	p->family = 4;
	p->src = address4(ip->saddr);
	p->dst = address4(ip->daddr);
	p->proto = ip->protocol;
	p->hops = ip->ttl;
	header = ip->ihl * 4u;
	total = host16(ip->tot_len);
	fragment = host16(ip->frag_off);
	if (!total && p->length - at > 0xffff) {	/* BIG TCP: the length does not fit its field */
		total = p->length - at;
		set_note(p, REASON_JUMBOGRAM);
	}
	if (ip->version != 4)
		set_anomaly(p, REASON_BAD_VERSION);
	else if (header < sizeof(*ip))
		set_anomaly(p, REASON_BAD_IHL);
	else if (total < header || total > p->length - at)
		set_anomaly(p, REASON_BAD_IP_LENGTH);
	if (p->anomaly)
		return;
	if (header > sizeof(*ip)) {
		void *options = c->pos;

		if (!take(c, (header - (__u32)sizeof(*ip)) & 60)) {
			set_short(p, linear, REASON_TRUNCATED_IP);
			return;
		}
		if (!options_valid(options, c->end, header - (__u32)sizeof(*ip)))
			set_anomaly(p, REASON_BAD_IP_OPTIONS);
	}
	if (fragment & IP_OFFSET) {
		p->shape |= SHAPE_FRAGMENT;
		set_note(p, REASON_FRAGMENT);
	} else if (fragment & IP_MORE_FRAGMENTS) {
		take_first_fragment(c, p, total - header, linear);
	} else {
		take_l4(c, p, total - header, linear);
	}
}

enum chain_end { CHAIN_L4, CHAIN_STOP };

struct chain {
	__u32 at;		/* bytes behind the fixed IPv6 header */
	__u8 next;
};

/* Is @next an extension header that this walk steps over? (IANA, IPv6 Extension Header Types) */
static __always_inline __u32 is_extension(__u8 next)
{
	return next == PROTO_HOP_OPTIONS || next == PROTO_ROUTING || next == PROTO_FRAGMENT ||
	       next == PROTO_AH || next == PROTO_DEST_OPTIONS || next == PROTO_MOBILITY ||
	       next == PROTO_HIP || next == PROTO_SHIM6;
}

#define CHAIN_BYTES		0x3fffu

/* One extension header; 0 when the frame ends inside it. */
static __always_inline __u32 chain_step(struct packet *p, struct chain *chain, void *start, void *end)
{
	struct wire_fragment *ext;
	__u32 at = chain->at & CHAIN_BYTES;
	__u32 size;

	opaque(at);
	at &= CHAIN_BYTES;
	ext = start + at;
	if ((void *)(ext + 1) > end)
		return 0;
	if (chain->next == PROTO_FRAGMENT) {
		__u16 offset = host16(ext->offset);

		size = 8;
		if (offset & 0xfff8)
			p->shape |= SHAPE_FRAGMENT;
		else if (offset & 1)
			p->shape |= SHAPE_FIRST_FRAGMENT;
	} else if (chain->next == PROTO_AH) {
		size = (ext->reserved + 2u) * 4;	/* RFC 4302 counts four-byte words less two */
	} else {
		size = (ext->reserved + 1u) * 8;
	}
	chain->next = ext->next;
	chain->at = at + size;
	return 1;
}

/* Walks the chain. Afterwards p->proto is the transport, or the header at which the walk ended. */
static __always_inline enum chain_end take_chain(struct packet *p, struct chain *chain, void *start,
						 void *end)
{
	for (__u32 i = 0; i < LIMIT_EXT_HEADERS; i++) {
		if (!is_extension(chain->next) || (p->shape & SHAPE_FRAGMENT))
			break;
		if (!chain_step(p, chain, start, end)) {
			p->proto = chain->next;
			set_short(p, (__u32)(end - start) + 54, REASON_TRUNCATED_IP);
			return CHAIN_STOP;
		}
	}
	p->proto = chain->next;
	if (p->shape & SHAPE_FRAGMENT) {
		set_note(p, REASON_FRAGMENT);
		return CHAIN_STOP;
	}
	if (is_extension(chain->next)) {
		set_note(p, REASON_EXT_CHAIN);
		return CHAIN_STOP;
	}
	return CHAIN_L4;
}

static __always_inline void take_ipv6(struct cursor *c, struct packet *p, __u32 at, __u32 linear)
{
	const struct ipv6hdr *ip = take(c, sizeof(*ip));
	struct chain chain = { 0 };
	__u32 payload, skip;
	void *start = c->pos;

	if (!ip) {
		set_short(p, linear, REASON_TRUNCATED_IP);
		return;
	}
	p->family = 6;
	p->src = address6(&ip->saddr);
	p->dst = address6(&ip->daddr);
	p->hops = ip->hop_limit;
	chain.next = ip->nexthdr;
	p->proto = ip->nexthdr;
	payload = host16(ip->payload_len);
	if (ip->version != 6) {
		set_anomaly(p, REASON_BAD_VERSION);
		return;
	}
	if (payload > p->length - at - (__u32)sizeof(*ip)) {
		set_anomaly(p, REASON_BAD_IP_LENGTH);
		return;
	}
	if (!payload && ip->nexthdr == PROTO_HOP_OPTIONS) {
		set_note(p, REASON_JUMBOGRAM);	/* RFC 2675: the length is in an option */
		return;
	}
	if (take_chain(p, &chain, start, c->end) == CHAIN_STOP)
		return;
	skip = chain.at & CHAIN_BYTES;
	if (skip > payload) {
		set_anomaly(p, REASON_BAD_IP_LENGTH);
		return;
	}
	if (skip && !take(c, skip)) {
		set_short(p, linear, REASON_TRUNCATED_IP);
		return;
	}
	if (p->shape & SHAPE_FIRST_FRAGMENT)
		take_first_fragment(c, p, payload - skip, linear);
	else
		take_l4(c, p, payload - skip, linear);
}

/*
 * packet_parse - fill @p from a frame.
 * @length: bytes of the whole frame; @data..@end may show fewer of them. @p is cleared first.
 */
static __always_inline void packet_parse(void *data, void *end, __u32 length, struct packet *p)
{
	struct cursor c = { .pos = data, .end = end };
	__u32 linear = (__u32)(end - data);
	__u32 at;

	__builtin_memset(p, 0, sizeof(*p));
	p->length = length;
	take_ethernet(&c, p);
	at = (__u32)(c.pos - data);
	switch (p->ethertype) {
	case ETHERTYPE_IPV4:
		take_ipv4(&c, p, at, linear);
		break;
	case ETHERTYPE_IPV6:
		take_ipv6(&c, p, at, linear);
		break;
	case ETHERTYPE_ARP:
		p->shape = SHAPE_ARP;
		break;
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		set_note(p, REASON_VLAN_DEPTH);
		break;
	default:
		set_note(p, REASON_NOT_IP);
		break;
	}
}

#endif
