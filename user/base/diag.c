/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Collecting problems. What arrives here may quote hostile input, so every text is copied, bounded
 * and made safe to print on a terminal. Nothing here prints.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Characters that steer a terminal or reorder the line around them. */
static bool is_shown(uint32_t code)
{
	if (code < 0xa0)
		return code >= 0x20 && code < 0x7f;
	return !(code >= 0x200b && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2060 && code <= 0x206f) && code != 0xfeff;
}

/*
 * Copies at most @size - 1 bytes of @text, whole characters only; one '?' for each that must not
 * reach a terminal and a space for a tab, so that columns still count. Returns bytes of @text used.
 */
static size_t copy_shown(char *out, size_t size, const char *text, size_t len)
{
	size_t used = 0, at = 0;

	while (at < len) {
		uint32_t code = 0;
		unsigned int step = utf8_next(text + at, len - at, &code);
		bool keep = step && is_shown(code);
		unsigned int write = keep ? step : 1;

		if (used + write >= size)
			break;
		if (keep)
			memcpy(out + used, text + at, step);
		else
			out[used] = text[at] == '\t' ? ' ' : '?';
		used += write;
		at += step ? step : 1;
	}
	out[used] = '\0';
	return at;
}

static char *dup_shown(const char *text, size_t len)
{
	char shown[DIAG_TEXT];

	copy_shown(shown, sizeof(shown), text, len);
	return strdup(shown);
}

/* Twice the room first, so that a text that was cut can be told from one that just fits. */
static void set_message(struct diag_problem *problem, const char *fmt, va_list args)
{
	char raw[2 * DIAG_TEXT];
	size_t len;
	int printed = vsnprintf(raw, sizeof(raw), fmt, args);

	if (printed < 0)
		return;
	len = strnlen(raw, sizeof(raw));
	if ((size_t)printed < sizeof(raw) &&
	    copy_shown(problem->message, DIAG_TEXT, raw, len) == len)
		return;
	copy_shown(problem->message, DIAG_TEXT - 3, raw, len);
	memcpy(problem->message + strlen(problem->message), "...", sizeof("..."));
}

/* The next free problem with its place filled in, or NULL when only counting is left. */
static struct diag_problem *take_problem(struct diag *diag, const struct diag_place *place,
					 const char *code)
{
	struct diag_problem *problem;

	diag->total++;
	if (diag->stored == DIAG_PROBLEMS)
		return NULL;
	problem = &diag->problems[diag->stored++];
	*problem = (struct diag_problem){ 0 };
	snprintf(problem->code, sizeof(problem->code), "%s", code);
	if (!place)
		return problem;
	problem->line = place->line;
	problem->col = place->col;
	if (place->file)
		problem->file = dup_shown(place->file, strlen(place->file));
	/* A caret past the end of a cut line would point at nothing. */
	if (place->excerpt && place->col < DIAG_TEXT)
		problem->excerpt = dup_shown(place->excerpt, place->excerpt_len);
	return problem;
}

void diag_add(struct diag *diag, const struct diag_place *place, const char *code, const char *fmt,
	      ...)
{
	struct diag_problem *problem = take_problem(diag, place, code);
	va_list args;

	if (!problem)
		return;
	va_start(args, fmt);
	set_message(problem, fmt, args);
	va_end(args);
}

void diag_add_limit(struct diag *diag, const struct diag_place *place, const char *code,
		    struct diag_limit limit, const char *fmt, ...)
{
	struct diag_problem *problem = take_problem(diag, place, code);
	va_list args;

	if (!problem)
		return;
	problem->has_limit = true;
	problem->limit = limit.limit;
	problem->actual = limit.actual;
	va_start(args, fmt);
	set_message(problem, fmt, args);
	va_end(args);
}

static bool same_file(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static uint32_t file_rank(const struct diag_problem *problems, uint32_t i)
{
	uint32_t rank = 0;

	while (!same_file(problems[rank].file, problems[i].file))
		rank++;
	return rank;
}

void diag_sort(struct diag *diag)
{
	struct diag_problem sorted[DIAG_PROBLEMS];
	uint64_t keys[DIAG_PROBLEMS];
	uint32_t ranks[DIAG_PROBLEMS], i, j;

	/* Insertion: stable, and DIAG_PROBLEMS is small. */
	for (i = 0; i < diag->stored; i++) {
		const struct diag_problem *problem = &diag->problems[i];
		uint32_t rank = file_rank(diag->problems, i);
		uint64_t key = (uint64_t)problem->line << 32 | problem->col;

		for (j = i; j > 0; j--) {
			if (ranks[j - 1] < rank || (ranks[j - 1] == rank && keys[j - 1] <= key))
				break;
			ranks[j] = ranks[j - 1];
			keys[j] = keys[j - 1];
			sorted[j] = sorted[j - 1];
		}
		ranks[j] = rank;
		keys[j] = key;
		sorted[j] = *problem;
	}
	memcpy(diag->problems, sorted, diag->stored * sizeof(*sorted));
}

void diag_free(struct diag *diag)
{
	uint32_t i;

	for (i = 0; i < diag->stored; i++) {
		free(diag->problems[i].file);
		free(diag->problems[i].excerpt);
	}
	diag->stored = 0;
	diag->total = 0;
}
