/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges to the nodes that table.h reads. A region without a boundary inside is a leaf; a few
 * boundaries are a range line; what shares a long prefix is skipped; the rest is split by an array.
 * Recursion ends after LIMIT_STEPS levels, as every level takes one step of the walk.
 */
#include <assert.h>
#include <errno.h>

#include "compile_parts.h"

/* Shorter shared prefixes are left to an array: this is what one step must settle anyway. */
#define SKIP_SHORTEST 6u
#define SKIP_LONGEST 63u

struct builder {
	struct lines *lines;
	uint32_t fewest_left; /* steps left at the end of the longest walk */
};

static int build_node(struct builder *builder, const struct region *region, uint32_t *ret);

static uint32_t entry_of(enum node_kind kind, uint32_t line)
{
	return (uint32_t)kind << NODE_KIND_SHIFT | (line & NODE_LINE_MASK);
}

/* ---- range lines ---- */

/* Bits that a range line must compare, 0 when the boundaries do not fit in one. */
static uint32_t range_width(const struct region *region)
{
	uint32_t depth = region->at, width;

	if (region->last - region->first > RANGE16_KEYS)
		return 0;
	for (const struct range *range = region->first + 1; range <= region->last; range++)
		if (range_depth(range) > depth)
			depth = range_depth(range);
	for (width = 16; width < depth - region->at; width *= 2)
		;
	return region->last - region->first > range_room(width) ? 0 : width;
}

/* The bits below region->at of start number @i; all ones past the last. */
static bits128 range_key(const struct region *region, uint32_t i)
{
	const struct range *range = region->first + 1 + i;

	return range <= region->last ? range_start(range) << region->at : ~(bits128)0;
}

static uint16_t range_value(const struct region *region, uint32_t i)
{
	const struct range *range = region->first + i;

	return (uint16_t)(range <= region->last ? range : region->last)->leaf;
}

static void fill_range16(struct range16 *line, const struct region *region)
{
	for (uint32_t i = 0; i < RANGE16_KEYS; i++)
		line->keys[i] = (uint16_t)(range_key(region, i) >> 112);
	for (uint32_t i = 0; i <= RANGE16_KEYS; i++)
		line->leaves[i] = range_value(region, i);
}

static void fill_range32(struct range32 *line, const struct region *region)
{
	for (uint32_t i = 0; i < RANGE32_KEYS; i++)
		line->keys[i] = (uint32_t)(range_key(region, i) >> 96);
	for (uint32_t i = 0; i <= RANGE32_KEYS; i++)
		line->leaves[i] = range_value(region, i);
}

static void fill_range64(struct range64 *line, const struct region *region)
{
	for (uint32_t i = 0; i < RANGE64_KEYS; i++)
		line->keys[i] = (uint64_t)(range_key(region, i) >> 64);
	for (uint32_t i = 0; i <= RANGE64_KEYS; i++)
		line->leaves[i] = range_value(region, i);
}

static void fill_range128(struct range128 *line, const struct region *region)
{
	for (uint32_t i = 0; i < RANGE128_KEYS; i++) {
		line->hi[i] = (uint64_t)(range_key(region, i) >> 64);
		line->lo[i] = (uint64_t)range_key(region, i);
	}
	for (uint32_t i = 0; i <= RANGE128_KEYS; i++)
		line->leaves[i] = range_value(region, i);
}

static int build_range(struct builder *builder, const struct region *region, uint32_t width,
		       uint32_t *ret)
{
	uint32_t at;

	if (lines_take(builder->lines, 1, &at))
		return -ENOMEM;
	if (region->steps - 1 < builder->fewest_left)
		builder->fewest_left = region->steps - 1;
	switch (width) {
	case 16:
		fill_range16(line_at(builder->lines, at), region);
		*ret = entry_of(NODE_RANGE16, at);
		break;
	case 32:
		fill_range32(line_at(builder->lines, at), region);
		*ret = entry_of(NODE_RANGE32, at);
		break;
	case 64:
		fill_range64(line_at(builder->lines, at), region);
		*ret = entry_of(NODE_RANGE64, at);
		break;
	default:
		fill_range128(line_at(builder->lines, at), region);
		*ret = entry_of(NODE_RANGE128, at);
	}
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

	inside.start = start;
	inside.at += bits;
	inside.left -= bits;
	inside.steps--;
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

static int build_direct(struct builder *builder, const struct region *region, uint32_t *ret)
{
	uint32_t stride = stride_choose(region), count = 1u << stride, line, entry;
	uint32_t rest = 128 - region->at - stride; /* bits below the array's index */
	struct region chunk = *region;

	assert(stride && stride <= NODE_STRIDE_MAX);
	if (lines_take(builder->lines, (count + ENTRIES_PER_LINE - 1) / ENTRIES_PER_LINE, &line))
		return -ENOMEM;
	chunk.at += stride;
	chunk.left -= stride;
	chunk.steps--;
	chunk.last = region->first;
	for (uint32_t i = 0; i < count; i++) {
		bits128 start = region->start + ((bits128)i << rest);

		next_chunk(&chunk, region->last, start, start + (((bits128)1 << rest) - 1));
		if (build_node(builder, &chunk, &entry))
			return -ENOMEM;
		write_entry(builder->lines, line, i, entry);
	}
	*ret = entry_of(NODE_DIRECT, line) | stride << NODE_STRIDE_SHIFT;
	return 0;
}

/* ---- all together ---- */

static int build_node(struct builder *builder, const struct region *region, uint32_t *ret)
{
	uint32_t width, shared;

	if (region->first == region->last) {
		if (region->steps < builder->fewest_left)
			builder->fewest_left = region->steps;
		*ret = region->first->leaf & NODE_LEAF_MASK;
		return 0;
	}
	width = range_width(region);
	if (width)
		return build_range(builder, region, width, ret);
	shared = shared_bits(region);
	if (shared >= SKIP_SHORTEST)
		return build_skip(builder, region, shared < SKIP_LONGEST ? shared : SKIP_LONGEST,
				  ret);
	return build_direct(builder, region, ret);
}

int table_build(struct lines *lines, const struct ranges *ranges, uint32_t bits, uint32_t *ret_root,
		uint32_t *ret_steps)
{
	struct builder builder = { .lines = lines, .fewest_left = LIMIT_STEPS };
	const struct region all = {
		.first = ranges->items,
		.last = ranges->items + ranges->count - 1,
		.left = bits,
		.steps = LIMIT_STEPS,
	};
	int err = build_node(&builder, &all, ret_root);

	if (!err)
		*ret_steps = LIMIT_STEPS - builder.fewest_left;
	return err;
}
