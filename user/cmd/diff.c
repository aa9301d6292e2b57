/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch diff`: what changes for packets and for people between two policies, images, or what is
 * live. Meaning is compared, not text.
 */
#include "cmd.h"

#include <string.h>

#include "args.h"
#include "describe.h"
#include "live.h"
#include "look.h"

/* The generation that judges now. */
static int load_live(const struct options *options, struct image_file *ret)
{
	auto_look struct look look = { 0 };
	int code = look_open(options, &look), err;

	if (code != EXIT_DONE)
		return code;
	err = live_image(look.instance, look_judging(&look), ret);
	return err ? say_errno(options, err, "the live generation") : EXIT_DONE;
}

static int load_side(const struct options *options, const char *side, struct image_file *ret)
{
	if (!strcmp(side, "live"))
		return load_live(options, ret);
	return source_load(options, side, NULL, ret);
}

static json_t *diff_json(const struct image_diff *diff)
{
	return json_pack("{sb, so, so}", "different", diff->count || diff->omitted, "changes",
			 describe_changes_json(diff), "omitted", json_u64(diff->omitted));
}

static void diff_text(const struct image_diff *diff)
{
	uint32_t i;

	for (i = 0; i < diff->count; i++)
		say_text("%c %-7s  %s\n", diff->changes[i].sign, diff->changes[i].kind,
			 diff->changes[i].text);
	if (diff->omitted)
		say_text("and %llu more changes\n", (unsigned long long)diff->omitted);
	if (!diff->count && !diff->omitted)
		say_text("no difference\n");
}

int cmd_diff(const struct options *options, int argc, char **argv)
{
	bool exit_code = false;
	const struct arg list[] = { { "exit-code", 0, &exit_code, NULL } };
	const struct args args = { list, ARRAY_SIZE(list), 2, 2 };
	cleanup(image_diff_free) struct image_diff diff = { 0 };
	auto_image struct image_file from = { 0 }, to = { 0 };
	int first = args_parse(options, argc, argv, &args), code, err;

	if (first < 0)
		return EXIT_USAGE;
	code = load_side(options, argv[first], &from);
	if (code == EXIT_DONE)
		code = load_side(options, argv[first + 1], &to);
	if (code != EXIT_DONE)
		return code;
	err = image_diff(&from.image, &to.image, &diff);
	if (err)
		return say_errno(options, err, "comparing");
	if (options->json)
		say_result(options, "diff", diff_json(&diff));
	else
		diff_text(&diff);
	return exit_code && (diff.count || diff.omitted) ? EXIT_DIFFERENT : EXIT_DONE;
}
