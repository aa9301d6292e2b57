/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking the numbers of an image: what every packet reads (line 1), what it says it holds (line
 * 2) against what is there and what the loaded program has room for, protected ports, expiries.
 */
#include "policy/image_check.h"

#include <inttypes.h>

/* Line 1 repeats where a section is and how much of it there is. */
static void check_repeated(struct check *check, uint32_t said, uint32_t found, const char *what)
{
	if (said != found)
		refuse(check, "image_hot", "line 1 says %s %" PRIu32 ", the section table %" PRIu32,
		       what, said, found);
}

static uint32_t first_line(const struct check *check, enum section_kind kind)
{
	return check->sections[kind] ? check->sections[kind]->first : 0;
}

void check_hot(struct check *check)
{
	const struct image_hot *hot = check->hot;

	if (hot->magic != IMAGE_HOT_MAGIC)
		refuse(check, "image_hot", "line 1 does not begin as it must");
	if (hot->mode != MODE_MONITOR && hot->mode != MODE_ENFORCE)
		refuse(check, "image_hot", "mode %u is neither monitor nor enforce", hot->mode);
	if (hot->flags & ~(IMAGE_INNER | IMAGE_HEADERS | IMAGE_SOURCES))
		refuse(check, "image_hot", "unknown flags 0x%02x", hot->flags);
	if (hot->mark_value & ~hot->mark_mask)
		refuse(check, "image_hot",
		       "mark value 0x%" PRIx32 " has bits outside mask 0x%" PRIx32, hot->mark_value,
		       hot->mark_mask);
	if (!check->sections[SECTION_LEAVES])
		refuse(check, "image_section", "there is no section leaves");
	check_repeated(check, hot->leaves_line, first_line(check, SECTION_LEAVES), "leaves line");
	check_repeated(check, hot->leaves, check_items(check, SECTION_LEAVES), "leaves");
	check_repeated(check, hot->ports_line, first_line(check, SECTION_PORTS), "ports line");
	check_repeated(check, hot->lists, check_items(check, SECTION_LISTS), "lists");
	check_repeated(check, hot->expiry_line, first_line(check, SECTION_EXPIRY), "expiry line");
	if (hot->reserved)
		check_zero(check, &hot->reserved, sizeof(hot->reserved), "line", IMAGE_HOT_LINE);
	else
		check_zero(check, hot->reserved2, sizeof(hot->reserved2), "line", IMAGE_HOT_LINE);
}

/* Sums over list records are compared by check_lists(), steps by check_tables(). */
void check_counts(struct check *check)
{
	const struct image_counts *counts = check->counts;
	const struct limits *limits = check->limits;

	check_limit(check, "too_many_prefixes", counts->prefixes, limits->prefixes, "prefixes");
	check_limit(check, "too_many_lists", counts->lists, limits->lists, "lists");
	check_limit(check, "too_many_leaves", counts->leaves, limits->leaves, "leaves");
	check_limit(check, "too_many_steps", counts->steps, limits->steps, "steps");
	check_limit(check, "too_many_families", counts->families, limits->families, "families");
	if (counts->leaves != check_items(check, SECTION_LEAVES))
		refuse(check, "image_counts",
		       "line 2 counts %" PRIu32 " leaves, there are %" PRIu32, counts->leaves,
		       check_items(check, SECTION_LEAVES));
	if (counts->ports != check_items(check, SECTION_PORTS))
		refuse(check, "image_counts", "line 2 counts %" PRIu32 " ports, there are %" PRIu32,
		       counts->ports, check_items(check, SECTION_PORTS));
	check_zero(check, counts->reserved, sizeof(counts->reserved), "line", IMAGE_COUNTS_LINE);
}

void check_ports(struct check *check)
{
	const struct section *ports = check->sections[SECTION_PORTS];
	const uint64_t *bits;
	uint32_t set = 0;

	if (!ports)
		return;
	bits = check_line(check, ports->first);
	for (uint32_t i = 0; i < 65536 / 64; i++)
		set += (uint32_t)__builtin_popcountll(bits[i]);
	if (set != ports->count)
		refuse(check, "image_ports",
		       "%" PRIu32 " ports are protected, section ports says %" PRIu32, set,
		       ports->count);
	if (bits[0] & 1)
		refuse(check, "image_ports", "port 0 is protected, which no policy can ask for");
}

/* One entry per list and one for none, which never is; the rest of the last line means nothing. */
void check_expiry(struct check *check)
{
	const struct section *expiry = check->sections[SECTION_EXPIRY];
	uint64_t lists = check_items(check, SECTION_LISTS);
	const uint64_t *entries;
	size_t room;

	if (!expiry)
		return;
	if (expiry->count != lists + 1) {
		refuse(check, "image_expiry",
		       "%" PRIu32 " expiries, there are %" PRIu64 " lists and none", expiry->count,
		       lists);
		return;
	}
	entries = check_line(check, expiry->first);
	room = (size_t)expiry->lines * EXPIRIES_PER_LINE;
	check_zero(check, entries, sizeof(*entries), "expiry", 0);
	check_zero(check, entries + expiry->count, (room - expiry->count) * sizeof(*entries),
		   "expiry", expiry->count);
}
