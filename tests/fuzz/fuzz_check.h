/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every fuzzed parser promises about its prefixes and its problems. */
#ifndef TESTS_FUZZ_FUZZ_CHECK_H
#define TESTS_FUZZ_FUZZ_CHECK_H

#ifdef NDEBUG
#error "a fuzz target without assertions checks nothing"
#endif

#include <assert.h>
#include <string.h>

#include "base/diag.h"
#include "base/utf8.h"
#include "policy/policy.h"

static inline uint32_t fuzz_lines(const char *text, size_t len)
{
	uint32_t lines = 1;

	for (; len; text++, len--)
		lines += *text == '\n';
	return lines;
}

/* Text that may go to a terminal and into JSON. */
static inline void fuzz_check_shown(const char *text)
{
	size_t len = strlen(text), step;
	uint32_t code;

	assert(len < DIAG_TEXT);
	for (; len; text += step, len -= step) {
		step = utf8_next(text, len, &code);
		assert(step && code >= 0x20 && !(code >= 0x7f && code < 0xa0));
	}
}

static inline void fuzz_check_diag(const struct diag *diag)
{
	uint32_t i;

	assert(diag->stored <= DIAG_PROBLEMS && diag->stored <= diag->total);
	for (i = 0; i < diag->stored; i++) {
		const struct diag_problem *problem = &diag->problems[i];

		assert(problem->code[0] && problem->message[0]);
		fuzz_check_shown(problem->message);
		if (problem->file)
			fuzz_check_shown(problem->file);
		if (problem->excerpt)
			fuzz_check_shown(problem->excerpt);
		assert(problem->line || !problem->col);
	}
}

/* A prefix has no host bits, and its text reads back as itself. */
static inline void fuzz_check_prefix(const struct prefix *prefix)
{
	struct prefix again;
	char text[PREFIX_TEXT];

	assert(prefix->family == 4 || prefix->family == 6);
	prefix_format(prefix, text);
	assert(prefix_parse(text, strlen(text), &again) == 0);
	assert(again.hi == prefix->hi && again.lo == prefix->lo);
	assert(again.len == prefix->len && again.family == prefix->family);
}

#endif
