/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of an attempt before anything of it reaches the kernel: is its source trusted, has
 * its digest done harm before, and do the gates let it pass?
 */
#include "cmd/attempt.h"

#include <errno.h>
#include <string.h>

#include "cmd/describe.h"
#include "store/store.h"

int attempt_held(struct attempt *attempt)
{
	struct source_state state = { 0 };
	const char *name = attempt->wish.source;
	int r;

	if (!name)
		return EXIT_DONE;
	r = source_state_read(&attempt->options->places, name, &state);
	if (r && r != -ENOENT)
		say_warning("what is known about sources cannot be read: %s", say_reason(r));
	if (r || !state.held)
		return EXIT_DONE;
	diag_add(&attempt->diag, NULL, "source_held",
		 "source '%s' is on hold (%s); what is live stays; `stanch release %s` ends it",
		 name, state.why, name);
	return attempt_refused(attempt, "refused, nothing was changed");
}

/* One that is empty or damaged cannot be compared with; that must not stop its replacement. */
static int read_reference(struct attempt *attempt)
{
	int r = live_image(attempt->instance, attempt->before.live, &attempt->reference);

	if (r && r != -ENOENT && r != -EBADMSG)
		return attempt_failed(attempt, r, "the live generation cannot be read");
	if (r)
		say_warning("the live generation is %s: nothing can be compared with it",
			    r == -ENOENT ? "empty" : "damaged");
	return EXIT_DONE;
}

int attempt_look(struct attempt *attempt)
{
	int r = control_open(&attempt->options->places, &attempt->control);

	if (r)
		return attempt_failed(attempt, r, "the control word cannot be opened");
	attempt->before = word_unpack(control_load(attempt->control, CONTROL_WORD));
	if (attempt->before.provisional && !attempt->planning)
		return say_error(attempt->options, EXIT_CONFLICT,
				 "another generation is provisional; `stanch confirm` keeps it, "
				 "`stanch rollback` ends it");
	r = slot_read(attempt->instance, attempt->before.live, &attempt->live);
	if (r)
		return attempt_failed(attempt, r, "the live slot cannot be read");
	attempt->unchanged = attempt->live.lines &&
			     !memcmp(attempt->live.digest, image_id(&attempt->image.image)->digest,
				     sizeof(attempt->live.digest)) &&
			     !slot_verify(attempt->instance, attempt->before.live);
	return attempt->unchanged ? EXIT_DONE : read_reference(attempt);
}

static void gate_quarantine(struct attempt *attempt)
{
	struct gate_result *result = &attempt->gates[GATE_QUARANTINE];
	struct quarantine found = { 0 };
	struct diag_limit limit;
	bool forced = attempt->wish.forced >> GATE_QUARANTINE & 1;

	*result = (struct gate_result){ .judged = true, .limit = 0 };
	if (quarantine_find(&attempt->options->places, image_id(&attempt->image.image)->digest,
			    &found)) {
		snprintf(result->text, sizeof(result->text), "has done no harm lately");
		return;
	}
	result->value = found.left_s;
	result->forced = forced;
	result->refused = !forced;
	snprintf(result->text, sizeof(result->text),
		 "this very policy was taken back (%s); it is refused for another %llu s",
		 found.why, (unsigned long long)found.left_s);
	limit = (struct diag_limit){ found.left_s, 0 };
	if (!forced)
		diag_add_limit(&attempt->diag, NULL, "gate_quarantine", limit, "%s", result->text);
}

/* The factory generation holds nothing to compare sizes with. */
static const struct image *last_good(const struct attempt *attempt)
{
	return attempt->reference.bytes && attempt->live.generation ? &attempt->reference.image
								    : NULL;
}

static int run_gates(struct attempt *attempt, const struct host *host)
{
	const struct gate_facts facts = {
		.image = &attempt->image.image,
		.good = last_good(attempt),
		.limits = attempt->instance ? instance_limits(attempt->instance) : &limits_builtin,
		.settings = &attempt->settings.gates,
		.host = host,
		.forced = attempt->wish.forced,
	};
	int r = gates_run(&facts, attempt->gates, &attempt->diag);

	attempt->gated = r != -ENOMEM;
	if (attempt->gated)
		gate_quarantine(attempt);
	return r;
}

static void say_forced(const struct attempt *attempt)
{
	for (unsigned int i = 0; i < GATES; i++)
		if (attempt->gates[i].forced)
			say_warning("gate %s is forced: %s", gate_names[i], attempt->gates[i].text);
}

int attempt_gates(struct attempt *attempt)
{
	auto_host struct host host = { 0 };
	auto_diag struct diag unknown = { 0 };
	int r = host_find(attempt->instance, &host, &unknown);

	for (uint32_t i = 0; i < unknown.stored; i++)
		say_detail(attempt->options, "%s", unknown.problems[i].message);
	if (r)
		return attempt_failed(attempt, r, "the addresses of this host cannot be found");
	r = run_gates(attempt, &host);
	if (r && r != -EINVAL)
		return attempt_failed(attempt, r, "the gates cannot be run");
	say_forced(attempt);
	return attempt->diag.total ? attempt_refused(attempt, "refused, nothing was changed")
				   : EXIT_DONE;
}

/* The first thing that was wrong, as a short code. */
static const char *why_of(const struct attempt *attempt)
{
	if (attempt->trial.result)
		return attempt->trial.result;
	return attempt->diag.stored ? attempt->diag.problems[0].code : "failed";
}

/* Success in between does not excuse: a source that alternates is the one to stop. */
static void learn_source(const struct attempt *attempt, int code)
{
	const struct places *places = &attempt->options->places;
	const char *name = attempt->wish.source;
	struct source_state state = { 0 };
	int r = 0;

	if (code == EXIT_REFUSED || code == EXIT_REVERTED)
		r = source_failed(places, name, why_of(attempt), &state);
	if (r)
		say_warning("how source '%s' did could not be kept: %s", name, say_reason(r));
	else if (state.held)
		say_warning("source '%s' is on hold now: %u failures within %u minutes", name,
			    state.failures, SOURCE_WINDOW_S / 60);
}

/*
 * What was taken back for harm is refused for a while, whoever sends it again. What was only
 * refused is asked again each time, but an unattended source need not be given the chance.
 */
void attempt_learn(const struct attempt *attempt, int code)
{
	bool harm = code == EXIT_REVERTED && attempt->trial.result &&
		    !strcmp(attempt->trial.result, "harm");
	bool unattended = code == EXIT_REFUSED && attempt->wish.source &&
			  attempt->gates[GATE_NEWLY_DROPPED].refused;
	int r = 0;

	if (attempt->image.bytes && (harm || unattended))
		r = quarantine_add(&attempt->options->places,
				   image_id(&attempt->image.image)->digest, why_of(attempt));
	if (r)
		say_warning("the quarantine could not be written: %s", say_reason(r));
	/* a source on hold is not heard: being refused for that is no further failure */
	if (attempt->wish.source &&
	    !(attempt->diag.stored && !strcmp(attempt->diag.problems[0].code, "source_held")))
		learn_source(attempt, code);
}
