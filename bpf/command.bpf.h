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

/* 0, to compare what they cost: no word (slot 1 is live), overrides, canary and samples. */
#ifndef WITH_CONTROL
#define WITH_CONTROL 1
#endif
#define FIXED_WORD (1ull << WORD_LIVE_SHIFT | (__u64)MODE_ENFORCE << WORD_MODE_SHIFT)

/* The control word, and what follows from it for one packet. */
struct command {
	__u64 word; /* as it was read */
	__u32 slot;
	__u32 orders; /* kill bits, later ORDER_ too */
	__u32 reason; /* why nothing is judged; 0 when something is */
	__u32 expired; /* the lease has passed: the slot is last-known-good */
	__u64 overrides; /* there are some; read beside the other entries, which costs least */
};

static __always_inline __u32 word_mode(__u64 word)
{
	return word >> WORD_MODE_SHIFT & WORD_MODE_MASK;
}

static __always_inline __u32 word_share(__u64 word)
{
	return word >> WORD_SHARE_SHIFT & WORD_SHARE_MASK;
}

static __always_inline __u16 word_epoch(__u64 word)
{
	return word >> WORD_EPOCH_SHIFT;
}

static __always_inline __u64 control_entry(__u32 entry)
{
	volatile __u64 *value = bpf_map_lookup_elem(&control, &entry);

	return value ? *value : 0;
}

/* The word belongs to a trial. When its lease has passed, who judges is who was kept last. */
static __always_inline void read_trial(struct command *c, struct passage *s)
{
	__u32 good = c->word >> WORD_GOOD_SHIFT & WORD_SLOT_MASK;
	__u32 share = word_share(c->word);

	if (bpf_ktime_get_ns() < control_entry(CONTROL_LEASE)) {
		s->other = 1 + (share ? c->word >> WORD_CANDIDATE_SHIFT & WORD_SLOT_MASK : good);
		s->flags = share ? 0 : SAMPLE_CANDIDATE;
	} else if (!share) {
		c->slot = good;
		c->expired = 1;
	}
}

/* The only read of the control word. */
static __always_inline void read_command(struct command *c, struct passage *s)
{
	__u64 word = WITH_CONTROL ? control_entry(CONTROL_WORD) : FIXED_WORD;

	*c = (struct command){
		.word = word,
		.slot = word >> WORD_LIVE_SHIFT & WORD_SLOT_MASK,
		.orders = word >> WORD_KILL_SHIFT & WORD_KILL_MASK,
	};
	if (!WITH_CONTROL)
		return;
	if (word & WORD_PROVISIONAL)
		read_trial(c, s);
	c->overrides = control_entry(CONTROL_OVERRIDES);
	if (control_entry(CONTROL_BREAK_GLASS))
		c->reason = REASON_BREAK_GLASS;
	else if (word_mode(word) == MODE_BYPASS || word_mode(word) >= MODES)
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
static __always_inline void choose_generation(struct command *c, struct passage *s)
{
	__u32 share = word_share(c->word), live = c->slot;

	if (!s->other || !share || !s->packet.family || (__u32)source_place(&s->packet) >= share)
		return;
	c->slot = s->other - 1;
	s->other = 1 + live;
	s->flags = SAMPLE_CANDIDATE;
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
