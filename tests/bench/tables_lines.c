/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The structure of stanch/table.h, as the compiler builds it. */
#include <stanch/table.h>

#include "policy/compile.h"
#include "tables.h"

struct lines_table {
	struct image *image;
	uint32_t root;
	size_t size;
};

static void *lines_build(const struct boundaries *boundaries)
{
	struct lines_table *table = bench_alloc(NULL, 1, sizeof(*table));
	const struct section *section =
		image_section(boundaries->image, SECTION_V4_SRC + boundaries->table);

	*table = (struct lines_table){
		.image = (struct image *)boundaries->image,
		.root = image_hot(boundaries->image)->root[boundaries->table],
		.size = (size_t)section->lines * LINE_SIZE,
	};
	return table;
}

static uint32_t lines_find(const void *table, struct key key)
{
	const struct lines_table *lines = table;

	return table_lookup(lines->image, lines->root, key.hi, key.lo);
}

static uint32_t trace(const void *table, struct key key, struct trace *trace)
{
	const struct lines_table *lines = table;

	return lines_trace(lines->image, lines->root, key, trace);
}

static size_t lines_size(const void *table)
{
	return ((const struct lines_table *)table)->size;
}

const struct candidate candidate_lines = {
	.name = "lines (table.h)",
	.six = 1,
	.build = lines_build,
	.find = lines_find,
	.trace = trace,
	.size = lines_size,
	.release = free, /* the image is its owner's */
};
