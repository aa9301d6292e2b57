/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Problems, collected where they are known and printed by cmd/ only. A struct diag is bounded: past
 * DIAG_PROBLEMS it counts instead of storing, so hostile input cannot fill memory.
 */
#ifndef STANCH_BASE_DIAG_H
#define STANCH_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIAG_PROBLEMS 64 /* stored in full; the rest is counted */
#define DIAG_TEXT 256 /* bytes of one message, a longer one ends in "..." */

struct diag_place {
	const char *file; /* borrowed until diag_add returns; NULL when there is none */
	uint32_t line, col; /* from 1; 0 when unknown */
	const char *excerpt; /* the source line for the caret, not terminated; NULL when unknown */
	size_t excerpt_len;
};

struct diag_problem {
	char *file;
	uint32_t line, col;
	char code[32]; /* stable id: "duplicate_prefix", "too_many_prefixes" ... */
	char message[DIAG_TEXT];
	char *excerpt; /* sanitised: control bytes shown as '?', at most DIAG_TEXT bytes */
	bool has_limit;
	uint64_t limit, actual; /* valid when has_limit */
};

struct diag {
	struct diag_problem problems[DIAG_PROBLEMS];
	uint32_t stored;
	uint64_t total; /* problems reported, stored or not */
};

#define auto_diag cleanup(diag_free)

/* diag_add - report a problem. @code is a stable identifier, @fmt a sentence without final stop. */
void diag_add(struct diag *diag, const struct diag_place *place, const char *code, const char *fmt,
	      ...) __attribute__((format(printf, 4, 5)));

/* diag_add_limit - the same with the number found and the limit it breaks. */
struct diag_limit {
	uint64_t actual, limit;
};
void diag_add_limit(struct diag *diag, const struct diag_place *place, const char *code,
		    struct diag_limit limit, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* diag_sort - order by file (as first seen), line, column. */
void diag_sort(struct diag *diag);

/* diag_free - release what diag_add copied; leaves an empty diag. */
void diag_free(struct diag *diag);

#endif
