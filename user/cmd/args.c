/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of verbs. Knows how a command line is written, not what any verb does; what every verb
 * understands (-j, -q, -v, -h, --instance, --netns) has been taken out by main.c before.
 */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LONG 256 /* getopt's value of option 0, past every letter */

int args_wrong(const struct options *options, const char *verb, const char *fmt, ...)
{
	const struct verb *row = verb_find(verb);
	char text[DIAG_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say_error(options, EXIT_USAGE, "%s", text);
	if (row)
		fprintf(stderr, "usage: stanch %s%s%s\n", row->name, *row->synopsis ? " " : "",
			row->synopsis);
	return EXIT_USAGE;
}

/* getopt's own two tables, made of ours. */
struct tables {
	struct option longs[ARGS_OPTIONS + 1];
	char letters[2 * ARGS_OPTIONS + 2];
};

static void tables_fill(const struct args *args, struct tables *ret)
{
	char *letter = ret->letters;
	unsigned int i;

	*letter++ = ':'; /* a missing value is told from an unknown option */
	for (i = 0; i < args->count; i++) {
		const struct arg *arg = &args->options[i];

		ret->longs[i] = (struct option){
			.name = arg->name,
			.has_arg = arg->value ? required_argument : no_argument,
			.val = FIRST_LONG + (int)i,
		};
		if (!arg->letter)
			continue;
		*letter++ = arg->letter;
		if (arg->value)
			*letter++ = ':';
	}
	*letter = '\0';
}

static const struct arg *arg_of(const struct args *args, int found)
{
	unsigned int i;

	if (found >= FIRST_LONG)
		return &args->options[found - FIRST_LONG];
	for (i = 0; i < args->count; i++)
		if (args->options[i].letter == found)
			return &args->options[i];
	return NULL;
}

static int take_options(const struct options *options, int argc, char **argv,
			const struct args *args)
{
	struct tables tables = { 0 };
	int found;

	tables_fill(args, &tables);
	opterr = 0;
	optind = 1;
	while ((found = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
		const struct arg *arg = arg_of(args, found);

		if (found == ':')
			return args_wrong(options, argv[0], "option %s needs a value",
					  argv[optind - 1]);
		if (!arg)
			return args_wrong(options, argv[0], "%s has no option %s", argv[0],
					  argv[optind - 1]);
		if (arg->value)
			*arg->value = optarg;
		else
			*arg->flag = true;
	}
	return EXIT_DONE;
}

int args_parse(const struct options *options, int argc, char **argv, const struct args *args)
{
	int operands;

	if (take_options(options, argc, argv, args) != EXIT_DONE)
		return -1;
	operands = argc - optind;
	if (operands < args->min)
		return args_wrong(options, argv[0], "%s needs %s", argv[0],
				  operands ? "more operands" : "an operand"),
		       -1;
	if (args->max >= 0 && operands > args->max)
		return args_wrong(options, argv[0], "%s does not take '%s'", argv[0],
				  argv[optind + args->max]),
		       -1;
	return optind;
}

bool args_number(const struct options *options, const char *what, const char *text,
		 uint64_t largest, uint64_t *ret)
{
	unsigned long long number;

	errno = 0;
	number = strtoull(text, NULL, 10);
	if (!*text || strspn(text, "0123456789") != strlen(text) || errno || number > largest) {
		say_error(options, EXIT_USAGE, "%s is a number up to %llu, not '%s'", what,
			  (unsigned long long)largest, text);
		return false;
	}
	*ret = number;
	return true;
}
