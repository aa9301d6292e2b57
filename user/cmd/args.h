/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options and operands of a verb, over getopt_long, so that usage errors look the same
 * everywhere: one message, the verb's synopsis, exit code 2.
 */
#ifndef STANCH_CMD_ARGS_H
#define STANCH_CMD_ARGS_H

#include "cmd.h"

#define ARGS_OPTIONS 16u

/* An option that may be given several times. */
#define ARGS_VALUES 32u
struct arg_values {
	const char *items[ARGS_VALUES];
	unsigned int count;
};

/*
 * One option: a flag, or one that takes a value. Of several values the last one counts, but all of
 * them for one with @values.
 */
struct arg {
	const char *name; /* long name, without dashes */
	char letter; /* 0: none; j, q, v and h belong to every verb */
	bool *flag;
	const char **value;
	struct arg_values *values;
};

struct args {
	const struct arg *options; /* NULL when there are none */
	unsigned int count;
	int min, max; /* operands; max -1: any number */
};

/*
 * args_parse - take the options out of @argv, whose first element is the verb. Returns the index of
 * the first operand (they all stand at the end then), or -1 when the usage was wrong and has been
 * said: the verb returns EXIT_USAGE.
 */
int args_parse(const struct options *options, int argc, char **argv, const struct args *args);

/* args_number - a whole decimal number up to @largest. Returns false when that was wrong and said. */
bool args_number(const struct options *options, const char *what, const char *text,
		 uint64_t largest, uint64_t *ret);

/*
 * args_duration - "500ms", "90s", "10m", "1h" or "7d", at least a millisecond and at most
 * @longest_ms. Returns false when that was wrong and said.
 */
bool args_duration(const struct options *options, const char *what, const char *text,
		   uint64_t longest_ms, uint64_t *ret_ms);

/* args_wrong - say a usage error of @verb with its synopsis; returns EXIT_USAGE. */
int args_wrong(const struct options *options, const char *verb, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
