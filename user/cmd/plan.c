/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: everything that apply would ask of a policy, without changing anything: no lock, no slot,
 * no record. What would be refused is all said at the end.
 */
#include <errno.h>
#include <string.h>

#include "cmd/attempt.h"
#include "cmd/describe.h"

#define TWIN_SLOT 1u
#define CHANGES_SHOWN 20u

struct plan {
	struct attempt attempt;
	struct image_diff diff; /* to what is live */
	int code; /* EXIT_DONE, or of what would be refused */
};

static void plan_free(struct plan *plan)
{
	image_diff_free(&plan->diff);
	attempt_free(&plan->attempt);
}

static int open_instance(struct attempt *attempt)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&attempt->options->places, &attempt->instance, &diag);

	if (r && r != -ENOENT)
		return live_open_failed(attempt->options, r, &diag);
	return EXIT_DONE;
}

/* The candidate in a twin's own slot, where no packet but ours comes by. */
static int prove(struct plan *plan)
{
	struct attempt *attempt = &plan->attempt;
	auto_twin struct twin *twin = NULL;
	int code, r = twin_open(NULL, &twin, &attempt->diag);

	if (!r)
		r = twin_stage(twin, &attempt->image, TWIN_SLOT, &attempt->diag);
	if (!r)
		r = prove_slot(twin, &attempt->image.image, TWIN_SLOT, &attempt->proof,
			       &attempt->diag);
	if (r == -EBADMSG)
		plan->code = EXIT_REFUSED;
	else if (r)
		return attempt_failed(attempt, r, "the generation cannot be proved");
	code = attempt_recent(attempt, twin, TWIN_SLOT);
	if (code == EXIT_REFUSED)
		plan->code = code;
	return code == EXIT_REFUSED ? EXIT_DONE : code;
}

static int compare(struct plan *plan)
{
	struct attempt *attempt = &plan->attempt;
	int r;

	if (!attempt->reference.bytes)
		return EXIT_DONE;
	r = image_diff(&attempt->reference.image, &attempt->image.image, &plan->diff);
	return r ? say_errno(attempt->options, r, "comparing with what is live") : EXIT_DONE;
}

/* Every step, whatever those before it refuse, as long as there is something to ask. */
static int look(struct plan *plan)
{
	struct attempt *attempt = &plan->attempt;
	int code = open_instance(attempt);

	if (code == EXIT_DONE)
		code = attempt_held(attempt);
	if (code == EXIT_DONE)
		code = attempt_read(attempt, attempt->instance ? instance_limits(attempt->instance)
							       : &limits_builtin);
	if (code != EXIT_DONE) {
		plan->code = code;
		return code == EXIT_REFUSED ? EXIT_DONE : code;
	}
	if (attempt->instance)
		code = attempt_look(attempt);
	if (code != EXIT_DONE || attempt->unchanged)
		return code;
	code = attempt_gates(attempt);
	if (code != EXIT_DONE && code != EXIT_REFUSED)
		return code;
	plan->code = code;
	code = prove(plan);
	return code == EXIT_DONE ? compare(plan) : code;
}

static bool is_different(const struct plan *plan)
{
	return !plan->attempt.unchanged;
}

/* ---- for people ---- */

static const char *gate_state(const struct gate_result *gate)
{
	return !gate->judged   ? "not judged"
	       : gate->refused ? "REFUSES"
	       : gate->forced  ? "forced"
			       : "passes";
}

static void print_gates(const struct attempt *attempt)
{
	for (unsigned int i = 0; i < GATES; i++)
		say_text("gate     %-14s %-10s %s\n", gate_names[i], gate_state(&attempt->gates[i]),
			 attempt->gates[i].text);
}

static void print_traffic(const struct attempt *attempt)
{
	const struct traffic_sums *sums = &attempt->recent;

	say_text("golden   %u packets, %u judged otherwise\n", attempt->proof.packets,
		 attempt->proof.wrong);
	say_text("recent   %llu packets that pass now, of %u sources: %llu of them, of %u sources, "
		 "would be dropped; %llu dropped now would pass\n",
		 (unsigned long long)sums->packets, sums->sources,
		 (unsigned long long)sums->newly_dropped, sums->sources_dropped,
		 (unsigned long long)sums->newly_passed);
	if (sums->expected)
		say_text("expected %llu packets more, as was asked for\n",
			 (unsigned long long)sums->expected);
}

static void print_changes(const struct image_diff *diff)
{
	for (uint32_t i = 0; i < diff->count && i < CHANGES_SHOWN; i++)
		say_text("change   %c %-7s %s\n", diff->changes[i].sign, diff->changes[i].kind,
			 diff->changes[i].text);
	if (diff->count + diff->omitted > CHANGES_SHOWN)
		say_text("change   and %llu more; `stanch diff live POLICY` shows them\n",
			 (unsigned long long)(diff->count + diff->omitted - CHANGES_SHOWN));
}

static uint64_t image_bytes(const struct attempt *attempt)
{
	return (uint64_t)attempt->image.image.lines * LINE_SIZE;
}

static void print_canary(const struct canary_settings *canary)
{
	say_text("trial    ");
	for (uint32_t i = 0; i < canary->step_count; i++)
		say_text("%u.%u %%, ", canary->steps[i] / 10, canary->steps[i] % 10);
	say_text("each at least %u ms, then everybody for %u ms\n", canary->step_ms,
		 canary->soak_ms);
}

static void print_plan(const struct plan *plan)
{
	const struct attempt *attempt = &plan->attempt;

	if (attempt->unchanged) {
		say_text("unchanged: generation %llu is this policy already\n",
			 (unsigned long long)attempt->live.generation);
		return;
	}
	if (attempt->gated)
		print_gates(attempt);
	print_traffic(attempt);
	print_changes(&plan->diff);
	say_text("memory   %llu bytes in a slot, never swapped out\n",
		 (unsigned long long)image_bytes(attempt));
	print_canary(&attempt->settings.canary);
	if (plan->code == EXIT_DONE)
		say_text("it would be applied\n");
}

/* ---- as a document ---- */

static json_t *problems_json(const struct diag *diag)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < diag->stored; i++)
		json_array_append_new(ret, json_pack("{ss,ss}", "code", diag->problems[i].code,
						     "message", diag->problems[i].message));
	return ret;
}

static json_t *plan_json(const struct plan *plan)
{
	const struct attempt *attempt = &plan->attempt;
	json_t *ret = json_pack(
		"{ss,sb,so,so,so,so,so,si,si}", "result",
		attempt->unchanged	  ? "unchanged"
		: plan->code == EXIT_DONE ? "applied"
					  : "refused",
		"different", is_different(plan), "live", json_u64(attempt->live.generation),
		"gates", attempt_gates_json(attempt), "traffic",
		attempt_sums_json(&attempt->recent), "problems", problems_json(&attempt->diag),
		"changes", describe_changes_json(&plan->diff), "golden",
		(int)attempt->proof.packets, "golden_wrong", (int)attempt->proof.wrong);

	attempt_image_json(attempt, ret);
	json_object_set_new(ret, "bytes", json_u64(image_bytes(attempt)));
	json_object_set_new(ret, "omitted", json_u64(plan->diff.omitted));
	return ret;
}

/* What could not even be read has no plan. */
static int say_plan(struct plan *plan, bool exit_code)
{
	struct attempt *attempt = &plan->attempt;

	if (!attempt->image.bytes)
		return say_problems(attempt->options, "it would be refused", &attempt->diag,
				    plan->code);
	if (attempt->options->json)
		say_result(attempt->options, "plan", plan_json(plan));
	else
		print_plan(plan);
	if (plan->code != EXIT_DONE && !attempt->options->json)
		return say_problems(attempt->options, "it would be refused", &attempt->diag,
				    plan->code);
	if (plan->code == EXIT_DONE && exit_code && is_different(plan))
		return EXIT_DIFFERENT;
	return plan->code;
}

int cmd_plan(const struct options *options, int argc, char **argv)
{
	cleanup(plan_free) struct plan plan = { .attempt = ATTEMPT(options, "plan") };
	struct arg_values forced = { 0 }, expect = { 0 };
	bool exit_code = false;
	const struct arg list[] = {
		{ .name = "force", .values = &forced },
		{ .name = "expect", .values = &expect },
		{ .name = "exit-code", .flag = &exit_code },
	};
	const struct args args = { list, ARRAY_SIZE(list), 1, 1 };
	int at = args_parse(options, argc, argv, &args), code;

	if (at < 0 || !attempt_force(&plan.attempt, &forced))
		return EXIT_USAGE;
	plan.attempt.planning = true;
	plan.attempt.wish.expect = &expect;
	plan.attempt.path = argv[at];
	code = look(&plan);
	return code == EXIT_DONE ? say_plan(&plan, exit_code) : code;
}
