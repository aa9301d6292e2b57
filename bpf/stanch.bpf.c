/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet's story, top to bottom: read the control word once, choose the generation, parse,
 * judge, count, act. Trouble of any kind passes the packet and is counted by its own reason.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "command.bpf.h"
#include "sample.bpf.h"
#include "source.bpf.h"

char _license[] SEC("license") = "GPL";

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

/* Trouble after the verdict: a flag that cannot be written is a pass, and says so. */
static __always_inline void act_on_flag(struct xdp_md *ctx, struct passage *s)
{
	if (s->enforced != VERDICT_FLAG || write_meta(ctx, s))
		return;
	s->judgement.verdict = s->enforced = VERDICT_PASS;
	s->judgement.reason = REASON_META_FAILED;
}

/*
 * Reads the packet; the generation whose turn it is says what happens to it. One function for all
 * of that: calls are what a packet's way costs most (decision 0015).
 */
verified_once int look(struct xdp_md *ctx, struct passage *s, struct command *c)
{
	if (!s || !c)
		return 0;
	packet_read(ctx, &s->packet);
	if (WITH_CONTROL)
		choose_generation(c, s);
	if (c->overrides)
		c->orders |= ask_overrides(&s->packet);
	judge_in_slot(s, c->slot, word_mode(c->word), c->orders);
	if (s->judgement.reason == REASON_SLOT_EMPTY && c->expired)
		s->judgement.reason = REASON_LEASE_NO_SLOT;
	return 0;
}

/* Nothing is judged: counted under why, no event, no sample. */
static __always_inline int pass_unjudged(struct xdp_md *ctx, struct passage *s, __u32 reason)
{
	s->slot = SLOT_NONE;
	s->packet.length = bpf_xdp_get_buff_len(ctx);
	s->judgement.reason = reason;
	count_packet(s);
	return XDP_PASS;
}

static __always_inline int run(struct xdp_md *ctx)
{
	struct passage s = { 0 };
	struct command command;
	int action;

	read_command(&command, &s);
	if (command.reason && !twin)
		return pass_unjudged(ctx, &s, command.reason);
	look(ctx, &s, &command);
	count_lists(&s);
	act_on_flag(ctx, &s);
	count_packet(&s);
	count_source(&s);
	if (is_event(&s) && !event_flooded(&s))
		record_event(&s, ctx->ingress_ifindex);
	action = s.enforced == VERDICT_DROP ? XDP_DROP : XDP_PASS;
	if (twin) {
		report_judged(&s);
	} else if (WITH_CONTROL && sample_due(&s, word_epoch(command.word))) {
		s.epoch = word_epoch(command.word);
		take_sample(ctx, &s, word_mode(command.word), command.orders);
	}
	return action;
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
