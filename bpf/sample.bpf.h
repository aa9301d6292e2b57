/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples of recent traffic: by countdown, so that a packet that is not taken costs one lookup.
 * The countdown follows the rate. None of this can change a verdict; what fails is not recorded.
 */
#ifndef STANCH_SAMPLE_BPF_H
#define STANCH_SAMPLE_BPF_H

#include "generation.bpf.h"

#define SAMPLE_RING (LIMIT_SAMPLES / SAMPLE_KINDS)
/*
 * The interval follows the rate after a window of so long, which spans the bursts that packets come
 * in: what happens inside of one says little about the rate. Or after so many samples: a flood.
 */
#define SAMPLE_WINDOW_NS 10000000ull
#define SAMPLE_WINDOW 512u
#define SAMPLE_GROWTH 4u /* at most, per window */
#define SAMPLE_INTERVAL_MAX (1u << 20)
#define SAMPLE_LOOK 64u /* packets between looks at the clock, a power of two */
#define SAMPLE_SILENCE_NS 100000000ull /* after so long the next look takes a sample */

/* Which of the two rings. */
static __always_inline __u32 sample_kind(const struct passage *s)
{
	return s->enforced == VERDICT_DROP ? SAMPLE_DROPPED : SAMPLE_PASSED;
}

/* Counts the packet. Is it one that take_sample() should look at? @epoch is the word's. */
static __always_inline __u32 sample_due(const struct passage *s, __u16 epoch)
{
	__u32 verdict = s->enforced;
	struct sampler *sampler = bpf_map_lookup_elem(&samplers, &verdict);

	return sampler && (!(sampler->left-- & (SAMPLE_LOOK - 1)) || sampler->epoch != epoch);
}

/* ns between two samples of a kind on this CPU, if all CPUs took their share. */
static __always_inline __u64 sample_spacing(const struct passage *s)
{
	__u32 rate = s->other ? SAMPLES_PER_SECOND_TRIAL : SAMPLES_PER_SECOND;

	return cpus * 1000000000ull / rate;
}

/* @packets in @elapsed ns: how many of them to one sample? */
static __always_inline __u32 sample_interval(__u64 packets, __u64 spacing, __u64 elapsed)
{
	__u64 interval = packets * spacing / (elapsed ? elapsed : 1);

	if (interval > SAMPLE_INTERVAL_MAX)
		return SAMPLE_INTERVAL_MAX;
	return interval ? interval : 1;
}

static __always_inline void sample_adapt(struct sampler *m, __u64 spacing)
{
	__u32 most = m->interval * SAMPLE_GROWTH;
	__u64 now = bpf_ktime_get_ns(), elapsed = now - m->window_ns;

	if (++m->taken < SAMPLE_WINDOW && elapsed < SAMPLE_WINDOW_NS)
		return;
	m->interval = sample_interval((__u64)m->interval * m->taken, spacing, elapsed);
	if (m->interval > most)
		m->interval = most;
	m->window_ns = now;
	m->taken = 0;
}

/* log2 of what a sample stands for, to the nearest: the number of its bits, without a branch. */
static __always_inline __u8 sample_weight(__u64 packets)
{
	__u64 rounded = packets * 181 / 128; /* times the square root of two */
	__u64 bits = 0;

#pragma unroll
	for (__u32 i = 1; i <= 21; i++) {
		__u64 none = 0 - (rounded >> i);

		opaque(none);
		bits += none >> 63;
	}
	return bits;
}

/* A flood is over: what was counted since the last sample says how fast it is now. */
static __always_inline void sample_restart(struct sampler *m, __u64 counted, __u64 spacing,
					   __u64 now)
{
	m->interval = sample_interval(counted, spacing, now - m->last_ns);
	m->window_ns = bpf_ktime_get_ns();
	m->taken = 0;
}

/*
 * Packets to the next sample: @interval on average. Sources that take turns would else be seen
 * always or never, and who sends could tell which packets are looked at.
 */
static __always_inline __u32 sample_gap(__u32 interval)
{
	__u32 spread = 2 * interval - 1;

	return 1 + bpf_get_prandom_u32() % (spread ? spread : 1);
}

/*
 * Who judges has changed, and with it what is dropped: what was rare may be everything now, and of
 * what is rare now every packet counts. So the rate is learnt anew, from the first packet on.
 */
static __always_inline void sample_renew(struct sampler *m, __u32 epoch)
{
	m->epoch = epoch;
	m->interval = m->gap = 1;
	m->window_ns = bpf_ktime_get_ns();
	m->taken = 0;
}

/*
 * The countdown is at @left. Is this packet taken? Then the next countdown begins, and what it
 * stands for is returned; else 0.
 */
static __always_inline __u32 sample_now(struct sampler *m, const struct passage *s, __u32 left,
					__u64 now)
{
	__u32 counted;

	if (!m->interval || m->epoch != s->epoch)
		sample_renew(m, s->epoch);
	counted = left < m->gap ? m->gap - left : m->gap;
	if (counted == m->gap) {
		counted = m->interval;
		sample_adapt(m, sample_spacing(s));
	} else if (now - m->last_ns > SAMPLE_SILENCE_NS) {
		sample_restart(m, counted, sample_spacing(s), now);
	} else {
		return 0;
	}
	m->gap = sample_gap(m->interval);
	m->left = m->gap - 1;
	m->last_ns = now;
	return counted;
}

/* The place of the next sample of this kind. */
static __always_inline struct sample *sample_place(__u32 kind, __u8 *ret_flags)
{
	__u32 key = kind * SAMPLE_AT_STRIDE;
	__u64 *at = bpf_map_lookup_elem(&reservoir_at, &key);
	__u64 n;

	if (!at)
		return (void *)0;
	n = __sync_fetch_and_add(at, 1);
	*ret_flags = n / SAMPLE_RING & 1 ? SAMPLE_ODD_LAP : 0;
	key = kind * SAMPLE_RING + (__u32)(n % SAMPLE_RING);
	return bpf_map_lookup_elem(&reservoir, &key);
}

/* What the packet got. */
static __always_inline void sample_first(struct sample *sample, const struct passage *s)
{
	sample->length = s->packet.length;
	sample->verdict = s->judgement.verdict;
	sample->enforced = s->enforced;
	sample->reason = s->judgement.reason;
	sample->slot = s->slot;
	sample->list = s->judgement.list;
	sample->epoch = s->epoch;
	sample->flags |= s->flags | (s->drops ? SAMPLE_DROPS : 0);
}

/* What the other generation says about it, for the record only; @s is changed. */
static __always_inline void sample_other(struct sample *sample, struct passage *s, __u32 mode,
					 __u32 orders)
{
	__u32 slot = s->other ? s->other - 1 : SLOT_NONE;

	sample->other_slot = slot;
	sample->other_verdict = VERDICT_PASS;
	sample->other_reason = 0;
	sample->other_list = 0;
	if (slot == SLOT_NONE)
		return;
	judge(s, slot, mode, orders);
	sample->other_verdict = s->judgement.verdict;
	sample->other_reason = s->judgement.reason;
	sample->other_list = s->judgement.list;
	sample->flags |= SAMPLE_TRIAL | (s->drops ? SAMPLE_OTHER_DROPS : 0);
}

static __always_inline void sample_head(struct sample *sample, struct xdp_md *ctx,
					const struct passage *s)
{
	__u64 captured = s->packet.length;

	__builtin_memset(sample->head, 0, sizeof(sample->head));
	sample->captured = 0;
	if (captured > SAMPLE_HEAD)
		captured = SAMPLE_HEAD;
	opaque(captured); /* both bounds by themselves, as Linux 6.1 wants to see them */
	if (captured > SAMPLE_HEAD)
		return;
	opaque(captured);
	if (captured < sizeof(struct ethhdr))
		return;
	if (!bpf_xdp_load_bytes(ctx, 0, sample->head, captured))
		sample->captured = captured;
}

/*
 * take_sample - the countdown of this packet's kind is at a multiple of SAMPLE_LOOK. The last that
 * happens to a packet: @s is changed. Exchanges are full barriers: a reader that finds the same
 * time before and after its copy has all of the sample.
 */
verified_once int take_sample(struct xdp_md *ctx, struct passage *s, __u32 mode, __u32 orders)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct sampler *sampler;
	struct sample *sample;
	__u32 kind, verdict, packets;
	__u8 flags;

	if (!s)
		return 0;
	kind = sample_kind(s);
	verdict = s->enforced;
	sampler = bpf_map_lookup_elem(&samplers, &verdict);
	packets = sampler ? sample_now(sampler, s, sampler->left + 1, now) : 0;
	sample = packets ? sample_place(kind, &flags) : (void *)0;
	if (!sample)
		return 0;
	__sync_lock_test_and_set(&sample->time_ns, 0);
	sample->flags = flags;
	sample->weight = sample_weight(packets);
	sample->ifindex = ctx->ingress_ifindex;
	sample_first(sample, s);
	sample_head(sample, ctx, s);
	sample_other(sample, s, mode, orders);
	__sync_lock_test_and_set(&sample->time_ns, now);
	return 0;
}

#endif
