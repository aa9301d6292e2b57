/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allow, block, unallow, unblock: what the operator says about single sources, beside every policy.
 * This file knows the command line and the words; override_change.c does it.
 */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/args.h"
#include "cmd/look.h"
#include "cmd/override.h"
#include "policy/gates.h"
#include "policy/prefix_text.h"

#define LONGEST_MS (3650ull * 86400 * 1000)
#define FORCED_HOST_S 600u /* a block that may cut this host off ends by itself after that */

/* As it was written on the command line. */
struct words {
	const char *time, *reason;
	struct arg_values force;
};

static int take_prefix(struct override_change *change, const char *text)
{
	auto_diag struct diag diag = { 0 };

	if (!prefix_parse(text, strlen(text), &change->item.prefix))
		return EXIT_DONE;
	prefix_refuse(&diag, NULL, text, strlen(text));
	return say_problems(change->options, "that is no source", &diag, EXIT_USAGE);
}

static bool is_plain_text(const char *text, size_t len)
{
	uint32_t code;
	unsigned int size;

	for (; len; text += size, len -= size) {
		size = utf8_next(text, len, &code);
		if (!size || code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
	}
	return true;
}

static int take_reason(struct override_change *change, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len >= OVERRIDE_REASON)
		return say_error(change->options, EXIT_USAGE,
				 "the reason has %zu bytes, there is room for %u", len,
				 OVERRIDE_REASON - 1);
	if (!is_plain_text(text, len))
		return say_error(change->options, EXIT_USAGE, "the reason is no plain text");
	if (len)
		memcpy(change->item.reason, text, len);
	return EXIT_DONE;
}

static int take_forced(struct override_change *change, const struct arg_values *force)
{
	for (unsigned int i = 0; i < force->count; i++) {
		int gate = gate_find(force->items[i]);

		if (gate != GATE_HOST && gate != GATE_COVERAGE)
			return args_wrong(change->options, change->verb,
					  "'%s' is no gate of a block; `host` and `coverage` are",
					  force->items[i]);
		change->forced |= 1u << gate;
	}
	if ((change->forced >> GATE_HOST & 1) && (!change->for_s || change->for_s > FORCED_HOST_S))
		return args_wrong(change->options, change->verb,
				  "--force host goes with --for of at most %u s: it may cut this "
				  "host off",
				  FORCED_HOST_S);
	return EXIT_DONE;
}

static int take_words(struct override_change *change, const struct words *words)
{
	uint64_t ms = 0;
	int code;

	if (words->time && !args_duration(change->options, "--for", words->time, LONGEST_MS, &ms))
		return EXIT_USAGE;
	change->for_s = (ms + 999) / 1000;
	change->item.uid = getuid();
	code = take_reason(change, words->reason);
	return code == EXIT_DONE ? take_forced(change, &words->force) : code;
}

static int put(const struct options *options, int argc, char **argv, bool block)
{
	cleanup(override_change_free) struct override_change change = {
		.options = options, .verb = argv[0], .item = { .block = block }, .lock = -1
	};
	struct words words = { 0 };
	const struct arg args[] = { { .name = "for", .value = &words.time },
				    { .name = "reason", .value = &words.reason },
				    { .name = "force", .values = &words.force } };
	int code, at = args_parse(
			  options, argc, argv,
			  &(struct args){ .options = args, .count = block ? 3 : 2, .max = 1 });

	if (at < 0)
		return EXIT_USAGE;
	if (at == argc) {
		if (words.time || words.reason || words.force.count)
			return args_wrong(options, argv[0], "%s needs a source", argv[0]);
		return override_list(options, argv[0], block);
	}
	code = take_prefix(&change, argv[at]);
	if (code == EXIT_DONE)
		code = take_words(&change, &words);
	return code == EXIT_DONE ? override_change_run(&change) : code;
}

static int lift(const struct options *options, int argc, char **argv, bool block)
{
	static const struct args args = { .min = 1, .max = 1 };
	cleanup(override_change_free) struct override_change change = { .options = options,
									.verb = argv[0],
									.undo = true,
									.item = { .block = block },
									.lock = -1 };
	int code, at = args_parse(options, argc, argv, &args);

	if (at < 0)
		return EXIT_USAGE;
	code = take_prefix(&change, argv[at]);
	return code == EXIT_DONE ? override_change_run(&change) : code;
}

int cmd_allow(const struct options *options, int argc, char **argv)
{
	return put(options, argc, argv, false);
}

int cmd_block(const struct options *options, int argc, char **argv)
{
	return put(options, argc, argv, true);
}

int cmd_unallow(const struct options *options, int argc, char **argv)
{
	return lift(options, argc, argv, false);
}

int cmd_unblock(const struct options *options, int argc, char **argv)
{
	return lift(options, argc, argv, true);
}
