/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How wide an array should split a region. One pass over its ranges estimates, for every stride,
 * the lines that arrays and range lines below would take and how many splits would stand in
 * between. The choice weighs both.
 */
#include "compile_parts.h"

/* A split before a range weighs like this many times the range's share of the lines. */
#define CROWDED_WEIGHT 2u
/* So many lines are in the cache anyhow: there is no point in making a small table smaller. */
#define LINES_FREE 1024u
/* An array takes at most one line for this many places in lines below it. */
#define ENTRIES_PER_ARRAY_LINE 4u

/* The chunk of each stride that is open at this point of the pass, and the sums so far. */
struct survey {
	const struct region *region;
	uint32_t strides; /* the largest of interest */
	uint32_t entries; /* places in lines that the ranges so far take */
	struct {
		uint32_t first; /* number of the first start in it */
		uint32_t before; /* entries in front of it */
		bool aligned; /* that start is the chunk's own: no boundary inside */
		uint32_t depth; /* of its deepest start */
		uint32_t most; /* entries of the fullest chunk */
		uint64_t lines;
		uint64_t crowded; /* splits that walks to all entries will meet */
	} of[NODE_STRIDE_MAX + 1];
};

/* The chunk of stride @s ends before start number @end. */
static void close_chunk(struct survey *survey, uint32_t s, uint32_t end)
{
	uint32_t inside = survey->entries - survey->of[s].before;
	uint32_t top = survey->region->at + s, depth = survey->of[s].depth, room;

	if (survey->of[s - 1].depth < depth)
		survey->of[s - 1].depth = depth;
	if (end == survey->of[s].first + survey->of[s].aligned)
		return;
	room = line_room(depth - top);
	survey->of[s].lines++;
	if (inside > survey->of[s].most)
		survey->of[s].most = inside;
	if (inside <= room)
		return;
	survey->of[s].lines += (inside + inside / 4 + room - 1) / room;
	for (uint64_t held = room; held < inside; held *= SPLIT_KEYS + 1)
		survey->of[s].crowded += inside;
}

static void open_chunk(struct survey *survey, uint32_t s, uint32_t first, uint32_t depth)
{
	survey->of[s].first = first;
	survey->of[s].before = survey->entries;
	survey->of[s].aligned = depth <= survey->region->at + s;
	survey->of[s].depth = s == survey->strides ? depth : 0;
}

static void survey_region(struct survey *survey, const struct region *region)
{
	uint64_t before = 0; /* the region's own start, without the bits above it */
	uint32_t count = (uint32_t)(region->last - region->first);
	bool is_return = false;

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
		is_return = !is_return && range_is_return(range, region->first);
		survey->entries += !is_return;
		if (survey->of[survey->strides].depth < depth)
			survey->of[survey->strides].depth = depth;
		before = bits;
	}
	for (uint32_t s = survey->strides; s; s--)
		close_chunk(survey, s, count + 1);
}

uint32_t stride_choose(const struct region *region, uint32_t entries)
{
	struct survey survey = { .region = region };
	uint64_t count = (uint64_t)(region->last - region->first), least = ~0ull;
	uint32_t free_lines = region->depth < 2 ? LINES_FREE : 0, ret = 0;

	survey.strides = region->left < NODE_STRIDE_MAX ? region->left : NODE_STRIDE_MAX;
	survey_region(&survey, region);
	for (uint32_t s = 1; s <= survey.strides; s++) {
		uint64_t array = ((1ull << s) + ENTRIES_PER_LINE - 1) / ENTRIES_PER_LINE;
		uint64_t cost = (array + survey.of[s].lines + free_lines) *
				(count + CROWDED_WEIGHT * survey.of[s].crowded);

		if (cost >= least || array * ENTRIES_PER_ARRAY_LINE > entries)
			continue;
		least = cost;
		ret = s;
	}
	return survey.of[ret].most > entries / (SPLIT_KEYS + 1) ? 0 : ret;
}
