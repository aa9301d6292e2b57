// SPDX-License-Identifier: GPL-2.0-only
/*
 * Behind the filters of two interfaces: the order in which generations judged, by the metadata that
 * a flagged packet carries. Packets end here.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include <stanch/abi.h>

#include "order.h"
#include "../../tools/bpf/traffic_abi.h"

char _license[] SEC("license") = "GPL";

#define TAG_AT (14 + 20 + 8) /* untagged Ethernet, IPv4 without options, UDP */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct order);
} order SEC(".maps");

/* The first packet of a rank makes it the newest. */
static __always_inline void note_newest(struct order *o, __u64 rank, __u64 now)
{
	__u64 newest = *(volatile __u64 *)&o->newest;

	for (int i = 0; i < 4 && newest < rank; i++) {
		__u64 before = __sync_val_compare_and_swap(&o->newest, newest, rank);

		if (before == newest) {
			o->newest_ns = now;
			return;
		}
		newest = before;
	}
}

/* One interface of a veth is read by one thread at a time. */
static __always_inline void note(struct order *o, struct order_side *side, __u64 rank)
{
	__u64 now = bpf_ktime_get_ns();

	if (rank < side->rank)
		side->back++;
	else
		side->rank = rank;
	if (rank >= *(volatile __u64 *)&o->newest) {
		note_newest(o, rank, now);
		return;
	}
	side->behind++;
	if (now > o->newest_ns && now - o->newest_ns > side->behind_ns)
		side->behind_ns = now - o->newest_ns;
}

SEC("tc")
int behind(struct __sk_buff *skb)
{
	struct traffic_tag tag;
	struct meta_record *record = (void *)(long)skb->data_meta;
	__u32 zero = 0, which;
	struct order *o = bpf_map_lookup_elem(&order, &zero);
	struct order_side *side;

	if (!o || bpf_skb_load_bytes(skb, TAG_AT, &tag, sizeof(tag)) || tag.magic != TRAFFIC_MAGIC)
		return TC_ACT_UNSPEC;
	which = skb->ifindex != o->ifindex;
	side = &o->sides[which & (ORDER_SIDES - 1)];
	side->packets++;
	if ((void *)(record + 1) > (void *)(long)skb->data || record->magic != META_MAGIC)
		side->unmarked++;
	else
		note(o, side,
		     o->ranks[which & (ORDER_SIDES - 1)][record->slot & (ORDER_SLOTS - 1)]);
	return TC_ACT_SHOT;
}
