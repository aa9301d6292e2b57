/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a checked image: where its parts are. Everything points into the image; nothing here
 * checks what image_check() has checked.
 */
#include <stddef.h>

#include "policy/compile.h"
#include "policy/image_walk.h"

static const void *line_of(const struct image *image, uint32_t line)
{
	return image_line((struct image *)image, line);
}

const struct image_id *image_id(const struct image *image)
{
	return line_of(image, IMAGE_ID_LINE);
}

const struct image_hot *image_hot(const struct image *image)
{
	return line_of(image, IMAGE_HOT_LINE);
}

const struct image_counts *image_counts(const struct image *image)
{
	return line_of(image, IMAGE_COUNTS_LINE);
}

const struct section *image_section(const struct image *image, enum section_kind kind)
{
	const struct section *sections = line_of(image, IMAGE_SECTIONS_LINE);

	for (uint32_t i = 0; i < image_id(image)->sections; i++) {
		if (sections[i].kind == kind)
			return &sections[i];
	}
	return NULL;
}

const struct list_record *image_list(const struct image *image, uint32_t id)
{
	const struct section *lists = image_section(image, SECTION_LISTS);

	return lists && id && id <= lists->count ? line_of(image, lists->first + id - 1) : NULL;
}

const char *image_text(const struct image *image, uint32_t offset)
{
	const struct section *names = image_section(image, SECTION_NAMES);

	return names && offset < names->count ? (const char *)line_of(image, names->first) + offset
					      : NULL;
}

const struct leaf *image_leaf(const struct image *image, uint32_t id)
{
	const struct section *leaves = image_section(image, SECTION_LEAVES);
	const struct leaf *pair;

	if (!leaves || id >= leaves->count)
		return NULL;
	pair = line_of(image, leaves->first + id / LEAVES_PER_LINE);
	return pair + id % LEAVES_PER_LINE;
}

int image_each_range(const struct image *image, enum table table,
		     int (*fn)(void *context, uint64_t hi, uint64_t lo, uint32_t leaf),
		     void *context)
{
	struct image_walk walk;
	struct image_range range;
	int r;

	image_walk_start(&walk, image, table);
	while ((r = image_walk_next(&walk, &range)) == 1) {
		r = fn(context, range.hi, range.lo, range.leaf);
		if (r)
			return r;
	}
	return r;
}
