/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefix table structures side by side: what a candidate offers. All are built from the same
 * ranges of equal leaf, as the compiler finds them; here nothing is known about policies.
 */
#ifndef TESTS_BENCH_TABLES_H
#define TESTS_BENCH_TABLES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <stanch/image.h>

/* An address, most significant bit first; IPv4 fills the upper half of hi. */
struct key {
	uint64_t hi, lo;
};

/* From @start to the start of the next one all addresses have this leaf. The first is 0. */
struct boundary {
	struct key key; /* the same in full */
	uint32_t start; /* IPv4 */
	uint16_t leaf;
};

struct boundaries {
	struct boundary *items;
	uint32_t count;
	const struct image *image; /* where they are from: our own structure, built already */
	enum table table; /* of it */
};

/* The distinct 64-byte lines that one lookup reads. */
#define TRACE_MOST 64u
struct trace {
	uintptr_t lines[TRACE_MOST];
	uint32_t count;
};

static inline void touch(struct trace *trace, const void *at)
{
	uintptr_t line = (uintptr_t)at / 64;

	if (!trace)
		return;
	for (uint32_t i = 0; i < trace->count; i++)
		if (trace->lines[i] == line)
			return;
	if (trace->count < TRACE_MOST)
		trace->lines[trace->count++] = line;
}

struct candidate {
	const char *name;
	int six; /* does it know IPv6? */
	void *(*build)(const struct boundaries *boundaries);
	uint32_t (*find)(const void *table, struct key key);
	/* the same with the lines it reads; slow */
	uint32_t (*trace)(const void *table, struct key key, struct trace *trace);
	size_t (*size)(const void *table);
	void (*release)(void *table);
};

extern const struct candidate candidate_lines, candidate_dir24, candidate_dxr, candidate_poptrie,
	candidate_search;

/* lines_trace - table_lookup() from @root on. */
uint32_t lines_trace(struct image *image, uint32_t root, struct key key, struct trace *trace);

/* A bench without memory has nothing to say. */
static inline void *bench_alloc(void *old, size_t count, size_t size)
{
	void *ret = reallocarray(old, count, size);

	if (ret)
		return ret;
	fputs("tables: out of memory\n", stderr);
	exit(1);
}

#endif
