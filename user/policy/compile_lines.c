/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines of an image while it is compiled: one growing aligned array. It knows nothing of what
 * the lines hold.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_parts.h"

#define LINES_FIRST 64u

static int lines_grow(struct lines *lines, uint32_t need)
{
	uint32_t cap = lines->cap < LINES_FIRST ? LINES_FIRST : lines->cap * 2;
	unsigned char *bytes;

	if (cap < need)
		cap = need;
	if (cap > lines->limit)
		cap = lines->limit;
	bytes = aligned_alloc(LINE_SIZE, (size_t)cap * LINE_SIZE);
	if (!bytes)
		return -ENOMEM;
	if (lines->count)
		memcpy(bytes, lines->bytes, (size_t)lines->count * LINE_SIZE);
	free(lines->bytes);
	lines->bytes = bytes;
	lines->cap = cap;
	return 0;
}

int lines_take(struct lines *lines, uint32_t count, uint32_t *ret)
{
	uint32_t end = lines->count + count;
	int err;

	if (end <= lines->limit) {
		err = end > lines->cap ? lines_grow(lines, end) : 0;
		if (err)
			return err;
		memset(lines->bytes + (size_t)lines->count * LINE_SIZE, 0,
		       (size_t)count * LINE_SIZE);
	}
	*ret = lines->count;
	lines->count = end;
	return 0;
}

void *line_at(struct lines *lines, uint32_t line)
{
	return line < lines->cap ? lines->bytes + (size_t)line * LINE_SIZE : lines->nowhere;
}

void lines_free(struct lines *lines)
{
	free(lines->bytes);
	*lines = (struct lines){ 0 };
}
