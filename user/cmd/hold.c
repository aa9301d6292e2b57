/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold and release: whether an unattended source of changes may change anything. Needs the state
 * folder and no instance.
 */
#include <errno.h>

#include "cmd/args.h"
#include "cmd/live.h"
#include "store/store.h"

#define HOLD_WHY "operator"

static int change(const struct options *options, const char *verb, const char *name, bool held)
{
	struct source_state before;
	autoclose int lock = -1;
	int r, code = live_lock(options, &lock);
	bool changed;

	if (code != EXIT_DONE)
		return code;
	r = source_state_read(&options->places, name, &before);
	changed = !r && (before.held != held || (!held && before.failures));
	if (changed)
		r = held ? source_hold(&options->places, name, HOLD_WHY)
			 : source_release(&options->places, name);
	if (r)
		return say_errno(options, r, "nothing was changed");
	if (changed)
		live_record(options, json_pack("{ss,ss,ss}", "event", verb, "result", "applied",
					       "source", name));
	if (!options->json)
		say_text("source %s %s%s\n", name,
			 changed ? ""
			 : held	 ? "was already "
				 : "was not ",
			 held	   ? "on hold"
			 : changed ? "is released"
				   : "on hold");
	say_result(options, verb,
		   json_pack("{ss,ss,sb}", "result", changed ? "applied" : "unchanged", "source",
			     name, "held", held));
	return EXIT_DONE;
}

static int run(const struct options *options, int argc, char **argv, bool held)
{
	static const struct args args = { .min = 1, .max = 1 };
	int at = args_parse(options, argc, argv, &args);
	struct source_state state;

	if (at < 0)
		return EXIT_USAGE;
	if (source_state_read(&options->places, argv[at], &state) == -EINVAL)
		return args_wrong(options, argv[0],
				  "'%s' is no name of a source: a-z, 0-9, '.', '_' and '-', at "
				  "most %u",
				  argv[at], POLICY_NAME_MAX);
	return change(options, argv[0], argv[at], held);
}

int cmd_hold(const struct options *options, int argc, char **argv)
{
	return run(options, argc, argv, true);
}

int cmd_release(const struct options *options, int argc, char **argv)
{
	return run(options, argc, argv, false);
}
