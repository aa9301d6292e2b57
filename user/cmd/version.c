/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch version`: of this tool, and of the contracts it was built with. */
#include "cmd.h"

#include "args.h"

int cmd_version(const struct options *options, int argc, char **argv)
{
	static const struct args args = { 0 };

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	if (!options->json)
		say_text("stanch %s (maps %u, image %u)\n", STANCH_VERSION, ABI_VERSION,
			 IMAGE_VERSION);
	say_result(options, "version",
		   json_pack("{ss, si, si}", "version", STANCH_VERSION, "abi", (int)ABI_VERSION,
			     "image_version", (int)IMAGE_VERSION));
	return EXIT_DONE;
}
