/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking the leaves: every list they name is there and does what the field says, so that no
 * packet is judged by a number that means something else.
 */
#include "policy/image_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define EVERY_TABLE ((1u << TABLES) - 1)

/* Tables in which an address can be on this list: bit n for enum table n. */
static uint32_t tables_of(const struct list_record *list)
{
	bool destination = list->match == MATCH_DESTINATION;
	uint32_t tables = 0;

	if (list->prefixes_v4)
		tables |= 1u << (destination ? TABLE_V4_DST : TABLE_V4_SRC);
	if (list->prefixes_v6)
		tables |= 1u << (destination ? TABLE_V6_DST : TABLE_V6_SRC);
	return tables;
}

/* @list stands where lists of @action belong. Returns the tables that allows; all after a fault. */
static uint32_t check_winner(struct check *check, uint32_t id, uint16_t list, enum action action)
{
	const struct list_record *record;

	if (!list)
		return EVERY_TABLE;
	if (list > check_items(check, SECTION_LISTS)) {
		refuse(check, "image_leaf", "leaf %" PRIu32 " names list %u, there are %" PRIu32,
		       id, list, check_items(check, SECTION_LISTS));
		return EVERY_TABLE;
	}
	record = check_list(check, list);
	if (record->action == action)
		return tables_of(record);
	refuse(check, "image_leaf", "leaf %" PRIu32 " has list %u under another action", id, list);
	return EVERY_TABLE;
}

static uint32_t check_scores(struct check *check, uint32_t id, const struct leaf *leaf)
{
	uint32_t tables = EVERY_TABLE, seen = 0;

	for (uint32_t i = 0; i < LIMIT_FAMILIES; i++) {
		uint16_t list = leaf->score[i];
		uint32_t family;

		if (list && i && !leaf->score[i - 1])
			refuse(check, "image_leaf", "leaf %" PRIu32 " has a gap in its score lists",
			       id);
		tables &= check_winner(check, id, list, ACTION_SCORE);
		if (!list || list > check_items(check, SECTION_LISTS))
			continue;
		family = check_list(check, list)->family;
		if (family < LIMIT_FAMILIES && seen >> family & 1)
			refuse(check, "image_leaf",
			       "leaf %" PRIu32 " scores family %" PRIu32 " twice", id, family);
		seen |= family < LIMIT_FAMILIES ? 1u << family : 0;
	}
	return tables;
}

static uint32_t check_leaf(struct check *check, uint32_t id, const struct leaf *leaf)
{
	uint32_t tables = check_winner(check, id, leaf->protect, ACTION_PROTECT);

	tables &= check_winner(check, id, leaf->allow, ACTION_ALLOW);
	tables &= check_winner(check, id, leaf->drop, ACTION_DROP);
	tables &= check_winner(check, id, leaf->flag, ACTION_FLAG);
	tables &= check_scores(check, id, leaf);
	check_zero(check, leaf->reserved, sizeof(leaf->reserved), "leaf", id);
	return tables;
}

int check_leaves(struct check *check)
{
	static const struct leaf nothing = { 0 };
	uint32_t count = check_items(check, SECTION_LEAVES);
	const struct leaf *leaves;

	check->leaf_tables = calloc((size_t)count + 1, sizeof(*check->leaf_tables));
	if (!check->leaf_tables)
		return -ENOMEM;
	leaves = count ? check_line(check, check->sections[SECTION_LEAVES]->first) : NULL;
	for (uint32_t id = 0; id < count; id++)
		check->leaf_tables[id] = (uint8_t)check_leaf(check, id, &leaves[id]);
	check->leaf_tables[0] = EVERY_TABLE;
	if (leaves && memcmp(&leaves[0], &nothing, sizeof(nothing)) != 0)
		refuse(check, "image_leaf", "leaf 0 is on a list");
	if (count % LEAVES_PER_LINE)
		check_zero(check, &leaves[count], sizeof(*leaves), "section", SECTION_LEAVES);
	return 0;
}
