/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore: after a restart of the machine, the newest generation that was kept and still verifies
 * becomes live at once, and the one before it last-known-good. With none left the factory
 * generation stays, which passes everything. A full disk stops nothing here.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cmd/args.h"
#include "cmd/describe.h"
#include "cmd/live.h"
#include "policy/gates.h"
#include "store/store.h"

#define CANDIDATES (1 + POINTERS_GOOD)

/* What a pointer names, and why it is not used; "": it is, or it was not needed. */
struct candidate {
	char name[16];
	struct pointer pointer;
	bool found;
	char why[DIAG_TEXT];
};

/* A generation that verified and sits in a slot of its own. */
struct staged {
	const struct candidate *candidate;
	unsigned int slot;
	uint32_t golden;
};

struct restore {
	const struct options *options;
	int lock;
	struct instance *instance;
	struct control *control;
	struct twin *twin;
	struct word before;
	struct slot_info live;
	struct candidate candidates[CANDIDATES];
	struct staged first, second;
	bool factory; /* because it was live before, not because there is nothing else */
};

static void restore_free(struct restore *restore)
{
	twin_close(&restore->twin);
	control_close(&restore->control);
	instance_close(&restore->instance);
	close_fd(&restore->lock);
}

__attribute__((format(printf, 2, 3))) static void skip(struct candidate *candidate, const char *fmt,
						       ...)
{
	va_list list;

	va_start(list, fmt);
	vsnprintf(candidate->why, sizeof(candidate->why), fmt, list);
	va_end(list);
}

static void skip_for(struct candidate *candidate, const char *what, int error,
		     const struct diag *diag)
{
	skip(candidate, "%s: %s", what,
	     diag->stored ? diag->problems[0].message : say_reason(error));
}

/* ---- which ---- */

static bool same(const struct candidate *a, const struct candidate *b)
{
	return a->found && b->found &&
	       !memcmp(a->pointer.digest, b->pointer.digest, sizeof(a->pointer.digest));
}

static void read_pointer(const struct restore *restore, unsigned int n, struct candidate *ret)
{
	const struct places *places = &restore->options->places;
	int r = n ? pointer_good_read(places, n, &ret->pointer)
		  : pointer_live_read(places, &ret->pointer);

	snprintf(ret->name, sizeof(ret->name), n ? "good-%u" : "live", n);
	ret->found = !r;
	if (r && r != -ENOENT)
		skip(ret, "the pointer cannot be used: %s", say_reason(r));
}

/*
 * What was live when the machine went down counts only when it had been kept; and a pointer from
 * before the newest one was kept is one that the disk failed to replace.
 */
static void judge_live(struct candidate *live, const struct candidate *newest, bool kept)
{
	if (!live->found)
		return;
	if (!kept && live->pointer.generation)
		skip(live, "it was on trial when the machine went down");
	else if (newest->found && live->pointer.time_s < newest->pointer.time_s)
		skip(live, "generation %llu was kept after it was live",
		     (unsigned long long)newest->pointer.generation);
}

static void gather(struct restore *restore)
{
	struct candidate *live = &restore->candidates[0];
	bool kept = false;

	for (unsigned int n = 0; n < CANDIDATES; n++)
		read_pointer(restore, n, &restore->candidates[n]);
	for (unsigned int n = 1; n < CANDIDATES; n++)
		kept = kept || same(live, &restore->candidates[n]);
	if (!same(live, &restore->candidates[1]))
		judge_live(live, &restore->candidates[1], kept);
	/* Each is asked for once. */
	for (unsigned int n = 1; n < CANDIDATES && !*live->why; n++) {
		struct candidate *good = &restore->candidates[n];

		good->found = good->found && !same(live, good);
	}
}

/* ---- does it verify ---- */

static bool is_quarantined(const struct restore *restore, struct candidate *candidate)
{
	struct quarantine quarantine;

	if (quarantine_find(&restore->options->places, candidate->pointer.digest, &quarantine))
		return false;
	skip(candidate, "it is in quarantine: %s", quarantine.why);
	return true;
}

/* Those that an operator may force, whoever kept this generation has answered. */
static int run_gates(const struct restore *restore, const struct image *image, struct diag *diag)
{
	struct gate_result results[GATES];
	struct policy_settings settings;
	struct gate_facts facts = {
		.image = image,
		.limits = instance_limits(restore->instance),
		.settings = &settings.gates,
	};

	settings_default(&settings);
	for (unsigned int gate = 0; gate < GATES; gate++)
		facts.forced |= gate_may_force(gate) ? 1u << gate : 0;
	return gates_run(&facts, results, diag);
}

static bool load(const struct restore *restore, struct candidate *candidate, struct image_file *ret)
{
	auto_diag struct diag diag = { 0 };
	int r = store_image_read(&restore->options->places, candidate->pointer.digest,
				 instance_limits(restore->instance), ret, &diag);

	if (r) {
		skip_for(candidate, r == -ENOENT ? "its image is missing" : "its image is damaged",
			 r, &diag);
		return false;
	}
	r = run_gates(restore, &ret->image, &diag);
	if (r)
		skip_for(candidate, "refused", r, &diag);
	return !r;
}

static int free_slot(const struct restore *restore)
{
	struct word word = restore->before;

	/* The one that was found already is as good as named. */
	if (restore->first.candidate) {
		word.candidate = restore->first.slot & WORD_SLOT_MASK;
		word.share = 1;
	}
	return slot_free(restore->instance, &word);
}

static int prove(struct restore *restore, const struct image *image, struct staged *staged,
		 struct diag *diag)
{
	struct proof proof = { 0 };
	int r = restore->twin ? 0 : twin_open(restore->instance, &restore->twin, diag);

	r = r ? r : prove_slot(restore->twin, image, staged->slot, &proof, diag);
	staged->golden = proof.packets;
	return r;
}

/* Into a slot, and through the golden packets there. */
static bool stage(struct restore *restore, struct candidate *candidate, struct staged *ret)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct staged staged = { .candidate = candidate };
	int r, slot;

	if (is_quarantined(restore, candidate) || !load(restore, candidate, &image))
		return false;
	slot = free_slot(restore);
	if (slot < 0) {
		skip_for(candidate, "no slot is free", slot, &diag);
		return false;
	}
	staged.slot = (unsigned int)slot;
	r = live_retire(restore->options, restore->instance, staged.slot);
	if (r)
		say_warning("the hits of lists so far could not be kept: %s", say_reason(r));
	r = slot_stage(restore->instance, &image, candidate->pointer.generation, staged.slot,
		       &diag);
	if (r) {
		skip_for(candidate, "it cannot be staged", r, &diag);
		return false;
	}
	r = prove(restore, &image.image, &staged, &diag);
	if (r) {
		skip_for(candidate, "it was not proved", r, &diag);
		slot_withdraw(restore->instance, staged.slot);
		return false;
	}
	*ret = staged;
	return true;
}

/* The newest that verifies, and the next one, to fall back to. */
static void choose(struct restore *restore)
{
	for (unsigned int n = 0; n < CANDIDATES && !restore->second.candidate; n++) {
		struct candidate *candidate = &restore->candidates[n];

		if (!candidate->found || *candidate->why)
			continue;
		if (!candidate->pointer.generation) {
			restore->factory = !restore->first.candidate;
			return; /* it is there already, and what was before it stays behind it */
		}
		stage(restore, candidate,
		      restore->first.candidate ? &restore->second : &restore->first);
	}
}

/* ---- making it so ---- */

static int change(struct word *word, void *context)
{
	const struct restore *restore = context;

	if (word->epoch != restore->before.epoch)
		return -ESTALE;
	word->good =
		(restore->second.candidate ? restore->second.slot : word->live) & WORD_SLOT_MASK;
	word->live = restore->first.slot & WORD_SLOT_MASK;
	word->epoch++;
	return 0;
}

static json_t *skipped_json(const struct restore *restore)
{
	json_t *ret = json_array();

	for (unsigned int n = 0; n < CANDIDATES; n++) {
		const struct candidate *candidate = &restore->candidates[n];

		if (*candidate->why)
			json_array_append_new(
				ret,
				json_pack("{ss,so,ss}", "pointer", candidate->name, "generation",
					  candidate->found ? json_u64(candidate->pointer.generation)
							   : json_null(),
					  "why", candidate->why));
	}
	return ret;
}

static void describe(const struct restore *restore, json_t *document)
{
	const struct candidate *first = restore->first.candidate;
	const struct candidate *second = restore->second.candidate;
	char digest[DIGEST_TEXT];

	json_object_set_new(document, "generation",
			    json_u64(first ? first->pointer.generation : 0));
	if (first) {
		json_object_set_new(document, "digest",
				    json_string(digest_text(first->pointer.digest, digest)));
		json_object_set_new(document, "pointer", json_string(first->name));
		json_object_set_new(document, "slot", json_integer(restore->first.slot));
		json_object_set_new(document, "golden", json_integer(restore->first.golden));
	}
	json_object_set_new(document, "good", json_u64(second ? second->pointer.generation : 0));
	json_object_set_new(document, "epoch", json_integer(restore->before.epoch));
	json_object_set_new(document, "skipped", skipped_json(restore));
}

static const char *result_of(const struct restore *restore)
{
	bool any = restore->first.candidate;

	for (unsigned int n = 0; n < CANDIDATES; n++)
		any = any || *restore->candidates[n].why;
	if (restore->factory || !any)
		return "unchanged";
	return restore->first.candidate ? "applied" : "factory";
}

static void say_skipped(const struct restore *restore)
{
	for (unsigned int n = 0; n < CANDIDATES; n++) {
		const struct candidate *candidate = &restore->candidates[n];

		if (*candidate->why && candidate->found)
			say_warning("generation %llu (%s) is not used: %s",
				    (unsigned long long)candidate->pointer.generation,
				    candidate->name, candidate->why);
		else if (*candidate->why)
			say_warning("%s is not used: %s", candidate->name, candidate->why);
	}
}

static void say_outcome(const struct restore *restore, const char *result)
{
	const struct candidate *first = restore->first.candidate;
	json_t *document = json_pack("{ss}", "result", result);

	if (!strcmp(result, "factory"))
		say_warning("NO STORED GENERATION VERIFIES: the factory generation is live, which "
			    "passes everything; apply a policy");
	describe(restore, document);
	if (!restore->options->json && first)
		say_text(
			"restored: generation %llu is live, %llu is last-known-good\n",
			(unsigned long long)first->pointer.generation,
			(unsigned long long)(restore->second.candidate
						     ? restore->second.candidate->pointer.generation
						     : 0));
	else if (!restore->options->json)
		say_text("the factory generation is live: it passes everything%s\n",
			 restore->factory ? ", as before" : "");
	say_result(restore->options, "restore", document);
}

/* The record is best effort: a machine that starts with a full disk is filtered all the same. */
static int finish(struct restore *restore)
{
	const char *result = result_of(restore);
	json_t *record = json_pack("{ss,ss}", "event", "restore", "result", result);
	int r;

	say_skipped(restore);
	describe(restore, record);
	if (strcmp(result, "unchanged"))
		live_record(restore->options, record);
	else
		json_decref(record);
	r = restore->first.candidate ? control_update(restore->control, change, restore, NULL, NULL)
				     : 0;
	if (r == -ESTALE)
		return say_error(restore->options, EXIT_CONFLICT,
				 "somebody else changed what is live meanwhile");
	if (r)
		return say_errno(restore->options, r, "the swap failed");
	if (restore->first.candidate)
		r = pointer_live_write(&restore->options->places,
				       &restore->first.candidate->pointer);
	if (r)
		say_warning("what is live could not be written down: %s", say_reason(r));
	say_outcome(restore, result);
	return EXIT_DONE;
}

static int unchanged(const struct restore *restore)
{
	if (!restore->options->json)
		say_text("unchanged: generation %llu is live already\n",
			 (unsigned long long)restore->live.generation);
	say_result(restore->options, "restore",
		   json_pack("{ss,so}", "result", "unchanged", "generation",
			     json_u64(restore->live.generation)));
	return EXIT_DONE;
}

static int open_all(struct restore *restore)
{
	int code = live_lock_anyway(restore->options, &restore->lock);
	int r;

	if (code == EXIT_DONE)
		code = live_create(restore->options, &restore->instance);
	if (code == EXIT_DONE)
		code = live_control(restore->options, &restore->control);
	if (code != EXIT_DONE)
		return code;
	restore->before = word_unpack(control_load(restore->control, CONTROL_WORD));
	r = slot_read(restore->instance, restore->before.live, &restore->live);
	return r ? say_errno(restore->options, r, "the live slot cannot be read") : EXIT_DONE;
}

int cmd_restore(const struct options *options, int argc, char **argv)
{
	static const struct args args = { 0 };
	cleanup(restore_free) struct restore restore = { .options = options, .lock = -1 };
	int code;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	code = open_all(&restore);
	if (code != EXIT_DONE)
		return code;
	/* A trial over the factory generation is somebody's work, too. */
	if (restore.live.generation || restore.before.provisional)
		return unchanged(&restore);
	gather(&restore);
	choose(&restore);
	return finish(&restore);
}
