/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch check`: is this policy one that could be applied? Needs no privileges and no kernel. */
#include "cmd.h"

#include "args.h"
#include "describe.h"

static json_t *check_json(const char *path, const struct image *image)
{
	json_t *document = describe_json(image);

	json_object_set_new(document, "file", json_string(path));
	return document;
}

int cmd_check(const struct options *options, int argc, char **argv)
{
	static const struct args args = { .min = 1, .max = 1 };
	auto_image struct image_file file = { 0 };
	int first = args_parse(options, argc, argv, &args), code;

	if (first < 0)
		return EXIT_USAGE;
	code = source_load(options, argv[first], NULL, &file);
	if (code != EXIT_DONE)
		return code;
	if (options->json) {
		say_result(options, "check", check_json(argv[first], &file.image));
		return EXIT_DONE;
	}
	say_text("%s is good\n", argv[first]);
	describe_text(&file.image);
	return EXIT_DONE;
}
