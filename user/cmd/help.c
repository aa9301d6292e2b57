/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch help`: what the table of verbs says about itself, and which verb a typing slip meant. */
#include "cmd.h"

#include <string.h>

#include "args.h"

#define NAME_MAX_LEN 32u
#define SLIPS 2u /* letters that may be wrong in a name that is still recognised */

static const char options_help[] =
	"Options, before or after the verb:\n"
	"  -j, --json          results and errors as JSON documents on stdout\n"
	"  -q, --quiet         no progress on stderr\n"
	"  -v, --verbose       more on stderr\n"
	"  --instance NAME     which set of programs and generations (default: default)\n"
	"  --netns NAME|PATH   look interfaces up in that network namespace\n"
	"  -h, --help          explain the verb\n"
	"  --version           say which stanch this is\n";

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to put in, leave out or change: the distance of Levenshtein, row by row. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_LEN + 1], i, j, len = (unsigned int)strlen(b);

	if (strlen(a) > NAME_MAX_LEN || len > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (j = 1; j <= len; j++) {
			unsigned int above = row[j];

			row[j] = least(corner + (a[i - 1] != b[j - 1]),
				       least(above, row[j - 1]) + 1);
			corner = above;
		}
	}
	return row[len];
}

const struct verb *help_nearest(const char *name)
{
	unsigned int best = SLIPS + 1, len = (unsigned int)strlen(name);
	const struct verb *verb, *nearest = NULL;

	for (verb = verbs; verb->name; verb++) {
		unsigned int off = distance(name, verb->name);

		/* A name cut short is meant more often than one with letters wrong. */
		if (len >= 3 && !strncmp(name, verb->name, len))
			off = 0;
		if (off >= best || off >= len)
			continue;
		best = off;
		nearest = verb;
	}
	return nearest;
}

static int summary_len(const struct verb *verb)
{
	return (int)strcspn(verb->help, "\n");
}

static void print_list(void)
{
	const struct verb *verb;

	say_text("usage: stanch [OPTIONS] VERB [...]\n\n");
	for (verb = verbs; verb->name; verb++)
		say_text("  %-10s  %.*s\n", verb->name, summary_len(verb), verb->help);
	say_text("\n%s\n`stanch help VERB` explains one verb; stanch(8) says all.\n", options_help);
}

static void print_verb(const struct verb *verb)
{
	say_text("usage: stanch %s%s%s\n\n%s\n", verb->name, *verb->synopsis ? " " : "",
		 verb->synopsis, verb->help);
}

static json_t *verb_json(const struct verb *verb)
{
	return json_pack("{ss, ss, ss%}", "name", verb->name, "synopsis", verb->synopsis, "summary",
			 verb->help, (size_t)summary_len(verb));
}

static json_t *help_json(const struct verb *only)
{
	json_t *list = json_array();
	const struct verb *verb;

	for (verb = verbs; verb->name; verb++)
		if (!only || verb == only)
			json_array_append_new(list, verb_json(verb));
	return json_pack("{so}", "verbs", list);
}

int cmd_help(const struct options *options, int argc, char **argv)
{
	static const struct args args = { .max = 1 };
	int first = args_parse(options, argc, argv, &args);
	const struct verb *verb = NULL, *nearest;

	if (first < 0)
		return EXIT_USAGE;
	if (first < argc) {
		verb = verb_find(argv[first]);
		nearest = help_nearest(argv[first]);
		if (!verb)
			return say_error(options, EXIT_USAGE, "there is no verb '%s'%s%s",
					 argv[first], nearest ? "; the nearest is " : "",
					 nearest ? nearest->name : "");
	}
	if (options->json)
		say_result(options, "help", help_json(verb));
	else if (verb)
		print_verb(verb);
	else
		print_list();
	return EXIT_DONE;
}
