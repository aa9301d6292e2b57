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

uint32_t lines_trace(struct image *image, uint32_t root, struct key key, struct trace *trace)
{
	tracing = trace;
	return table_lookup(image, root, key.hi, key.lo);
}
