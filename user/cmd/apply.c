/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: a policy becomes the live generation, or nothing changes. This file brings the instance,
 * the checked image and what was asked for; attempt.c does the rest.
 */
#include <errno.h>
#include <string.h>

#include "cmd/attempt.h"

#define CONFIRM_LONGEST_MS (24ull * 3600 * 1000)

/*
 * No instance yet: the policy is read against what this tool would load, so that a refused one
 * creates nothing. What counts are the limits of what was really loaded.
 */
static int first_instance(struct attempt *attempt)
{
	int code = attempt_read(attempt, &limits_builtin);
	const struct limits *loaded;

	if (code == EXIT_DONE)
		code = live_create(attempt->options, &attempt->instance);
	if (code != EXIT_DONE)
		return code;
	loaded = instance_limits(attempt->instance);
	if (!memcmp(loaded, &limits_builtin, sizeof(*loaded)))
		return EXIT_DONE;
	image_free(&attempt->image);
	buf_free(&attempt->text);
	return attempt_read(attempt, loaded);
}

static int check(struct attempt *attempt)
{
	auto_diag struct diag diag = { 0 };
	int r, code = attempt_held(attempt);

	if (code != EXIT_DONE)
		return code;
	r = instance_open(&attempt->options->places, &attempt->instance, &diag);
	if (r == -ENOENT)
		return first_instance(attempt);
	if (r)
		return live_open_failed(attempt->options, r, &diag);
	return attempt_read(attempt, instance_limits(attempt->instance));
}

/* The words of the command line that need more than being taken. */
struct words {
	const char *confirm, *source;
	struct arg_values forced, expect;
};

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= POLICY_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static bool take_words(struct attempt *attempt, const struct words *words)
{
	struct wish *wish = &attempt->wish;

	wish->expect = &words->expect;
	wish->source = words->source;
	if (words->source && !is_name(words->source)) {
		say_error(attempt->options, EXIT_USAGE,
			  "a source has a name of a-z, 0-9, '.', '_' and '-', at most %u, not '%s'",
			  POLICY_NAME_MAX, words->source);
		return false;
	}
	if (words->confirm && !args_duration(attempt->options, "--confirm", words->confirm,
					     CONFIRM_LONGEST_MS, &wish->confirm_ms))
		return false;
	return attempt_force(attempt, &words->forced);
}

int cmd_apply(const struct options *options, int argc, char **argv)
{
	static const struct attempt_step first = { "check", check };
	auto_attempt struct attempt attempt = ATTEMPT(options, "apply");
	struct words words = { 0 };
	const struct arg list[] = {
		{ .name = "now", .flag = &attempt.wish.now },
		{ .name = "confirm", .value = &words.confirm },
		{ .name = "force", .values = &words.forced },
		{ .name = "expect", .values = &words.expect },
		{ .name = "source", .value = &words.source },
	};
	const struct args args = { list, ARRAY_SIZE(list), 1, 1 };
	int at = args_parse(options, argc, argv, &args);

	if (at < 0 || !take_words(&attempt, &words))
		return EXIT_USAGE;
	attempt.path = argv[at];
	return attempt_run(&attempt, &first);
}
