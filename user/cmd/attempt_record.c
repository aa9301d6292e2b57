/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept and said of an attempt: its audit record, the pointers that outlive the kernel, and
 * the result. Decides nothing.
 */
#include "cmd/attempt.h"

#include <string.h>

#include "cmd/describe.h"
#include "store/store.h"

void attempt_image_json(const struct attempt *attempt, json_t *document)
{
	const struct image *image = &attempt->image.image;
	const struct image_counts *counts = image_counts(image);
	char digest[DIGEST_TEXT];

	json_object_set_new(document, "digest",
			    json_string(digest_text(image_id(image)->digest, digest)));
	json_object_set_new(document, "counts",
			    json_pack("{sI,sI,sI,sI,sI}", "prefixes", (json_int_t)counts->prefixes,
				      "lists", (json_int_t)counts->lists, "leaves",
				      (json_int_t)counts->leaves, "protected",
				      (json_int_t)counts->protects, "lines",
				      (json_int_t)image_id(image)->lines));
	if (attempt->path)
		json_object_set_new(document, "merged", json_integer(attempt->merged));
}

json_t *attempt_gates_json(const struct attempt *attempt)
{
	json_t *ret = json_object();

	for (unsigned int i = 0; i < GATES; i++) {
		const struct gate_result *gate = &attempt->gates[i];

		if (!gate->judged)
			continue;
		json_object_set_new(ret, gate_names[i],
				    json_pack("{so,so,sb,sb,ss}", "value", json_u64(gate->value),
					      "limit", json_u64(gate->limit), "refused",
					      gate->refused, "forced", gate->forced, "text",
					      gate->text));
	}
	return ret;
}

json_t *attempt_sums_json(const struct traffic_sums *sums)
{
	return json_pack(
		"{so,so,so,so,so,so,si,si,si,si,si,si}", "samples", json_u64(sums->samples),
		"packets", json_u64(sums->packets), "newly_dropped", json_u64(sums->newly_dropped),
		"established", json_u64(sums->established), "expected", json_u64(sums->expected),
		"newly_passed", json_u64(sums->newly_passed), "sources", (int)sums->sources,
		"sources_dropped", (int)sums->sources_dropped, "regular", (int)sums->regular,
		"regular_dropped", (int)sums->regular_dropped, "worst_port", (int)sums->worst_port,
		"worst_list", (int)sums->worst_list);
}

static json_t *trial_json(const struct attempt *attempt)
{
	const struct trial_report *trial = &attempt->trial;
	json_t *ret =
		json_pack("{ss,ss,so,so}", "phase", trial->phase, "result",
			  trial->result ? trial->result : "begun", "spent_ms",
			  json_u64(trial->spent_ms), "traffic", attempt_sums_json(&trial->sums));

	if (*trial->why)
		json_object_set_new(ret, "why", json_string(trial->why));
	return ret;
}

/* The whole path, since nobody will know from where the command ran. */
static void record_path(const struct attempt *attempt, json_t *record)
{
	autofree char *whole = realpath(attempt->path, NULL);

	json_object_set_new(record, "policy", json_string(whole ? whole : attempt->path));
}

static json_t *problem_codes(const struct diag *diag)
{
	json_t *codes = json_array();

	for (uint32_t i = 0; i < diag->stored; i++)
		json_array_append_new(codes, json_string(diag->problems[i].code));
	return codes;
}

/* A refused policy uses up no number, and an unchanged one keeps the number that is live. */
static void record_generation(const struct attempt *attempt, json_t *record)
{
	if (attempt->unchanged)
		json_object_set_new(record, "generation", json_u64(attempt->live.generation));
	else if (attempt->staged)
		json_object_set_new(record, "generation", json_u64(attempt->generation));
	if (attempt->control) {
		json_object_set_new(record, "previous", json_u64(attempt->live.generation));
		json_object_set_new(record, "epoch", json_integer(attempt->before.epoch));
	}
	if (attempt->staged)
		json_object_set_new(record, "slot", json_integer(attempt->slot));
}

int attempt_record(struct attempt *attempt, const char *result)
{
	json_t *record = json_pack("{ss,ss}", "event", attempt->event, "result", result);

	record_generation(attempt, record);
	if (attempt->image.bytes)
		attempt_image_json(attempt, record);
	if (attempt->path)
		record_path(attempt, record);
	if (attempt->wish.source)
		json_object_set_new(record, "source", json_string(attempt->wish.source));
	if (attempt->gated) {
		json_object_set_new(record, "gates", attempt_gates_json(attempt));
		json_object_set_new(record, "traffic", attempt_sums_json(&attempt->recent));
	}
	if (*attempt->trial.phase)
		json_object_set_new(record, "trial", trial_json(attempt));
	json_object_set_new(record, "golden", json_integer(attempt->proof.packets));
	json_object_set_new(record, "problem_count", json_u64(attempt->diag.total));
	json_object_set_new(record, "problems", problem_codes(&attempt->diag));
	json_object_set_new(record, "timings_us", json_deep_copy(attempt->timings));
	attempt->recorded = true;
	return live_record(attempt->options, record);
}

static struct pointer pointer_of(const struct attempt *attempt)
{
	return pointer_to(attempt->generation, image_id(&attempt->image.image)->digest);
}

int attempt_point(struct attempt *attempt)
{
	const struct pointer pointer = pointer_of(attempt);

	attempt->pointed = true;
	return pointer_live_write(&attempt->options->places, &pointer);
}

void attempt_point_back(struct attempt *attempt)
{
	const struct pointer pointer = pointer_to(attempt->live.generation, attempt->live.digest);
	struct pointer found;
	int r;

	if (!pointer_live_read(&attempt->options->places, &found) &&
	    !memcmp(found.digest, pointer.digest, sizeof(found.digest)))
		return; /* it never got that far */
	r = pointer_live_write(&attempt->options->places, &pointer);
	if (r)
		say_warning("what is live could not be written down: %s", say_reason(r));
}

/* The kernel judges by it already; what cannot be written only makes a restart forget it. */
void attempt_keep(struct attempt *attempt)
{
	const struct pointer pointer = pointer_of(attempt);
	int r;

	r = pointer_keep(&attempt->options->places, &pointer);
	if (r)
		say_warning("after a restart of this machine an older generation would judge: %s",
			    say_reason(r));
}

static void say_text_live(const struct attempt *attempt, uint64_t generation)
{
	if (attempt->unchanged)
		say_text("unchanged: generation %llu is this policy already\n",
			 (unsigned long long)generation);
	else
		say_text("generation %llu is live, %llu is last-known-good\n",
			 (unsigned long long)generation,
			 (unsigned long long)attempt->live.generation);
}

void attempt_say(const struct attempt *attempt)
{
	uint64_t generation = attempt->unchanged ? attempt->live.generation : attempt->generation;
	json_t *document;

	if (!attempt->options->json) {
		say_text_live(attempt, generation);
		return;
	}
	document = json_pack("{ss,so,so}", "result", attempt->unchanged ? "unchanged" : "applied",
			     "generation", json_u64(generation), "previous",
			     json_u64(attempt->live.generation));
	attempt_image_json(attempt, document);
	if (attempt->gated)
		json_object_set_new(document, "gates", attempt_gates_json(attempt));
	if (*attempt->trial.phase)
		json_object_set_new(document, "trial", trial_json(attempt));
	json_object_set_new(document, "golden", json_integer(attempt->proof.packets));
	json_object_set_new(document, "timings_us", json_deep_copy(attempt->timings));
	say_result(attempt->options, attempt->event, document);
}
