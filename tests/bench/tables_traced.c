/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The very same table_lookup(), compiled with an image_line() that takes notes. */
#include <stanch/image.h>

#include "tables.h"

static struct trace *tracing;

static inline const void *traced_line(struct image *image, uint32_t line)
{
	const void *at = image_line(image, line);

	touch(tracing, at);
	return at;
}

#define image_line traced_line
#include <stanch/table.h>
#undef image_line

uint32_t lines_trace(const void *table, uint32_t address, struct trace *trace)
{
	struct image *image = (struct image *)table;
	const struct image_hot *hot = image_line(image, IMAGE_HOT_LINE);

	tracing = trace;
	return table_lookup(image, hot->root[TABLE_V4_SRC], (uint64_t)address << 32, 0);
}
