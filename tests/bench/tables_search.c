/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary search over all boundaries: what any length of address can always be looked up in. */
#include <string.h>

#include "tables.h"

struct search {
	struct key *starts;
	uint16_t *leaves;
	uint32_t count;
};

static int is_above(const struct key *start, struct key key)
{
	return start->hi > key.hi || (start->hi == key.hi && start->lo > key.lo);
}

static inline uint32_t find(const struct search *search, struct key key, struct trace *trace)
{
	uint32_t low = 0, high = search->count;

	while (low + 1 < high) {
		uint32_t middle = low + (high - low) / 2;

		touch(trace, &search->starts[middle]);
		if (is_above(&search->starts[middle], key))
			high = middle;
		else
			low = middle;
	}
	touch(trace, &search->leaves[low]);
	return search->leaves[low];
}

static void *search_build(const struct boundaries *boundaries)
{
	struct search *search = bench_alloc(NULL, 1, sizeof(*search));

	*search = (struct search){
		.starts = bench_alloc(NULL, boundaries->count, sizeof(*search->starts)),
		.leaves = bench_alloc(NULL, boundaries->count, sizeof(*search->leaves)),
		.count = boundaries->count,
	};
	for (uint32_t i = 0; i < search->count; i++) {
		search->starts[i] = boundaries->items[i].key;
		search->leaves[i] = boundaries->items[i].leaf;
	}
	return search;
}

static uint32_t search_find(const void *table, struct key key)
{
	return find(table, key, NULL);
}

static uint32_t search_trace(const void *table, struct key key, struct trace *trace)
{
	return find(table, key, trace);
}

static size_t search_size(const void *table)
{
	const struct search *search = table;

	return search->count * (sizeof(*search->starts) + sizeof(*search->leaves));
}

static void search_release(void *table)
{
	struct search *search = table;

	free(search->starts);
	free(search->leaves);
	free(search);
}

const struct candidate candidate_search = {
	.name = "binary search",
	.six = 1,
	.build = search_build,
	.find = search_find,
	.trace = search_trace,
	.size = search_size,
	.release = search_release,
};
