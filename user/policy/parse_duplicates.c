/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same prefix twice: a duplicate inside one list, a conflict between two score lists of one
 * family. By sorting, so that no choice of prefixes makes it slow. Names the first few in the
 * order they were written and counts the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "parse.h"

#define MERGE_ONE_IN 20u /* `duplicates: merge` takes 5 % of a list's rows */

struct sort_key {
	uint64_t hi, lo;
	uint32_t index; /* in parse->vec */
	uint16_t group; /* compared only inside one group */
	uint8_t family, len;
};

struct repeat {
	uint32_t first, again; /* in parse->vec */
};

/* What was found: the number, and the first few by place. */
struct repeats {
	uint32_t count, kept;
	struct repeat kept_at[PARSE_SHOWN + 1];
};

static int compare_prefix(const struct sort_key *a, const struct sort_key *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->len != b->len)
		return a->len - b->len;
	if (a->family != b->family)
		return a->family - b->family;
	return a->group - b->group;
}

static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int order = compare_prefix(x, y);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static struct sort_key make_key(const struct parse *parse, uint32_t index, uint16_t group)
{
	const struct prefix *prefix = &parse->vec.items[index];

	return (struct sort_key){ .hi = prefix->hi,
				  .lo = prefix->lo,
				  .index = index,
				  .group = group,
				  .family = prefix->family,
				  .len = prefix->len };
}

/* Keeps the PARSE_SHOWN + 1 that come first in the text; the last of them carries the total. */
static void note_repeat(struct repeats *repeats, uint32_t first, uint32_t again)
{
	uint32_t i = repeats->kept;

	repeats->count++;
	if (i == ARRAY_SIZE(repeats->kept_at)) {
		if (repeats->kept_at[--i].again < again)
			return;
	} else {
		repeats->kept++;
	}
	for (; i > 0 && repeats->kept_at[i - 1].again > again; i--)
		repeats->kept_at[i] = repeats->kept_at[i - 1];
	repeats->kept_at[i] = (struct repeat){ first, again };
}

static const struct diag_place *at_prefix(struct parse *parse, const struct origin *origin,
					  const struct prefix *prefix)
{
	const char *start = origin->text, *at;
	uint32_t line;

	if (!origin->file)
		return parse_at(parse, &parse->nodes[prefix->line]);
	parse->place = (struct diag_place){ .file = origin->file, .line = prefix->line };
	if (!start || parse->diag->stored == DIAG_PROBLEMS)
		return &parse->place;
	for (line = 1; line < prefix->line; line++)
		start = (char *)memchr(start, '\n', (size_t)(origin->end - start)) + 1;
	for (at = start; at < origin->end && (*at == ' ' || *at == '\t'); at++)
		;
	parse->place.col = (uint32_t)(at - start) + 1;
	text_excerpt(&parse->place, start, origin->end);
	return &parse->place;
}

static const char *list_name(const struct parse *parse, uint32_t index)
{
	if (index == parse->policy->list_count)
		return "protect";
	return parse->policy->lists[index].name ? parse->policy->lists[index].name : "?";
}

static uint32_t line_of(const struct parse *parse, const struct origin *origin,
			const struct prefix *prefix)
{
	return origin->file ? prefix->line : parse->nodes[prefix->line].line;
}

static void refuse_duplicates(struct parse *parse, uint32_t index, const struct origin *origin,
			      const struct repeats *repeats)
{
	const char *file = origin->file ? origin->file : parse->name;
	const struct draft *draft = &parse->drafts[index];
	const struct prefix *items = parse->vec.items;
	char text[PREFIX_TEXT];
	uint32_t i;

	for (i = 0; i < repeats->kept && i < PARSE_SHOWN; i++) {
		const struct prefix *first = &items[repeats->kept_at[i].first];
		const struct prefix *again = &items[repeats->kept_at[i].again];

		diag_add(parse->diag, at_prefix(parse, origin, again), "duplicate_prefix",
			 "%s is twice in list '%s': %.60s:%u and %.60s:%u",
			 prefix_format(again, text), list_name(parse, index), file,
			 line_of(parse, origin, first), file, line_of(parse, origin, again));
	}
	if (repeats->count > PARSE_SHOWN)
		diag_add(parse->diag, at_prefix(parse, origin, &items[repeats->kept_at[i].again]),
			 "duplicate_prefix", "... and %u more duplicates in list '%s', %s%u in all",
			 repeats->count - PARSE_SHOWN, list_name(parse, index),
			 draft->rows > draft->stored ? "at least " : "", repeats->count);
}

/* Drops every repetition but the first and closes the gaps. */
static void merge_duplicates(struct parse *parse, uint32_t index, const struct sort_key *keys,
			     uint32_t count)
{
	struct draft *draft = &parse->drafts[index];
	struct prefix *items = parse->vec.items;
	uint32_t i, kept = draft->first;

	for (i = 1; i < count; i++)
		if (!compare_prefix(&keys[i - 1], &keys[i]))
			items[keys[i].index].family = 0;
	for (i = draft->first; i < draft->first + count; i++)
		if (items[i].family)
			items[kept++] = items[i];
	parse->policy->lists[index].merged = parse->vec.count - kept;
	parse->vec.count = kept;
	draft->stored = kept - draft->first;
}

static void settle_duplicates(struct parse *parse, uint32_t index, const struct origin *origin,
			      const struct sort_key *keys, const struct repeats *repeats)
{
	const struct draft *draft = &parse->drafts[index];
	uint64_t most = draft->rows / MERGE_ONE_IN;

	if (index == parse->policy->list_count || !parse->policy->lists[index].merge) {
		refuse_duplicates(parse, index, origin, repeats);
		return;
	}
	if (repeats->count <= most) {
		merge_duplicates(parse, index, keys, draft->stored);
		return;
	}
	diag_add_limit(parse->diag, parse_at(parse, draft->duplicates), "too_many_duplicates",
		       (struct diag_limit){ repeats->count, most },
		       "list '%s' has %u duplicates in %llu rows; merge takes at most 5 %%, %llu",
		       list_name(parse, index), repeats->count, (unsigned long long)draft->rows,
		       (unsigned long long)most);
}

int parse_duplicates(struct parse *parse, uint32_t index, const struct origin *origin)
{
	const struct draft *draft = &parse->drafts[index];
	autofree struct sort_key *keys = NULL;
	struct repeats repeats = { 0 };
	uint32_t i, first = 0;
	bool sorted = true;

	if (draft->stored < 2)
		return 0;
	keys = reallocarray(NULL, draft->stored, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (i = 0; i < draft->stored; i++) {
		keys[i] = make_key(parse, draft->first + i, 0);
		sorted = sorted && (!i || compare_prefix(&keys[i - 1], &keys[i]) < 0);
	}
	if (sorted) /* as feeds often are, and then without duplicates */
		return 0;
	qsort(keys, draft->stored, sizeof(*keys), compare_keys);
	for (i = 1; i < draft->stored; i++) {
		if (compare_prefix(&keys[first], &keys[i]))
			first = i;
		else
			note_repeat(&repeats, keys[first].index, keys[i].index);
	}
	if (repeats.count)
		settle_duplicates(parse, index, origin, keys, &repeats);
	return 0;
}

/* ---- conflicts ---- */

#define GROUPS ((size_t)PARSE_FAMILIES * MATCHES)

/* GROUPS for a list that scores nothing, or whose points were refused. */
static uint32_t group_of(const struct parse *parse, uint32_t index)
{
	const struct list *list = &parse->policy->lists[index];
	uint32_t family = parse->drafts[index].family_id;

	if (family == PARSE_FAMILIES || !list->points)
		return GROUPS;
	return family * MATCHES + list->match;
}

/* Marks the groups whose lists do not all give the same points: only they can conflict. */
static void find_mixed(const struct parse *parse, bool *mixed)
{
	uint8_t points[GROUPS + 1] = { 0 };
	uint32_t i;

	for (i = 0; i < parse->policy->list_count; i++) {
		uint32_t group = group_of(parse, i);
		uint8_t here = parse->policy->lists[i].points;

		mixed[group] |= points[group] && points[group] != here;
		points[group] = here;
	}
	mixed[GROUPS] = false; /* lists of no family */
}

static struct origin origin_of(const struct parse *parse, const struct prefix *prefix)
{
	return (struct origin){ .file = parse->policy->lists[prefix->list - 1].file };
}

static void refuse_conflict(struct parse *parse, const struct repeat *repeat)
{
	const struct prefix *a = &parse->vec.items[repeat->first];
	const struct prefix *b = &parse->vec.items[repeat->again];
	const struct list *x = &parse->policy->lists[a->list - 1];
	const struct list *y = &parse->policy->lists[b->list - 1];
	struct origin at = origin_of(parse, a), again = origin_of(parse, b);
	char text[PREFIX_TEXT];

	diag_add(parse->diag, at_prefix(parse, &again, b), "conflict",
		 "%s has %u points at %.60s:%u and %u points at %.60s:%u, both of family '%s'",
		 prefix_format(b, text), x->points, at.file ? at.file : parse->name,
		 line_of(parse, &at, a), y->points, again.file ? again.file : parse->name,
		 line_of(parse, &again, b), y->family);
}

static void refuse_conflicts(struct parse *parse, const struct repeats *repeats)
{
	const struct prefix *last;
	struct origin origin;
	uint32_t i;

	for (i = 0; i < repeats->kept && i < PARSE_SHOWN; i++)
		refuse_conflict(parse, &repeats->kept_at[i]);
	if (repeats->count <= PARSE_SHOWN)
		return;
	last = &parse->vec.items[repeats->kept_at[i].again];
	origin = origin_of(parse, last);
	diag_add(parse->diag, at_prefix(parse, &origin, last), "conflict",
		 "... and %u more conflicts, %u in all", repeats->count - PARSE_SHOWN,
		 repeats->count);
}

static uint8_t points_of(const struct parse *parse, uint32_t index)
{
	return parse->policy->lists[parse->vec.items[index].list - 1].points;
}

static uint32_t collect_scored(const struct parse *parse, const bool *mixed, struct sort_key *keys)
{
	uint32_t count = 0, i, j;

	for (i = 0; i < parse->policy->list_count; i++) {
		const struct draft *draft = &parse->drafts[i];
		uint32_t group = group_of(parse, i);

		for (j = 0; mixed[group] && j < draft->stored; j++)
			keys[count++] = make_key(parse, draft->first + j, (uint16_t)group);
	}
	return count;
}

int parse_conflicts(struct parse *parse)
{
	autofree struct sort_key *keys = NULL;
	struct repeats repeats = { 0 };
	bool mixed[GROUPS + 1] = { 0 }, any = false;
	uint32_t count, i, first = 0;

	find_mixed(parse, mixed);
	for (i = 0; i < GROUPS; i++)
		any |= mixed[i];
	if (!any || !parse->vec.count)
		return 0;
	keys = reallocarray(NULL, parse->vec.count, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	count = collect_scored(parse, mixed, keys);
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (i = 1; i < count; i++) {
		if (compare_prefix(&keys[first], &keys[i]))
			first = i;
		else if (points_of(parse, keys[first].index) != points_of(parse, keys[i].index))
			note_repeat(&repeats, keys[first].index, keys[i].index);
	}
	refuse_conflicts(parse, &repeats);
	return 0;
}
