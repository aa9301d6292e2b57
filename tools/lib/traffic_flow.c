/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a specification to the template that the program in the kernel fills in: a frame with the
 * fields that change left zero, where they are, and the checksums of all the rest.
 */
#include "traffic.h"

#include <errno.h>
#include <string.h>

#include "policy/frame.h"

static bool is_v6(enum traffic_template template)
{
	return template >= V6_UDP;
}

static bool is_udp(enum traffic_template template)
{
	return template == V4_UDP || template == V6_UDP;
}

/* Sum of 16-bit words as they lie in memory, not folded (RFC 1071 is blind to byte order). */
static uint32_t sum_words(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += bytes[i] | bytes[i + 1] << 8;
	return len & 1 ? sum + bytes[len - 1] : sum;
}

static int build_frame(const struct traffic_spec *spec, uint32_t payload, struct frame *ret)
{
	struct frame_step steps[FRAME_STEPS] = { 0 };
	struct address dst = { .hi = spec->dst.hi, .lo = spec->dst.lo };
	struct frame_ends ends = { .dst4 = dst, .dst6 = dst, .dport = spec->dport };
	uint32_t n = 0;

	if (spec->vlan)
		steps[n++] = (struct frame_step){ FRAME_VLAN, ETHERTYPE_VLAN };
	steps[n++] = (struct frame_step){ is_v6(spec->template) ? FRAME_IPV6 : FRAME_IPV4, 0 };
	if (is_udp(spec->template))
		steps[n++] = (struct frame_step){ FRAME_UDP, 0 };
	else if (spec->template == V4_SYN || spec->template == V6_SYN)
		steps[n++] = (struct frame_step){ FRAME_TCP, TCP_SYN | 1 << 8 };
	else
		steps[n++] = (struct frame_step){ FRAME_TCP, TCP_ACK };
	steps[n++] = (struct frame_step){ FRAME_PAYLOAD, payload };
	return frame_build(steps, &ends, ret);
}

static uint32_t l4_length(enum traffic_template template)
{
	if (is_udp(template))
		return 8;
	return template == V4_SYN || template == V6_SYN ? 24 : 20;
}

static void place_fields(const struct traffic_spec *spec, struct traffic_flow *flow)
{
	uint32_t ip = spec->vlan ? 18 : 14, l4 = ip + (is_v6(spec->template) ? 40 : 20);

	flow->family = is_v6(spec->template) ? 6 : 4;
	flow->src_at = ip + (flow->family == 6 ? 8 : 12);
	flow->ip_sum_at = flow->family == 6 ? 0 : ip + 10;
	flow->sport_at = l4;
	flow->l4_sum_at = l4 + (is_udp(spec->template) ? 6 : 16);
	flow->tag_at = l4 + l4_length(spec->template);
}

static void sum_fields(const struct traffic_spec *spec, const struct frame *frame,
		       struct traffic_flow *flow)
{
	uint32_t l4 = flow->sport_at, ip = spec->vlan ? 18 : 14, proto, len = frame->len - l4;
	uint32_t address = flow->family == 6 ? 16 : 4;
	uint8_t pseudo[] = { 0, 0, len >> 8, len & 0xff };

	proto = is_udp(spec->template) ? PROTO_UDP : PROTO_TCP;
	pseudo[1] = proto;
	flow->ip_sum = flow->ip_sum_at ? sum_words(frame->bytes + ip, 20) : 0;
	flow->l4_sum = sum_words(frame->bytes + l4, len) + sum_words(pseudo, sizeof(pseudo)) +
		       sum_words(frame->bytes + flow->src_at + address, address);
}

/* How many sources a prefix holds, as far as 64 bits can count them. */
static uint64_t prefix_span(uint8_t len, uint32_t bits)
{
	return bits - len > 62 ? 1ull << 62 : 1ull << (bits - len);
}

static int place_sources(const struct traffic_spec *spec, struct traffic_flow *flow)
{
	flow->source = spec->source;
	flow->sport = spec->sport;
	flow->sports = spec->sports;
	if (spec->source == SOURCE_LISTED) {
		flow->span = spec->list.count;
		return spec->list.family == flow->family ? 0 : -EINVAL;
	}
	if (spec->src.family != flow->family)
		return -EINVAL;
	flow->hi = flow->family == 6 ? spec->src.hi : 0;
	flow->lo = flow->family == 6 ? spec->src.lo : spec->src.hi >> 32;
	flow->span = prefix_span(spec->src.len, flow->family == 6 ? 128 : 32);
	if (spec->source != SOURCE_SCATTERED)
		return 0;
	if (flow->family == 6)
		return -EINVAL; /* 32 bits are what it scatters */
	flow->span = spec->scattered;
	flow->bits = spec->scatter_len - spec->src.len;
	flow->shift = 32 - spec->scatter_len;
	return 0;
}

/* RFC 5737 and RFC 3849: addresses that belong to nobody. */
static void default_addresses(struct traffic_spec *spec)
{
	bool six = is_v6(spec->template);
	uint64_t src = six ? 0x20010db800010000 : 0xc633640100000000;
	uint64_t dst = six ? 0x20010db800000000 : 0xc000020100000000;
	struct prefix one = { .family = six ? 6 : 4, .len = six ? 128 : 32, .lo = six };

	if (!spec->src.family) {
		spec->src = one;
		spec->src.hi = src;
	}
	if (!spec->dst.family) {
		spec->dst = one;
		spec->dst.hi = dst;
	}
}

static void fill_frame(const struct traffic_spec *spec, const struct traffic_tag *tag,
		       const struct traffic_flow *flow, struct frame *frame)
{
	if (spec->vlan) {
		frame->bytes[14] = spec->vlan >> 8;
		frame->bytes[15] = spec->vlan & 0xff;
	}
	memset(frame->bytes + flow->tag_at, 0, frame->len - flow->tag_at);
	memcpy(frame->bytes + flow->tag_at, tag, sizeof(*tag));
}

int traffic_flow_build(const struct traffic_spec *asked, uint32_t id, const uint8_t dst_mac[6],
		       struct traffic_flow *ret)
{
	struct traffic_tag tag = { .magic = TRAFFIC_MAGIC, .flow = id };
	struct traffic_spec spec = *asked;
	struct traffic_flow flow = { 0 };
	uint32_t payload = sizeof(tag);
	struct frame frame;
	int r;

	default_addresses(&spec);
	place_fields(&spec, &flow);
	if (spec.dst.family != flow.family)
		return -EINVAL;
	if (spec.size > flow.tag_at + sizeof(tag))
		payload = spec.size - flow.tag_at;
	r = build_frame(&spec, payload, &frame);
	if (!r)
		r = place_sources(&spec, &flow);
	if (r)
		return r;
	memcpy(frame.bytes, dst_mac, 6);
	fill_frame(&spec, &tag, &flow, &frame);
	sum_fields(&spec, &frame, &flow);
	flow.len = frame.len;
	memcpy(flow.frame, frame.bytes, frame.len < TRAFFIC_HEAD ? frame.len : TRAFFIC_HEAD);
	*ret = flow;
	return 0;
}
