/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two images compared by meaning: settings, then lists by their names. Numbers of lists, lines and
 * leaves say nothing to people and are not compared.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stanch/reasons.h>

#include "base/cleanup.h"
#include "policy/image_diff.h"
#include "policy/image_name.h"

const char *const diff_actions[ACTIONS] = {
	[ACTION_ALLOW] = "allow", [ACTION_DROP] = "drop",	[ACTION_FLAG] = "flag",
	[ACTION_SCORE] = "score", [ACTION_PROTECT] = "protect",
};

static const char *const matches[MATCHES] = {
	[MATCH_SOURCE] = "source",
	[MATCH_DESTINATION] = "destination",
};

void diff_add(struct diffing *diffing, const char *kind, char sign, const char *fmt, ...)
{
	struct image_change *change;
	va_list args;
	int len;

	if (diff_is_full(diffing)) {
		diffing->diff.omitted++;
		return;
	}
	change = &diffing->diff.changes[diffing->diff.count++];
	snprintf(change->kind, sizeof(change->kind), "%s", kind);
	change->sign = sign;
	va_start(args, fmt);
	len = vsnprintf(change->text, sizeof(change->text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(change->text))
		memcpy(change->text + sizeof(change->text) - 4, "...", 4);
}

/* ---- settings ---- */

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static void diff_flag(struct diffing *diffing, uint32_t flag, const char *what)
{
	bool before = image_hot(diffing->from)->flags & flag;
	bool after = image_hot(diffing->to)->flags & flag;

	if (before != after)
		diff_add(diffing, "setting", '~', "%s: %s -> %s", what, on_off(before),
			 on_off(after));
}

static void diff_settings(struct diffing *diffing)
{
	const struct image_hot *from = image_hot(diffing->from), *to = image_hot(diffing->to);

	if (from->mode != to->mode)
		diff_add(diffing, "setting", '~', "mode: %s -> %s", mode_names[from->mode],
			 mode_names[to->mode]);
	diff_flag(diffing, IMAGE_INNER, "inner headers judged");
	diff_flag(diffing, IMAGE_HEADERS, "impossible headers dropped");
	diff_flag(diffing, IMAGE_SOURCES, "packets counted by source");
	if (from->mark_mask != to->mark_mask || from->mark_value != to->mark_value)
		diff_add(diffing, "setting", '~',
			 "mark: 0x%08" PRIx32 "/0x%08" PRIx32 " -> 0x%08" PRIx32 "/0x%08" PRIx32,
			 from->mark_value, from->mark_mask, to->mark_value, to->mark_mask);
}

static bool port_is_protected(const struct image *image, uint32_t port)
{
	const struct section *ports = image_section(image, SECTION_PORTS);
	const uint64_t *bits;

	if (!ports)
		return false;
	bits = image_line((struct image *)image, ports->first);
	return bits[port / 64] >> (port % 64) & 1;
}

/* 0: the same in both; else the sign of the change. */
static char port_sign(const struct diffing *diffing, uint32_t port)
{
	bool before = port_is_protected(diffing->from, port);
	bool after = port_is_protected(diffing->to, port);

	if (before == after)
		return 0;
	if (after)
		return '+';
	return '-';
}

/* Neighbouring ports that change alike are one change. */
static void diff_ports(struct diffing *diffing)
{
	uint32_t port = 0, last;

	for (; port < 65536; port = last + 1) {
		char sign = port_sign(diffing, port);

		for (last = port; last < 65535 && port_sign(diffing, last + 1) == sign; last++)
			;
		if (sign && port == last)
			diff_add(diffing, "setting", sign, "protected port %" PRIu32, port);
		else if (sign)
			diff_add(diffing, "setting", sign,
				 "protected ports %" PRIu32 " to %" PRIu32, port, last);
	}
}

/* ---- lists ---- */

/* The names of all lists of @image, sorted. NULL: no memory. */
static struct image_name *sorted_names(const struct image *image)
{
	uint32_t count = image_hot(image)->lists;
	struct image_name *names = calloc((size_t)count + 1, sizeof(*names));

	for (uint32_t i = 0; i < count && names; i++) {
		const struct list_record *list = image_list(image, i + 1);

		names[i] =
			(struct image_name){ image_text(image, list->name), list->name_len, i + 1 };
	}
	if (names)
		qsort(names, count, sizeof(*names), image_name_order);
	return names;
}

int diff_renumber(const struct image *from, const struct image *to, uint16_t **ret)
{
	uint32_t from_count = image_hot(from)->lists, to_count = image_hot(to)->lists, j = 0;
	autofree struct image_name *old = sorted_names(from);
	autofree struct image_name *new = sorted_names(to);
	uint16_t *ids = calloc((size_t)from_count + 1, sizeof(*ids));

	if (!old || !new || !ids) {
		free(ids);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < from_count; i++) {
		while (j < to_count && image_name_order(&new[j], &old[i]) < 0)
			j++;
		ids[old[i].list] = DIFF_GONE;
		if (j < to_count && !image_name_order(&new[j], &old[i]))
			ids[old[i].list] = (uint16_t) new[j].list;
	}
	*ret = ids;
	return 0;
}

#define LIST_TEXT DIAG_TEXT

/* "drop on source, 12 prefixes" */
static const char *list_text(const struct image *image, uint32_t id, char *out)
{
	const struct list_record *list = image_list(image, id);
	uint64_t prefixes = (uint64_t)list->prefixes_v4 + list->prefixes_v6;
	char score[128] = "";

	if (list->action == ACTION_SCORE)
		snprintf(score, sizeof(score), " %u of family %.*s", list->points,
			 (int)list->family_len, image_text(image, list->family_name));
	snprintf(out, LIST_TEXT, "%s%s on %s, %" PRIu64 " prefix%s", diff_actions[list->action],
		 score, matches[list->match], prefixes, prefixes == 1 ? "" : "es");
	return out;
}

static void diff_one_list(struct diffing *diffing, uint32_t before, uint32_t after)
{
	const struct image *shown = before ? diffing->from : diffing->to;
	const struct list_record *list = image_list(shown, before ? before : after);
	const char *name = image_text(shown, list->name);
	char was[LIST_TEXT], is[LIST_TEXT];

	if (before)
		list_text(diffing->from, before, was);
	if (after)
		list_text(diffing->to, after, is);
	if (!before)
		diff_add(diffing, "list", '+', "%.*s: %s", (int)list->name_len, name, is);
	else if (!after)
		diff_add(diffing, "list", '-', "%.*s: %s", (int)list->name_len, name, was);
	else if (strcmp(was, is) != 0)
		diff_add(diffing, "list", '~', "%.*s: %s -> %s", (int)list->name_len, name, was,
			 is);
}

/* In the order of @from, then what is new in the order of @to. */
static int diff_lists(struct diffing *diffing)
{
	uint32_t from_count = image_hot(diffing->from)->lists;
	uint32_t to_count = image_hot(diffing->to)->lists;
	autofree bool *known = calloc((size_t)to_count + 1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (uint32_t id = 1; id <= from_count; id++) {
		uint32_t after = diffing->renumbered[id];

		after = after == DIFF_GONE ? 0 : after;
		known[after] = true;
		diff_one_list(diffing, id, after);
	}
	for (uint32_t id = 1; id <= to_count; id++)
		if (!known[id])
			diff_one_list(diffing, 0, id);
	return 0;
}

int image_diff(const struct image *from, const struct image *to, struct image_diff *ret)
{
	autofree struct image_change *changes = calloc(DIFF_STORED, sizeof(*changes));
	struct diffing diffing = { .from = from, .to = to, .diff.changes = changes };
	autofree uint16_t *renumbered = NULL;
	int r;

	if (!changes)
		return -ENOMEM;
	r = diff_renumber(from, to, &renumbered);
	if (r)
		return r;
	diffing.renumbered = renumbered;
	diff_settings(&diffing);
	diff_ports(&diffing);
	r = diff_lists(&diffing);
	if (!r)
		r = diff_ranges(&diffing);
	if (r)
		return r;
	*ret = diffing.diff;
	changes = NULL;
	return 0;
}

void image_diff_free(struct image_diff *diff)
{
	free(diff->changes);
	*diff = (struct image_diff){ 0 };
}
