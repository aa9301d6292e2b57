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

/* Steps down to the node that @entry names. */
static int push(struct image_walk *walk, uint32_t entry, unsigned __int128 base, uint32_t used)
{
	uint32_t first = node_line(entry);

	if (node_kind(entry) > NODE_SKIP || walk->depth == WALK_DEPTH || used >= 128)
		return -EINVAL;
	if (first >= walk->image->lines || node_lines(entry) > walk->image->lines - first)
		return -EINVAL;
	walk->frames[walk->depth++] = (struct walk_frame){
		.line = image_line((struct image *)walk->image, first),
		.base = base,
		.entry = entry,
		.used = used,
	};
	if (walk->depth > walk->deepest)
		walk->deepest = walk->depth;
	return 0;
}

/* Hands out a leaf, or steps down: 1 and @ret, 0 when there is a new node to look at, -EINVAL. */
static int enter(struct image_walk *walk, uint32_t entry, unsigned __int128 base, uint32_t used,
		 struct image_range *ret)
{
	if (node_kind(entry) != NODE_LEAF)
		return push(walk, entry, base, used);
	if (entry > NODE_LEAF_MASK)
		return -EINVAL;
	*ret = (struct image_range){ base >> 64, base, entry };
	return 1;
}

static int leave(struct image_walk *walk)
{
	walk->depth--;
	return 0;
}

static int next_direct(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	uint32_t stride = node_stride(frame->entry), at = frame->at;
	unsigned __int128 base;

	if (at >> stride)
		return leave(walk);
	if (!stride || frame->used + stride > 128)
		return -EINVAL;
	frame->at++;
	base = frame->base + placed(at, stride, frame->used);
	return enter(walk, ((const uint32_t *)frame->line)[at], base, frame->used + stride, ret);
}

/* What is before the shared bits, what has them, what is after them. */
static int next_skip(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	const struct skip *skip = frame->line;
	uint32_t used = frame->used;
	uint64_t shared;

	if (skip->bits < 1 || skip->bits > 63 || used + skip->bits > 128)
		return -EINVAL;
	shared = skip->shared >> (64 - skip->bits);
	switch (frame->at++) {
	case 0:
		return shared ? enter(walk, skip->below, frame->base, 128, ret) : 0;
	case 1:
		return enter(walk, skip->inside, frame->base + placed(shared, skip->bits, used),
			     used + skip->bits, ret);
	case 2:
		if (shared == (1ull << skip->bits) - 1)
			return leave(walk);
		return enter(walk, skip->above, frame->base + placed(shared + 1, skip->bits, used),
			     128, ret);
	default:
		return leave(walk);
	}
}

static int next_range(struct image_walk *walk, struct walk_frame *frame, struct image_range *ret)
{
	uint32_t kind = node_kind(frame->entry), at = frame->at++;
	unsigned __int128 key = 0;

	if (at > node_range(kind)->keys)
		return leave(walk);
	if (at)
		key = node_key(frame->line, kind, at - 1);
	return enter(walk, node_leaf(frame->line, kind, at), frame->base + (key >> frame->used),
		     128, ret);
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
		else
			r = next_range(walk, frame, ret);
	}
	return r;
}

void image_walk_start(struct image_walk *walk, const struct image *image, enum table table)
{
	const struct image_hot *hot = image_line((struct image *)image, IMAGE_HOT_LINE);

	walk->image = image;
	walk->depth = 0;
	walk->deepest = 0;
	walk->state = hot ? enter(walk, hot->root[table & 3], 0, 0, &walk->ahead) : -EINVAL;
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
