/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet's story, top to bottom: read the control word once, choose the generation, parse,
 * judge, count, act. Trouble of any kind passes the packet and is counted by its own reason.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "record.bpf.h"

char _license[] SEC("license") = "GPL";

/* The control word, taken apart. */
struct command {
	__u32 slot, mode, kills;
	__u32 reason; /* why nothing is judged; 0 when something is */
	__u32 expired; /* the lease has passed: the slot is last-known-good */
};

static __always_inline __u64 control_entry(__u32 entry)
{
	volatile __u64 *value = bpf_map_lookup_elem(&control, &entry);

	return value ? *value : 0;
}

/* The only read of the control word. An expired lease means last-known-good. */
static __always_inline void read_command(struct command *c)
{
	__u64 word = control_entry(CONTROL_WORD);

	c->slot = word >> WORD_LIVE_SHIFT & WORD_SLOT_MASK;
	c->mode = word >> WORD_MODE_SHIFT & WORD_MODE_MASK;
	c->kills = word >> WORD_KILL_SHIFT & WORD_KILL_MASK;
	c->reason = 0;
	c->expired = word & WORD_PROVISIONAL && bpf_ktime_get_ns() >= control_entry(CONTROL_LEASE);
	if (c->expired)
		c->slot = word >> WORD_GOOD_SHIFT & WORD_SLOT_MASK;
	if (control_entry(CONTROL_BREAK_GLASS))
		c->reason = REASON_BREAK_GLASS;
	else if (c->mode == MODE_BYPASS || c->mode >= MODES)
		c->reason = REASON_BYPASS;
}

/* The more permissive of the operator's mode and the policy's decides what is enforced. */
static __always_inline __u8 enforced_verdict(struct image *image, __u32 mode, __u8 verdict)
{
	const struct image_hot *hot = image_line(image, IMAGE_HOT_LINE);

	if (!hot || mode != MODE_ENFORCE || hot->mode != MODE_ENFORCE)
		return VERDICT_PASS;
	return verdict;
}

/* Puts the record in front of the packet that the tc program turns into a mark. */
static __always_inline __u32 write_meta(struct xdp_md *ctx, const struct passage *s)
{
	struct meta_record *record;
	void *data;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*record)))
		return 0;
	data = (void *)(long)ctx->data;
	record = (void *)(long)ctx->data_meta;
	if ((void *)(record + 1) > data)
		return 0;
	*record = (struct meta_record){
		.magic = META_MAGIC,
		.reason = s->judgement.reason,
		.list = s->judgement.list,
		.slot = s->slot,
	};
	return 1;
}

verified_once int parse(struct xdp_md *ctx, struct packet *p)
{
	if (p)
		packet_read(ctx, p);
	return 0;
}

verified_once int judge(struct passage *s, __u32 slot, __u32 mode, __u32 kills)
{
	struct image *image = bpf_map_lookup_elem(&slots, &slot);
	struct judgement j;

	if (!s)
		return 0;
	s->slot = slot;
	s->enforced = VERDICT_PASS;
	if (!image || slot >= SLOTS) {
		s->judgement.reason = REASON_SLOT_EMPTY;
		return 0;
	}
	judge_packet(image, &s->packet, kills, &j);
	s->judgement = j;
	s->enforced = enforced_verdict(image, mode, j.verdict);
	count_lists(image, s);
	return 0;
}

/* Trouble after the verdict: a flag that cannot be written is a pass, and says so. */
static __always_inline void act_on_flag(struct xdp_md *ctx, struct passage *s)
{
	if (s->enforced != VERDICT_FLAG || write_meta(ctx, s))
		return;
	s->judgement.verdict = s->enforced = VERDICT_PASS;
	s->judgement.reason = REASON_META_FAILED;
}

static __always_inline int run(struct xdp_md *ctx)
{
	struct passage s = { .slot = SLOT_NONE };
	struct command command;

	read_command(&command);
	if (command.reason && !twin) {
		s.packet.length = bpf_xdp_get_buff_len(ctx);
		s.judgement.reason = command.reason;
	} else {
		parse(ctx, &s.packet);
		judge(&s, command.slot, command.mode, command.kills);
		if (s.judgement.reason == REASON_SLOT_EMPTY && command.expired)
			s.judgement.reason = REASON_LEASE_NO_SLOT;
		act_on_flag(ctx, &s);
	}
	count_packet(&s);
	if (is_event(&s))
		record_event(&s, ctx->ingress_ifindex);
	if (twin)
		report_judged(&s);
	return s.enforced == VERDICT_DROP ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int stanch(struct xdp_md *ctx)
{
	return run(ctx);
}

/*
 * For generic mode, where the kernel makes every packet linear for a program that knows no frags.
 * For one that does it copies the packet (since Linux 6.9) and forgets how long the link header is:
 * tc programs, ours included, then see packets that begin at the network header.
 */
SEC("xdp")
int stanch_generic(struct xdp_md *ctx)
{
	return run(ctx);
}

/* Turns the record into a mark, as the generation that judged the packet says. */
SEC("tc")
int mark(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	struct meta_record *record = (void *)(long)skb->data_meta;
	const struct image_hot *hot;
	struct image *image;
	__u32 slot;

	if ((void *)(record + 1) > data || record->magic != META_MAGIC)
		return TC_ACT_UNSPEC;
	slot = record->slot;
	if (slot >= SLOTS)
		return TC_ACT_UNSPEC;
	image = bpf_map_lookup_elem(&slots, &slot);
	hot = image ? image_line(image, IMAGE_HOT_LINE) : (void *)0;
	if (hot && hot->magic == IMAGE_HOT_MAGIC)
		skb->mark = (skb->mark & ~hot->mark_mask) | (hot->mark_value & hot->mark_mask);
	return TC_ACT_UNSPEC;
}
