/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps to bytes. Every header announces itself in the field that its predecessor left open (an
 * ethertype or a protocol number) and leaves one open in turn; lengths are filled in at the end,
 * lies after that.
 */
#include "policy/frame.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define LIES 8u
#define LENGTHS 8u

enum length_kind { LENGTH_IPV4, LENGTH_IPV6, LENGTH_UDP };

struct length_field {
	uint32_t at; /* of its header */
	enum length_kind kind;
};

struct lie {
	uint32_t at;
	uint8_t value;
};

struct builder {
	struct frame frame;
	struct frame_ends ends;
	uint32_t next_at; /* where the next header announces itself */
	uint32_t next_size; /* 2: an ethertype, 1: a protocol number */
	uint32_t last; /* start of the last header */
	uint32_t ip; /* start and family of the last IP header; 0 before the first */
	uint32_t ip_family;
	uint32_t ip_count;
	struct length_field lengths[LENGTHS];
	uint32_t length_count;
	struct lie lies[LIES];
	uint32_t lie_count;
	uint32_t cut; /* final length when some step set it */
	int error;
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static void put_address(uint8_t *at, const struct address *address, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		at[i] = (i < 8 ? address->hi >> (56 - 8 * i) : address->lo >> (120 - 8 * i)) & 0xff;
}

/* Zeroed room at the end of the frame. After an overflow a scratch area keeps writers harmless. */
static uint8_t *grow(struct builder *b, uint32_t len)
{
	uint8_t *at = b->frame.bytes + b->frame.len;

	if (len > FRAME_MAX - b->frame.len) {
		b->error = -EINVAL;
		b->frame.len = 0;
		return b->frame.bytes;
	}
	b->last = b->frame.len;
	b->frame.len += len;
	return at;
}

/* Tell the header before that this is what follows it. */
static void announce(struct builder *b, uint16_t ethertype, uint8_t proto)
{
	if (b->next_size == 2)
		put16(b->frame.bytes + b->next_at, ethertype);
	else
		b->frame.bytes[b->next_at] = proto;
}

static void leave_open(struct builder *b, uint32_t at, uint32_t size)
{
	b->next_at = at;
	b->next_size = size;
}

static void add_length(struct builder *b, enum length_kind kind)
{
	if (b->length_count == LENGTHS) {
		b->error = -EINVAL;
		return;
	}
	b->lengths[b->length_count++] = (struct length_field){ .at = b->last, .kind = kind };
}

static void step_vlan(struct builder *b, uint16_t tpid)
{
	uint8_t *tag;

	announce(b, tpid, 0);
	tag = grow(b, 4);
	put16(tag, 100);
	leave_open(b, b->last + 2, 2);
}

/* Options as a working stack could send them: one record route that fills all but a last zero. */
static void step_ipv4(struct builder *b, uint16_t words)
{
	const struct address *src = b->ip_count ? &b->ends.inner_src4 : &b->ends.src4;
	const struct address *dst = b->ip_count ? &b->ends.inner_dst4 : &b->ends.dst4;
	uint8_t *ip;

	if (words > 10) {
		b->error = -EINVAL;
		return;
	}
	announce(b, ETHERTYPE_IPV4, PROTO_IPIP);
	ip = grow(b, 20 + words * 4u);
	ip[0] = 0x45 + words;
	ip[8] = 64;
	put_address(ip + 12, src, 4);
	put_address(ip + 16, dst, 4);
	if (words) {
		ip[20] = 7;
		ip[21] = words * 4u - 1;
		ip[22] = 4;
	}
	add_length(b, LENGTH_IPV4);
	leave_open(b, b->last + 9, 1);
	b->ip = b->last;
	b->ip_family = 4;
	b->ip_count++;
}

static void step_ipv6(struct builder *b, uint16_t unused)
{
	const struct address *src = b->ip_count ? &b->ends.inner_src6 : &b->ends.src6;
	const struct address *dst = b->ip_count ? &b->ends.inner_dst6 : &b->ends.dst6;
	uint8_t *ip;

	(void)unused;
	announce(b, ETHERTYPE_IPV6, PROTO_IPV6);
	ip = grow(b, 40);
	ip[0] = 0x60;
	ip[6] = 59; /* no next header, until one is announced */
	ip[7] = 64;
	put_address(ip + 8, src, 16);
	put_address(ip + 24, dst, 16);
	add_length(b, LENGTH_IPV6);
	leave_open(b, b->last + 6, 1);
	b->ip = b->last;
	b->ip_family = 6;
	b->ip_count++;
}

static void extension(struct builder *b, uint8_t proto, uint32_t size, uint8_t length)
{
	uint8_t *ext;

	announce(b, 0, proto);
	ext = grow(b, size);
	ext[0] = 59;
	ext[1] = length;
	leave_open(b, b->last, 1);
}

static void step_fragment(struct builder *b, uint16_t arg)
{
	uint16_t offset = arg & IP_OFFSET;

	if (b->ip_family == 4) {
		put16(b->frame.bytes + b->ip + 6, arg & (IP_OFFSET | IP_MORE_FRAGMENTS));
		return;
	}
	extension(b, PROTO_FRAGMENT, 8, 0);
	put16(b->frame.bytes + b->last + 2, offset << 3 | (arg & IP_MORE_FRAGMENTS ? 1 : 0));
}

/* Hop-by-hop and destination options hold one PadN that fills them. */
static void options_header(struct builder *b, uint8_t proto, uint16_t units)
{
	uint32_t size = (units + 1u) * 8;

	extension(b, proto, size, units);
	if (b->error)
		return;
	b->frame.bytes[b->last + 2] = 1;
	b->frame.bytes[b->last + 3] = size - 4;
}

static void step_hop_options(struct builder *b, uint16_t units)
{
	options_header(b, PROTO_HOP_OPTIONS, units);
}

static void step_dest_options(struct builder *b, uint16_t units)
{
	options_header(b, PROTO_DEST_OPTIONS, units);
}

static void step_routing(struct builder *b, uint16_t units)
{
	extension(b, PROTO_ROUTING, (units + 1u) * 8, units);
}

static void step_mobility(struct builder *b, uint16_t units)
{
	extension(b, PROTO_MOBILITY, (units + 1u) * 8, units);
}

static void step_ah(struct builder *b, uint16_t words)
{
	uint32_t size = 16 + words * 4u; /* RFC 4302: fixed part and at least one word of ICV */

	extension(b, PROTO_AH, size, size / 4 - 2);
}

static void step_tcp(struct builder *b, uint16_t arg)
{
	uint32_t words = arg >> 8;
	uint8_t *tcp;

	if (words > 10) {
		b->error = -EINVAL;
		return;
	}
	announce(b, 0, PROTO_TCP);
	tcp = grow(b, 20 + words * 4);
	put16(tcp, b->ends.sport);
	put16(tcp + 2, b->ends.dport);
	tcp[12] = (5 + words) << 4;
	tcp[13] = arg & 0xff;
	put16(tcp + 14, 0xffff);
	memset(tcp + 20, 1, (size_t)words * 4);
	if (words)
		memcpy(tcp + 20, "\x02\x04\x05\xb4", 4); /* maximum segment size 1460 */
}

static void step_udp(struct builder *b, uint16_t unused)
{
	uint8_t *udp;

	(void)unused;
	announce(b, 0, PROTO_UDP);
	udp = grow(b, 8);
	put16(udp, b->ends.sport);
	put16(udp + 2, b->ends.dport);
	add_length(b, LENGTH_UDP);
}

static void icmp(struct builder *b, uint8_t proto, uint16_t type_code)
{
	announce(b, 0, proto);
	put16(grow(b, 8), type_code);
}

static void step_icmp(struct builder *b, uint16_t type_code)
{
	icmp(b, PROTO_ICMP, type_code);
}

/* Neighbour discovery is sent with hop limit 255 (RFC 4861); a lie may follow. */
static void step_icmpv6(struct builder *b, uint16_t type_code)
{
	icmp(b, PROTO_ICMPV6, type_code);
	if (b->ip_family == 6 && type_code >> 8 >= 133 && type_code >> 8 <= 137)
		b->frame.bytes[b->ip + 7] = 255;
}

static void step_sctp(struct builder *b, uint16_t unused)
{
	uint8_t *sctp;

	(void)unused;
	announce(b, 0, PROTO_SCTP);
	sctp = grow(b, 32);
	put16(sctp, b->ends.sport);
	put16(sctp + 2, b->ends.dport);
	sctp[12] = 1; /* an INIT chunk */
	sctp[15] = 20;
}

static void step_gre(struct builder *b, uint16_t flags)
{
	uint32_t fields = !!(flags & 0x8000) + !!(flags & 0x2000) + !!(flags & 0x1000);

	announce(b, 0, PROTO_GRE);
	put16(grow(b, 4 + fields * 4), flags);
	leave_open(b, b->last + 2, 2);
}

static void step_esp(struct builder *b, uint16_t unused)
{
	(void)unused;
	announce(b, 0, 50);
	grow(b, 32)[3] = 1;
}

static void step_arp(struct builder *b, uint16_t unused)
{
	uint8_t *arp;

	(void)unused;
	announce(b, ETHERTYPE_ARP, 0);
	arp = grow(b, 46); /* padded to the shortest Ethernet payload */
	memcpy(arp, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
	put_address(arp + 14, &b->ends.src4, 4);
	put_address(arp + 24, &b->ends.dst4, 4);
}

static void step_proto(struct builder *b, uint16_t proto)
{
	announce(b, 0, proto);
}

static void step_ethertype(struct builder *b, uint16_t ethertype)
{
	announce(b, ethertype, 0);
}

static void step_word(struct builder *b, uint16_t value)
{
	uint32_t last = b->last;

	put16(grow(b, 2), value);
	b->last = last;
}

static void step_payload(struct builder *b, uint16_t len)
{
	uint32_t last = b->last;

	memset(grow(b, len), 'x', b->error ? 0 : len);
	b->last = last;
}

static void step_sport(struct builder *b, uint16_t port)
{
	b->ends.sport = port;
}

static void step_dport(struct builder *b, uint16_t port)
{
	b->ends.dport = port;
}

static void step_src_byte(struct builder *b, uint16_t value)
{
	b->ends.src4.hi = (b->ends.src4.hi & ~(0xffull << 32)) | (uint64_t)(value & 0xff) << 32;
	b->ends.src6.lo = (b->ends.src6.lo & ~0xffull) | (value & 0xff);
}

static void step_src_mapped(struct builder *b, uint16_t unused)
{
	(void)unused;
	b->ends.src6 = address_v6(0, 0xffffull << 32 | b->ends.src4.hi >> 32);
}

static void step_src_6to4(struct builder *b, uint16_t unused)
{
	(void)unused;
	b->ends.src6 = address_v6(0x2002ull << 48 | b->ends.src4.hi >> 16, 1);
}

static void step_set(struct builder *b, uint16_t arg)
{
	if (b->lie_count == LIES) {
		b->error = -EINVAL;
		return;
	}
	b->lies[b->lie_count++] = (struct lie){ .at = b->last + (arg >> 8), .value = arg & 0xff };
}

static void step_length(struct builder *b, uint16_t len)
{
	b->cut = len;
}

static void (*const step_fns[])(struct builder *b, uint16_t arg) = {
	[FRAME_VLAN] = step_vlan,
	[FRAME_IPV4] = step_ipv4,
	[FRAME_IPV6] = step_ipv6,
	[FRAME_FRAGMENT] = step_fragment,
	[FRAME_HOP_OPTIONS] = step_hop_options,
	[FRAME_DEST_OPTIONS] = step_dest_options,
	[FRAME_ROUTING] = step_routing,
	[FRAME_MOBILITY] = step_mobility,
	[FRAME_AH] = step_ah,
	[FRAME_TCP] = step_tcp,
	[FRAME_UDP] = step_udp,
	[FRAME_ICMP] = step_icmp,
	[FRAME_ICMPV6] = step_icmpv6,
	[FRAME_SCTP] = step_sctp,
	[FRAME_GRE] = step_gre,
	[FRAME_ESP] = step_esp,
	[FRAME_ARP] = step_arp,
	[FRAME_PROTO] = step_proto,
	[FRAME_ETHERTYPE] = step_ethertype,
	[FRAME_WORD] = step_word,
	[FRAME_PAYLOAD] = step_payload,
	[FRAME_SPORT] = step_sport,
	[FRAME_DPORT] = step_dport,
	[FRAME_SRC_BYTE] = step_src_byte,
	[FRAME_SRC_MAPPED] = step_src_mapped,
	[FRAME_SRC_6TO4] = step_src_6to4,
	[FRAME_SET] = step_set,
	[FRAME_LENGTH] = step_length,
};

static void start(struct builder *b, const struct frame_ends *ends)
{
	*b = (struct builder){ .ends = *ends };
	memcpy(grow(b, 14), "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	leave_open(b, 12, 2);
}

static void fill_lengths(struct builder *b)
{
	static const uint8_t fields[] = { [LENGTH_IPV4] = 2, [LENGTH_IPV6] = 4, [LENGTH_UDP] = 4 };

	for (uint32_t i = 0; i < b->length_count; i++) {
		const struct length_field *length = &b->lengths[i];
		uint32_t bytes = b->frame.len - length->at;

		if (length->kind == LENGTH_IPV6)
			bytes -= 40;
		put16(b->frame.bytes + length->at + fields[length->kind], bytes);
	}
}

/* Lies may point anywhere in the frame; cutting comes last, so that lengths stay what they were. */
static void tell_lies(struct builder *b)
{
	for (uint32_t i = 0; i < b->lie_count; i++) {
		if (b->lies[i].at >= b->frame.len)
			b->error = -EINVAL;
		else
			b->frame.bytes[b->lies[i].at] = b->lies[i].value;
	}
	if (b->cut > FRAME_MAX)
		b->error = -EINVAL;
	else if (b->cut)
		b->frame.len = b->cut;
}

int frame_build(const struct frame_step *steps, const struct frame_ends *ends, struct frame *ret)
{
	struct builder b;

	start(&b, ends);
	for (uint32_t i = 0; i < FRAME_STEPS && steps[i].op != FRAME_END && !b.error; i++) {
		if (steps[i].op >= ARRAY_SIZE(step_fns))
			return -EINVAL;
		step_fns[steps[i].op](&b, steps[i].arg);
	}
	if (b.error)
		return b.error;
	fill_lengths(&b);
	tell_lies(&b);
	if (b.error)
		return b.error;
	*ret = b.frame;
	return 0;
}

void frame_judge(const struct image *image, const void *bytes, uint32_t len, uint32_t kills,
		 struct judgement *ret)
{
	struct packet packet;

	packet_parse((void *)bytes, (uint8_t *)bytes + len, len, &packet);
	judge_packet((struct image *)image, &packet, kills, ret);
}

bool frame_is_readable(const void *bytes, uint32_t there, uint32_t len)
{
	uint8_t *start = (uint8_t *)bytes;
	const void *a, *b; /* parsing clears all of a packet, its padding too */
	struct packet seen, padded;

	if (there == len)
		return true;
	packet_parse(start, start + there, len, &seen);
	packet_parse(start, start + len, len, &padded);
	seen.length = padded.length; /* judged by nothing, and it follows what can be seen */
	a = &seen;
	b = &padded;
	return seen.note != REASON_NOT_LINEAR && !memcmp(a, b, sizeof(seen));
}
