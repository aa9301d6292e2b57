/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The structure of stanch/table.h, as the compiler builds it. */
#include <stanch/table.h>

#include "policy/compile.h"
#include "tables.h"

static void *lines_build(const struct boundaries *boundaries)
{
	return (void *)boundaries->image;
}

static uint32_t lines_find(const void *table, uint32_t address)
{
	struct image *image = (struct image *)table;
	const struct image_hot *hot = image_line(image, IMAGE_HOT_LINE);

	return table_lookup(image, hot->root[TABLE_V4_SRC], (uint64_t)address << 32, 0);
}

static size_t lines_size(const void *table)
{
	return (size_t)image_section(table, SECTION_V4_SRC)->lines * LINE_SIZE;
}

static void lines_release(void *table)
{
	(void)table; /* the image is its owner's */
}

const struct candidate candidate_lines = {
	.name = "lines (table.h)",
	.build = lines_build,
	.find = lines_find,
	.trace = lines_trace,
	.size = lines_size,
	.release = lines_release,
};
