/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a checked image to the live generation, step by step. Until the store in the last step the
 * live generation is untouched; what fails before it is taken back here. Knows no policy text.
 */
#include "cmd/attempt.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cmd/watch.h"
#include "store/store.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void attempt_free(struct attempt *attempt)
{
	instance_close(&attempt->instance);
	control_close(&attempt->control);
	image_free(&attempt->reference);
	image_free(&attempt->image);
	buf_free(&attempt->text);
	diag_free(&attempt->diag);
	json_decref(attempt->timings);
	close_fd(&attempt->lock);
}

int attempt_refused(struct attempt *attempt, const char *message)
{
	if (attempt->planning)
		return EXIT_REFUSED;
	return say_problems(attempt->options, message, &attempt->diag, EXIT_REFUSED);
}

int attempt_failed(struct attempt *attempt, int error, const char *what)
{
	if (attempt->diag.total)
		return say_problems(attempt->options, what, &attempt->diag, exit_code_of(error));
	return say_errno(attempt->options, error, what);
}

/* The audit log may have been lost while the kernel went on: its slots have numbers, too. */
static int choose_generation(struct attempt *attempt)
{
	uint64_t next;
	int r = audit_next_generation(&attempt->options->places, &next);

	if (r)
		return attempt_failed(attempt, r, "the audit log cannot be read");
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		struct slot_info info;

		r = slot_read(attempt->instance, slot, &info);
		if (r)
			return attempt_failed(attempt, r, "the slots cannot be read");
		if (info.lines && info.generation >= next)
			next = info.generation + 1;
	}
	attempt->generation = next;
	return EXIT_DONE;
}

/* An older generation that still sits in a slot of its own is staged over itself. */
static int choose_slot(struct attempt *attempt)
{
	const struct word *word = &attempt->before;
	int slot =
		attempt->generation ? slot_find(attempt->instance, attempt->generation) : -ENOENT;

	if (slot < 0 || slot == word->live || slot == word->good)
		slot = slot_free(attempt->instance, word);
	if (slot < 0)
		return attempt_failed(attempt, slot, "no slot is free");
	attempt->slot = (unsigned int)slot;
	return EXIT_DONE;
}

static int retire(struct attempt *attempt)
{
	return live_retire(attempt->options, attempt->instance, attempt->slot);
}

static int step_stage(struct attempt *attempt)
{
	int r, code = choose_slot(attempt);

	if (code == EXIT_DONE && !attempt->generation)
		code = choose_generation(attempt);
	if (code != EXIT_DONE)
		return code;
	r = retire(attempt);
	if (r)
		return attempt_failed(attempt, r, "the hits of lists so far cannot be kept");
	r = slot_stage(attempt->instance, &attempt->image, attempt->generation, attempt->slot,
		       &attempt->diag);
	if (r)
		return attempt_failed(attempt, r, "the generation cannot be staged");
	attempt->staged = true;
	return EXIT_DONE;
}

static int step_prove(struct attempt *attempt)
{
	auto_twin struct twin *twin = NULL;
	int r = twin_open(attempt->instance, &twin, &attempt->diag);

	if (r)
		return attempt_failed(attempt, r, "the generation cannot be proved");
	r = prove_slot(twin, &attempt->image.image, attempt->slot, &attempt->proof, &attempt->diag);
	if (r == -EBADMSG)
		return attempt_refused(attempt, "refused: golden packets were judged wrongly");
	if (r)
		return attempt_failed(attempt, r, "the generation cannot be proved");
	return attempt_recent(attempt, twin, attempt->slot);
}

static int step_store(struct attempt *attempt)
{
	const struct places *places = &attempt->options->places;
	const struct image *image = &attempt->image.image;
	int r = store_image_write(places, image);

	if (!r && attempt->text.len)
		r = store_policy_write(places, image_id(image)->digest, attempt->text.data,
				       attempt->text.len);
	return r ? attempt_failed(attempt, r, "the image cannot be stored") : EXIT_DONE;
}

static int lost_race(struct attempt *attempt)
{
	return say_error(attempt->options, EXIT_CONFLICT,
			 "somebody else changed what is live while this was being prepared");
}

/*
 * The pointer and the record come first and must be durable; looking again before them keeps a lost
 * race out of the log.
 */
static int swap_now(struct attempt *attempt)
{
	struct word now = word_unpack(control_load(attempt->control, CONTROL_WORD));
	int r;

	if (now.epoch != attempt->before.epoch)
		return lost_race(attempt);
	r = attempt_point(attempt);
	if (!r)
		r = attempt_record(attempt, "applied");
	if (r)
		return attempt_failed(attempt, r,
				      "nothing was changed: the disk cannot be written");
	r = control_swap(attempt->control, attempt->slot, attempt->before.epoch);
	if (r == -ESTALE)
		return lost_race(attempt);
	if (r)
		return attempt_failed(attempt, r, "the swap failed");
	attempt->swapped = true;
	attempt_keep(attempt);
	return EXIT_DONE;
}

static int step_swap(struct attempt *attempt)
{
	return watch_needed(attempt) ? watch_run(attempt) : swap_now(attempt);
}

static const char *result_of(const struct attempt *attempt, int code)
{
	switch (code) {
	case EXIT_DONE:
		return attempt->unchanged ? "unchanged" : "applied";
	case EXIT_REFUSED:
		return "refused";
	case EXIT_CONFLICT:
		return "conflict";
	case EXIT_REVERTED:
		return "reverted";
	default:
		return "failed";
	}
}

/* A name that is too long for its column goes on, nothing is cut. */
static int run_step(struct attempt *attempt, const struct attempt_step *step)
{
	uint64_t start = now_ns(), spent;
	int code = step->run(attempt);

	spent = (now_ns() - start) / 1000;
	json_object_set_new(attempt->timings, step->name, json_integer((json_int_t)spent));
	if (code == EXIT_DONE)
		say_progress(attempt->options, "%-8s %8.1f ms", step->name, (double)spent / 1000);
	return code;
}

/* Whatever was published for an attempt that came to nothing is taken back. */
static void attempt_end(struct attempt *attempt, int code)
{
	int r = attempt->staged && !attempt->swapped
			? slot_withdraw(attempt->instance, attempt->slot)
			: 0;

	if (r)
		say_warning("slot %u could not be cleared: %s", attempt->slot, say_reason(r));
	if (attempt->pointed && !attempt->swapped)
		attempt_point_back(attempt);
	if (code != EXIT_DONE || !attempt->recorded)
		attempt_record(attempt, result_of(attempt, code));
	attempt_learn(attempt, code);
	if (code == EXIT_DONE)
		attempt_say(attempt);
}

int attempt_run(struct attempt *attempt, const struct attempt_step *first)
{
	static const struct attempt_step steps[] = {
		{ "look", attempt_look }, { "gates", attempt_gates }, { "stage", step_stage },
		{ "prove", step_prove },  { "store", step_store },    { "swap", step_swap },
	};
	int code = live_lock(attempt->options, &attempt->lock);

	if (code != EXIT_DONE)
		return code;
	code = run_step(attempt, first);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		if (code == EXIT_DONE && !attempt->unchanged)
			code = run_step(attempt, &steps[i]);
	attempt_end(attempt, code);
	return code;
}
