/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists of a policy: their keys, and the rules between keys. Leaves a draft of each list that
 * parse_entries.c fills; reads no prefix itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "parse.h"

#define LISTS_MAX 65534u /* prefix.list is 16 bits, and `protect` needs an id too */
#define POINTS_MAX 50u

/* A list and its draft, as the key functions see them. */
struct item {
	struct list *list;
	struct draft *draft;
};

static int take_name(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;

	if (!parse_name(parse, value, "a list's name"))
		return 0;
	item->draft->name = value;
	return parse_copy(parse, value, &item->list->name);
}

static int take_action(struct parse *parse, const struct node *value, void *into)
{
	static const char *const names[] = { "allow", "drop", "flag", "score", NULL };
	struct item *item = into;
	unsigned int choice;

	_Static_assert(ACTION_ALLOW == 0 && ACTION_DROP == 1 && ACTION_FLAG == 2 &&
			       ACTION_SCORE == 3,
		       "the names are in the order of enum action");
	if (!parse_choice(parse, value, "action", names, &choice))
		return 0;
	item->list->action = (enum action)choice;
	item->draft->action = value;
	return 0;
}

static int take_match(struct parse *parse, const struct node *value, void *into)
{
	static const char *const names[] = { "source", "destination", NULL };
	struct item *item = into;
	unsigned int choice;

	if (parse_choice(parse, value, "match", names, &choice))
		item->list->match = choice ? MATCH_DESTINATION : MATCH_SOURCE;
	return 0;
}

static int take_file(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;

	item->draft->file = value;
	if (!parse_is(parse, value, NODE_SCALAR, "file"))
		return 0;
	if (!value->len)
		diag_add(parse->diag, parse_at(parse, value), "bad_value", "file names no file");
	return parse_copy(parse, value, &item->list->file);
}

static int take_entries(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;

	item->draft->entries = value;
	parse_is(parse, value, NODE_SEQUENCE, "entries");
	return 0;
}

static int take_family(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;

	item->draft->family = value;
	if (!parse_name(parse, value, "a family's name"))
		return 0;
	return parse_copy(parse, value, &item->list->family);
}

static int take_points(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;
	uint32_t points;

	item->draft->points = value;
	if (!parse_number(parse, value, "the number of points", POINTS_MAX, &points))
		return 0;
	if (!points)
		diag_add(parse->diag, parse_at(parse, value), "out_of_range",
			 "the number of points is 1 to %u, not 0", POINTS_MAX);
	item->list->points = (uint8_t)points;
	return 0;
}

static int take_duplicates(struct parse *parse, const struct node *value, void *into)
{
	static const char *const names[] = { "refuse", "merge", NULL };
	struct item *item = into;
	unsigned int choice;

	item->draft->duplicates = value;
	if (parse_choice(parse, value, "duplicates", names, &choice))
		item->list->merge = choice;
	return 0;
}

static int take_allow_empty(struct parse *parse, const struct node *value, void *into)
{
	struct item *item = into;

	parse_bool(parse, value, "allow_empty", &item->list->allow_empty);
	return 0;
}

static const char *show_name(const struct list *list)
{
	return list->name ? list->name : "?";
}

/* Which of score lists' keys are there must fit the action. */
static void check_score_keys(struct parse *parse, const struct list *list,
			     const struct draft *draft)
{
	const struct node *extra = draft->family ? draft->family : draft->points;

	if (!draft->action)
		return;
	if (list->action != ACTION_SCORE) {
		if (extra)
			diag_add(parse->diag, parse_at(parse, extra), "key_needs_score",
				 "only a list with action score has family and points");
		return;
	}
	if (!draft->family)
		diag_add(parse->diag, parse_at(parse, draft->node), "missing_key",
			 "score list '%s' needs the key 'family'", show_name(list));
	if (!draft->points)
		diag_add(parse->diag, parse_at(parse, draft->node), "missing_key",
			 "score list '%s' needs the key 'points'", show_name(list));
}

static void check_content_keys(struct parse *parse, const struct list *list,
			       const struct draft *draft)
{
	if (draft->file && draft->entries)
		diag_add(parse->diag, parse_at(parse, draft->entries), "two_contents",
			 "list '%s' has both file and entries; write one of them", show_name(list));
	else if (!draft->file && !draft->entries)
		diag_add(parse->diag, parse_at(parse, draft->node), "missing_key",
			 "list '%s' needs the key 'file' or 'entries'", show_name(list));
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Families are numbered as they come; the loaded program has room for a few. */
static void number_family(struct parse *parse, const struct list *list, struct draft *draft)
{
	uint32_t room = least(parse->limits->families, PARSE_FAMILIES), i;

	draft->family_id = PARSE_FAMILIES;
	if (list->action != ACTION_SCORE || !list->family)
		return;
	for (i = 0; i < least(parse->family_count, room); i++) {
		if (strcmp(parse->families[i], list->family))
			continue;
		draft->family_id = i;
		return;
	}
	if (parse->family_count++ >= room) {
		diag_add_limit(parse->diag, parse_at(parse, draft->family), "too_many_families",
			       (struct diag_limit){ parse->family_count, room },
			       "'%s' is family %u of score lists, the loaded program holds %u",
			       list->family, parse->family_count, room);
		return;
	}
	parse->families[i] = list->family;
	draft->family_id = i;
}

static int take_list(struct parse *parse, const struct node *node, struct item *item)
{
	static const struct key keys[] = {
		{ "name", take_name, true },
		{ "action", take_action, true },
		{ "match", take_match, false },
		{ "file", take_file, false },
		{ "entries", take_entries, false },
		{ "family", take_family, false },
		{ "points", take_points, false },
		{ "duplicates", take_duplicates, false },
		{ "allow_empty", take_allow_empty, false },
	};
	static const struct schema schema = { "a list", keys, ARRAY_SIZE(keys) };
	int err;

	item->list->line = node->line;
	item->list->col = node->col;
	item->draft->node = node;
	item->draft->family_id = PARSE_FAMILIES;
	err = parse_mapping(parse, node, &schema, item);
	if (err || node->kind != NODE_MAPPING)
		return err;
	check_score_keys(parse, item->list, item->draft);
	check_content_keys(parse, item->list, item->draft);
	number_family(parse, item->list, item->draft);
	return 0;
}

struct named {
	const char *name;
	uint32_t index;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void refuse_same_name(struct parse *parse, const struct named *first,
			     const struct named *again)
{
	const struct node *node = parse->drafts[again->index].name;

	diag_add(parse->diag, parse_at(parse, node), "duplicate_name",
		 "a list '%s' is on line %u already", again->name,
		 parse->drafts[first->index].name->line);
}

static int check_names(struct parse *parse)
{
	const struct policy *policy = parse->policy;
	autofree struct named *named = calloc(policy->list_count + 1, sizeof(*named));
	uint32_t count = 0, i, first = 0;

	if (!named)
		return -ENOMEM;
	for (i = 0; i < policy->list_count; i++) {
		const char *name = policy->lists[i].name;

		if (name && !strcmp(name, "protect"))
			diag_add(parse->diag, parse_at(parse, parse->drafts[i].name),
				 "reserved_name",
				 "'protect' is the name of the protected prefixes");
		if (name)
			named[count++] = (struct named){ name, i };
	}
	qsort(named, count, sizeof(*named), compare_named);
	for (i = 1; i < count; i++) {
		if (strcmp(named[first].name, named[i].name))
			first = i;
		else
			refuse_same_name(parse, &named[first], &named[i]);
	}
	return 0;
}

/* Counts the lists, and finds the first that there is no room for. */
static uint32_t count_lists(struct parse *parse, const struct node *value)
{
	uint32_t room = least(parse->limits->lists, LISTS_MAX), count = 0;
	const struct node *node, *over = NULL;

	for (node = node_first(parse, value); node; node = node_next(parse, node))
		if (++count == room + 1)
			over = node;
	if (over)
		diag_add_limit(parse->diag, parse_at(parse, over), "too_many_lists",
			       (struct diag_limit){ count, room },
			       "%u lists, the loaded program holds %u", count, room);
	return least(count, room);
}

int parse_lists(struct parse *parse, const struct node *value, void *into)
{
	struct policy *policy = into;
	const struct node *node;
	uint32_t count, i;
	int err = 0;

	if (!parse_is(parse, value, NODE_SEQUENCE, "lists"))
		return 0;
	count = count_lists(parse, value);
	policy->lists = calloc(count + 1, sizeof(*policy->lists));
	parse->drafts = calloc(count + 1, sizeof(*parse->drafts));
	if (!policy->lists || !parse->drafts)
		return -ENOMEM;
	policy->list_count = count;
	node = node_first(parse, value);
	for (i = 0; i < count && !err; i++) {
		struct item item = { &policy->lists[i], &parse->drafts[i] };

		err = take_list(parse, node, &item);
		node = node_next(parse, node);
	}
	return err ? err : check_names(parse);
}
