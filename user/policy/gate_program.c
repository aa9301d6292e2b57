/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates that hold an image against the loaded program: room, version, work per packet, and what
 * the program passes whatever the image says. Nobody can force them: the program would not follow.
 */
#include <inttypes.h>

#include "base/cleanup.h"
#include "policy/gate_parts.h"
#include "policy/image_walk.h"

struct room {
	const char *what;
	uint64_t needed, held;
};

/* Is @a a larger part of its room than @b? */
static bool is_fuller(const struct room *a, const struct room *b)
{
	return a->needed * b->held > b->needed * a->held;
}

int gate_capacity(const struct gate_facts *facts, struct gate_result *ret)
{
	const struct image_counts *counts = image_counts(facts->image);
	const struct limits *limits = facts->limits;
	const struct room rooms[] = {
		{ "prefixes", counts->prefixes, limits->prefixes },
		{ "lists", counts->lists, limits->lists },
		{ "leaves", counts->leaves, limits->leaves },
		{ "lines", image_id(facts->image)->lines, limits->lines },
		{ "steps", counts->steps, limits->steps },
		{ "families", counts->families, limits->families },
	};
	const struct room *fullest = &rooms[0];

	for (uint32_t i = 1; i < ARRAY_SIZE(rooms); i++) {
		if (is_fuller(&rooms[i], fullest))
			fullest = &rooms[i];
	}
	ret->value = fullest->needed;
	ret->limit = fullest->held;
	gate_says(ret, fullest->needed > fullest->held,
		  "%" PRIu64 " %s, the loaded program holds %" PRIu64, fullest->needed,
		  fullest->what, fullest->held);
	return 0;
}

int gate_schema(const struct gate_facts *facts, struct gate_result *ret)
{
	uint32_t version = image_id(facts->image)->version;
	const struct limits *limits = facts->limits;

	ret->value = version;
	ret->limit = limits->image_version;
	gate_says(ret,
		  version != IMAGE_VERSION || version != limits->image_version ||
			  limits->abi != ABI_VERSION,
		  "image version %" PRIu32 "; this tool reads %u, the loaded program %" PRIu32
		  " (maps: version %u here, %" PRIu32 " there)",
		  version, IMAGE_VERSION, limits->image_version, ABI_VERSION, limits->abi);
	return 0;
}

/* Lines of the longest lookup, the line of its leaf included. */
static uint32_t lookup_cost(const struct image *image, enum table table)
{
	struct image_range range;
	struct image_walk walk;

	if (!image_hot(image)->root[table])
		return 0;
	image_walk_start(&walk, image, table);
	while (image_walk_next(&walk, &range) == 1)
		;
	return walk.deepest + 1;
}

/*
 * What the costliest packet touches: the line that every packet reads, source and destination of
 * the costlier family, a line of ports, both addresses again of what a tunnel carries, and the
 * lines that its source and the network of that are counted in. What an
 * operator's overrides cost is the same for every policy and not counted. The bound is two of the
 * longest lookups that the program goes through with.
 */
int gate_cost(const struct gate_facts *facts, struct gate_result *ret)
{
	const struct image *image = facts->image;
	uint32_t four = lookup_cost(image, TABLE_V4_SRC) + lookup_cost(image, TABLE_V4_DST);
	uint32_t six = lookup_cost(image, TABLE_V6_SRC) + lookup_cost(image, TABLE_V6_DST);
	uint32_t lookups = four > six ? four : six;
	const struct image_hot *hot = image_hot(image);

	ret->value = 1 + lookups + !!hot->ports_line + (hot->flags & IMAGE_INNER ? lookups : 0) +
		     (hot->flags & IMAGE_SOURCES ? 2 : 0);
	ret->limit = 2ull * facts->limits->steps;
	gate_says(ret, ret->value > ret->limit,
		  "the costliest packet touches %" PRIu64 " lines; the limit is %" PRIu64,
		  ret->value, ret->limit);
	return 0;
}

/*
 * There is nothing to measure: the program passes these packets before it looks at an image, and no
 * image, kill bit or mode changes that. The gate stands in the table so that the record of an
 * attempt says it, and so that a name that cannot be forced is known.
 */
int gate_guard(const struct gate_facts *facts, struct gate_result *ret)
{
	(void)facts;
	gate_says(
		ret, false,
		"ARP, neighbour discovery, path-MTU messages and DHCP pass: built into the program");
	return 0;
}
