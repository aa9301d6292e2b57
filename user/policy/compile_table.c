/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges to the nodes that table.h reads. A region without a boundary inside is a leaf; a few
 * ranges are a line; what shares a long prefix is skipped; a few more are split into lines, and many
 * are split by an array.
 *
 * No policy needs more than LIMIT_STEPS lines. A split or an array leaves a sixth of the entries to
 * each piece (a split may also leave some that share 63 bits, which then are skipped, three times
 * at most in an address), so after four lines, two of them skips, a million entries are 28,000 or
 * fewer, and six splits and a line do for those.
 */
#include <errno.h>
#include <string.h>

#include "compile_parts.h"

/* Shorter shared prefixes are left to an array or a split. */
#define SKIP_SHORTEST 3u
#define SKIP_LONGEST 63u
/*
 * Below so many lines there are neither arrays nor skips that could be spared: splits alone part
 * any ranges in a few steps.
 */
#define DEPTH_SPLITS 4u

struct builder {
	struct lines *lines;
	uint32_t deepest; /* lines of the longest walk */
};

static int build_node(struct builder *builder, const struct region *region, uint32_t *ret);

static uint32_t entry_of(enum node_kind kind, uint32_t line)
{
	return (uint32_t)kind << NODE_KIND_SHIFT | (line & NODE_LINE_MASK);
}

static int build_line(struct builder *builder, const struct region *region,
		      const struct line_plan *plan, uint32_t *ret)
{
	uint32_t at;

	if (lines_take(builder->lines, 1, &at))
		return -ENOMEM;
	if (region->depth + 1 > builder->deepest)
		builder->deepest = region->depth + 1;
	*ret = entry_of(line_write(line_at(builder->lines, at), region, plan), at);
	return 0;
}

/* ---- skips ---- */

/*
 * Bits below region->at that everything but the two outermost ranges shares. The last boundary may
 * also be the first address behind what is shared, as the end of a lone prefix is.
 */
static uint32_t shared_bits(const struct region *region)
{
	bits128 first = range_start(region->first + 1), last = range_start(region->last) - 1;
	uint64_t hi = (uint64_t)((first ^ last) >> 64), lo = (uint64_t)(first ^ last);
	uint32_t shared = hi ? (uint32_t)__builtin_clzll(hi) : 64 + (uint32_t)__builtin_clzll(lo);

	return shared - region->at;
}

static int build_skip(struct builder *builder, const struct region *region, uint32_t bits,
		      uint32_t *ret)
{
	uint32_t below = 128 - region->at - bits; /* bits that are not skipped */
	bits128 first = range_start(region->first + 1), start = first >> below << below;
	struct region inside = *region;
	struct skip *skip;
	uint32_t at, entry;
	int err;

	inside.start = start < region->start ? region->start : start;
	inside.at += bits;
	inside.left -= bits;
	inside.depth++;
	inside.first += first == start;
	inside.last -= range_start(region->last) >> below != start >> below;
	if (lines_take(builder->lines, 1, &at))
		return -ENOMEM;
	err = build_node(builder, &inside, &entry);
	if (err)
		return err;
	skip = line_at(builder->lines, at);
	skip->shared = (uint64_t)(start << region->at >> 64);
	skip->bits = bits;
	skip->below = region->first->leaf;
	skip->above = region->last->leaf;
	skip->inside = entry;
	*ret = entry_of(NODE_SKIP, at);
	return 0;
}

/* ---- arrays ---- */

/* The first address that shares the bits of a region. */
static bits128 block_start(const struct region *region)
{
	return region->at ? region->start >> (128 - region->at) << (128 - region->at) : 0;
}

static void write_entry(struct lines *lines, uint32_t line, uint32_t index, uint32_t entry)
{
	uint32_t *entries = line_at(lines, line + index / ENTRIES_PER_LINE);

	entries[index % ENTRIES_PER_LINE] = entry;
}

/* The ranges of the chunk @start begins; @chunk holds those of the chunk before it. */
static void next_chunk(struct region *chunk, const struct range *end, bits128 start, bits128 last)
{
	const struct range *range = chunk->last;

	chunk->start = start;
	while (range < end && range_start(range + 1) <= start)
		range++;
	chunk->first = range;
	while (range < end && range_start(range + 1) <= last)
		range++;
	chunk->last = range;
}

static int build_direct(struct builder *builder, const struct region *region, uint32_t stride,
			uint32_t *ret)
{
	uint32_t count = 1u << stride, line, entry;
	uint32_t rest = 128 - region->at - stride; /* bits below the array's index */
	struct region chunk = *region;

	if (lines_take(builder->lines, (count + ENTRIES_PER_LINE - 1) / ENTRIES_PER_LINE, &line))
		return -ENOMEM;
	chunk.at += stride;
	chunk.left -= stride;
	chunk.depth++;
	chunk.last = region->first;
	for (uint32_t i = 0; i < count; i++) {
		bits128 start = block_start(region) + ((bits128)i << rest);

		next_chunk(&chunk, region->last, start, start + (((bits128)1 << rest) - 1));
		if (build_node(builder, &chunk, &entry))
			return -ENOMEM;
		write_entry(builder->lines, line, i, entry);
	}
	*ret = entry_of(NODE_DIRECT, line) | stride << NODE_STRIDE_SHIFT;
	return 0;
}

/* ---- splits ---- */

/* How many places in lines the ranges of a region take, with the leaf of the first outside. */
static uint32_t count_entries(const struct region *region)
{
	uint32_t count = 0;

	for (const struct range *range = region->first + 1; range <= region->last; range++)
		count += range_takes_place(range, region->first->leaf);
	return count;
}

/* The bits behind region->at that a split compares. */
static uint64_t split_bits(const struct region *region, const struct range *range)
{
	return (uint64_t)(range_start(range) << region->at >> (128 - SPLIT_BITS));
}

static bits128 split_place(const struct region *region, uint64_t bits)
{
	return (bits128)bits << (128 - SPLIT_BITS) >> region->at;
}

/*
 * Numbers that part a region into pieces of @quota entries, where its starts differ in the bits
 * that are compared. Each is where a range starts, and there is a start before the first of them.
 * Returns how many, at least one.
 */
static uint32_t choose_splits(const struct region *region, uint32_t quota,
			      uint64_t splits[SPLIT_KEYS])
{
	const struct range *middle = region->first + 1 + (region->last - region->first) / 2;
	uint64_t before = split_bits(region, region->first + 1);
	uint32_t count = 0, entries = 0;

	for (const struct range *range = region->first + 1; range <= region->last; range++) {
		uint64_t bits = split_bits(region, range);

		entries += range_takes_place(range, region->first->leaf);
		if (entries <= quota || bits == before)
			continue;
		before = splits[count++] = bits;
		if (count == SPLIT_KEYS)
			break;
		entries = 1;
	}
	for (; !count; middle++)
		if (split_bits(region, middle) != before)
			splits[count++] = split_bits(region, middle);
	return count;
}

static int build_split(struct builder *builder, const struct region *region, uint32_t quota,
		       uint32_t *ret)
{
	struct split split = { 0 };
	uint64_t splits[SPLIT_KEYS];
	uint32_t count = choose_splits(region, quota, splits), at;
	struct region piece = *region;

	if (lines_take(builder->lines, 1, &at))
		return -ENOMEM;
	for (uint32_t i = 0; i < SPLIT_KEYS; i++)
		split.keys[i] = SPLIT_FILLER;
	piece.depth++;
	piece.last = region->first;
	for (uint32_t i = 0; i <= count; i++) {
		bits128 start = i ? block_start(region) + split_place(region, splits[i - 1])
				  : region->start;
		bits128 last = i < count ? block_start(region) + split_place(region, splits[i]) - 1
					 : ~(bits128)0;

		next_chunk(&piece, region->last, start, last);
		if (build_node(builder, &piece, &split.entries[i]))
			return -ENOMEM;
		if (i < count)
			split.keys[i] = splits[i] - 1;
	}
	memcpy(line_at(builder->lines, at), &split, sizeof(split));
	*ret = entry_of(NODE_SPLIT, at);
	return 0;
}

/* ---- all together ---- */

/* A region that takes more than one line. */
static int build_inner(struct builder *builder, const struct region *region, uint32_t bits,
		       uint32_t *ret)
{
	uint32_t entries = count_entries(region), shared = shared_bits(region);
	uint32_t room = line_room(bits), pieces = SPLIT_KEYS + 1, stride = 0;
	bool is_small = entries <= pieces * room;
	bool is_wide = !is_small && region->depth < DEPTH_SPLITS; /* worth an array */

	if (shared >= SKIP_LONGEST)
		return build_skip(builder, region, SKIP_LONGEST, ret);
	if (shared && shared < bits && entries <= line_room(bits - shared) &&
	    line_room(bits - shared) > room)
		return build_skip(builder, region, shared, ret);
	if (shared >= SKIP_SHORTEST && is_wide)
		return build_skip(builder, region, shared, ret);
	if (is_wide)
		stride = stride_choose(region, entries);
	if (stride)
		return build_direct(builder, region, stride, ret);
	return build_split(builder, region, is_small ? room : (entries + pieces - 1) / pieces, ret);
}

static int build_node(struct builder *builder, const struct region *region, uint32_t *ret)
{
	struct line_plan plan;

	if (region->first == region->last) {
		if (region->depth > builder->deepest)
			builder->deepest = region->depth;
		*ret = region->first->leaf & NODE_LEAF_MASK;
		return 0;
	}
	if (line_plan(region, &plan))
		return build_line(builder, region, &plan, ret);
	return build_inner(builder, region, region_bits(region), ret);
}

int table_build(struct lines *lines, const struct ranges *ranges, uint32_t bits, uint32_t *ret_root,
		uint32_t *ret_steps)
{
	struct builder builder = { .lines = lines };
	const struct region all = {
		.first = ranges->items,
		.last = ranges->items + ranges->count - 1,
		.left = bits,
	};
	int err = build_node(&builder, &all, ret_root);

	if (!err)
		*ret_steps = builder.deepest;
	return err;
}
