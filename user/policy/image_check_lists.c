/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking the list records: action, names, families, and the two entries of each list that the
 * golden packets rely on.
 */
#include "policy/image_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/image_name.h"
#include "policy/policy.h"

#define POINTS_MAX 50
#define PROTECT_NAME "protect"

/* What is summed up while the records are gone through. */
struct list_sums {
	struct image_name *names; /* one per record */
	struct image_name families[LIMIT_FAMILIES];
	uint64_t prefixes, protects;
	uint32_t lists, family_count;
};

static bool is_name(const struct image_name *name)
{
	for (uint32_t i = 0; i < name->len; i++) {
		char c = name->text[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (!i || (c != '.' && c != '_' && c != '-'))
			return false;
	}
	return name->len > 0 && name->len <= POLICY_NAME_MAX;
}

/* Reads a name of list @id; an empty one where there is none that may be shown. */
static struct image_name take_name(struct check *check, uint32_t id, uint32_t offset, uint32_t len)
{
	const struct section *names = check->sections[SECTION_NAMES];
	struct image_name name = { "", 0, id };

	if (!names || offset >= names->count || len > names->count - offset) {
		refuse(check, "image_name", "list %" PRIu32 ": its name is outside section names",
		       id);
		return name;
	}
	name = (struct image_name){ (const char *)check_line(check, names->first) + offset, len,
				    id };
	if (is_name(&name))
		return name;
	refuse(check, "image_name",
	       "list %" PRIu32 ": its name is not made of 1 to %u of [a-z0-9._-]", id,
	       POLICY_NAME_MAX);
	return (struct image_name){ "", 0, id };
}

/* Counters follow the name, so it has to be the only one. */
static void check_unique(struct check *check, struct image_name *names, uint32_t count)
{
	qsort(names, count, sizeof(*names), image_name_order);
	for (uint32_t i = 1; i < count; i++) {
		if (names[i].len && !image_name_order(&names[i], &names[i - 1]))
			refuse(check, "image_name", "two lists are called '%.*s'",
			       (int)names[i].len, names[i].text);
	}
}

static void check_family(struct check *check, struct list_sums *sums, uint32_t id,
			 const struct list_record *list)
{
	struct image_name name, *family;

	if (list->action != ACTION_SCORE) {
		if (list->family || list->points || list->family_len || list->family_name)
			refuse(check, "image_list", "list %" PRIu32 ": points without action score",
			       id);
		return;
	}
	if (!list->points || list->points > POINTS_MAX)
		refuse(check, "image_list", "list %" PRIu32 ": %u points are not 1 to %u", id,
		       list->points, POINTS_MAX);
	name = take_name(check, id, list->family_name, list->family_len);
	if (list->family >= LIMIT_FAMILIES || list->family > sums->family_count) {
		refuse(check, "image_list", "list %" PRIu32 ": family %u is not the next one", id,
		       list->family);
		return;
	}
	family = &sums->families[list->family];
	if (list->family < sums->family_count) {
		if (image_name_order(family, &name) != 0)
			refuse(check, "image_list", "list %" PRIu32 ": family %u has two names", id,
			       list->family);
		return;
	}
	for (uint32_t i = 0; i < sums->family_count; i++) {
		if (name.len && !image_name_order(&sums->families[i], &name))
			refuse(check, "image_list", "list %" PRIu32 ": its family has two numbers",
			       id);
	}
	*family = name;
	sums->family_count++;
}

static void check_action(struct check *check, uint32_t id, const struct list_record *list,
			 const struct image_name *name)
{
	bool last = id == check_items(check, SECTION_LISTS);
	bool protects =
		name->len == strlen(PROTECT_NAME) && !memcmp(name->text, PROTECT_NAME, name->len);

	if (list->action >= ACTIONS)
		refuse(check, "image_list", "list %" PRIu32 ": unknown action %u", id,
		       list->action);
	if (list->match >= MATCHES)
		refuse(check, "image_list", "list %" PRIu32 ": unknown match %u", id, list->match);
	if ((list->action == ACTION_PROTECT) != protects)
		refuse(check, "image_list", "list %" PRIu32 ": only '%s' protects", id,
		       PROTECT_NAME);
	if (list->action == ACTION_PROTECT && (!last || list->match != MATCH_SOURCE))
		refuse(check, "image_list",
		       "list %" PRIu32 ": '%s' is the last list and matches the source", id,
		       PROTECT_NAME);
}

/* ---- the lowest and the highest entry ---- */

/* A prefix as it sorts: family, address, length. */
struct entry {
	uint8_t family, bytes[16], len;
};

static struct entry entry_of(uint8_t family, const uint8_t bytes[16], uint8_t len)
{
	struct entry entry = { .family = family, .len = len };

	memcpy(entry.bytes, bytes, sizeof(entry.bytes));
	return entry;
}

static bool is_prefix(const struct entry *entry)
{
	uint32_t bits = entry->family == 4 ? 32 : 128;

	if (entry->len > bits)
		return false;
	for (uint32_t i = entry->len; i < 128; i++) {
		if (entry->bytes[i / 8] & (0x80 >> i % 8))
			return false;
	}
	return true;
}

static bool is_nothing(const struct entry *entry)
{
	static const struct entry nothing = { 0 };

	return !memcmp(entry, &nothing, sizeof(nothing));
}

static void check_entries(struct check *check, uint32_t id, const struct list_record *list)
{
	struct entry first = entry_of(list->first_family, list->first, list->first_len);
	struct entry last = entry_of(list->last_family, list->last, list->last_len);
	uint64_t total = (uint64_t)list->prefixes_v4 + list->prefixes_v6;
	int order = memcmp(&first, &last, sizeof(first));

	if (!total) {
		if (!is_nothing(&first) || !is_nothing(&last))
			refuse(check, "image_list", "list %" PRIu32 ": entries of an empty list",
			       id);
		return;
	}
	if (first.family != (list->prefixes_v4 ? 4 : 6) ||
	    last.family != (list->prefixes_v6 ? 6 : 4))
		refuse(check, "image_list",
		       "list %" PRIu32 ": its first or last entry is of a family that it has not",
		       id);
	else if (!is_prefix(&first) || !is_prefix(&last))
		refuse(check, "image_list",
		       "list %" PRIu32 ": its first or last entry is not a prefix", id);
	else if (order > 0 || (order == 0) != (total == 1))
		refuse(check, "image_list",
		       "list %" PRIu32 ": its last entry does not come behind its first", id);
}

static void check_record(struct check *check, struct list_sums *sums, uint32_t id)
{
	const struct list_record *list = check_list(check, id);
	uint64_t total = (uint64_t)list->prefixes_v4 + list->prefixes_v6;

	sums->names[id - 1] = take_name(check, id, list->name, list->name_len);
	check_action(check, id, list, &sums->names[id - 1]);
	check_family(check, sums, id, list);
	check_entries(check, id, list);
	check_zero(check, &list->reserved, sizeof(list->reserved), "list", id);
	if (list->action == ACTION_PROTECT) {
		sums->protects += total;
	} else {
		sums->prefixes += total;
		sums->lists++;
	}
}

static void check_sum(struct check *check, uint64_t said, uint64_t found, const char *what)
{
	if (said != found)
		refuse(check, "image_counts", "line 2 counts %" PRIu64 " %s, the lists %" PRIu64,
		       said, what, found);
}

/* Bytes behind the last name mean nothing. */
static void check_names_end(struct check *check)
{
	const struct section *names = check->sections[SECTION_NAMES];
	const unsigned char *bytes;

	if (!names)
		return;
	bytes = check_line(check, names->first);
	check_zero(check, bytes + names->count, (size_t)names->lines * LINE_SIZE - names->count,
		   "section", SECTION_NAMES);
}

int check_lists(struct check *check)
{
	uint32_t count = check_items(check, SECTION_LISTS);
	autofree struct image_name *names = calloc((size_t)count + 1, sizeof(*names));
	struct list_sums sums = { .names = names };

	if (!names)
		return -ENOMEM;
	for (uint32_t id = 1; id <= count; id++)
		check_record(check, &sums, id);
	check_unique(check, names, count);
	check_names_end(check);
	check_sum(check, check->counts->lists, sums.lists, "lists");
	check_sum(check, check->counts->prefixes, sums.prefixes, "prefixes");
	check_sum(check, check->counts->protects, sums.protects, "protected prefixes");
	check_sum(check, check->counts->families, sums.family_count, "families");
	return 0;
}
