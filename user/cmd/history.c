/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch history`: the audit log, newest first, and which of its generations judges now. The log
 * is readable without a running instance; --verify reads all of it and checks its chain.
 */
#include "history.h"

#include <errno.h>
#include <string.h>

#include "args.h"
#include "dataplane/dataplane.h"
#include "store/store.h"

#define SHOWN_USUALLY 20u
#define SHOWN_MOST 1000000u

struct kept {
	json_t *record;
};

/* The last records of the log: a ring, so that a long log takes no more memory than is shown. */
struct tail {
	struct kept *records;
	uint32_t size;
	uint64_t seen;
};

static void tail_free(struct tail *tail)
{
	uint32_t i;

	for (i = 0; tail->records && i < tail->size; i++)
		json_decref(tail->records[i].record);
	free(tail->records);
}

static int keep(void *context, json_t *record)
{
	struct tail *tail = context;
	struct kept *place = &tail->records[tail->seen++ % tail->size];

	json_decref(place->record);
	place->record = json_incref(record);
	return 0;
}

static uint32_t tail_count(const struct tail *tail)
{
	return tail->seen < tail->size ? (uint32_t)tail->seen : tail->size;
}

/* Record @back before the newest. */
static json_t *tail_get(const struct tail *tail, uint32_t back)
{
	return tail->records[(tail->seen - 1 - back) % tail->size].record;
}

/* Which generations the word names, as far as there is an instance that can be read. */
struct roles {
	bool known;
	struct slot_info live, good;
};

static void read_roles(const struct options *options, struct roles *ret)
{
	auto_instance struct instance *instance = NULL;
	auto_control struct control *control = NULL;
	auto_diag struct diag diag = { 0 };
	struct word word;

	if (instance_open(&options->places, &instance, &diag) ||
	    control_open(&options->places, &control))
		return;
	word = word_unpack(control_load(control, CONTROL_WORD));
	ret->known = !slot_read(instance, word.live, &ret->live) &&
		     !slot_read(instance, word.good, &ret->good);
}

static const char *role_of(const struct roles *roles, const json_t *record)
{
	const char *text = json_string_value(json_object_get(record, "generation"));
	uint64_t generation = text ? strtoull(text, NULL, 10) : 0;

	if (!roles->known || !text)
		return NULL;
	if (roles->live.lines && roles->live.generation == generation)
		return "live";
	if (roles->good.lines && roles->good.generation == generation)
		return "last-known-good";
	return NULL;
}

static void print_history(const struct options *options, const struct roles *roles,
			  const struct tail *tail)
{
	uint32_t i;

	history_head();
	for (i = 0; i < tail_count(tail); i++) {
		const json_t *record = tail_get(tail, i);

		history_record(options, record, role_of(roles, record));
	}
}

static json_t *history_json(const struct options *options, const struct roles *roles,
			    const struct tail *tail)
{
	json_t *records = json_array();
	uint32_t i;

	for (i = 0; i < tail_count(tail); i++) {
		json_t *record = json_copy(tail_get(tail, i));
		const char *role = role_of(roles, record);

		json_object_set_new(record, "state", role ? json_string(role) : json_null());
		json_array_append_new(records, record);
	}
	return json_pack("{ss, so, so}", "instance", options->places.instance, "total",
			 json_u64(tail->seen), "records", records);
}

static int verify(const struct options *options, int error, uint64_t line, uint64_t seen)
{
	if (error == -EBADMSG)
		return say_error(
			options, EXIT_FAILED,
			"the audit log is damaged: line %llu does not follow from the one before it",
			(unsigned long long)line);
	if (!options->json)
		say_text("the audit log is whole: %llu records\n", (unsigned long long)seen);
	say_result(options, "history",
		   json_pack("{ss, sb, so}", "instance", options->places.instance, "whole", 1,
			     "total", json_u64(seen)));
	return EXIT_DONE;
}

static int run(const struct options *options, uint32_t size, bool only_verify)
{
	cleanup(tail_free) struct tail tail = { .size = size };
	struct roles roles = { 0 };
	uint64_t line = 0;
	int err;

	tail.records = calloc(size, sizeof(*tail.records));
	if (!tail.records)
		return say_errno(options, ENOMEM, "history");
	err = audit_each(&options->places, keep, &tail, &line);
	if (err == -ENOENT)
		err = 0; /* nothing has happened yet */
	if (err && err != -EBADMSG)
		return say_errno(options, err, "the audit log cannot be read");
	if (only_verify)
		return verify(options, err, line, tail.seen);
	read_roles(options, &roles);
	if (options->json)
		say_result(options, "history", history_json(options, &roles, &tail));
	else
		print_history(options, &roles, &tail);
	return err ? verify(options, err, line, tail.seen) : EXIT_DONE;
}

int cmd_history(const struct options *options, int argc, char **argv)
{
	const char *number = NULL;
	bool only_verify = false;
	const struct arg list[] = {
		{ "number", 'n', NULL, &number },
		{ "verify", 0, &only_verify, NULL },
	};
	const struct args args = { list, ARRAY_SIZE(list), 0, 0 };
	uint64_t size = SHOWN_USUALLY;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	if (number && !args_number(options, "-n", number, SHOWN_MOST, &size))
		return EXIT_USAGE;
	if (!size)
		return args_wrong(options, argv[0], "-n 0 would show nothing");
	return run(options, (uint32_t)size, only_verify);
}
