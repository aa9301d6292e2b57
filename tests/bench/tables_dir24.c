/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DIR-24-8 (Gupta, Lin, McKeown, INFOCOM 1998): an array by the upper 24 bits, and an array of 256
 * for every one of them that is not uniform.
 */
#include "tables.h"

#define TOP (1u << 24)
#define CHUNK 256u
#define IS_CHUNK (1u << 31)

struct dir24 {
	uint32_t *top; /* a leaf, or IS_CHUNK and the number of a chunk */
	uint16_t *chunks;
	uint32_t count;
};

static inline uint32_t find(const struct dir24 *table, uint32_t address, struct trace *trace)
{
	uint32_t entry = table->top[address >> 8];
	const uint16_t *leaf;

	touch(trace, &table->top[address >> 8]);
	if (!(entry & IS_CHUNK))
		return entry;
	leaf = &table->chunks[(size_t)(entry & ~IS_CHUNK) * CHUNK + (address & 255)];
	touch(trace, leaf);
	return *leaf;
}

static void *dir24_build(const struct boundaries *boundaries)
{
	struct dir24 *table = bench_alloc(NULL, 1, sizeof(*table));
	const struct boundary *at = boundaries->items, *end = at + boundaries->count;
	uint32_t room = 0;

	*table = (struct dir24){ .top = bench_alloc(NULL, TOP, sizeof(*table->top)) };
	for (uint32_t i = 0; i < TOP; i++) {
		uint32_t last = i * CHUNK + (CHUNK - 1);

		while (at + 1 < end && at[1].start <= i * CHUNK)
			at++;
		table->top[i] = at->leaf;
		if (at + 1 == end || at[1].start > last)
			continue;
		if (table->count == room) {
			room = room ? room * 2 : 1024;
			table->chunks =
				bench_alloc(table->chunks, room, CHUNK * sizeof(*table->chunks));
		}
		for (uint32_t j = 0; j < CHUNK; j++) {
			while (at + 1 < end && at[1].start <= i * CHUNK + j)
				at++;
			table->chunks[(size_t)table->count * CHUNK + j] = at->leaf;
		}
		table->top[i] = IS_CHUNK | table->count++;
	}
	return table;
}

static uint32_t dir24_find(const void *table, struct key key)
{
	return find(table, (uint32_t)(key.hi >> 32), NULL);
}

static uint32_t dir24_trace(const void *table, struct key key, struct trace *trace)
{
	return find(table, (uint32_t)(key.hi >> 32), trace);
}

static size_t dir24_size(const void *table)
{
	const struct dir24 *dir24 = table;

	return TOP * sizeof(*dir24->top) + (size_t)dir24->count * CHUNK * sizeof(*dir24->chunks);
}

static void dir24_release(void *table)
{
	struct dir24 *dir24 = table;

	free(dir24->top);
	free(dir24->chunks);
	free(dir24);
}

const struct candidate candidate_dir24 = {
	.name = "DIR-24-8",
	.build = dir24_build,
	.find = dir24_find,
	.trace = dir24_trace,
	.size = dir24_size,
	.release = dir24_release,
};
