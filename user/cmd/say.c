/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that is printed: results on stdout, problems and progress on stderr, JSON documents
 * under -j. Quotes of hostile input come through struct diag, which makes them safe to show.
 * Knows no verb.
 */
#include "cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define EXCERPT_INDENT "    "

static int output_error; /* errno of the first write that stdout refused */

static bool output_check(bool written)
{
	if (!written && !output_error)
		output_error = errno ? errno : EIO;
	return !output_error;
}

bool say_text(const char *fmt, ...)
{
	va_list args;
	int len;

	errno = 0;
	va_start(args, fmt);
	len = vprintf(fmt, args);
	va_end(args);
	return output_check(len >= 0);
}

bool say_bytes(const void *bytes, size_t len)
{
	errno = 0;
	return output_check(fwrite(bytes, 1, len, stdout) == len);
}

int say_finish(int code)
{
	errno = 0;
	output_check(!fflush(stdout) && !ferror(stdout));
	if (!output_error || output_error == EPIPE)
		return code;
	fprintf(stderr, "stanch: cannot write the result: %s\n", strerror(output_error));
	return code == EXIT_DONE || code == EXIT_DIFFERENT ? EXIT_FAILED : code;
}

/* NULL for a document that could not be made. */
static json_t *with_schema(const char *verb, json_t *document)
{
	json_t *whole = document ? json_object() : NULL;

	if (!whole)
		return NULL;
	json_object_set_new(whole, "schema", json_sprintf("stanch.%s/1", verb));
	json_object_update(whole, document);
	json_decref(document);
	return whole;
}

/* Steals @document. Seventeen digits would tell 37.2 from itself, and nobody anything. */
static bool print_json(json_t *document, size_t flags)
{
	autofree char *text = json_dumps(document, flags | JSON_REAL_PRECISION(12));

	json_decref(document);
	errno = ENOMEM;
	if (!text)
		return output_check(false);
	return say_text("%s\n", text);
}

void say_result(const struct options *options, const char *verb, json_t *document)
{
	if (options->json)
		print_json(with_schema(verb, document), JSON_INDENT(2));
	else
		json_decref(document);
}

bool say_line(const char *verb, json_t *document)
{
	if (!print_json(with_schema(verb, document), JSON_COMPACT))
		return false;
	errno = 0;
	return output_check(!fflush(stdout));
}

json_t *json_u64(uint64_t value)
{
	return json_sprintf("%llu", (unsigned long long)value);
}

static bool coloured(void)
{
	const char *off = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDERR_FILENO) && !(off && *off) && term && strcmp(term, "dumb");
}

struct paint {
	const char *bold, *red, *plain;
};

static struct paint paint_choose(void)
{
	static const struct paint colours = { "\033[1m", "\033[31m", "\033[0m" };
	static const struct paint none = { "", "", "" };

	return coloured() ? colours : none;
}

static void print_place(const struct diag_problem *problem)
{
	if (problem->file)
		fprintf(stderr, "%s:", problem->file);
	if (problem->line)
		fprintf(stderr, "%u:", problem->line);
	if (problem->line && problem->col)
		fprintf(stderr, "%u:", problem->col);
}

/* Columns count characters, and a terminal shows one in each. */
static void print_caret(const struct diag_problem *problem, const struct paint *paint)
{
	fprintf(stderr, EXCERPT_INDENT "%s\n", problem->excerpt);
	fprintf(stderr, EXCERPT_INDENT "%*s%s^%s\n", (int)problem->col - 1, "", paint->red,
		paint->plain);
}

static void print_problem(const struct diag_problem *problem, const struct paint *paint)
{
	fputs(paint->bold, stderr);
	print_place(problem);
	fprintf(stderr, "%s%s%s\n", paint->plain,
		problem->file || problem->line ? " " : "stanch: ", problem->message);
	if (problem->excerpt && problem->col)
		print_caret(problem, paint);
}

static json_t *json_or_null(bool there, json_t *value)
{
	if (there)
		return value;
	json_decref(value);
	return json_null();
}

static json_t *problem_json(const struct diag_problem *problem)
{
	return json_pack("{so, so, so, ss, so, so, ss}", "file",
			 problem->file ? json_string(problem->file) : json_null(), "line",
			 json_or_null(problem->line, json_integer(problem->line)), "col",
			 json_or_null(problem->line && problem->col, json_integer(problem->col)),
			 "code", problem->code, "limit",
			 json_or_null(problem->has_limit, json_u64(problem->limit)), "actual",
			 json_or_null(problem->has_limit, json_u64(problem->actual)), "message",
			 problem->message);
}

/* One line always: it may end a stream of lines. */
static void print_error_document(const char *message, const struct diag *diag)
{
	json_t *problems = json_array();
	uint32_t i;

	for (i = 0; i < diag->stored; i++)
		json_array_append_new(problems, problem_json(&diag->problems[i]));
	print_json(json_pack("{ss, s{ss, so}}", "schema", "stanch.error/1", "error", "message",
			     message, "problems", problems),
		   JSON_COMPACT);
}

int say_problems(const struct options *options, const char *message, struct diag *diag, int code)
{
	struct paint paint = paint_choose();
	auto_diag struct diag safe = { 0 };
	uint32_t i;

	diag_sort(diag);
	for (i = 0; i < diag->stored; i++)
		print_problem(&diag->problems[i], &paint);
	diag_add(&safe, NULL, "error", "%s: %llu problem%s", message,
		 (unsigned long long)diag->total, diag->total == 1 ? "" : "s");
	fprintf(stderr, "%sstanch: %s%s\n", paint.bold, safe.problems[0].message, paint.plain);
	if (diag->total > diag->stored)
		fprintf(stderr, "stanch: only the first %u are shown\n", diag->stored);
	if (options->json)
		print_error_document(safe.problems[0].message, diag);
	return code;
}

/* The message as it may be shown, in safe->problems[0]. */
static void make_safe(struct diag *safe, const char *fmt, va_list args)
{
	char text[2 * DIAG_TEXT];

	vsnprintf(text, sizeof(text), fmt, args);
	diag_add(safe, NULL, "error", "%s", text);
}

int say_error(const struct options *options, int code, const char *fmt, ...)
{
	auto_diag struct diag safe = { 0 };
	struct diag none = { 0 };
	va_list args;

	va_start(args, fmt);
	make_safe(&safe, fmt, args);
	va_end(args);
	fprintf(stderr, "stanch: %s\n", safe.problems[0].message);
	if (options->json)
		print_error_document(safe.problems[0].message, &none);
	return code;
}

const char *say_reason(int error)
{
	switch (error < 0 ? -error : error) {
	case E2BIG: /* the kernel's word for a full map; its own text speaks of argument lists */
		return "more than there is room for";
	case EBADMSG:
		return "damaged: its bytes are not what was written";
	case EPROTO:
		return "belongs to another version of stanch";
	case ESTALE:
		return "somebody else changed it meanwhile";
	case EFBIG:
		return "too long";
	default:
		return strerror(error < 0 ? -error : error);
	}
}

int exit_code_of(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return EXIT_DONE;
	case EPERM:
	case EACCES:
		return EXIT_DENIED;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return EXIT_NO_SUCH;
	case EBUSY:
	case ESTALE:
	case EEXIST:
		return EXIT_CONFLICT;
	case EPROTO: /* a program, an instance or an image of another version */
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

int say_errno(const struct options *options, int error, const char *what)
{
	return say_error(options, exit_code_of(error), "%s: %s", what, say_reason(error));
}

static void print_note(const char *fmt, va_list args)
{
	auto_diag struct diag safe = { 0 };

	make_safe(&safe, fmt, args);
	fprintf(stderr, "%s\n", safe.problems[0].message);
}

void say_progress(const struct options *options, const char *fmt, ...)
{
	va_list args;

	if (options->quiet)
		return;
	va_start(args, fmt);
	print_note(fmt, args);
	va_end(args);
}

void say_detail(const struct options *options, const char *fmt, ...)
{
	va_list args;

	if (!options->verbose)
		return;
	va_start(args, fmt);
	print_note(fmt, args);
	va_end(args);
}

void say_warning(const char *fmt, ...)
{
	va_list args;

	fputs("stanch: ", stderr);
	va_start(args, fmt);
	print_note(fmt, args);
	va_end(args);
}
