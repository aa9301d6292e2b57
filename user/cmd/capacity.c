/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch capacity`: how full the generation that judges makes every table of the loaded program,
 * and what the slots cost in memory that cannot be swapped out.
 */
#include "cmd.h"

#include "args.h"
#include "live.h"
#include "look.h"

struct used {
	const char *name;
	uint64_t used, limit;
};

#define TABLES_SHOWN 6u

/* What learns: when it is full, it forgets who sends least. */
static const char *const learned_names[] = {
	[LEARNED_SOURCES] = "sources",
	[LEARNED_NETWORKS] = "networks",
};
#define LEARNED ARRAY_SIZE(learned_names)

struct figures {
	struct used tables[TABLES_SHOWN], learned[LEARNED];
};

static int count_one(void *context, const struct learned_source *source)
{
	(void)source;
	++*(uint64_t *)context;
	return 0;
}

static int fill_learned(const struct look *look, struct used ret[LEARNED])
{
	int err = 0;

	for (enum learned what = 0; what < LEARNED && !err; what++) {
		ret[what] = (struct used){ learned_names[what], 0,
					   learned_limit(look->instance, what) };
		err = learned_each(look->instance, what, count_one, &ret[what].used);
	}
	return err;
}

static uint64_t learned_bytes(const struct used *learned)
{
	return learned->limit * sizeof(struct source_entry);
}

static void fill_tables(const struct image *image, const struct limits *limits,
			struct used ret[TABLES_SHOWN])
{
	const struct image_counts *counts = image_counts(image);
	const struct used tables[TABLES_SHOWN] = {
		{ "prefixes", counts->prefixes, limits->prefixes },
		{ "lists", counts->lists, limits->lists },
		{ "combinations", counts->leaves, limits->leaves },
		{ "families", counts->families, limits->families },
		{ "steps", counts->steps, limits->steps },
		{ "lines", image->lines, limits->lines },
	};
	unsigned int i;

	for (i = 0; i < TABLES_SHOWN; i++)
		ret[i] = tables[i];
}

static uint64_t slot_bytes(const struct look *look, unsigned int slot)
{
	return (uint64_t)look->slots[slot].lines * LINE_SIZE;
}

static uint64_t memory_of(const struct look *look)
{
	uint64_t bytes = 0;
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		bytes += slot_bytes(look, slot);
	return bytes;
}

static uint64_t memory_limit(const struct look *look)
{
	return (uint64_t)instance_limits(look->instance)->lines * LINE_SIZE * SLOTS;
}

static const char *role_of(const struct look *look, unsigned int slot)
{
	if (!look->slots[slot].lines)
		return "free";
	if (slot == look->word.live)
		return "live";
	if (slot == look->word.good)
		return "last-known-good";
	return slot == look->word.candidate && look->word.share ? "candidate" : "older";
}

static void print_capacity(const struct look *look, const struct figures *figures)
{
	const struct used *tables = figures->tables, *learned = figures->learned;
	unsigned int i;

	say_text("%-14s  %12s  %12s  %12s  %6s\n", "table", "used", "limit", "headroom", "full");
	for (i = 0; i < TABLES_SHOWN; i++)
		say_text("%-14s  %12llu  %12llu  %12llu  %5.1f%%\n", tables[i].name,
			 (unsigned long long)tables[i].used, (unsigned long long)tables[i].limit,
			 (unsigned long long)(tables[i].limit - tables[i].used),
			 100.0 * (double)tables[i].used / (double)tables[i].limit);
	say_text("\n%-4s  %-15s  %12s  %14s\n", "slot", "holds", "generation", "bytes");
	for (i = 0; i < SLOTS; i++) {
		say_text("%-4u  %-15s  ", i, role_of(look, i));
		if (look->slots[i].lines)
			say_text("%12llu  %14llu\n", (unsigned long long)look->slots[i].generation,
				 (unsigned long long)slot_bytes(look, i));
		else
			say_text("%12s  %14s\n", "-", "-");
	}
	say_text("\nmemory of slots  %llu bytes, never swapped out; at most %llu\n",
		 (unsigned long long)memory_of(look), (unsigned long long)memory_limit(look));
	say_text("\n%-14s  %12s  %12s  %14s\n", "learned", "known", "room for", "bytes");
	for (i = 0; i < LEARNED; i++)
		say_text("%-14s  %12llu  %12llu  %14llu\n", learned[i].name,
			 (unsigned long long)learned[i].used, (unsigned long long)learned[i].limit,
			 (unsigned long long)learned_bytes(&learned[i]));
}

static json_t *learned_json(const struct used *learned)
{
	json_t *ret = json_array();

	for (unsigned int i = 0; i < LEARNED; i++)
		json_array_append_new(ret, json_pack("{ss, so, so, so}", "name", learned[i].name,
						     "known", json_u64(learned[i].used), "limit",
						     json_u64(learned[i].limit), "bytes",
						     json_u64(learned_bytes(&learned[i]))));
	return ret;
}

static json_t *capacity_json(const struct options *options, const struct look *look,
			     const struct figures *figures)
{
	const struct used *tables = figures->tables;
	json_t *table_array = json_array(), *slot_array = json_array();
	unsigned int i;

	for (i = 0; i < TABLES_SHOWN; i++)
		json_array_append_new(table_array,
				      json_pack("{ss, so, so, so}", "name", tables[i].name, "used",
						json_u64(tables[i].used), "limit",
						json_u64(tables[i].limit), "headroom",
						json_u64(tables[i].limit - tables[i].used)));
	for (i = 0; i < SLOTS; i++)
		json_array_append_new(slot_array,
				      json_pack("{si, ss, so, so}", "slot", (int)i, "holds",
						role_of(look, i), "generation",
						look->slots[i].lines
							? json_u64(look->slots[i].generation)
							: json_null(),
						"bytes", json_u64(slot_bytes(look, i))));
	return json_pack("{ss, so, so, so, so, so}", "instance", options->places.instance, "tables",
			 table_array, "slots", slot_array, "memory_bytes",
			 json_u64(memory_of(look)), "memory_limit_bytes",
			 json_u64(memory_limit(look)), "learned", learned_json(figures->learned));
}

int cmd_capacity(const struct options *options, int argc, char **argv)
{
	static const struct args args = { 0 };
	auto_image struct image_file file = { 0 };
	auto_look struct look look = { 0 };
	struct figures figures;
	int code, err;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	code = look_open(options, &look);
	if (code != EXIT_DONE)
		return code;
	err = live_image(look.instance, look_judging(&look), &file);
	if (err)
		return say_errno(options, err, "the generation that judges cannot be read");
	err = fill_learned(&look, figures.learned);
	if (err)
		return say_errno(options, err, "what was learned about sources cannot be read");
	fill_tables(&file.image, instance_limits(look.instance), figures.tables);
	if (options->json)
		say_result(options, "capacity", capacity_json(options, &look, &figures));
	else
		print_capacity(&look, &figures);
	return EXIT_DONE;
}
