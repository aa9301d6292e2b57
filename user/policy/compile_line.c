/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges to the last line of a walk. Ranges that share one leaf need no place in it, as long as
 * each begins where a block of addresses ends: that leaf is the one outside of all others.
 */
#include <string.h>

#include "base/cleanup.h"
#include "compile_parts.h"

#define ROOM_MOST RANGE16_KEYS

/* A range as a line holds it; left-aligned. */
struct entry {
	bits128 start;
	uint32_t reach; /* bits of 128 */
	uint16_t leaf;
};

static uint32_t bit_length(bits128 bits)
{
	uint64_t hi = (uint64_t)(bits >> 64), lo = (uint64_t)bits;

	if (hi)
		return 128 - (uint32_t)__builtin_clzll(hi);
	return lo ? 64 - (uint32_t)__builtin_clzll(lo) : 0;
}

/* The smallest block that holds @start and all addresses before @next: so many bits of it vary. */
static uint32_t block_bits(bits128 start, bits128 next)
{
	return bit_length(start ^ (next - 1));
}

static bool ends_block(bits128 start, bits128 next)
{
	uint32_t bits = block_bits(start, next);

	return bits < 128 && !(next & (((bits128)1 << bits) - 1));
}

bool range_is_return(const struct range *range, const struct range *first)
{
	return range - first >= 2 && range[-2].leaf == range->leaf &&
	       ends_block(range_start(range - 1), range_start(range));
}

bool range_takes_place(const struct range *range, uint32_t outside)
{
	return range->leaf != outside || !ends_block(range_start(range - 1), range_start(range));
}

uint32_t line_room(uint32_t bits)
{
	if (bits <= 15)
		return RANGE16_KEYS;
	if (bits <= 32)
		return RANGE32_KEYS;
	return bits <= 64 ? RANGE64_KEYS : RANGE128_KEYS;
}

/* Where @range starts in @region; the first may have started before it. */
static bits128 start_in(const struct region *region, const struct range *range)
{
	bits128 start = range_start(range);

	return start < region->start ? region->start : start;
}

uint32_t region_bits(const struct region *region)
{
	bits128 start = start_in(region, region->first);
	const struct range first = { .hi = (uint64_t)(start >> 64), .lo = (uint64_t)start };
	uint32_t depth = range_depth(&first);

	for (const struct range *range = region->first + 1; range <= region->last; range++) {
		uint32_t own = range_depth(range);

		if (own > depth)
			depth = own;
	}
	return depth > region->at ? depth - region->at : 0;
}

/* The ranges that need a place when addresses in none have leaf @outside; no more than @room + 1. */
static uint32_t list_entries(const struct region *region, uint32_t outside, uint32_t room,
			     struct entry *entries)
{
	bool ended = true; /* does what is before this range end here by itself? */
	uint32_t count = 0;

	for (const struct range *range = region->first; range <= region->last; range++) {
		bits128 start = start_in(region, range);
		bits128 next = range < region->last ? range_start(range + 1) : 0;
		bool inside = range->leaf != outside;

		if (inside || !ended) {
			if (count == room)
				return room + 1;
			entries[count++] = (struct entry){
				.start = start << region->at,
				.reach = next ? block_bits(start, next) + region->at : 128,
				.leaf = (uint16_t)range->leaf,
			};
		}
		ended = !inside || ends_block(start, next);
	}
	return count;
}

bool line_plan(const struct region *region, struct line_plan *ret)
{
	uint32_t starts = (uint32_t)(region->last - region->first), bits, room;
	const uint32_t outsides[] = { region->first->leaf, region->last->leaf,
				      region->first[starts ? 1 : 0].leaf };
	struct entry entries[ROOM_MOST];

	/* of two neighbours one needs a place */
	if (starts > 2 * ROOM_MOST)
		return false;
	bits = region_bits(region);
	room = line_room(bits);
	ret->bits = bits;
	ret->count = room + 1;
	for (uint32_t i = 0; i < ARRAY_SIZE(outsides); i++) {
		uint32_t count = list_entries(region, outsides[i], room, entries);

		if (count >= ret->count)
			continue;
		ret->count = count;
		ret->outside = outsides[i];
	}
	return ret->count <= room;
}

/* ---- the four kinds of lines ---- */

/* What an entry is in units of the lowest of @width bits. */
static uint64_t key_of(const struct entry *entry, uint32_t width)
{
	return (uint64_t)(entry->start >> (128 - width));
}

static uint8_t reach_of(const struct entry *entry, uint32_t width)
{
	uint32_t below = 128 - width;

	return (uint8_t)(entry->reach > below ? entry->reach - below : 0);
}

static void write_leaves(const struct entry *entries, uint32_t width, uint16_t outside,
			 uint16_t *leaves, uint8_t *reach)
{
	leaves[0] = outside;
	for (uint32_t i = 0; i < line_room(width); i++) {
		bool is_last = !(~entries[i].start >> (128 - width)); /* written as filler is */

		leaves[i + 1] = entries[i].leaf;
		reach[i] = is_last ? 0 : reach_of(&entries[i], width);
	}
}

static enum node_kind write_range16(struct range16 *line, const struct entry *entries,
				    uint16_t outside)
{
	for (uint32_t i = 0; i < RANGE16_KEYS; i++)
		line->keys[i / 4] |= key_of(&entries[i], 15) << i % 4 * 16;
	write_leaves(entries, 15, outside, line->leaves, line->reach);
	return NODE_RANGE16;
}

static enum node_kind write_range32(struct range32 *line, const struct entry *entries,
				    uint16_t outside)
{
	for (uint32_t i = 0; i < RANGE32_KEYS; i++)
		line->keys[i] = (uint32_t)key_of(&entries[i], 32);
	write_leaves(entries, 32, outside, line->leaves, line->reach);
	return NODE_RANGE32;
}

static enum node_kind write_range64(struct range64 *line, const struct entry *entries,
				    uint16_t outside)
{
	for (uint32_t i = 0; i < RANGE64_KEYS; i++)
		line->keys[i] = key_of(&entries[i], 64);
	write_leaves(entries, 64, outside, line->leaves, line->reach);
	return NODE_RANGE64;
}

static enum node_kind write_range128(struct range128 *line, const struct entry *entries,
				     uint16_t outside)
{
	for (uint32_t i = 0; i < RANGE128_KEYS; i++) {
		line->hi[i] = (uint64_t)(entries[i].start >> 64);
		line->lo[i] = (uint64_t)entries[i].start;
	}
	write_leaves(entries, 128, outside, line->leaves, line->reach);
	return NODE_RANGE128;
}

enum node_kind line_write(void *line, const struct region *region, const struct line_plan *plan)
{
	const struct entry filler = { .start = ~(bits128)0, .leaf = (uint16_t)region->last->leaf };
	struct entry entries[ROOM_MOST];
	uint32_t room = line_room(plan->bits);
	uint32_t count = list_entries(region, plan->outside, room, entries);
	uint16_t outside = (uint16_t)plan->outside;

	while (count < room)
		entries[count++] = filler;
	switch (room) {
	case RANGE16_KEYS:
		return write_range16(line, entries, outside);
	case RANGE32_KEYS:
		return write_range32(line, entries, outside);
	case RANGE64_KEYS:
		return write_range64(line, entries, outside);
	default:
		return write_range128(line, entries, outside);
	}
}
