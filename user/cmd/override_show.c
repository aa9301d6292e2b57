/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How overrides look. Reads what it is given, and for a list what is in force. */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>

#include "cmd/look.h"
#include "cmd/override.h"

#define NS_PER_S 1000000000ull

static uint64_t left_s(const struct override *override, const struct override_clock *now)
{
	return override->expires > now->realtime_s ? override->expires - now->realtime_s : 0;
}

const char *override_left(const struct override *override, const struct override_clock *now,
			  char *out)
{
	return override->expires ? age_text(left_s(override, now) * NS_PER_S, out) : "for good";
}

json_t *override_json(const struct override *override, const struct override_clock *now)
{
	char prefix[PREFIX_TEXT];

	return json_pack("{ss,ss,so,so,so,sI,ss}", "prefix",
			 prefix_format(&override->prefix, prefix), "action",
			 override->block ? "block" : "allow", "expires_s",
			 override->expires ? json_u64(override->expires) : json_null(), "left_s",
			 override->expires ? json_u64(left_s(override, now)) : json_null(),
			 "since_s", override->since ? json_u64(override->since) : json_null(),
			 "uid", (json_int_t) override->uid, "reason", override->reason);
}

static int compare(const void *left, const void *right)
{
	const struct prefix *a = &((const struct override *)left)->prefix;
	const struct prefix *b = &((const struct override *)right)->prefix;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return (int)a->len - (int)b->len;
}

static json_t *entries_json(const struct override_view *view, bool block)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < view->merge.count; i++)
		if (view->merge.items[i].block == block)
			json_array_append_new(ret,
					      override_json(&view->merge.items[i], &view->now));
	return ret;
}

/* Whoever is only known by the kernel has no name. */
static const char *who(const struct override *override, char out[24])
{
	const struct passwd *user = override->since ? getpwuid(override->uid) : NULL;

	if (!override->since)
		return "?";
	snprintf(out, 24, "%u", override->uid);
	return user ? user->pw_name : out;
}

static void print_row(const struct override *override, const struct override_clock *now)
{
	uint64_t age = now->realtime_s > override->since ? now->realtime_s - override->since : 0;
	char prefix[PREFIX_TEXT], left[AGE_TEXT], since[AGE_TEXT], user[24];

	say_text("%-24s  %-10s  %-10s  %-10s  %s\n", prefix_format(&override->prefix, prefix),
		 override_left(override, now, left),
		 override->since ? age_text(age * NS_PER_S, since) : "?", who(override, user),
		 override->reason);
}

static void print_list(const struct override_view *view, bool block)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < view->merge.count; i++) {
		if (view->merge.items[i].block != block)
			continue;
		if (!shown++)
			say_text("%-24s  %-10s  %-10s  %-10s  %s\n", "source", "left", "since",
				 "by", "reason");
		print_row(&view->merge.items[i], &view->now);
	}
	if (!shown)
		say_text("nothing is %s by the operator\n", block ? "blocked" : "allowed");
}

int override_list(const struct options *options, const char *verb, bool block)
{
	auto_override_view struct override_view view = { 0 };
	auto_instance struct instance *instance = NULL;
	int r, code = live_open(options, &instance);

	if (code != EXIT_DONE)
		return code;
	r = override_view_load(options, instance, &view);
	if (r)
		return say_errno(options, r, "the overrides cannot be read");
	if (view.disk_error)
		say_warning("the list on disk cannot be read, who and why are unknown: %s",
			    say_reason(view.disk_error));
	if (view.kernel_error || (!view.kernel.bytes && view.merge.count))
		say_warning("these are NOT IN FORCE, but on disk alone");
	qsort(view.merge.items, view.merge.count, sizeof(*view.merge.items), compare);
	if (!options->json)
		print_list(&view, block);
	say_result(options, verb,
		   json_pack("{ss,sb,so}", "instance", options->places.instance, "in_force",
			     view.kernel.bytes || !view.merge.count, "entries",
			     entries_json(&view, block)));
	return EXIT_DONE;
}

/* ---- what has become of a change ---- */

static void note(json_t *notes, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(json_t *notes, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(notes, json_string(text));
}

/* What others say about sources of this prefix: an allow comes before every block. */
static void note_other(json_t *notes, const struct override_change *change,
		       const struct override *other)
{
	const struct override *item = &change->item;
	bool covered = prefix_covers(&other->prefix, &item->prefix);
	char text[PREFIX_TEXT];

	prefix_format(&other->prefix, text);
	if (!covered && !prefix_covers(&item->prefix, &other->prefix))
		return;
	if (change->undo && other->block == item->block && covered)
		note(notes, "it is still %s, by %s", item->block ? "blocked" : "allowed", text);
	else if (!change->undo && item->block && !other->block)
		note(notes, "%s stays allowed: that comes first; undo: unallow %s", text, text);
	else if (!change->undo && !item->block && other->block)
		note(notes, "%s is blocked, too: the allow comes first", text);
}

#define NOTES_MOST 8u

static json_t *notes_of(const struct override_change *change)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < change->count && json_array_size(ret) < NOTES_MOST; i++)
		note_other(ret, change, &change->items[i]);
	return ret;
}

static void say_sentence(const struct override_change *change)
{
	const struct override_clock *now = &change->view.now;
	const char *done = change->item.block ? "blocked" : "allowed";
	char prefix[PREFIX_TEXT], left[AGE_TEXT];

	prefix_format(&change->item.prefix, prefix);
	if (change->undo) {
		say_text("%s %s %s\n", prefix, change->found ? "is no longer" : "was not", done);
		return;
	}
	say_text("%s is %s %s%s", prefix, done, change->item.expires ? "for " : "",
		 override_left(&change->item, now, left));
	if (change->found)
		say_text(" (before: %s)", override_left(&change->before, now, left));
	say_text("\n");
}

void override_change_say(struct override_change *change)
{
	const char *result = change->undo    ? change->found ? "applied" : "unchanged"
			     : change->found ? "replaced"
					     : "applied";
	json_t *notes = notes_of(change), *text;
	size_t i;

	if (!change->options->json) {
		say_sentence(change);
		json_array_foreach(notes, i, text)
			say_progress(change->options, "%s", json_string_value(text));
	}
	say_result(change->options, change->verb,
		   json_pack("{ss,so,sb,so}", "result", result, "override",
			     override_json(&change->item, &change->view.now), "durable",
			     change->durable || !change->found, "notes", notes));
}
