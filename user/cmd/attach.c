/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach: both programs onto interfaces, and an instance when there is none. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "cmd/args.h"
#include "cmd/outcome.h"

static void attach_one(struct outcome *outcome, struct instance *instance, const char *name,
		       enum attach_mode mode)
{
	auto_diag struct diag about = { 0 };
	int r = attach_interface(instance, name, mode, &about);

	if (r < 0)
		outcome_problem(outcome, name, r, &about);
	else
		outcome_done(outcome, name, r ? "attached already" : "attached");
}

/* An interface that does not exist must not be the reason for making an instance. */
static bool any_exists(char **names)
{
	for (; *names; names++)
		if (if_nametoindex(*names))
			return true;
	return false;
}

static int attach_all(struct outcome *outcome, char **names, enum attach_mode mode)
{
	auto_instance struct instance *instance = NULL;
	const struct diag nothing = { 0 };
	autoclose int lock = -1;
	int code;

	if (!any_exists(names)) {
		for (; *names; names++)
			outcome_problem(outcome, *names, -ENODEV, &nothing);
		return outcome_say(outcome, "attach");
	}
	code = live_lock(outcome->options, &lock);
	if (code == EXIT_DONE)
		code = live_create(outcome->options, &instance);
	if (code != EXIT_DONE)
		return code;
	for (; *names; names++)
		attach_one(outcome, instance, *names, mode);
	outcome_record(outcome, "attach");
	return outcome_say(outcome, "attach");
}

int cmd_attach(const struct options *options, int argc, char **argv)
{
	const char *mode = "native";
	const struct arg args[] = { { .name = "mode", .value = &mode } };
	auto_outcome struct outcome outcome = { .options = options, .interfaces = json_array() };
	int at = args_parse(options, argc, argv,
			    &(struct args){ .options = args, .count = 1, .min = 1, .max = -1 });

	if (at < 0)
		return EXIT_USAGE;
	if (strcmp(mode, "native") && strcmp(mode, "generic"))
		return args_wrong(options, argv[0], "there is no mode '%s'", mode);
	return attach_all(&outcome, argv + at,
			  strcmp(mode, "generic") ? ATTACH_NATIVE : ATTACH_GENERIC);
}
