/* SPDX-License-Identifier: GPL-2.0-only */
/* What one generation says about a packet. Counts nothing: in a trial a packet is judged twice. */
#ifndef STANCH_GENERATION_BPF_H
#define STANCH_GENERATION_BPF_H

#include "record.bpf.h"

/* The more permissive of the operator's mode and the policy's decides what is enforced. */
static __always_inline void enforce(const struct image_hot *hot, __u32 mode, struct passage *s)
{
	if (!hot)
		return;
	s->sources = hot->flags & IMAGE_SOURCES;
	if (hot->mode != MODE_ENFORCE)
		return;
	s->drops = s->judgement.verdict == VERDICT_DROP;
	if (mode == MODE_ENFORCE)
		s->enforced = s->judgement.verdict;
}

/* Fills the judgement of @s, and what is enforced of it. */
static __always_inline void judge_in_slot(struct passage *s, __u32 slot, __u32 mode, __u32 orders)
{
	struct image *image = bpf_map_lookup_elem(&slots, &slot);
	struct question q = { image, (void *)0, &s->packet, orders };
	struct judgement j = { 0 };

	s->slot = slot;
	s->enforced = VERDICT_PASS;
	s->drops = 0;
	s->sources = 0;
	if (image && slot < SLOTS) {
		q.hot = image_line(image, IMAGE_HOT_LINE);
		judge_question(&q, &j);
	} else {
		j.reason = REASON_SLOT_EMPTY;
	}
	s->judgement = j;
	enforce(q.hot, mode, s);
}

verified_once int judge(struct passage *s, __u32 slot, __u32 mode, __u32 orders)
{
	if (s)
		judge_in_slot(s, slot, mode, orders);
	return 0;
}

#endif
