// SPDX-License-Identifier: GPL-2.0-only
/*
 * The traffic generator: `emit` turns the frames of a live-frame test run into flows and sends
 * them out of an interface; `arrive_xdp` and `arrive_tc` count them where they arrive. One thread
 * runs `emit` at a time, so its counters need no atomics.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include <stanch/wire.h>

#include "traffic_abi.h"

char _license[] SEC("license") = "GPL";

const volatile __u32 out_ifindex = 0;
const volatile __u32 schedule_len = 1;
const volatile __u32 sink_action = XDP_DROP;
const volatile __u32 count_sources = 0;

__u32 turn;
__u8 schedule[TRAFFIC_SCHEDULE];
struct traffic_flow flows[TRAFFIC_FLOWS];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 16);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRAFFIC_FLOWS);
	__type(key, __u32);
	__type(value, struct traffic_arrival);
} arrivals SEC(".maps");

/* How often each source was seen; those past its size are left out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 16);
	__uint(value_size, 8);
} seen SEC(".maps");

/*
 * When the last packet of each flow came: one clock for all CPUs, or a flow that moves from one to
 * another would seem silent.
 */
__u64 last_ns[TRAFFIC_FLOWS];

/* Frames that carry no tag of ours. */
__u64 strangers;

static __always_inline __u32 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline void store16(struct traffic_flow *f, __u32 at, __u16 value)
{
	*(__u16 *)(f->frame + (at & (TRAFFIC_HEAD - 1))) = value;
}

/* Writes the next source into the template; returns its share of the checksums. */
static __always_inline __u64 fill_source(struct traffic_flow *f)
{
	__u8 *at = f->frame + (f->src_at & (TRAFFIC_HEAD - 1));
	__u64 n, half[2];

	if (f->source == SOURCE_RANDOM)
		n = ((__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32()) % (f->span ?: 1);
	else
		n = f->sent % (f->span ?: 1);
	if (f->source == SOURCE_SCATTERED) /* the bits below take turns, too */
		n = ((__u64)traffic_scatter(n, f->bits) << (f->shift & 31)) +
		    (f->sent & ((1u << (f->shift & 31)) - 1));
	half[0] = __builtin_bswap64(f->hi);
	half[1] = __builtin_bswap64(f->lo + n);
	if (f->source == SOURCE_LISTED) {
		__u32 index = f->first + n;
		const __u64 *listed = bpf_map_lookup_elem(&sources, &index);

		if (listed) {
			half[0] = listed[0];
			half[1] = listed[1];
		}
	}
	if (f->family == 4) {
		*(__u32 *)at = half[1] >> 32;
		return half[1] >> 32;
	}
	((__u64 *)at)[0] = half[0];
	((__u64 *)at)[1] = half[1];
	return (half[0] >> 32) + (half[0] & 0xffffffff) + (half[1] >> 32) + (half[1] & 0xffffffff);
}

static __always_inline __u64 fill_tag(struct traffic_flow *f)
{
	__u64 *seq = (__u64 *)(f->frame + ((f->tag_at + 8) & (TRAFFIC_HEAD - 1)));

	*seq = f->sent;
	return (f->sent >> 32) + (f->sent & 0xffffffff);
}

static __always_inline void fill(struct traffic_flow *f)
{
	__u16 sport = __builtin_bswap16(f->sport + f->sent % (f->sports ?: 1));
	__u64 source = fill_source(f);
	__u64 l4 = f->l4_sum + source + fill_tag(f) + sport;

	store16(f, f->sport_at, sport);
	if (f->ip_sum_at)
		store16(f, f->ip_sum_at, ~fold(f->ip_sum + source));
	l4 = ~fold(l4) & 0xffff;
	store16(f, f->l4_sum_at, l4 ?: 0xffff); /* zero would mean "no checksum" in UDP */
}

static __always_inline struct traffic_flow *next_flow(void)
{
	__u32 at = turn, flow;

	if (at >= schedule_len || at >= TRAFFIC_SCHEDULE)
		at = 0;
	turn = at + 1;
	flow = schedule[at] & (TRAFFIC_FLOWS - 1);
	opaque(flow); /* the verifier wants to see the bound */
	return &flows[flow & (TRAFFIC_FLOWS - 1)];
}

SEC("xdp")
int emit(struct xdp_md *ctx)
{
	__u64 *data = (void *)(long)ctx->data;
	__u32 len = ctx->data_end - ctx->data;
	struct traffic_flow *f;
	const __u64 *from;

	if ((void *)data + TRAFFIC_HEAD > (void *)(long)ctx->data_end)
		return XDP_DROP;
	f = next_flow();
	fill(f);
	from = (const __u64 *)f->frame;
#pragma unroll
	for (__u32 i = 0; i < TRAFFIC_HEAD / 8; i++)
		data[i] = from[i];
	if (bpf_xdp_adjust_tail(ctx, (int)f->len - (int)len))
		return XDP_DROP;
	f->sent++;
	return bpf_redirect(out_ifindex, 0);
}

/* ---- where they arrive ---- */

struct found {
	struct traffic_tag tag;
	__u64 src[2]; /* network order; an IPv4 address as its mapped one, ::ffff:a.b.c.d */
};

static __always_inline __u32 skip_vlans(struct cursor *c)
{
	struct ethhdr *eth = take(c, sizeof(*eth));
	__u32 type = eth ? host16(eth->h_proto) : 0;

	for (__u32 i = 0; i < 2 && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ); i++) {
		struct wire_vlan *vlan = take(c, sizeof(*vlan));

		type = vlan ? host16(vlan->ethertype) : 0;
	}
	return type;
}

static __always_inline __u32 take_ip(struct cursor *c, struct found *ret)
{
	__u32 type = skip_vlans(c);

	if (type == ETHERTYPE_IPV4) {
		struct iphdr *ip = take(c, sizeof(*ip));

		if (!ip || ip->ihl != 5)
			return 0;
		ret->src[0] = 0;
		ret->src[1] = 0xffff0000u | (__u64)(__force __u32)ip->saddr << 32;
		return ip->protocol;
	}
	if (type == ETHERTYPE_IPV6) {
		struct ipv6hdr *ip = take(c, sizeof(*ip));

		if (!ip)
			return 0;
		__builtin_memcpy(ret->src, &ip->saddr, sizeof(ret->src));
		return ip->nexthdr;
	}
	return 0;
}

static __always_inline void skip_l4(struct cursor *c, __u32 proto)
{
	struct wire_tcp *tcp;
	__u32 words, options;

	if (proto == PROTO_UDP) {
		take(c, sizeof(struct wire_udp));
		return;
	}
	tcp = take(c, sizeof(*tcp));
	words = tcp ? tcp->offset >> 4 : 5;
	options = words > 5 ? (words - 5) * 4 : 0;
	opaque(options);
	take(c, options & 63);
}

static __always_inline __u32 find_tag(struct cursor *c, struct found *ret)
{
	__u32 proto = take_ip(c, ret);
	struct traffic_tag *tag;

	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return 0;
	skip_l4(c, proto);
	tag = take(c, sizeof(*tag));
	if (!tag || tag->magic != TRAFFIC_MAGIC)
		return 0;
	ret->tag = *tag;
	return 1;
}

static __always_inline void count_source(const __u64 *src)
{
	__u64 key[2] = { src[0], src[1] }, one = 1;
	__u64 *count = bpf_map_lookup_elem(&seen, key);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&seen, key, &one, BPF_NOEXIST);
}

static __always_inline void count_arrival(const struct found *found, __u32 bytes, __u32 mark)
{
	struct traffic_arrival *a = bpf_map_lookup_elem(&arrivals, &found->tag.flow);
	__u64 now = bpf_ktime_get_ns(), seq = found->tag.seq, last;
	__u32 flow = found->tag.flow & (TRAFFIC_FLOWS - 1);

	if (!a) {
		__sync_fetch_and_add(&strangers, 1);
		return;
	}
	last = __sync_lock_test_and_set(&last_ns[flow], now);
	if (last && now > last && now - last > a->gap_ns)
		a->gap_ns = now - last;
	if (!a->packets || seq < a->lowest)
		a->lowest = seq;
	if (a->packets && seq <= a->highest)
		a->late++;
	else
		a->highest = seq;
	a->packets++;
	a->bytes += bytes;
	a->marked += !!mark;
}

static __always_inline void arrive(void *data, void *end, __u32 bytes, __u32 mark)
{
	struct cursor c = { .pos = data, .end = end };
	struct found found;

	if (!find_tag(&c, &found)) {
		__sync_fetch_and_add(&strangers, 1);
		return;
	}
	count_arrival(&found, bytes, mark);
	if (count_sources)
		count_source(found.src);
}

SEC("xdp")
int arrive_xdp(struct xdp_md *ctx)
{
	arrive((void *)(long)ctx->data, (void *)(long)ctx->data_end, ctx->data_end - ctx->data, 0);
	return sink_action;
}

SEC("tc")
int arrive_tc(struct __sk_buff *skb)
{
	arrive((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, skb->mark);
	return sink_action == XDP_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
