/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking the section table: every line behind the header belongs to exactly one section, and
 * every section is as long as its items need.
 */
#include "policy/image_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const section_names[SECTION_KINDS] = {
	[SECTION_NONE] = "none",     [SECTION_V4_SRC] = "v4_src", [SECTION_V4_DST] = "v4_dst",
	[SECTION_V6_SRC] = "v6_src", [SECTION_V6_DST] = "v6_dst", [SECTION_LEAVES] = "leaves",
	[SECTION_PORTS] = "ports",   [SECTION_LISTS] = "lists",	  [SECTION_NAMES] = "names",
	[SECTION_EXPIRY] = "expiry",
};

#define PORT_LINES (65536u / (8 * LINE_SIZE)) /* one bit per port */

/* Lines that @count items of this kind need. */
static uint64_t lines_needed(uint32_t kind, uint32_t count)
{
	switch (kind) {
	case SECTION_LEAVES:
		return ((uint64_t)count + LEAVES_PER_LINE - 1) / LEAVES_PER_LINE;
	case SECTION_PORTS:
		return PORT_LINES;
	case SECTION_NAMES:
		return ((uint64_t)count + LINE_SIZE - 1) / LINE_SIZE;
	case SECTION_EXPIRY:
		return ((uint64_t)count + EXPIRIES_PER_LINE - 1) / EXPIRIES_PER_LINE;
	default: /* nodes and records have a line each */
		return count;
	}
}

static void check_section(struct check *check, const struct section *section)
{
	const char *name;

	if (section->kind == SECTION_NONE || section->kind >= SECTION_KINDS) {
		refuse(check, "image_section", "a section of unknown kind %" PRIu32, section->kind);
		return;
	}
	name = section_names[section->kind];
	if (check->sections[section->kind])
		refuse(check, "image_section", "two sections %s", name);
	check->sections[section->kind] = section;
	if (!section->lines || section->first < IMAGE_HEADER_LINES ||
	    section->first >= check->image.lines ||
	    section->lines > check->image.lines - section->first)
		refuse(check, "image_section",
		       "section %s is %" PRIu32 " lines from %" PRIu32
		       " on, the image has %u to %" PRIu32,
		       name, section->lines, section->first, IMAGE_HEADER_LINES,
		       check->image.lines);
	else if (!section->count || lines_needed(section->kind, section->count) != section->lines)
		refuse(check, "image_section",
		       "section %s: %" PRIu32 " items do not fill %" PRIu32 " lines", name,
		       section->count, section->lines);
}

static int by_first(const void *a, const void *b)
{
	uint32_t first = ((const struct section *)a)->first;
	uint32_t second = ((const struct section *)b)->first;

	return (first > second) - (first < second);
}

/* No line is in two sections, none is in no section. */
static void check_cover(struct check *check, const struct section *sections, uint32_t count)
{
	struct section sorted[IMAGE_SECTIONS];
	uint32_t next = IMAGE_HEADER_LINES;

	memcpy(sorted, sections, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_first);
	for (uint32_t i = 0; i < count; i++) {
		if (sorted[i].first < next)
			refuse(check, "image_section", "line %" PRIu32 " belongs to two sections",
			       sorted[i].first);
		else if (sorted[i].first > next)
			refuse(check, "image_section", "line %" PRIu32 " belongs to no section",
			       next);
		next = sorted[i].first + sorted[i].lines;
	}
	if (next < check->image.lines)
		refuse(check, "image_section", "line %" PRIu32 " belongs to no section", next);
}

bool check_sections(struct check *check)
{
	const struct section *sections = check_line(check, IMAGE_SECTIONS_LINE);
	uint32_t count = ((const struct image_id *)check_line(check, IMAGE_ID_LINE))->sections;
	uint64_t before = check->diag->total;

	if (count > IMAGE_SECTIONS) {
		refuse(check, "image_section", "%" PRIu32 " sections, there is room for %u", count,
		       IMAGE_SECTIONS);
		return false;
	}
	for (uint32_t i = 0; i < count; i++)
		check_section(check, &sections[i]);
	for (uint32_t i = count; i < IMAGE_SECTIONS; i++)
		check_zero(check, &sections[i], sizeof(sections[i]), "section entry", i);
	if (check->diag->total != before)
		return false;
	check_cover(check, sections, count);
	return check->diag->total == before;
}
