/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DXR (Zec, Rizzo, Mikuc, CCR 2012), here D18R: an array by the upper 18 bits, then a binary search
 * among the ranges of that chunk, packed one behind the other.
 */
#include "tables.h"

#define TOP_BITS 18u
#define TOP (1u << TOP_BITS)
#define REST_BITS (32u - TOP_BITS)
#define REST_MASK ((1u << REST_BITS) - 1)
#define IS_CHUNK (1u << 31)

/* The first of a chunk starts at 0; in its place stands how many there are. */
struct piece {
	uint16_t start, leaf;
};

struct dxr {
	uint32_t *top; /* a leaf, or IS_CHUNK and the first piece */
	struct piece *pieces;
	uint32_t count;
};

static inline uint32_t find(const struct dxr *table, uint32_t address, struct trace *trace)
{
	uint32_t entry = table->top[address >> REST_BITS], low = 0, high;
	const struct piece *pieces = &table->pieces[entry & ~IS_CHUNK];

	touch(trace, &table->top[address >> REST_BITS]);
	if (!(entry & IS_CHUNK))
		return entry;
	touch(trace, &pieces[0]);
	high = pieces[0].start;
	while (low + 1 < high) {
		uint32_t middle = (low + high) / 2;

		touch(trace, &pieces[middle]);
		if (pieces[middle].start <= (address & REST_MASK))
			low = middle;
		else
			high = middle;
	}
	touch(trace, &pieces[low]);
	return pieces[low].leaf;
}

static void *dxr_build(const struct boundaries *boundaries)
{
	struct dxr *table = bench_alloc(NULL, 1, sizeof(*table));
	const struct boundary *at = boundaries->items, *end = at + boundaries->count;

	*table = (struct dxr){
		.top = bench_alloc(NULL, TOP, sizeof(*table->top)),
		.pieces = bench_alloc(NULL, boundaries->count + TOP, sizeof(*table->pieces)),
	};
	for (uint32_t i = 0; i < TOP; i++) {
		uint32_t first = i << REST_BITS, last = first | REST_MASK, head = table->count;

		while (at + 1 < end && at[1].start <= first)
			at++;
		table->top[i] = at->leaf;
		if (at + 1 == end || at[1].start > last)
			continue;
		table->top[i] = IS_CHUNK | head;
		table->pieces[table->count++].leaf = at->leaf;
		for (; at + 1 < end && at[1].start <= last; at++)
			table->pieces[table->count++] =
				(struct piece){ .start = (uint16_t)(at[1].start & REST_MASK),
						.leaf = at[1].leaf };
		table->pieces[head].start = (uint16_t)(table->count - head);
	}
	return table;
}

static uint32_t dxr_find(const void *table, struct key key)
{
	return find(table, (uint32_t)(key.hi >> 32), NULL);
}

static uint32_t dxr_trace(const void *table, struct key key, struct trace *trace)
{
	return find(table, (uint32_t)(key.hi >> 32), trace);
}

static size_t dxr_size(const void *table)
{
	const struct dxr *dxr = table;

	return TOP * sizeof(*dxr->top) + dxr->count * sizeof(*dxr->pieces);
}

static void dxr_release(void *table)
{
	struct dxr *dxr = table;

	free(dxr->top);
	free(dxr->pieces);
	free(dxr);
}

const struct candidate candidate_dxr = {
	.name = "DXR (D18R)",
	.build = dxr_build,
	.find = dxr_find,
	.trace = dxr_trace,
	.size = dxr_size,
	.release = dxr_release,
};
