/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growth and shrinkage against last-known-good: each list by its name, each table, and all of them
 * together. The change that broke things elsewhere doubled every row; the next one may lose half.
 *
 * What had no rows is new and counts for the sum only; what is not there any more has none, and a
 * list under another name is both. Whatever has at most GATE_FLOOR rows before and after is not
 * judged: there a factor says nothing.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "policy/gate_parts.h"
#include "policy/image_diff.h"

#define TOTAL TABLES /* place of the sum among the tables' */

struct size {
	uint64_t before, after; /* rows */
	uint32_t list; /* id in the older image; 0: a table */
	uint32_t table; /* enum table, or TOTAL */
};

/* The size that changed most, so far. */
struct sizes {
	const struct gate_facts *facts;
	bool growing; /* else shrinking */
	struct size worst; /* before 0: none */
};

static uint64_t rows_of(const struct list_record *list)
{
	return (uint64_t)list->prefixes_v4 + list->prefixes_v6;
}

/* Has @a changed more than @b, in the direction that is asked about? */
static bool is_worse(const struct sizes *sizes, const struct size *a, const struct size *b)
{
	uint64_t left = a->after * b->before, right = b->after * a->before;

	return sizes->growing ? left > right : left < right;
}

static void compare(struct sizes *sizes, const struct size *size)
{
	uint64_t more = size->after > size->before ? size->after : size->before;

	if (!size->before || more <= GATE_FLOOR)
		return;
	if (!sizes->worst.before || is_worse(sizes, size, &sizes->worst))
		sizes->worst = *size;
}

/* Rows by table, and their sum; what `protect` holds is no table's load and compared as a list. */
static void count_tables(const struct image *image, uint64_t ret[TOTAL + 1])
{
	for (uint32_t id = 1; id <= image_hot(image)->lists; id++) {
		const struct list_record *list = image_list(image, id);
		bool source = list->match == MATCH_SOURCE;

		if (list->action == ACTION_PROTECT)
			continue;
		ret[source ? TABLE_V4_SRC : TABLE_V4_DST] += list->prefixes_v4;
		ret[source ? TABLE_V6_SRC : TABLE_V6_DST] += list->prefixes_v6;
		ret[TOTAL] += rows_of(list);
	}
}

static void compare_tables(struct sizes *sizes)
{
	uint64_t before[TOTAL + 1] = { 0 }, after[TOTAL + 1] = { 0 };

	count_tables(sizes->facts->good, before);
	count_tables(sizes->facts->image, after);
	for (uint32_t i = 0; i <= TOTAL; i++)
		compare(sizes, &(struct size){ before[i], after[i], 0, i });
}

static int compare_lists(struct sizes *sizes)
{
	const struct image *good = sizes->facts->good, *image = sizes->facts->image;
	autofree uint16_t *renumbered = NULL;
	int r = diff_renumber(good, image, &renumbered);

	for (uint32_t id = 1; !r && id <= image_hot(good)->lists; id++) {
		uint16_t now = renumbered[id];

		compare(sizes,
			&(struct size){
				.before = rows_of(image_list(good, id)),
				.after = now == DIFF_GONE ? 0 : rows_of(image_list(image, now)),
				.list = id,
			});
	}
	return r;
}

#define FACTOR_TEXT 32

/* "x1.50", and a third digit where it says something. */
static const char *factor_text(uint64_t permille, char *out)
{
	if (permille % 10)
		snprintf(out, FACTOR_TEXT, "x%" PRIu64 ".%03" PRIu64, permille / 1000,
			 permille % 1000);
	else
		snprintf(out, FACTOR_TEXT, "x%" PRIu64 ".%02" PRIu64, permille / 1000,
			 permille % 1000 / 10);
	return out;
}

static const char *size_name(const struct image *good, const struct size *size, char *out,
			     size_t room)
{
	const struct list_record *list = size->list ? image_list(good, size->list) : NULL;

	if (list)
		snprintf(out, room, "list `%.*s`", (int)list->name_len,
			 image_text(good, list->name));
	else
		snprintf(out, room, "%s",
			 size->table == TOTAL ? "all lists together" : gate_tables[size->table]);
	return out;
}

static void say(const struct sizes *sizes, bool refused, struct gate_result *ret)
{
	const struct size *worst = &sizes->worst;
	char name[DIAG_TEXT / 2], is[FACTOR_TEXT], limit[FACTOR_TEXT];
	bool changed = sizes->growing ? worst->after > worst->before : worst->after < worst->before;

	if (!changed) {
		gate_says(ret, false, "nothing %s", sizes->growing ? "grows" : "shrinks");
		return;
	}
	gate_says(ret, refused, "%s: from %" PRIu64 " to %" PRIu64 " rows, %s; the limit is %s",
		  size_name(sizes->facts->good, worst, name, sizeof(name)), worst->before,
		  worst->after, factor_text(ret->value, is), factor_text(ret->limit, limit));
}

/* Values are permille, rounded away from 1000, so that what is refused also looks it. */
static int judge_sizes(struct sizes *sizes, uint64_t limit, struct gate_result *ret)
{
	const struct size *worst = &sizes->worst;
	uint64_t scaled, allowed;
	int r;

	ret->limit = limit;
	if (!sizes->facts->good || !image_counts(sizes->facts->good)->prefixes)
		return 0;
	compare_tables(sizes);
	r = compare_lists(sizes);
	if (r)
		return r;
	ret->value = 1000;
	scaled = worst->after * 1000;
	allowed = worst->before * limit;
	if (worst->before)
		ret->value = (scaled + (sizes->growing ? worst->before - 1 : 0)) / worst->before;
	say(sizes, sizes->growing ? scaled > allowed : scaled < allowed, ret);
	return 0;
}

int gate_growth(const struct gate_facts *facts, struct gate_result *ret)
{
	struct sizes sizes = { .facts = facts, .growing = true };

	return judge_sizes(&sizes, facts->settings->growth, ret);
}

int gate_shrinkage(const struct gate_facts *facts, struct gate_result *ret)
{
	uint64_t inverse = 1000000 / facts->settings->growth;
	struct sizes sizes = { .facts = facts };

	return judge_sizes(&sizes, inverse < GATE_SHRINK ? inverse : GATE_SHRINK, ret);
}
