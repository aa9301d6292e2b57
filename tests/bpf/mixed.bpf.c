// SPDX-License-Identifier: GPL-2.0-only
/*
 * How not to do it: the program as it is, but the control word is read a second time, half a
 * microsecond later, where the tables are chosen. Slot, mode, kill bits and counters then follow
 * one reading and the verdict another. Tests use it as the control that must show packets judged
 * by a mix.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/judge.h>

#define DELAY_ROUNDS 200

static long delay_round(__u32 index, void *context)
{
	(void)index;
	(void)context;
	return 0;
}

static __always_inline struct image *image_chosen_again(struct image *image)
{
	__u32 entry = CONTROL_WORD, slot;
	volatile __u64 *word = bpf_map_lookup_elem(&control, &entry);
	struct image *again;

	if (!word)
		return image;
	bpf_loop(DELAY_ROUNDS, delay_round, (void *)0, 0);
	slot = *word >> WORD_LIVE_SHIFT & WORD_SLOT_MASK;
	again = bpf_map_lookup_elem(&slots, &slot);
	return again ? again : image;
}

static __always_inline void judge_again(const struct question *q, struct judgement *j)
{
	struct image *image = image_chosen_again(q->image);
	const struct question again = { image, image_line(image, IMAGE_HOT_LINE), q->packet,
					q->orders };

	judge_question(&again, j);
}

#define judge_question judge_again
#include "../../bpf/stanch.bpf.c"
