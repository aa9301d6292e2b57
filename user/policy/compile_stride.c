/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How wide an array should split a region. One pass over its ranges estimates, for every stride,
 * the lines that arrays and range lines below would take and how many ranges would need yet
 * another array. The choice weighs both and keeps every walk inside the steps that are left.
 */
#include "compile_parts.h"

/* A range that needs one more array below weighs like this many times its share of the lines. */
#define CROWDED_WEIGHT 2u
/*
 * Bits that one step must settle on average for a walk of 128 bits to end in time; arrays of this
 * stride take few lines for what they settle.
 */
#define STEP_BITS 6u
/* A part of so few bits has at most 15 starts of ranges in it: one line holds them. */
#define LAST_BITS 4u

/* The chunk of each stride that is open at this point of the pass, and the sums so far. */
struct survey {
	const struct region *region;
	uint32_t strides; /* the largest of interest */
	struct {
		uint32_t first; /* number of the first start in it */
		bool aligned; /* that start is the chunk's own: no boundary inside */
		uint32_t depth; /* of its deepest start */
		uint64_t lines, crowded;
	} of[NODE_STRIDE_MAX + 1];
};

uint32_t range_room(uint32_t width)
{
	if (width <= 16)
		return RANGE16_KEYS;
	if (width <= 32)
		return RANGE32_KEYS;
	return width <= 64 ? RANGE64_KEYS : RANGE128_KEYS;
}

/* Steps that are always enough for @left bits, however many ranges there are. */
static uint32_t steps_enough(uint32_t left)
{
	if (left <= LAST_BITS)
		return 1;
	return 1 + (left - LAST_BITS + STEP_BITS - 1) / STEP_BITS;
}

/* The chunk of stride @s ends before start number @end. */
static void close_chunk(struct survey *survey, uint32_t s, uint32_t end)
{
	uint32_t inside = end - survey->of[s].first - survey->of[s].aligned;
	uint32_t top = survey->region->at + s, depth = survey->of[s].depth, room;

	if (survey->of[s - 1].depth < depth)
		survey->of[s - 1].depth = depth;
	if (!inside)
		return;
	room = range_room(depth - top);
	survey->of[s].lines++;
	if (inside <= room)
		return;
	survey->of[s].lines += (2ull * inside + room - 1) / room;
	survey->of[s].crowded += inside;
}

static void open_chunk(struct survey *survey, uint32_t s, uint32_t first, uint32_t depth)
{
	survey->of[s].first = first;
	survey->of[s].aligned = depth <= survey->region->at + s;
	survey->of[s].depth = s == survey->strides ? depth : 0;
}

static void survey_region(struct survey *survey, const struct region *region)
{
	uint64_t before = 0; /* the region's own start, without the bits above it */
	uint32_t count = (uint32_t)(region->last - region->first);

	for (uint32_t s = 1; s <= survey->strides; s++)
		open_chunk(survey, s, 0, region->at);
	for (uint32_t i = 1; i <= count; i++) {
		const struct range *range = &region->first[i];
		uint64_t bits = (uint64_t)(range_start(range) << region->at >> 64);
		uint32_t depth = range_depth(range);
		uint32_t shared = bits == before ? 64 : (uint32_t)__builtin_clzll(bits ^ before);

		for (uint32_t s = survey->strides; s > shared; s--) {
			close_chunk(survey, s, i);
			open_chunk(survey, s, i, depth);
		}
		if (survey->of[survey->strides].depth < depth)
			survey->of[survey->strides].depth = depth;
		before = bits;
	}
	for (uint32_t s = survey->strides; s; s--)
		close_chunk(survey, s, count + 1);
}

uint32_t stride_choose(const struct region *region)
{
	struct survey survey = { .region = region };
	uint64_t count = (uint64_t)(region->last - region->first), least = ~0ull;
	uint32_t ret = 0;

	survey.strides = region->left < NODE_STRIDE_MAX ? region->left : NODE_STRIDE_MAX;
	survey_region(&survey, region);
	for (uint32_t s = 1; s <= survey.strides; s++) {
		uint64_t array = ((1ull << s) + ENTRIES_PER_LINE - 1) / ENTRIES_PER_LINE;
		uint64_t cost = (array + survey.of[s].lines) *
				(count + CROWDED_WEIGHT * survey.of[s].crowded);

		if (cost >= least || steps_enough(region->left - s) >= region->steps)
			continue;
		least = cost;
		ret = s;
	}
	return ret;
}
