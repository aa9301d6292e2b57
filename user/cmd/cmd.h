/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One verb, one file, one row in the table of main.c. Only this folder prints and picks exit
 * codes. Results go to stdout, progress and problems to stderr; under -j results and errors are
 * JSON documents on stdout.
 */
#ifndef STANCH_CMD_CMD_H
#define STANCH_CMD_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/places.h"
#include "policy/compile.h"
#include "policy/policy.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_DENIED = 4,
	EXIT_NO_SUCH = 5,
	EXIT_CONFLICT = 6,
	EXIT_REVERTED = 7,
	EXIT_DIFFERENT = 10,
};

#define INSTANCE_USUAL "default"

struct options {
	bool json, quiet;
	int verbose;
	struct places places;
};

/* @help: its first line is the summary in the list of verbs, the rest is what `help VERB` adds. */
struct verb {
	const char *name, *synopsis, *help;
	int (*run)(const struct options *options, int argc, char **argv);
};

/* ---- main.c ---- */
extern const struct verb verbs[]; /* ends with a row without a name */
/* verb_find - NULL when there is no such verb. */
const struct verb *verb_find(const char *name);

/* ---- say.c ---- */
/* say_result - print a result document (stolen) with its schema "stanch.VERB/1", if -j was given. */
void say_result(const struct options *options, const char *verb, json_t *document);
/*
 * say_line - the same as one object of a line stream, at once; prints whether or not -j was given.
 * Returns false when stdout takes no more: a verb that goes on for long ends then.
 */
bool say_line(const char *verb, json_t *document);
/* say_text - people's text on stdout. Returns false when stdout takes no more. */
bool say_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* say_bytes - the same for what is not text. */
bool say_bytes(const void *bytes, size_t len);
/* say_problems - all problems with carets to stderr, or as stanch.error/1; returns @code. */
int say_problems(const struct options *options, const char *message, struct diag *diag, int code);
/* say_error - one message; returns @code. */
int say_error(const struct options *options, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * say_errno - "@what: reason" and the exit code that @error (positive or negative) stands for:
 * EPERM, EACCES 4; ENOENT, ENODEV, ENXIO 5; EBUSY, ESTALE, EEXIST 6; everything else 1.
 */
int say_errno(const struct options *options, int error, const char *what);
/* say_reason - the reason alone, as say_errno words it. */
const char *say_reason(int error);
/* exit_code_of - the exit code alone. */
int exit_code_of(int error);
/* say_progress - a line on stderr unless quiet; say_detail - only with -v; say_warning - always. */
void say_progress(const struct options *options, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void say_detail(const struct options *options, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void say_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* say_finish - flush stdout; lost output turns success into EXIT_FAILED, a reader who left does not. */
int say_finish(int code);
/* 64-bit numbers are strings in JSON. */
json_t *json_u64(uint64_t value);

/* ---- help.c ---- */
int cmd_help(const struct options *options, int argc, char **argv);
/* help_nearest - the verb most like @name, or NULL. */
const struct verb *help_nearest(const char *name);

/* ---- source.c ---- */
/* What a policy or an image was read as. */
struct source {
	struct image_file image;
	struct buf text; /* of the policy, empty for an image */
	struct buf notes; /* a line for each list that was accepted with duplicates */
	uint32_t merged; /* duplicates, over all lists */
	struct policy_settings settings; /* the usual ones for an image */
};
#define auto_source cleanup(source_free)
void source_free(struct source *source);
/*
 * source_load - a policy or an image, whichever @path is, compiled and checked against @limits.
 * Problems and notes are said; returns EXIT_DONE or the exit code.
 */
int source_load(const struct options *options, const char *path, const struct limits *limits,
		struct image_file *ret);
/*
 * source_read - the same without a word: problems go into @diag, for those who record them.
 * Returns 0; -EINVAL when the source is refused, a missing or unreadable one too; -ENOMEM.
 */
int source_read(const char *path, const struct limits *limits, struct source *ret,
		struct diag *diag);
/* source_policy - a policy's rows with their places; an image is refused. Errors as source_read(). */
int source_policy(const char *path, const struct limits *limits, struct policy *ret,
		  struct diag *diag);
/* source_say_notes - as progress, line by line. */
void source_say_notes(const struct options *options, const struct source *source);

int cmd_check(const struct options *options, int argc, char **argv);
int cmd_compile(const struct options *options, int argc, char **argv);
int cmd_inspect(const struct options *options, int argc, char **argv);
int cmd_diff(const struct options *options, int argc, char **argv);
int cmd_attach(const struct options *options, int argc, char **argv);
int cmd_detach(const struct options *options, int argc, char **argv);
int cmd_apply(const struct options *options, int argc, char **argv);
int cmd_plan(const struct options *options, int argc, char **argv);
int cmd_confirm(const struct options *options, int argc, char **argv);
int cmd_rollback(const struct options *options, int argc, char **argv);
int cmd_restore(const struct options *options, int argc, char **argv);
int cmd_hold(const struct options *options, int argc, char **argv);
int cmd_release(const struct options *options, int argc, char **argv);
int cmd_verify(const struct options *options, int argc, char **argv);
int cmd_history(const struct options *options, int argc, char **argv);
int cmd_mode(const struct options *options, int argc, char **argv);
int cmd_kill(const struct options *options, int argc, char **argv);
int cmd_unkill(const struct options *options, int argc, char **argv);
int cmd_allow(const struct options *options, int argc, char **argv);
int cmd_block(const struct options *options, int argc, char **argv);
int cmd_unallow(const struct options *options, int argc, char **argv);
int cmd_unblock(const struct options *options, int argc, char **argv);
int cmd_status(const struct options *options, int argc, char **argv);
int cmd_stats(const struct options *options, int argc, char **argv);
int cmd_capacity(const struct options *options, int argc, char **argv);
int cmd_events(const struct options *options, int argc, char **argv);
int cmd_explain(const struct options *options, int argc, char **argv);
int cmd_replay(const struct options *options, int argc, char **argv);
int cmd_bisect(const struct options *options, int argc, char **argv);
int cmd_bench(const struct options *options, int argc, char **argv);
int cmd_doctor(const struct options *options, int argc, char **argv);
int cmd_selftest(const struct options *options, int argc, char **argv);
int cmd_version(const struct options *options, int argc, char **argv);

#endif
