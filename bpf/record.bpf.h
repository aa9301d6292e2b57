/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is written about a packet after its verdict: exact counters, list hits, sampled events.
 * None of it can change the verdict: every failed lookup here is ignored on purpose.
 */
#ifndef STANCH_RECORD_BPF_H
#define STANCH_RECORD_BPF_H

#include "maps.bpf.h"
#include <stanch/judge.h>

/* One packet on its way through the program. */
struct passage {
	struct packet packet;
	struct judgement judgement;
	__u8 slot; /* SLOT_NONE when no generation judged */
	__u8 enforced; /* enum verdict that the packet really gets */
	__u8 drops; /* a drop by that generation's own mode */
	__u8 other; /* slot of the other generation of a trial, plus one; 0 without one */
	__u16 epoch; /* of the word, for a sample */
	__u8 flags; /* SAMPLE_CANDIDATE */
	__u8 sources; /* not 0: that generation wants sources counted */
};

static __always_inline void count_packet(const struct passage *s)
{
	__u32 index = s->slot * LIMIT_REASONS + s->judgement.reason;
	struct counter *counter = bpf_map_lookup_elem(&counters, &index);
	__u64 enforced = s->enforced;

	opaque(enforced); /* what is compared is what is used, whatever the compiler reloads */
	if (!counter || enforced >= VERDICTS)
		return;
	counter->packets[enforced]++;
	counter->bytes += s->packet.length;
	if (enforced != s->judgement.verdict)
		counter->monitored++;
}

static __always_inline void count_hit(__u32 slot, __u32 list, __u32 bytes)
{
	__u32 index = slot * HITS_PER_SLOT + list;
	struct hit *hit;

	if (!list || list >= HITS_PER_SLOT)
		return;
	hit = bpf_map_lookup_elem(&hits, &index);
	if (!hit)
		return;
	hit->packets++;
	hit->bytes += bytes;
}

/* The slot cannot have got another image since it judged this packet: that waits for all programs. */
static __noinline __u32 count_scores(__u32 id, __u32 slot, __u32 bytes)
{
	struct image *image = bpf_map_lookup_elem(&slots, &slot);
	const struct image_hot *hot = image ? image_line(image, IMAGE_HOT_LINE) : (void *)0;
	const struct leaf *leaf;

	if (!hot || !id)
		return 0;
	leaf = image_line(image, hot->leaves_line + id / LEAVES_PER_LINE);
	if (!leaf)
		return 0;
	leaf += id % LEAVES_PER_LINE;
	for (__u32 i = 0; i < LIMIT_FAMILIES; i++)
		count_hit(slot, leaf->score[i], bytes);
	return 0;
}

static __always_inline void count_lists(const struct passage *s)
{
	count_hit(s->slot, s->judgement.list, s->packet.length);
	if (s->judgement.reason == REASON_LIST_SCORE) {
		count_scores(s->judgement.src_leaf, s->slot, s->packet.length);
		count_scores(s->judgement.dst_leaf, s->slot, s->packet.length);
	}
}

static __always_inline void address_bytes(__u8 *out, const struct address *address)
{
	__u64 half[2] = { __builtin_bswap64(address->hi), __builtin_bswap64(address->lo) };

	__builtin_memcpy(out, half, sizeof(half));
}

/*
 * In a flood most events are held back, and reading the clock to find out that it is still the same
 * second would cost a fifth of the packet. So once a second has had so many times its budget, the
 * clock is read for one event in so many.
 */
#define EVENT_FLOOD (4ull * EVENTS_PER_SECOND)
#define EVENT_LOOK 16u /* a power of two */

/* Is this event held back without a look at the clock? Then it is counted. */
static __always_inline __u32 event_flooded(const struct passage *s)
{
	__u32 reason = s->judgement.reason;
	struct event_budget *b = bpf_map_lookup_elem(&budget, &reason);

	if (!b || b->used < EVENT_FLOOD || !(++b->used & (EVENT_LOOK - 1)))
		return 0;
	b->suppressed++;
	return 1;
}

/* The budget is per reason and CPU: a flood of one reason cannot silence another. */
static __always_inline struct event_budget *event_allowed(__u32 reason, __u64 now)
{
	struct event_budget *b = bpf_map_lookup_elem(&budget, &reason);

	if (!b)
		return (void *)0;
	if (b->window != now / 1000000000ull) {
		b->window = now / 1000000000ull;
		b->used = 0;
	}
	if (b->used++ >= EVENTS_PER_SECOND) {
		b->suppressed++;
		return (void *)0;
	}
	return b;
}

static __noinline __u32 record_event(const struct passage *s, __u32 ifindex)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct event_budget *b = event_allowed(s->judgement.reason, now);
	const struct packet *p = &s->packet;
	__u32 slot = s->slot;
	struct slot_info *info;
	struct event *e;

	if (!b)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		b->lost++;
		return 0;
	}
	info = bpf_map_lookup_elem(&slot_info, &slot);
	e->time_ns = now;
	e->generation = info ? info->generation : 0;
	e->ifindex = ifindex;
	e->length = p->length;
	e->slot = s->slot;
	e->verdict = s->judgement.verdict;
	e->reason = s->judgement.reason;
	e->enforced = s->enforced;
	e->list = s->judgement.list;
	e->family = p->family;
	e->proto = p->proto;
	e->sport = p->sport;
	e->dport = p->dport;
	e->vlan = p->vlan;
	e->flags = p->tcp_flags;
	address_bytes(e->src, &p->src);
	address_bytes(e->dst, &p->dst);
	bpf_ringbuf_submit(e, 0);
	b->sent++;
	return 0;
}

/* Ordinary traffic makes no events: what passes without a rule is counted only. */
static __always_inline __u32 is_event(const struct passage *s)
{
	return s->judgement.verdict != VERDICT_PASS || s->judgement.reason >= REASON_BAD_VERSION;
}

static __always_inline void report_judged(const struct passage *s)
{
	const struct packet *p = &s->packet;
	struct judged *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&judged, &zero);
	if (!out)
		return;
	out->verdict = s->judgement.verdict;
	out->enforced = s->enforced;
	out->reason = s->judgement.reason;
	out->slot = s->slot;
	out->list = s->judgement.list;
	out->family = p->family;
	out->proto = p->proto;
	out->sport = p->sport;
	out->dport = p->dport;
	out->length = p->length;
	address_bytes(out->src, &p->src);
	address_bytes(out->dst, &p->dst);
}

#endif
