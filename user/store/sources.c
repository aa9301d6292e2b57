/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources of unattended changes: what of theirs failed lately, and which are on hold. Knows no
 * policy and no verdict on one; whoever asks decides what a hold means.
 */
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/json_file.h"
#include "store/totals.h"

#define SOURCES 1024u

static const struct json_kind sources_kind = {
	.name = "sources.json",
	.kept = "sources.bad",
	.schema = "stanch.sources/1",
	.max = (size_t)1 << 20,
};

static const char *const file_members[] = { "schema", "sources", NULL };
static const char *const source_members[] = { "failures", "held", "why", NULL };

struct source_row {
	char name[65];
	char why[64];
	uint64_t failures[SOURCE_FAILURES]; /* when, oldest first */
	uint32_t failed; /* of them */
	uint64_t held_s; /* since when; 0: not on hold */
};

struct sources {
	struct source_row *rows; /* room for SOURCES */
	uint32_t count;
	int damaged; /* what reading the file gave */
};

static void sources_free(struct sources *sources)
{
	free(sources->rows);
}
#define auto_sources cleanup(sources_free)

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

static bool is_source(const char *name)
{
	return *name && totals_name(name, strlen(name));
}

/* ---- the file ---- */

static int take_failures(const json_t *value, struct source_row *ret)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > SOURCE_FAILURES)
		return -EBADMSG;
	json_array_foreach(value, i, item)
	{
		if (json_take_u64(item, &ret->failures[i]))
			return -EBADMSG;
	}
	ret->failed = (uint32_t)json_array_size(value);
	return 0;
}

static int take_row(const char *name, const json_t *value, struct source_row *ret)
{
	if (!is_source(name) || json_members(value, source_members))
		return -EBADMSG;
	memcpy(ret->name, name, strlen(name) + 1);
	return take_failures(json_object_get(value, "failures"), ret)
		       ?: json_take_u64(json_object_get(value, "held"), &ret->held_s)
		       ?: json_take_text(json_object_get(value, "why"), ret->why, sizeof(ret->why));
}

static int take_file(json_t *file, struct sources *ret)
{
	json_t *sources = json_object_get(file, "sources");
	const char *name;
	json_t *value;

	if (json_members(file, file_members) || !json_is_object(sources) ||
	    json_object_size(sources) > SOURCES)
		return -EBADMSG;
	json_object_foreach(sources, name, value)
	{
		if (take_row(name, value, &ret->rows[ret->count]))
			return -EBADMSG;
		ret->count++;
	}
	return 0;
}

/* What is older than the window is forgotten; of a clock that was set back nothing is. */
static void forget(struct source_row *row, uint64_t now)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < row->failed; i++) {
		if (now < row->failures[i] + SOURCE_WINDOW_S)
			row->failures[kept++] = row->failures[i];
	}
	row->failed = kept;
	if (!kept && !row->held_s)
		*row->why = '\0';
}

/* None when there is no file, or a damaged one. */
static int load(const struct places *places, struct sources *ret)
{
	auto_json json_t *file = NULL;
	int err = json_file_read(places, &sources_kind, &file);

	ret->rows = calloc(SOURCES, sizeof(*ret->rows));
	if (!ret->rows)
		return -ENOMEM;
	if (!err)
		err = take_file(file, ret);
	ret->damaged = err;
	if (err) {
		memset(ret->rows, 0, SOURCES * sizeof(*ret->rows));
		ret->count = 0;
	}
	for (uint32_t i = 0; i < ret->count; i++)
		forget(&ret->rows[i], now_s());
	return err == -ENOENT || err == -EBADMSG ? 0 : err;
}

static json_t *give_row(const struct source_row *row)
{
	json_t *failures = json_array();

	for (uint32_t i = 0; i < row->failed; i++)
		json_array_append_new(failures, json_give_u64(row->failures[i]));
	return json_pack("{so,so,ss}", "failures", failures, "held", json_give_u64(row->held_s),
			 "why", row->why);
}

static int save(const struct places *places, const struct sources *sources)
{
	auto_json json_t *file = json_file_new(&sources_kind);
	json_t *rows = json_object();

	if (json_object_set_new(file, "sources", rows))
		return -ENOMEM;
	for (uint32_t i = 0; i < sources->count; i++) {
		const struct source_row *row = &sources->rows[i];

		/* Without failures and hold there is nothing to know about a source. */
		if ((row->failed || row->held_s) &&
		    json_object_set_new(rows, row->name, give_row(row)))
			return -ENOMEM;
	}
	return json_file_replace(places, &sources_kind, sources->damaged, file);
}

/* ---- one source ---- */

static struct source_row *find(const struct sources *sources, const char *name)
{
	for (uint32_t i = 0; i < sources->count; i++) {
		if (!strcmp(sources->rows[i].name, name))
			return &sources->rows[i];
	}
	return NULL;
}

static uint64_t last_failure(const struct source_row *row)
{
	return row->failed ? row->failures[row->failed - 1] : 0;
}

/* Who failed longest ago makes room; a hold is never forgotten. */
static struct source_row *make_room(struct sources *sources)
{
	struct source_row *found = NULL;

	if (sources->count < SOURCES)
		return &sources->rows[sources->count++];
	for (uint32_t i = 0; i < sources->count; i++) {
		struct source_row *row = &sources->rows[i];

		if (!row->held_s && (!found || last_failure(row) < last_failure(found)))
			found = row;
	}
	return found;
}

/* The file, and in it the row of @name, made when there is none. */
static int load_row(const struct places *places, const char *name, struct sources *sources,
		    struct source_row **ret)
{
	int err = is_source(name) ? load(places, sources) : -EINVAL;
	struct source_row *row;

	if (err)
		return err;
	row = find(sources, name);
	if (!row) {
		row = make_room(sources);
		if (!row)
			return -ENOSPC;
		*row = (struct source_row){ 0 };
		memcpy(row->name, name, strlen(name) + 1);
	}
	*ret = row;
	return 0;
}

static void show(const struct source_row *row, struct source_state *ret)
{
	*ret = (struct source_state){ .failures = row->failed,
				      .held = row->held_s,
				      .held_since_s = row->held_s };
	memcpy(ret->name, row->name, sizeof(ret->name));
	memcpy(ret->why, row->why, sizeof(ret->why));
}

int source_state_read(const struct places *places, const char *name, struct source_state *ret)
{
	auto_sources struct sources sources = { 0 };
	const struct source_row *row;
	int err = is_source(name) ? load(places, &sources) : -EINVAL;

	if (err)
		return err;
	row = find(&sources, name);
	if (row) {
		show(row, ret);
	} else {
		*ret = (struct source_state){ 0 };
		memcpy(ret->name, name, strlen(name) + 1);
	}
	return 0;
}

int source_each(const struct places *places, int (*fn)(void *context, const struct source_state *s),
		void *context)
{
	auto_sources struct sources sources = { 0 };
	int r = load(places, &sources);

	for (uint32_t i = 0; i < sources.count && !r; i++) {
		struct source_state state;

		show(&sources.rows[i], &state);
		if (state.failures || state.held)
			r = fn(context, &state);
	}
	return r;
}

/* "growth,newly_dropped": what failed, in order, as much as there is room for. */
static void add_why(struct source_row *row, const char *why)
{
	char both[2 * sizeof(row->why)];

	snprintf(both, sizeof(both), "%s%s%.63s", row->why, *row->why ? "," : "", why);
	text_copy(both, row->why, sizeof(row->why));
}

int source_failed(const struct places *places, const char *name, const char *why,
		  struct source_state *ret)
{
	auto_sources struct sources sources = { 0 };
	struct source_row *row = NULL;
	int err = load_row(places, name, &sources, &row);

	if (err)
		return err;
	if (row->failed == SOURCE_FAILURES)
		memmove(row->failures, row->failures + 1, --row->failed * sizeof(*row->failures));
	row->failures[row->failed++] = now_s();
	if (!row->held_s)
		add_why(row, why);
	if (row->failed == SOURCE_FAILURES && !row->held_s)
		row->held_s = now_s();
	err = save(places, &sources);
	if (!err && ret)
		show(row, ret);
	return err;
}

int source_release(const struct places *places, const char *name)
{
	auto_sources struct sources sources = { 0 };
	struct source_row *row;
	int err = is_source(name) ? load(places, &sources) : -EINVAL;

	if (err)
		return err;
	row = find(&sources, name);
	if (!row)
		return 0;
	row->failed = 0;
	row->held_s = 0;
	*row->why = '\0';
	return save(places, &sources);
}

int source_hold(const struct places *places, const char *name, const char *why)
{
	auto_sources struct sources sources = { 0 };
	struct source_row *row = NULL;
	int err = load_row(places, name, &sources, &row);

	if (err)
		return err;
	if (row->held_s)
		return 0;
	row->held_s = now_s();
	text_copy(why, row->why, sizeof(row->why));
	return save(places, &sources);
}
