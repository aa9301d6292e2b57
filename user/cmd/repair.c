/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a killed predecessor left is put right before anything else is changed: files, slots, a
 * trial that nobody watches, pointers. What judges packets now is the truth; files and the log are
 * made to say so. Trouble here is said and stops nobody: the verb itself will meet it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cmd/describe.h"
#include "cmd/live.h"
#include "store/store.h"

/* How far a generation got that is not live. */
struct unfinished {
	struct slot_info info;
	const char *result; /* for the log: "expired", "not_applied"; NULL: it says nothing wrong */
	bool taken_back; /* the log may say that it was applied */
};

struct repair {
	const struct options *options;
	struct instance *instance;
	struct word word;
	struct slot_info live;
	struct unfinished unfinished;
	json_t *done; /* sentences */
};

static void note(void *context, const char *text)
{
	struct repair *repair = context;

	say_warning("repaired: %s", text);
	json_array_append_new(repair->done, json_string(text));
}

__attribute__((format(printf, 2, 3))) static void tell(struct repair *repair, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	va_list list;

	va_start(list, fmt);
	vsnprintf(text, sizeof(text), fmt, list);
	va_end(list);
	note(repair, text);
}

static void failed(int error, const char *what)
{
	if (error)
		say_warning("%s could not be repaired: %s", what, say_reason(error));
}

/* ---- the kernel ---- */

static bool read_word(const struct repair *repair, struct word *ret)
{
	auto_control struct control *control = NULL;

	if (control_open(&repair->options->places, &control))
		return false;
	*ret = word_unpack(control_load(control, CONTROL_WORD));
	return true;
}

/* Returns false when there is nothing more to be done in the kernel. */
static bool repair_kernel(struct repair *repair)
{
	auto_diag struct diag diag = { 0 };
	struct slot_info tried = { 0 };
	struct word before;

	if (instance_open(&repair->options->places, &repair->instance, &diag))
		return false;
	if (!read_word(repair, &before))
		return false;
	slot_read(repair->instance, before.share ? before.candidate : before.live, &tried);
	failed(slots_repair(repair->instance, note, repair), "the slots");
	if (!read_word(repair, &repair->word))
		return false;
	if (before.provisional && before.epoch != repair->word.epoch)
		repair->unfinished = (struct unfinished){ tried, "expired", false };
	return !slot_read(repair->instance, repair->word.live, &repair->live);
}

/* ---- a generation that was staged and is not live ---- */

/* What the log says last about one generation. */
struct recorded {
	char generation[24];
	char result[16]; /* "": nothing */
	char time[32];
	json_int_t epoch;
	bool apply; /* which gives numbers: no other record of this one was ever true */
};

static int last_of(void *context, json_t *record)
{
	struct recorded *ret = context;
	const char *generation = json_string_value(json_object_get(record, "generation"));
	const char *result = json_string_value(json_object_get(record, "result"));
	const char *time = json_string_value(json_object_get(record, "time"));
	const char *event = json_string_value(json_object_get(record, "event"));

	if (!generation || !result || strcmp(generation, ret->generation))
		return 0;
	snprintf(ret->result, sizeof(ret->result), "%s", result);
	snprintf(ret->time, sizeof(ret->time), "%s", time ? time : "");
	ret->epoch = json_integer_value(json_object_get(record, "epoch"));
	ret->apply = event && !strcmp(event, "apply");
	return 0;
}

static bool is_named(const struct word *word, unsigned int slot)
{
	return slot == word->live || slot == word->good || (word->share && slot == word->candidate);
}

/* In the words of the log, so that both compare as text. */
static void staged_text(const struct slot_info *info, char ret[32])
{
	time_t seconds = (time_t)(info->staged_ns / 1000000000u);
	struct tm utc = { 0 };
	size_t len;

	gmtime_r(&seconds, &utc);
	len = strftime(ret, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(ret + len, 32 - len, ".%03lluZ",
		 (unsigned long long)(info->staged_ns / 1000000 % 1000));
}

/*
 * A generation that was live once stays where it is. The record of one that was about to be is
 * younger than its slot and says under which epoch: while that has not changed, no store followed.
 */
static bool was_live(const struct repair *repair, const struct recorded *recorded,
		     const struct slot_info *info)
{
	char staged[32];

	if (strcmp(recorded->result, "applied") && strcmp(recorded->result, "unchanged"))
		return false;
	staged_text(info, staged);
	return recorded->epoch != repair->word.epoch || strcmp(recorded->time, staged) < 0;
}

static void repair_orphan(struct repair *repair, unsigned int slot, const struct slot_info *info)
{
	struct recorded recorded = { .epoch = -1 };
	uint64_t line;
	int r;

	snprintf(recorded.generation, sizeof(recorded.generation), "%llu",
		 (unsigned long long)info->generation);
	r = audit_each(&repair->options->places, last_of, &recorded, &line);
	if (r || was_live(repair, &recorded, info)) /* a damaged log says nothing for sure */
		return;
	r = slot_withdraw(repair->instance, slot);
	if (r) {
		failed(r, "a slot");
		return;
	}
	tell(repair, "generation %llu was staged and never kept; slot %u has been emptied",
	     (unsigned long long)info->generation, slot);
	if (recorded.apply && !repair->unfinished.result)
		repair->unfinished = (struct unfinished){ *info, "not_applied", true };
}

/* Only what is newer than the live one can be unfinished; the log is not read for anything else. */
static void repair_orphans(struct repair *repair)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		struct slot_info info;

		if (is_named(&repair->word, slot) || slot_read(repair->instance, slot, &info))
			continue;
		if (info.lines && info.generation > repair->live.generation)
			repair_orphan(repair, slot, &info);
	}
}

/* ---- pointers ---- */

static bool is_live(const struct repair *repair, const struct pointer *pointer)
{
	return pointer->generation == repair->live.generation &&
	       !memcmp(pointer->digest, repair->live.digest, sizeof(pointer->digest));
}

static bool is_kept(const struct repair *repair)
{
	for (unsigned int n = 1; n <= POINTERS_GOOD; n++) {
		struct pointer pointer;

		if (!pointer_good_read(&repair->options->places, n, &pointer) &&
		    !memcmp(pointer.digest, repair->live.digest, sizeof(pointer.digest)))
			return true;
	}
	return false;
}

/*
 * A trial that runs belongs to whoever watches it; a new instance runs the factory generation until
 * `restore` asks the pointer what was live.
 */
static bool has_settled(const struct repair *repair)
{
	return repair->live.lines && repair->live.generation && !repair->word.provisional;
}

static void repair_pointers(struct repair *repair)
{
	const struct places *places = &repair->options->places;
	const struct pointer live = pointer_to(repair->live.generation, repair->live.digest);
	struct pointer found = { 0 };
	int r;

	if (!has_settled(repair))
		return;
	r = pointer_live_read(places, &found);
	if (r || !is_live(repair, &found)) {
		r = pointer_live_write(places, &live);
		failed(r, "the pointer to what is live");
		if (!r)
			tell(repair, "the pointer to what is live names generation %llu now",
			     (unsigned long long)live.generation);
	}
	if (is_kept(repair))
		return;
	r = pointer_keep(places, &live);
	failed(r, "the pointer to what is kept");
	if (!r)
		tell(repair, "generation %llu is kept for a restart now",
		     (unsigned long long)live.generation);
}

/* ---- all of it ---- */

static void record(const struct repair *repair)
{
	const struct unfinished *unfinished = &repair->unfinished;
	const char *result = unfinished->result ? unfinished->result : "done";
	json_t *record = json_pack("{ss,ss,sO}", "event", "repair", "result", result, "repaired",
				   repair->done);
	char digest[DIGEST_TEXT];

	if (unfinished->result)
		json_object_set_new(record, "generation", json_u64(unfinished->info.generation));
	/* With a digest it takes back what the log said of this generation before. */
	if (unfinished->taken_back)
		json_object_set_new(record, "digest",
				    json_string(digest_text(unfinished->info.digest, digest)));
	live_record(repair->options, record);
}

void live_repair(const struct options *options)
{
	struct repair repair = { .options = options, .done = json_array() };

	failed(store_repair(&options->places, note, &repair), options->places.state);
	if (repair_kernel(&repair)) {
		repair_orphans(&repair);
		repair_pointers(&repair);
	}
	if (json_array_size(repair.done))
		record(&repair);
	instance_close(&repair.instance);
	json_decref(repair.done);
}
