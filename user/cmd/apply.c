/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: a policy becomes the live generation, or nothing changes. This file brings the instance
 * and the checked image; attempt.c does the rest.
 */
#include <errno.h>
#include <string.h>

#include "cmd/args.h"
#include "cmd/attempt.h"

static int read_source(struct attempt *attempt, const struct limits *limits)
{
	auto_source struct source source = { 0 };
	int r = source_read(attempt->path, limits, &source, &attempt->diag);

	if (r == -EINVAL)
		return attempt_refused(attempt, "refused, nothing was changed");
	if (r)
		return say_errno(attempt->options, r, attempt->path);
	source_say_notes(attempt->options, &source);
	attempt->image = source.image;
	attempt->text = source.text;
	attempt->merged = source.merged;
	source.image = (struct image_file){ 0 };
	source.text = (struct buf){ 0 };
	return EXIT_DONE;
}

/*
 * No instance yet: the policy is read against what this tool would load, so that a refused one
 * creates nothing. What counts are the limits of what was really loaded.
 */
static int first_instance(struct attempt *attempt)
{
	int code = read_source(attempt, &limits_builtin);
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
	return read_source(attempt, loaded);
}

static int check(struct attempt *attempt)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&attempt->options->places, &attempt->instance, &diag);

	if (r == -ENOENT)
		return first_instance(attempt);
	if (r)
		return live_open_failed(attempt->options, r, &diag);
	return read_source(attempt, instance_limits(attempt->instance));
}

int cmd_apply(const struct options *options, int argc, char **argv)
{
	static const struct args args = { .min = 1, .max = 1 };
	static const struct attempt_step first = { "check", check };
	auto_attempt struct attempt attempt = ATTEMPT(options, "apply");
	int at = args_parse(options, argc, argv, &args);

	if (at < 0)
		return EXIT_USAGE;
	attempt.path = argv[at];
	return attempt_run(&attempt, &first);
}
