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
			.has_arg = arg->flag ? no_argument : required_argument,
			.val = FIRST_LONG + (int)i,
		};
		if (!arg->letter)
			continue;
		*letter++ = arg->letter;
		if (!arg->flag)
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

/* False when there is no room for one more. */
static bool take_value(const struct arg *arg, const char *text)
{
	if (arg->flag)
		*arg->flag = true;
	else if (arg->value)
		*arg->value = text;
	else if (arg->values->count < ARGS_VALUES)
		arg->values->items[arg->values->count++] = text;
	else
		return false;
	return true;
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
		if (!take_value(arg, optarg))
			return args_wrong(options, argv[0], "option --%s is given over %u times",
					  arg->name, ARGS_VALUES);
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

bool args_duration(const struct options *options, const char *what, const char *text,
		   uint64_t longest_ms, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	size_t digits = strspn(text, "0123456789");
	uint64_t number, ms = 0;

	errno = 0;
	number = strtoull(text, NULL, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units) && digits && !errno; i++)
		if (!strcmp(text + digits, units[i].name) && number <= longest_ms / units[i].ms)
			ms = number * units[i].ms;
	if (!ms) {
		say_error(options, EXIT_USAGE,
			  "%s is a time like 500ms, 90s, 10m, 1h or 7d, at most %llu s, not '%s'",
			  what, (unsigned long long)(longest_ms / 1000), text);
		return false;
	}
	*ret_ms = ms;
	return true;
}
