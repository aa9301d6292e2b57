/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing: bytes of a frame -> struct packet. Compiled for the kernel and natively.
 * One cursor, one take() with the only bounds check, one function per header. Network byte order
 * never leaves this file. The parser never decides: it records what it saw, `anomaly` for what no
 * working stack sends, `note` for what is legal but unusual, and judge.h gives the verdict.
 */
#ifndef STANCH_PACKET_H
#define STANCH_PACKET_H

#include "abi.h"
#include "wire.h"

enum packet_shape {
	SHAPE_FRAGMENT = 1, /* not the first fragment: nothing past the IP header is a header */
	SHAPE_FIRST_FRAGMENT = 2,
	SHAPE_PORTS = 4, /* sport and dport were read */
	SHAPE_ARP = 8,
	SHAPE_TUNNEL = 16, /* carries GRE, IPIP or 6in4 */
	SHAPE_INNER = 32, /* inner addresses were read */
	SHAPE_ICMP = 64, /* icmp_type and icmp_code were read */
};

/* An address, most significant bit first. IPv4 fills the upper half of hi. */
struct address {
	__u64 hi, lo;
};

struct packet {
	struct address src, dst;
	struct address inner_src, inner_dst;
	/*
	 * Of the whole frame, bytes. Asking for it is a call, so a frame whose IP packet ends among the
	 * bytes that can be seen is as long as those are: padding counts, what fragments of the buffer
	 * may hold behind the packet does not.
	 */
	__u32 length;
	__u16 ethertype; /* after VLAN tags */
	__u16 vlan; /* outermost tag's TCI, 0 without */
	__u16 sport, dport;
	__u8 family; /* 4, 6, or 0 for anything that is not IP */
	__u8 inner_family;
	__u8 proto; /* after IPv6 extension headers */
	__u8 hops; /* TTL or hop limit */
	__u8 shape; /* enum packet_shape */
	__u8 anomaly; /* enum reason: impossible header; 0 none */
	__u8 note; /* enum reason: legal but unusual; 0 none */
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
};

/* What IP leaves to be read. */
struct rest {
	__u32 at; /* where the transport header is; 0: none is to be read */
	__u32 left; /* bytes that IP says it and its payload have */
	__u32 linear; /* bytes of the frame that can be seen */
};

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
static __always_inline void set_short(struct view *view, struct packet *p, __u32 linear,
				      __u8 reason)
{
	p->length = view_length(view);
	if (p->length > linear)
		set_note(p, REASON_NOT_LINEAR);
	else
		set_anomaly(p, reason);
}

/*
 * Ethernet and up to LIMIT_VLAN_TAGS tags. Sets ethertype, which stays 0 when the frame ends
 * before it.
 */
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
			return;
		if (!p->vlan)
			p->vlan = host16(tag->tci);
		ethertype = host16(tag->ethertype);
	}
	p->ethertype = ethertype;
}

enum options_state { OPTIONS_BAD, OPTIONS_GOOD, OPTIONS_HIDDEN };

/*
 * IPv4 and TCP options share one shape: 0 ends, 1 pads, anything else has a length of at least 2
 * that must stay inside (RFC 791 section 3.1, RFC 9293 section 3.2). @length is at most 40.
 */
verified_once int packet_options(struct view *view, __u32 start, __u32 length)
{
	struct cursor c = cursor_at(view, start);
	__u32 at = 0;

	if (c.pos + (length & 63) > c.end)
		return OPTIONS_HIDDEN;
	for (__u32 i = 0; i < 40; i++) {
		__u32 size, pad;
		__u8 *option;

		opaque(at);
		at &= 63;
		if (at >= length)
			return OPTIONS_GOOD;
		option = c.pos + at;
		if ((void *)(option + 2) > c.end) /* at the last byte of all */
			return (void *)(option + 1) <= c.end && *option <= 1;
		if (!option[0])
			return OPTIONS_GOOD;
		pad = ((option[0] ^ 1u) - 1) >> 31;
		opaque(pad); /* a branch here would double the verifier's paths every round */
		size = pad | (option[1] & (pad - 1));
		if (size + pad < 2 || at + size > length)
			return OPTIONS_BAD;
		at += size;
	}
	return OPTIONS_GOOD;
}

/*
 * What most segments of an established connection carry: twelve bytes of two pads and a timestamp
 * (RFC 7323 appendix A recommends this layout). Saves them the walk.
 */
static __always_inline __u32 is_timestamp(struct view *view, __u32 at, __u32 length)
{
	struct cursor c = cursor_at(view, at);
	const __be32 *first = take(&c, 12);

	return length == 12 && first && host32(*first) == 0x0101080a;
}

static __always_inline void check_options(struct view *view, struct packet *p, __u32 at,
					  __u32 length, __u8 reason)
{
	int state = packet_options(view, at, length);

	if (state == OPTIONS_HIDDEN)
		set_note(p, REASON_NOT_LINEAR);
	else if (state != OPTIONS_GOOD)
		set_anomaly(p, reason);
}

/* Combinations that RFC 9293 leaves no meaning for; scanners send them to tell stacks apart. */
static __always_inline void check_tcp_flags(struct packet *p)
{
	__u32 flags = p->tcp_flags;

	if (!(flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)))
		set_anomaly(p, REASON_TCP_NULL);
	else if ((flags & (TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN))
		set_anomaly(p, REASON_TCP_SYN_FIN);
	else if ((flags & (TCP_SYN | TCP_RST)) == (TCP_SYN | TCP_RST))
		set_anomaly(p, REASON_TCP_SYN_RST);
	else if ((flags & (TCP_FIN | TCP_PSH | TCP_URG | TCP_ACK)) == (TCP_FIN | TCP_PSH | TCP_URG))
		set_anomaly(p, REASON_TCP_XMAS);
}

/* A transport header of @size bytes is not there: IP has no room for it, or it cannot be seen. */
static __always_inline void set_l4_short(struct view *view, struct packet *p,
					 const struct rest *rest, __u32 size)
{
	if (rest->left < size)
		set_anomaly(p, REASON_TRUNCATED_L4);
	else
		set_short(view, p, rest->linear, REASON_TRUNCATED_L4);
}

static __always_inline void take_tcp(struct view *view, struct cursor *c, struct packet *p,
				     const struct rest *rest)
{
	const struct wire_tcp *tcp = take(c, sizeof(*tcp));
	__u32 header;

	if (rest->left < sizeof(*tcp) || !tcp) {
		set_l4_short(view, p, rest, sizeof(*tcp));
		return;
	}
	p->tcp_flags = tcp->flags;
	header = (tcp->offset >> 4) * 4u;
	if (header > rest->left && (p->shape & SHAPE_FIRST_FRAGMENT))
		p->note = REASON_TINY_FRAGMENT; /* more to say than `fragment` */
	else if (header < sizeof(*tcp) || header > rest->left)
		set_anomaly(p, REASON_BAD_TCP_OFFSET);
	else if (header > sizeof(*tcp) &&
		 !is_timestamp(view, rest->at + (__u32)sizeof(*tcp), header - (__u32)sizeof(*tcp)))
		check_options(view, p, rest->at + (__u32)sizeof(*tcp), header - (__u32)sizeof(*tcp),
			      REASON_BAD_TCP_OPTIONS);
	check_tcp_flags(p);
}

static __always_inline void take_udp(struct view *view, struct cursor *c, struct packet *p,
				     const struct rest *rest)
{
	const struct wire_udp *udp = take(c, sizeof(*udp));
	__u32 length;

	if (rest->left < sizeof(*udp) || !udp) {
		set_l4_short(view, p, rest, sizeof(*udp));
		return;
	}
	length = host16(udp->len);
	/* zero is legal in a jumbogram only (RFC 2675 section 4), which is not read this far */
	if (length < sizeof(*udp) || (length > rest->left && !(p->shape & SHAPE_FIRST_FRAGMENT)))
		set_anomaly(p, REASON_BAD_UDP_LENGTH);
}

static __always_inline void take_icmp(struct view *view, struct cursor *c, struct packet *p,
				      const struct rest *rest)
{
	const struct wire_icmp *icmp = take(c, sizeof(*icmp));

	if (rest->left < sizeof(*icmp) || !icmp) {
		set_l4_short(view, p, rest, sizeof(*icmp));
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

/*
 * The addresses of one more IP header behind the first, if it lies in the @left bytes that the
 * first vouches for: padding is no header. Nothing else of it is judged.
 */
static __always_inline void take_inner(struct cursor *c, struct packet *p, __u16 ethertype,
				       __u32 left)
{
	if (ethertype == ETHERTYPE_IPV4) {
		const struct iphdr *ip = take(c, sizeof(*ip));

		if (!ip || ip->version != 4 || left < sizeof(*ip))
			return;
		p->inner_src = address4(ip->saddr);
		p->inner_dst = address4(ip->daddr);
		p->inner_family = 4;
	} else if (ethertype == ETHERTYPE_IPV6) {
		const struct ipv6hdr *ip = take(c, sizeof(*ip));

		if (!ip || ip->version != 6 || left < sizeof(*ip))
			return;
		p->inner_src = address6(&ip->saddr);
		p->inner_dst = address6(&ip->daddr);
		p->inner_family = 6;
	}
	if (p->inner_family)
		p->shape |= SHAPE_INNER;
}

/* RFC 2784 and RFC 2890: checksum, key and sequence number are four bytes each when announced. */
static __always_inline void take_gre(struct cursor *c, struct packet *p, __u32 left)
{
	const struct wire_gre *gre = take(c, sizeof(*gre));
	__u32 flags, size;

	if (!gre)
		return;
	flags = host16(gre->flags);
	if (flags & 0x4007) /* routing present, or a version other than 0 */
		return;
	if ((flags & 0x8000) && !take(c, 4))
		return;
	if ((flags & 0x2000) && !take(c, 4))
		return;
	if ((flags & 0x1000) && !take(c, 4))
		return;
	size = (__u32)(c->pos - (void *)gre);
	if (left >= size)
		take_inner(c, p, host16(gre->proto), left - size);
}

static __always_inline void take_tunnel(struct cursor *c, struct packet *p, __u32 left)
{
	p->shape |= SHAPE_TUNNEL;
	set_note(p, REASON_TUNNEL);
	if (p->proto == PROTO_GRE)
		take_gre(c, p, left);
	else
		take_inner(c, p, p->proto == PROTO_IPIP ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, left);
}

static __always_inline void take_l4(struct view *view, struct packet *p, const struct rest *rest)
{
	struct cursor c = cursor_at(view, rest->at);
	const struct wire_ports *ports = c.pos;

	if ((p->proto == PROTO_TCP || p->proto == PROTO_UDP || p->proto == PROTO_SCTP) &&
	    rest->left >= sizeof(*ports) && (void *)(ports + 1) <= c.end) {
		p->sport = host16(ports->sport);
		p->dport = host16(ports->dport);
		p->shape |= SHAPE_PORTS;
	}
	switch (p->proto) {
	case PROTO_TCP:
		take_tcp(view, &c, p, rest);
		break;
	case PROTO_UDP:
		take_udp(view, &c, p, rest);
		break;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		take_icmp(view, &c, p, rest);
		break;
	case PROTO_GRE:
	case PROTO_IPIP:
	case PROTO_IPV6:
		take_tunnel(&c, p, rest->left);
		break;
	}
}

/* A first fragment may legally end inside its L4 header: unusual, never impossible. */
static __always_inline void take_rest(struct view *view, struct packet *p, const struct rest *rest)
{
	__u32 need = p->proto == PROTO_TCP ? sizeof(struct wire_tcp) : sizeof(struct wire_udp);

	if (p->shape & SHAPE_FIRST_FRAGMENT) {
		set_note(p, rest->left < need ? REASON_TINY_FRAGMENT : REASON_FRAGMENT);
		if (rest->left < need)
			return;
	}
	take_l4(view, p, rest);
}

static __always_inline void take_ipv4(struct view *view, struct packet *p, __u32 at,
				      struct rest *rest)
{
	struct cursor c = cursor_at(view, at);
	const struct iphdr *ip = take(&c, sizeof(*ip));
	__u32 header, total, fragment;

	if (!ip) {
		set_short(view, p, rest->linear, REASON_TRUNCATED_IP);
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
	if (!total || total > p->length - at)
		p->length = view_length(view);
	if (!total && p->length - at > 0xffff) { /* BIG TCP: the length does not fit its field */
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
	if (header > sizeof(*ip))
		check_options(view, p, at + (__u32)sizeof(*ip), header - (__u32)sizeof(*ip),
			      REASON_BAD_IP_OPTIONS);
	if (fragment & IP_OFFSET) {
		p->shape |= SHAPE_FRAGMENT;
		set_note(p, REASON_FRAGMENT);
		return;
	}
	if (fragment & IP_MORE_FRAGMENTS)
		p->shape |= SHAPE_FIRST_FRAGMENT;
	rest->at = at + header;
	rest->left = total - header;
}

/* A walk over IPv6 extension headers. */
struct chain {
	__u32 at; /* of the next header */
	__u8 next; /* what it is */
	__u8 shape; /* SHAPE_FRAGMENT or SHAPE_FIRST_FRAGMENT, as seen on the way */
	__u8 cut; /* the frame ended inside a header */
	__u8 pad;
};

/* Is @next an extension header that this walk steps over? (IANA, IPv6 Extension Header Types) */
static __always_inline __u32 is_extension(__u8 next)
{
	return next == PROTO_HOP_OPTIONS || next == PROTO_ROUTING || next == PROTO_FRAGMENT ||
	       next == PROTO_AH || next == PROTO_DEST_OPTIONS || next == PROTO_MOBILITY ||
	       next == PROTO_HIP || next == PROTO_SHIM6;
}

/* One extension header. All of them have at least eight bytes. */
static __always_inline void chain_step(struct view *view, struct chain *chain)
{
	struct cursor c = cursor_at(view, chain->at);
	const struct wire_extension *ext = take(&c, sizeof(*ext));
	__u32 size;

	if (!ext) {
		chain->cut = 1;
		return;
	}
	if (chain->next == PROTO_FRAGMENT) {
		__u16 offset = host16(ext->offset);

		size = 8;
		if (offset & 0xfff8)
			chain->shape |= SHAPE_FRAGMENT;
		else if (offset & 1)
			chain->shape |= SHAPE_FIRST_FRAGMENT;
	} else if (chain->next == PROTO_AH) {
		size = (ext->len + 2u) * 4; /* RFC 4302 counts four-byte words less two */
	} else {
		size = (ext->len + 1u) * 8;
	}
	chain->next = ext->next;
	chain->at += size;
}

/* Steps over at most LIMIT_EXT_HEADERS headers; ends at the first that is none, or in a fragment. */
verified_once int packet_chain(struct view *view, struct chain *chain)
{
	if (!chain)
		return 0;
	for (__u32 i = 0; i < LIMIT_EXT_HEADERS; i++) {
		if (!is_extension(chain->next) || (chain->shape & SHAPE_FRAGMENT) || chain->cut)
			break;
		chain_step(view, chain);
	}
	return 0;
}

/* Behind the fixed header. @start: where that is, @payload: bytes that follow by its length field. */
static __always_inline void take_chain(struct view *view, struct packet *p, __u32 start,
				       __u32 payload, struct rest *rest)
{
	struct chain chain = { .at = start, .next = p->proto };

	if (is_extension(chain.next))
		packet_chain(view, &chain);
	p->proto = chain.next;
	p->shape |= chain.shape & (SHAPE_FRAGMENT | SHAPE_FIRST_FRAGMENT);
	if (chain.cut) {
		set_short(view, p, rest->linear, REASON_TRUNCATED_IP);
	} else if (chain.at - start > payload) {
		set_anomaly(p, REASON_BAD_IP_LENGTH);
	} else if (chain.shape & SHAPE_FRAGMENT) {
		set_note(p, REASON_FRAGMENT);
	} else if (is_extension(chain.next)) {
		set_note(p, REASON_EXT_CHAIN);
	} else {
		rest->at = chain.at;
		rest->left = payload - (chain.at - start);
	}
}

static __always_inline void take_ipv6(struct view *view, struct packet *p, __u32 at,
				      struct rest *rest)
{
	struct cursor c = cursor_at(view, at);
	const struct ipv6hdr *ip = take(&c, sizeof(*ip));
	__u32 payload, there;

	if (!ip) {
		set_short(view, p, rest->linear, REASON_TRUNCATED_IP);
		return;
	}
	p->family = 6;
	p->src = address6(&ip->saddr);
	p->dst = address6(&ip->daddr);
	p->hops = ip->hop_limit;
	p->proto = ip->nexthdr;
	payload = host16(ip->payload_len);
	if (!payload || payload > p->length - at - (__u32)sizeof(*ip))
		p->length = view_length(view);
	there = p->length - at - (__u32)sizeof(*ip);
	if (ip->version != 6) {
		set_anomaly(p, REASON_BAD_VERSION);
		return;
	}
	if (payload > there) {
		set_anomaly(p, REASON_BAD_IP_LENGTH);
		return;
	}
	if (!payload && ip->nexthdr == PROTO_HOP_OPTIONS) {
		set_note(p, REASON_JUMBOGRAM); /* RFC 2675: the length is in an option */
		return;
	}
	if (!payload && there > 0xffff) { /* BIG TCP without that option */
		payload = there;
		set_note(p, REASON_JUMBOGRAM);
	}
	take_chain(view, p, at + (__u32)sizeof(*ip), payload, rest);
}

static __always_inline void take_link(struct view *view, struct packet *p, __u32 *ret_at)
{
	struct cursor c = { .pos = view_start(view), .end = view_end(view) };

	take_ethernet(&c, p);
	*ret_at = (__u32)(c.pos - view_start(view));
}

/* What is not IP, or too deep in tags to be seen as such. */
static __always_inline void take_other(struct view *view, struct packet *p, const struct rest *rest)
{
	p->length = view_length(view);
	switch (p->ethertype) {
	case ETHERTYPE_ARP:
		p->shape = SHAPE_ARP;
		break;
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		set_note(p, REASON_VLAN_DEPTH);
		break;
	case 0:
		set_note(p, p->length > rest->linear ? REASON_NOT_LINEAR : REASON_NOT_IP);
		break;
	default:
		set_note(p, REASON_NOT_IP);
		break;
	}
}

/* packet_read - fill @p, which is all zero, from a frame. */
static __always_inline void packet_read(struct view *view, struct packet *p)
{
	struct rest rest = { .linear = (__u32)(view_end(view) - view_start(view)) };
	__u32 at;

	p->length = rest.linear;
	take_link(view, p, &at);
	if (p->ethertype == ETHERTYPE_IPV4)
		take_ipv4(view, p, at, &rest);
	else if (p->ethertype == ETHERTYPE_IPV6)
		take_ipv6(view, p, at, &rest);
	else
		take_other(view, p, &rest);
	if (rest.at)
		take_rest(view, p, &rest);
}

#ifndef __bpf__
/* packet_parse - the same from bytes; @data..@end may show fewer of them than @length. */
static inline void packet_parse(void *data, void *end, __u32 length, struct packet *p)
{
	struct view view = { .start = data, .end = end, .length = length };

	__builtin_memset(p, 0, sizeof(*p));
	packet_read(&view, p);
}
#endif

#endif
