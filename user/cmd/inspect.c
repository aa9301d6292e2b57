/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch inspect`: what is in an image, down to the ranges of its tables. */
#include "cmd.h"

#include <string.h>

#include "args.h"
#include "describe.h"
#include "words.h"

#define LISTS_SHOWN 20u /* without --lists */

static const char *const section_names[] = {
	[SECTION_NONE] = "none",
	[SECTION_V4_SRC] = "v4-source",
	[SECTION_V4_DST] = "v4-destination",
	[SECTION_V6_SRC] = "v6-source",
	[SECTION_V6_DST] = "v6-destination",
	[SECTION_LEAVES] = "leaves",
	[SECTION_PORTS] = "ports",
	[SECTION_LISTS] = "lists",
	[SECTION_NAMES] = "names",
	[SECTION_EXPIRY] = "expiry",
};
_Static_assert(ARRAY_SIZE(section_names) == SECTION_KINDS, "every kind of section");

static uint32_t list_count(const struct image *image)
{
	const struct section *section = image_section(image, SECTION_LISTS);

	return section ? section->count : 0;
}

static json_t *sections_json(const struct image *image)
{
	json_t *ret = json_array();
	unsigned int kind;

	for (kind = SECTION_NONE + 1; kind < SECTION_KINDS; kind++) {
		const struct section *section = image_section(image, kind);

		if (section)
			json_array_append_new(ret, json_pack("{ss, sI, sI, sI}", "kind",
							     section_names[kind], "first",
							     (json_int_t)section->first, "lines",
							     (json_int_t)section->lines, "count",
							     (json_int_t)section->count));
	}
	return ret;
}

static json_t *lists_json(const struct image *image)
{
	json_t *ret = json_array();
	uint32_t id;

	for (id = 1; id <= list_count(image); id++)
		json_array_append_new(ret, describe_list_json(image, id));
	return ret;
}

static void print_sections(const struct image *image)
{
	unsigned int kind;

	say_text("\n%-16s  %8s  %8s  %8s\n", "section", "first", "lines", "count");
	for (kind = SECTION_NONE + 1; kind < SECTION_KINDS; kind++) {
		const struct section *section = image_section(image, kind);

		if (section)
			say_text("%-16s  %8u  %8u  %8u\n", section_names[kind], section->first,
				 section->lines, section->count);
	}
}

static void print_lists(const struct image *image, bool all)
{
	uint32_t count = list_count(image),
		 shown = all || count < LISTS_SHOWN ? count : LISTS_SHOWN;
	uint32_t id;

	if (!count)
		return;
	say_text("\n");
	describe_list_head();
	for (id = 1; id <= shown; id++)
		describe_list_row(image, id);
	if (shown < count)
		say_text("%u more lists with --lists\n", count - shown);
}

/* Where the walk over a table is: a range ends where the next one begins. */
struct ranges {
	const struct image *image;
	enum table table;
	json_t *array; /* NULL: print */
};

static json_t *leaf_json(const struct image *image, uint32_t id)
{
	const struct leaf *leaf = image_leaf(image, id);
	const uint16_t lists[] = { leaf->protect, leaf->allow, leaf->drop, leaf->flag };
	json_t *ret = json_array();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i])
			json_array_append_new(ret, list_name(image, lists[i]));
	for (i = 0; i < LIMIT_FAMILIES && leaf->score[i]; i++)
		json_array_append_new(ret, list_name(image, leaf->score[i]));
	return ret;
}

static const char *first_text(enum table table, uint64_t hi, uint64_t lo, char *out)
{
	bool v6 = table == TABLE_V6_SRC || table == TABLE_V6_DST;
	unsigned char bytes[16];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bytes[i] = (unsigned char)(hi >> (56 - 8 * i));
		bytes[8 + i] = (unsigned char)(lo >> (56 - 8 * i));
	}
	return address_text(v6 ? 6 : 4, bytes, out);
}

static void print_leaf(const struct image *image, uint32_t id)
{
	json_t *names = leaf_json(image, id);
	size_t i;

	for (i = 0; i < json_array_size(names); i++)
		say_text("%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
	say_text("%s\n", i ? "" : "-");
	json_decref(names);
}

static int take_range(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct ranges *ranges = context;
	const char *table = section_names[SECTION_V4_SRC + ranges->table];
	char address[ADDRESS_TEXT];

	first_text(ranges->table, hi, lo, address);
	if (ranges->array) {
		json_t *lists = leaf_json(ranges->image, leaf);

		return json_array_append_new(
			ranges->array,
			json_pack("{ss, ss, so}", "table", table, "from", address, "lists", lists));
	}
	if (!say_text("%-14s  %-39s  ", table, address))
		return 1;
	print_leaf(ranges->image, leaf);
	return 0;
}

/* Every table that is not empty, as ranges of addresses that are on the same lists. */
static void each_range(struct ranges *ranges)
{
	unsigned int table;

	for (table = 0; table < TABLES; table++) {
		ranges->table = table;
		if (image_section(ranges->image, SECTION_V4_SRC + table) &&
		    image_each_range(ranges->image, table, take_range, ranges))
			return;
	}
}

static json_t *inspect_json(const char *path, const struct image *image, bool with_ranges)
{
	struct ranges ranges = { .image = image };
	json_t *document = describe_json(image);

	json_object_set_new(document, "file", json_string(path));
	json_object_set_new(document, "sections", sections_json(image));
	json_object_set_new(document, "lists", lists_json(image));
	if (!with_ranges)
		return document;
	ranges.array = json_array();
	each_range(&ranges);
	json_object_set_new(document, "ranges", ranges.array);
	return document;
}

static void inspect_text(const struct image *image, bool all_lists, bool with_ranges)
{
	struct ranges ranges = { .image = image };

	describe_text(image);
	print_sections(image);
	print_lists(image, all_lists);
	if (!with_ranges)
		return;
	say_text("\n%-14s  %-39s  %s\n", "table", "from", "lists");
	each_range(&ranges);
}

int cmd_inspect(const struct options *options, int argc, char **argv)
{
	bool lists = false, ranges = false;
	const struct arg list[] = { { "lists", 0, &lists, NULL }, { "ranges", 0, &ranges, NULL } };
	const struct args args = { list, ARRAY_SIZE(list), 1, 1 };
	auto_image struct image_file file = { 0 };
	int first = args_parse(options, argc, argv, &args), code;

	if (first < 0)
		return EXIT_USAGE;
	code = source_load(options, argv[first], NULL, &file);
	if (code != EXIT_DONE)
		return code;
	if (options->json)
		say_result(options, "inspect", inspect_json(argv[first], &file.image, ranges));
	else
		inspect_text(&file.image, lists, ranges);
	return EXIT_DONE;
}
