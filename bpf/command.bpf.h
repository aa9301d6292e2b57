/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the operator commands: one read of the control word, and everything that follows from it.
 * Whose turn it is in a trial, and what was said about the packet's source.
 */
#ifndef STANCH_COMMAND_BPF_H
#define STANCH_COMMAND_BPF_H

#include "record.bpf.h"
#include <stanch/override.h>
#include <stanch/siphash.h>

/* The control word, taken apart. */
struct command {
	__u32 slot, mode;
	__u32 orders; /* kill bits, later ORDER_ too */
	__u32 reason; /* why nothing is judged; 0 when something is */
	__u32 expired; /* the lease has passed: the slot is last-known-good */
	__u32 other; /* slot of the other generation of a trial, SLOT_NONE without one */
	__u32 share; /* permille of the sources that `other` judges: a canary */
	__u32 flags; /* SAMPLE_CANDIDATE when `slot` is on trial */
	__u32 epoch;
};

static __always_inline __u64 control_entry(__u32 entry)
{
	volatile __u64 *value = bpf_map_lookup_elem(&control, &entry);

	return value ? *value : 0;
}

/* The word belongs to a trial. When its lease has passed, who judges is who was kept last. */
static __always_inline void read_trial(struct command *c, __u64 word)
{
	__u32 good = word >> WORD_GOOD_SHIFT & WORD_SLOT_MASK;
	__u32 share = word >> WORD_SHARE_SHIFT & WORD_SHARE_MASK;

	if (bpf_ktime_get_ns() < control_entry(CONTROL_LEASE)) {
		c->other = share ? word >> WORD_CANDIDATE_SHIFT & WORD_SLOT_MASK : good;
		c->flags = share ? 0 : SAMPLE_CANDIDATE;
		c->share = share;
	} else if (!share) {
		c->slot = good;
		c->expired = 1;
	}
}

/* The only read of the control word. */
static __always_inline void read_command(struct command *c)
{
	__u64 word = control_entry(CONTROL_WORD);

	*c = (struct command){
		.slot = word >> WORD_LIVE_SHIFT & WORD_SLOT_MASK,
		.mode = word >> WORD_MODE_SHIFT & WORD_MODE_MASK,
		.orders = word >> WORD_KILL_SHIFT & WORD_KILL_MASK,
		.epoch = word >> WORD_EPOCH_SHIFT & WORD_EPOCH_MASK,
		.other = SLOT_NONE,
	};
	if (word & WORD_PROVISIONAL)
		read_trial(c, word);
	if (control_entry(CONTROL_BREAK_GLASS))
		c->reason = REASON_BREAK_GLASS;
	else if (c->mode == MODE_BYPASS || c->mode >= MODES)
		c->reason = REASON_BYPASS;
}

/*
 * Where this source stands among a thousand: always at the same place within a boot, and nobody
 * else can tell where. IPv6 by /64, which is one customer. No secret: behind everybody.
 */
verified_once int source_place(struct packet *p)
{
	__u32 zero = 0;
	const __u64 *key = bpf_map_lookup_elem(&seed, &zero);
	__u64 source[2];

	if (!p || !key)
		return WORD_SHARE_MASK + 1;
	source[0] = p->src.hi;
	source[1] = p->family;
	return siphash_pair(key, source, 1, 3) % 1000;
}

/* In a canary its share of the sources changes over to the candidate. */
static __always_inline void choose_generation(struct command *c, struct packet *p)
{
	__u32 live = c->slot;

	if (!c->share || !p->family || (__u32)source_place(p) >= c->share)
		return;
	c->slot = c->other;
	c->other = live;
	c->flags = SAMPLE_CANDIDATE;
}

verified_once int ask_overrides(struct packet *p)
{
	__u32 zero = 0;
	struct image *image = bpf_map_lookup_elem(&overrides, &zero);

	if (!p || !image)
		return 0;
	return override_orders(image, p, bpf_ktime_get_coarse_ns());
}

#endif
