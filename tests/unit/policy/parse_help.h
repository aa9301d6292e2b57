/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of policy_parse() share: list files in memory, and assertions on problems. */
#ifndef TESTS_UNIT_POLICY_PARSE_HELP_H
#define TESTS_UNIT_POLICY_PARSE_HELP_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/policy.h"

/* A file that policy_parse() may ask for; text NULL: reading it gives @err. */
struct memory_file {
	const char *path, *text;
	int err;
};

/* Ends with a path of NULL. */
static inline int memory_read(void *context, const char *path, struct buf *ret)
{
	const struct memory_file *file;

	for (file = context; file->path; file++) {
		if (strcmp(file->path, path))
			continue;
		if (!file->text)
			return file->err;
		return buf_append(ret, file->text, strlen(file->text));
	}
	return -ENOENT;
}

struct result {
	struct policy policy;
	struct diag diag;
	int err;
};

static inline void result_free(struct result *result)
{
	policy_free(&result->policy);
	diag_free(&result->diag);
}
#define auto_result cleanup(result_free)

static const struct limits test_limits = { .prefixes = 40, .lists = 4, .families = 8 };

static inline void parse_limited(const char *text, const struct memory_file *files,
				 const struct limits *limits, struct result *ret)
{
	struct policy_source source = { memory_read, (void *)files };

	ret->err = policy_parse(&(struct named_text){ "p.yaml", text, strlen(text) },
				files ? &source : NULL, limits, &ret->policy, &ret->diag);
	assert_int_equal(ret->err, ret->diag.total ? -EINVAL : 0);
	if (ret->err)
		assert_null(ret->policy.file);
}

static inline void parse_with(const char *text, const struct memory_file *files, struct result *ret)
{
	parse_limited(text, files, &test_limits, ret);
}

static inline void show_problems(const struct diag *diag)
{
	uint32_t i;

	for (i = 0; i < diag->stored; i++)
		print_message("%s:%u:%u: [%s] %s\n", diag->problems[i].file, diag->problems[i].line,
			      diag->problems[i].col, diag->problems[i].code,
			      diag->problems[i].message);
}

static inline void assert_problem(const struct diag *diag, uint32_t i, const char *place,
				  const char *code, const char *message)
{
	const struct diag_problem *problem = &diag->problems[i];
	char at[100];

	if (i >= diag->stored) {
		show_problems(diag);
		fail_msg("there is no problem %u", i);
	}
	snprintf(at, sizeof(at), "%s:%u:%u", problem->file, problem->line, problem->col);
	if (strcmp(at, place) || strcmp(problem->code, code) ||
	    (message && strcmp(problem->message, message)))
		show_problems(diag);
	assert_string_equal(at, place);
	assert_string_equal(problem->code, code);
	if (message)
		assert_string_equal(problem->message, message);
}

/* The text has exactly this problem. */
static inline void assert_only(const char *text, const struct memory_file *files, const char *place,
			       const char *code, const char *message)
{
	auto_result struct result result = { 0 };

	parse_with(text, files, &result);
	if (result.diag.total != 1) {
		show_problems(&result.diag);
		fail_msg("%u problems in: %s", (unsigned int)result.diag.total, text);
	}
	assert_problem(&result.diag, 0, place, code, message);
}

static inline void assert_accepted(const char *text, const struct memory_file *files,
				   struct result *ret)
{
	parse_with(text, files, ret);
	if (ret->err)
		show_problems(&ret->diag);
	assert_int_equal(ret->err, 0);
}

#endif
