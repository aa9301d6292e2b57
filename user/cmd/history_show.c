/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record of the audit log for people: a line, and what is worth more lines. Members that are not
 * there, or are of another type than today, are left out.
 */
#include "cmd/history.h"

#include <string.h>

#define INDENT "        "

/* A value of a record as text; "-" for none. Numbers are short enough for @out. */
static const char *value_text(const json_t *record, const char *key, char out[24])
{
	const json_t *value = json_object_get(record, key);

	if (json_is_string(value))
		return json_string_value(value);
	if (!json_is_integer(value))
		return "-";
	snprintf(out, 24, "%lld", (long long)json_integer_value(value));
	return out;
}

static void print_names(const json_t *record, const char *key)
{
	const json_t *names = json_object_get(record, key);
	size_t at;

	for (at = 0; at < json_array_size(names); at++) {
		const json_t *name = json_array_get(names, at);
		const json_t *inner = json_object_get(name, "interface"); /* of an object */
		const char *text = json_string_value(inner ? inner : name);

		say_text("%s%s", at ? "," : "  ", text ? text : "?");
	}
}

/* What else is worth a line: the file of a policy, the mode of a switch, the prefix of an override. */
static void print_more(const json_t *record)
{
	static const char *const keys[] = { "policy", "mode", "prefix" };
	const char *source = json_string_value(json_object_get(record, "source"));
	unsigned int i;
	char out[24];

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(record, keys[i]))
			say_text("  %s", value_text(record, keys[i], out));
	if (source)
		say_text("  source %s", source);
	print_names(record, "stages");
	print_names(record, "interfaces");
	say_text("\n");
}

static const char *text_of(const json_t *value, const char *key)
{
	const char *text = json_string_value(json_object_get(value, key));

	return text ? text : "-";
}

/* Every gate with -v, else those that had something to say. */
static void print_gates(const struct options *options, const json_t *record)
{
	json_t *gates = json_object_get(record, "gates"), *gate;
	const char *name;

	json_object_foreach(gates, name, gate)
	{
		bool refused = json_is_true(json_object_get(gate, "refused"));
		bool forced = json_is_true(json_object_get(gate, "forced"));

		if (!refused && !forced && !options->verbose)
			continue;
		say_text(INDENT "gate      %-14s %-8s %s of %s; %s\n", name,
			 refused  ? "refused"
			 : forced ? "FORCED"
				  : "passed",
			 text_of(gate, "value"), text_of(gate, "limit"), text_of(gate, "text"));
	}
}

/* What was measured on traffic. */
static void print_sums(const char *what, const json_t *sums)
{
	if (!json_is_object(sums))
		return;
	say_text(INDENT
		 "%-9s of %s packets that passed %s were newly dropped, of %lld sources %lld; "
		 "%s of established connections, %s expected, %s newly passed\n",
		 what, text_of(sums, "packets"), text_of(sums, "newly_dropped"),
		 (long long)json_integer_value(json_object_get(sums, "sources")),
		 (long long)json_integer_value(json_object_get(sums, "sources_dropped")),
		 text_of(sums, "established"), text_of(sums, "expected"),
		 text_of(sums, "newly_passed"));
}

static void print_trial(const struct options *options, const json_t *record)
{
	const json_t *trial = json_object_get(record, "trial");
	const char *result = text_of(trial, "result");
	bool well = !strcmp(result, "kept") || !strcmp(result, "begun");
	const char *why = json_string_value(json_object_get(trial, "why"));

	if (!trial || (well && !options->verbose))
		return;
	say_text(INDENT "trial     %s in phase %s after %s ms%s%s\n", result,
		 text_of(trial, "phase"), text_of(trial, "spent_ms"), why ? ": " : "",
		 why ? why : "");
	print_sums("evidence", json_object_get(trial, "traffic"));
}

static void print_sentences(const char *what, const json_t *list)
{
	const json_t *item;
	size_t at;

	json_array_foreach(list, at, item)
	{
		const char *text = json_string_value(item);

		if (text)
			say_text(INDENT "%-9s %s\n", what, text);
	}
}

static void print_skipped(const json_t *record)
{
	const json_t *item;
	size_t at;

	json_array_foreach(json_object_get(record, "skipped"), at, item)
	{
		say_text(INDENT "skipped   %s, generation %s: %s\n", text_of(item, "pointer"),
			 text_of(item, "generation"), text_of(item, "why"));
	}
}

void history_head(void)
{
	say_text("%6s  %-24s  %5s  %-8s  %-11s  %10s  %-12s  %-15s\n", "seq", "time", "uid",
		 "event", "result", "generation", "digest", "state");
}

void history_record(const struct options *options, const json_t *record, const char *role)
{
	char seq[24], time[24], uid[24], event[24], result[24], generation[24], digest[24];

	say_text("%6s  %-24s  %5s  %-8s  %-11s  %10s  %-12.12s  %-15s",
		 value_text(record, "seq", seq), value_text(record, "time", time),
		 value_text(record, "uid", uid), value_text(record, "event", event),
		 value_text(record, "result", result), value_text(record, "generation", generation),
		 value_text(record, "digest", digest), role ? role : "");
	print_more(record);
	print_gates(options, record);
	if (options->verbose)
		print_sums("recent", json_object_get(record, "traffic"));
	print_trial(options, record);
	if (options->verbose)
		print_sentences("problem", json_object_get(record, "problems"));
	print_sentences("repaired", json_object_get(record, "repaired"));
	print_skipped(record);
}
