/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking a prefix table in address order with a stack of its own. Follows table_lookup(), but
 * visits every child instead of one. Safe on any bytes; only a checked image gives a meaning.
 */
#include "policy/image_walk.h"

#include <errno.h>

#include "policy/image_node.h"

/* An address bit string of @width bits (at most 64, in the low end of @bits), put behind @used. */
static unsigned __int128 placed(uint64_t bits, uint32_t width, uint32_t used)
{
	return (unsigned __int128)bits << (128 - width) >> used;
}

/* Steps down to the node that @part names. */
static int push(struct image_walk *walk, const struct walk_frame *part)
{
	uint32_t first = node_line(part->entry);
	struct walk_frame *frame = &walk->frames[walk->depth];

	if (walk->depth == WALK_DEPTH || part->used >= 128)
		return -EINVAL;
	if (first >= walk->image->lines || node_lines(part->entry) > walk->image->lines - first)
		return -EINVAL;
	*frame = *part;
	frame->line = image_line((struct image *)walk->image, first);
	walk->depth++;
	if (walk->depth > walk->deepest)
		walk->deepest = walk->depth;
	return 0;
}

/* Hands out a leaf, or steps down: 1 and @ret, 0 when there is a new node to look at, -EINVAL. */
static int enter(struct image_walk *walk, const struct walk_frame *part, struct image_range *ret)
{
	if (node_kind(part->entry) != NODE_LEAF)
		return push(walk, part);
	if (part->entry > NODE_LEAF_MASK)
		return -EINVAL;
	*ret = (struct image_range){ part->first >> 64, part->first, part->entry };
	return 1;
}

/* The same for what of @part the innermost node is asked for, if anything. */
static int enter_part(struct image_walk *walk, struct walk_frame part, struct image_range *ret)
{
	const struct walk_frame *frame = &walk->frames[walk->depth - 1];

	if (part.first < frame->first)
		part.first = frame->first;
	if (part.last > frame->last)
		part.last = frame->last;
	return part.first > part.last ? 0 : enter(walk, &part, ret);
}

static int leave(struct image_walk *walk)
{
	walk->depth--;
	return 0;
}

static int next_direct(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	uint32_t stride = node_stride(frame->entry), at = frame->at;
	struct walk_frame part = { .used = frame->used + stride };

	if (at >> stride)
		return leave(walk);
	if (!stride || frame->used + stride > 128)
		return -EINVAL;
	frame->at++;
	part.entry = ((const uint32_t *)frame->line)[at];
	part.base = frame->base + placed(at, stride, frame->used);
	part.first = part.base;
	part.last = part.base | (part.used < 128 ? ~(unsigned __int128)0 >> part.used : 0);
	return enter_part(walk, part, ret);
}

/* What is before the shared bits, what has them, what is after them. */
static int next_skip(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	const struct skip *skip = frame->line;
	uint32_t used = frame->used + skip->bits;
	struct walk_frame part = { .first = frame->first, .last = frame->last };
	unsigned __int128 base;

	if (skip->bits < 1 || skip->bits > 63 || used > 128)
		return -EINVAL;
	base = frame->base + placed(skip->shared >> (64 - skip->bits), skip->bits, frame->used);
	switch (frame->at++) {
	case 0:
		part.entry = skip->below;
		part.last = base - 1;
		return base ? enter_part(walk, part, ret) : 0;
	case 1:
		part = (struct walk_frame){ .entry = skip->inside, .base = base, .used = used };
		part.first = base;
		part.last = base | (used < 128 ? ~(unsigned __int128)0 >> used : 0);
		return enter_part(walk, part, ret);
	case 2:
		part.entry = skip->above;
		part.first = (base | (used < 128 ? ~(unsigned __int128)0 >> used : 0)) + 1;
		return part.first ? enter_part(walk, part, ret) : 0;
	default:
		return leave(walk);
	}
}

/* By turns what is in no range, up to the next, and that range. */
static int next_range(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	uint32_t kind = node_kind(frame->entry), at = frame->at++, i = at / 2;
	uint32_t keys = node_range(kind)->keys;
	unsigned __int128 start = 0, end = ~(unsigned __int128)0;
	struct walk_frame part = { 0 };

	if (at > 2 * keys)
		return leave(walk);
	if (i < keys && at & 1)
		start = node_key(frame->line, kind, i);
	else if (i)
		start = node_end(frame->line, kind, i - 1) + 1;
	if (i + (at & 1) < keys)
		end = node_key(frame->line, kind, i + (at & 1)) - 1;
	if (at & 1 && node_end(frame->line, kind, i) < end)
		end = node_end(frame->line, kind, i);
	/* a range that reaches to the end of all leaves nothing behind it, one from zero on before */
	if (!(at & 1) && (i ? !start : !(end + 1)))
		return 0;
	part.entry = node_leaf(frame->line, kind, at & 1 ? i + 1 : 0);
	part.first = frame->base + (start >> frame->used);
	part.last = frame->base + (end >> frame->used);
	return start > end ? 0 : enter_part(walk, part, ret);
}

static int next_split(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	const struct split *split = frame->line;
	uint32_t at = frame->at++;
	struct walk_frame part = { .base = frame->base, .used = frame->used, .last = frame->last };

	if (at > SPLIT_KEYS || (at && split->keys[at - 1] == SPLIT_FILLER))
		return leave(walk);
	part.entry = split->entries[at];
	part.first = frame->base;
	if (at)
		part.first += placed(split->keys[at - 1] + 1, SPLIT_BITS, frame->used);
	if (at < SPLIT_KEYS && split->keys[at] < SPLIT_FILLER)
		part.last = frame->base + placed(split->keys[at] + 1, SPLIT_BITS, frame->used) - 1;
	return enter_part(walk, part, ret);
}

/* The next range, whatever its neighbours are. */
static int next_piece(struct image_walk *walk, struct image_range *ret)
{
	int r = 0;

	while (!r && walk->depth) {
		struct walk_frame *frame = &walk->frames[walk->depth - 1];

		if (node_kind(frame->entry) == NODE_DIRECT)
			r = next_direct(walk, frame, ret);
		else if (node_kind(frame->entry) == NODE_SKIP)
			r = next_skip(walk, frame, ret);
		else if (node_kind(frame->entry) == NODE_SPLIT)
			r = next_split(walk, frame, ret);
		else
			r = next_range(walk, frame, ret);
	}
	return r;
}

void image_walk_start(struct image_walk *walk, const struct image *image, enum table table)
{
	const struct image_hot *hot = image_line((struct image *)image, IMAGE_HOT_LINE);
	struct walk_frame all = { .last = ~(unsigned __int128)0 };

	walk->image = image;
	walk->depth = 0;
	walk->deepest = 0;
	if (hot)
		all.entry = hot->root[table & 3];
	walk->state = hot ? enter(walk, &all, &walk->ahead) : -EINVAL;
	if (!walk->state)
		walk->state = next_piece(walk, &walk->ahead);
}

int image_walk_next(struct image_walk *walk, struct image_range *ret)
{
	struct image_range range = walk->ahead;
	int r = walk->state;

	if (r != 1)
		return r;
	do
		walk->state = next_piece(walk, &walk->ahead);
	while (walk->state == 1 && walk->ahead.leaf == range.leaf);
	*ret = range;
	return 1;
}
