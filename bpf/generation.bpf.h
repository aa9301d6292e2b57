/* SPDX-License-Identifier: GPL-2.0-only */
/* What one generation says about a packet. Counts nothing: in a trial a packet is judged twice. */
#ifndef STANCH_GENERATION_BPF_H
#define STANCH_GENERATION_BPF_H

#include "record.bpf.h"

/* The more permissive of the operator's mode and the policy's decides what is enforced. */
static __always_inline void enforce(struct image *image, __u32 mode, struct passage *s)
{
	const struct image_hot *hot = image_line(image, IMAGE_HOT_LINE);

	if (!hot || hot->mode != MODE_ENFORCE)
		return;
	s->drops = s->judgement.verdict == VERDICT_DROP;
	if (mode == MODE_ENFORCE)
		s->enforced = s->judgement.verdict;
}

verified_once int judge(struct passage *s, __u32 slot, __u32 mode, __u32 orders)
{
	struct image *image = bpf_map_lookup_elem(&slots, &slot);
	struct judgement j = { .reason = REASON_SLOT_EMPTY };

	if (!s)
		return 0;
	s->slot = slot;
	s->enforced = VERDICT_PASS;
	s->drops = 0;
	if (image && slot < SLOTS)
		judge_packet(image, &s->packet, orders, &j);
	s->judgement = j;
	if (image)
		enforce(image, mode, s);
	return 0;
}

#endif
