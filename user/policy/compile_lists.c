/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * List records: names, actions, sizes, the lowest and the highest prefix. For people and for
 * proving; the tables do not depend on them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_parts.h"

static const char protect_name[] = "protect";

int families_find(const struct policy *policy, uint8_t **ret_families, uint32_t *ret_count)
{
	const char *names[LIMIT_FAMILIES];
	uint8_t *families = calloc(policy->list_count + 1u, sizeof(*families));
	uint32_t count = 0, family;

	if (!families)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->list_count; i++) {
		const char *name = policy->lists[i].family;

		if (!name)
			continue;
		for (family = 0; family < count && strcmp(names[family], name); family++)
			;
		assert(family < LIMIT_FAMILIES); /* policy_parse() accepts no more */
		if (family == count)
			names[count++] = name;
		families[i] = (uint8_t)family;
	}
	*ret_families = families;
	*ret_count = count;
	return 0;
}

uint32_t lists_count(const struct policy *policy)
{
	return policy->list_count + !!policy->protect_count;
}

/* ---- lowest and highest prefix ---- */

static void write_address(const struct prefix *prefix, uint8_t ret[16])
{
	for (uint32_t i = 0; i < 8 && (prefix->family == 6 || i < 4); i++)
		ret[i] = (uint8_t)(prefix->hi >> (56 - 8 * i));
	for (uint32_t i = 0; i < 8 && prefix->family == 6; i++)
		ret[8 + i] = (uint8_t)(prefix->lo >> (56 - 8 * i));
}

/* IPv4 stands before IPv6, an address before a higher one, a prefix before one inside it. */
static bool is_before(const struct prefix *a, const struct prefix *b)
{
	if (a->family != b->family)
		return a->family < b->family;
	if (a->hi != b->hi)
		return a->hi < b->hi;
	return a->lo != b->lo ? a->lo < b->lo : a->len < b->len;
}

struct extent {
	const struct prefix *first, *last;
};

static void write_extent(const struct extent *extent, struct list_record *record)
{
	if (!extent->first)
		return;
	record->first_family = extent->first->family;
	record->first_len = extent->first->len;
	write_address(extent->first, record->first);
	record->last_family = extent->last->family;
	record->last_len = extent->last->len;
	write_address(extent->last, record->last);
}

static int write_extents(const struct policy *policy, struct list_record *records)
{
	uint32_t count = lists_count(policy);
	autofree struct extent *extents = calloc(count + 1u, sizeof(*extents));

	if (!extents)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		const struct prefix *prefix = &policy->prefixes[i];
		struct list_record *record = &records[prefix->list - 1];
		struct extent *extent = &extents[prefix->list - 1];

		assert(prefix->list && prefix->list <= count);
		*(prefix->family == 6 ? &record->prefixes_v6 : &record->prefixes_v4) += 1;
		if (!extent->first || is_before(prefix, extent->first))
			extent->first = prefix;
		if (!extent->last || is_before(extent->last, prefix))
			extent->last = prefix;
	}
	for (uint32_t i = 0; i < count; i++)
		write_extent(&extents[i], &records[i]);
	return 0;
}

/* ---- names ---- */

static int write_name(struct buf *names, const char *name, uint32_t *ret_offset, uint16_t *ret_len)
{
	*ret_offset = (uint32_t)names->len;
	*ret_len = (uint16_t)strlen(name);
	return buf_append(names, name, *ret_len);
}

/* A family is named once; its later lists point to that name. */
static int write_family(const struct list *list, uint8_t family, struct list_record *record,
			struct list_record *named[LIMIT_FAMILIES], struct buf *names)
{
	record->family = family;
	record->points = list->points;
	if (named[family]) {
		record->family_name = named[family]->family_name;
		record->family_len = named[family]->family_len;
		return 0;
	}
	named[family] = record;
	return write_name(names, list->family, &record->family_name, &record->family_len);
}

static int write_list(const struct list *list, struct list_record *record, struct buf *names)
{
	record->action = (uint8_t)list->action;
	record->match = (uint8_t)list->match;
	return write_name(names, list->name, &record->name, &record->name_len);
}

int lists_write(const struct policy *policy, const uint8_t *families, struct list_record *records,
		struct buf *names)
{
	struct list_record *named[LIMIT_FAMILIES] = { 0 }, *record = records;
	int err = 0;

	for (uint32_t i = 0; i < policy->list_count && !err; i++, record++) {
		const struct list *list = &policy->lists[i];

		err = write_list(list, record, names);
		if (!err && list->family)
			err = write_family(list, families[i], record, named, names);
	}
	if (!err && policy->protect_count) {
		record->action = ACTION_PROTECT;
		err = write_name(names, protect_name, &record->name, &record->name_len);
	}
	return err ? err : write_extents(policy, records);
}
