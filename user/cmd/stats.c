/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch stats`: the exact counters, by verdict, by reason, or by list. A list's numbers go on
 * under its name, whichever generations have counted for it.
 */
#include "cmd.h"

#include <stanch/reasons.h>
#include <string.h>

#include "args.h"
#include "look.h"
#include "stats.h"

#define ROWS_USUAL 20u /* of sources */

static int by_verdict(const struct look *look, const struct places *places, struct stats *ret)
{
	struct counter counters[COUNTERS] = { 0 };
	unsigned int i, verdict;
	int err;

	(void)places;
	err = stats_reserve(ret, VERDICTS);
	if (!err)
		err = counters_read(look->instance, counters);
	if (err)
		return err;
	for (verdict = 0; verdict < VERDICTS; verdict++) {
		struct stats_row *row = stats_add(ret, verdict_names[verdict]);

		for (i = 0; i < COUNTERS; i++)
			row->packets += counters[i].packets[verdict];
	}
	return 0;
}

static int by_reason(const struct look *look, const struct places *places, struct stats *ret)
{
	struct counter counters[COUNTERS] = { 0 };
	unsigned int reason, slot, verdict;
	int err;

	(void)places;
	err = stats_reserve(ret, REASONS);
	if (!err)
		err = counters_read(look->instance, counters);
	if (err)
		return err;
	for (reason = 0; reason < REASONS; reason++) {
		struct stats_row *row = stats_add(ret, reason_texts[reason].name);

		for (slot = 0; slot <= SLOT_NONE; slot++) {
			const struct counter *at = &counters[slot * LIMIT_REASONS + reason];

			for (verdict = 0; verdict < VERDICTS; verdict++)
				row->packets += at->packets[verdict];
			row->dropped += at->packets[VERDICT_DROP];
			row->flagged += at->packets[VERDICT_FLAG];
			row->monitored += at->monitored;
			row->bytes += at->bytes;
		}
	}
	return 0;
}

/* What the rows are by, and which numbers a row has. */
static const struct kind {
	const char *name;
	int (*collect)(const struct look *look, const struct places *places, struct stats *ret);
	bool bytes, verdicts, sources;
} kinds[] = {
	{ "verdict", by_verdict, false, false, false },
	{ "reason", by_reason, true, true, false },
	{ "list", stats_by_list, true, false, false },
	{ "source", stats_by_source, true, false, true },
	{ "network", stats_by_network, true, false, true },
};

static const struct kind *kind_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static int busier_first(const void *a, const void *b)
{
	const struct stats_row *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void print_row(const struct kind *kind, const struct stats_row *row)
{
	char age[AGE_TEXT];

	say_text("%-32s  %14llu", row->name, (unsigned long long)row->packets);
	if (kind->bytes)
		say_text("  %16llu", (unsigned long long)row->bytes);
	if (kind->verdicts)
		say_text("  %12llu  %12llu  %12llu", (unsigned long long)row->dropped,
			 (unsigned long long)row->flagged, (unsigned long long)row->monitored);
	if (kind->sources)
		say_text("  %12llu  %8s ago", (unsigned long long)row->dropped,
			 age_text(row->idle_ns, age));
	say_text("\n");
}

static void print_stats(const struct kind *kind, struct stats *stats, bool all)
{
	uint32_t i, hidden = 0;

	qsort(stats->rows, stats->count, sizeof(*stats->rows), busier_first);
	say_text("%-32s  %14s", kind->name, "packets");
	if (kind->bytes)
		say_text("  %16s", "bytes");
	if (kind->verdicts)
		say_text("  %12s  %12s  %12s", "dropped", "flagged", "monitored");
	if (kind->sources)
		say_text("  %12s  %12s", "dropped", "last seen");
	say_text("\n");
	for (i = 0; i < stats->count; i++) {
		if (all || stats->rows[i].packets)
			print_row(kind, &stats->rows[i]);
		else
			hidden++;
	}
	if (hidden)
		say_text("%u more without a packet (--all)\n", hidden);
	if (stats->left_out)
		say_text("%u more (--limit)\n", stats->left_out);
}

static json_t *row_json(const struct kind *kind, const struct stats_row *row)
{
	json_t *ret = json_pack("{ss, so}", "name", row->name, "packets", json_u64(row->packets));

	if (kind->bytes)
		json_object_set_new(ret, "bytes", json_u64(row->bytes));
	if (kind->sources) {
		json_object_set_new(ret, "dropped", json_u64(row->dropped));
		json_object_set_new(ret, "idle_ms", json_u64(row->idle_ns / 1000000));
	}
	if (!kind->verdicts)
		return ret;
	json_object_set_new(ret, "dropped", json_u64(row->dropped));
	json_object_set_new(ret, "flagged", json_u64(row->flagged));
	json_object_set_new(ret, "monitored", json_u64(row->monitored));
	return ret;
}

static json_t *stats_json(const struct options *options, const struct kind *kind,
			  const struct stats *stats)
{
	json_t *rows = json_array(), *ret;
	uint32_t i;

	for (i = 0; i < stats->count; i++)
		json_array_append_new(rows, row_json(kind, &stats->rows[i]));
	ret = json_pack("{ss, ss, so}", "instance", options->places.instance, "by", kind->name,
			"rows", rows);
	if (kind->sources)
		json_object_set_new(ret, "left_out", json_u64(stats->left_out));
	return ret;
}

static int run(const struct options *options, const struct kind *kind, bool all, uint32_t limit)
{
	cleanup(stats_free) struct stats stats = { .limit = limit };
	auto_look struct look look = { 0 };
	int code = look_open(options, &look), err;

	if (code != EXIT_DONE)
		return code;
	err = kind->collect(&look, &options->places, &stats);
	if (err)
		return say_errno(options, err, "the counters cannot be read");
	if (kind->sources)
		qsort(stats.rows, stats.count, sizeof(*stats.rows), busier_first);
	if (options->json)
		say_result(options, "stats", stats_json(options, kind, &stats));
	else
		print_stats(kind, &stats, all);
	return EXIT_DONE;
}

int cmd_stats(const struct options *options, int argc, char **argv)
{
	const char *by = "verdict", *limit = NULL;
	bool all = false;
	const struct arg list[] = { { "by", 0, NULL, &by },
				    { "all", 'a', &all, NULL },
				    { "limit", 0, NULL, &limit } };
	const struct args args = { list, ARRAY_SIZE(list), 0, 0 };
	uint64_t rows = ROWS_USUAL;
	const struct kind *kind;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	kind = kind_find(by);
	if (!kind)
		return args_wrong(options, argv[0],
				  "--by is verdict, reason, list, source or network, not '%s'", by);
	if (limit && !kind->sources)
		return args_wrong(options, argv[0], "--limit goes with --by source or network");
	if (limit && !args_number(options, "--limit", limit, UINT32_MAX, &rows))
		return EXIT_USAGE;
	return run(options, kind, all, (uint32_t)rows);
}
