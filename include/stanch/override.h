/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator said about the source of a packet: (image of overrides, packet, now) -> orders
 * for judge_packet(). Pure, compiled for the kernel and natively. Any trouble is no order.
 */
#ifndef STANCH_OVERRIDE_H
#define STANCH_OVERRIDE_H

#include "judge.h"

/* Does this override still hold? @id 0 is none. */
static __always_inline __u32 override_holds(const struct question *q, __u16 id, __u64 now)
{
	const __u64 *line;
	__u64 expiry;

	if (!id || id > q->hot->lists)
		return 0;
	if (!q->hot->expiry_line)
		return 1;
	line = image_line(q->image, q->hot->expiry_line + id / EXPIRIES_PER_LINE);
	if (!line)
		return 0;
	expiry = line[id % EXPIRIES_PER_LINE];
	return !expiry || now < expiry;
}

/* See table_walk(). */
static __noinline __u32 override_lookup(struct image *image, __u32 entry, __u64 hi, __u64 lo)
{
	return table_walk(image, entry, hi, lo);
}

/* override_orders - @now: CLOCK_MONOTONIC ns. Returns ORDER_ALLOW, ORDER_BLOCK, both or 0. */
static __always_inline __u32 override_orders(struct image *image, const struct packet *p, __u64 now)
{
	const struct image_hot *hot = image_line(image, IMAGE_HOT_LINE);
	const struct question q = { image, hot, p, 0 };
	struct judgement trouble = { 0 };
	struct listed source = { 0 };
	__u32 id;

	if (!hot || hot->magic != IMAGE_HOT_MAGIC || !p->family)
		return 0;
	id = override_lookup(image, hot->root[p->family == 6 ? TABLE_V6_SRC : TABLE_V4_SRC],
			     p->src.hi, p->src.lo);
	if (!read_listed(&q, id, &source, &trouble))
		return 0;
	return (override_holds(&q, LEAF_ALLOW(source.lists), now) ? ORDER_ALLOW : 0) |
	       (override_holds(&q, LEAF_DROP(source.lists), now) ? ORDER_BLOCK : 0);
}

#endif
