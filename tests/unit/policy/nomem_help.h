/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests share in which memory runs out: an allocator that fails once, where it is told to, and
 * counts what is not freed. For one source file of a test program.
 */
#ifndef TESTS_UNIT_POLICY_NOMEM_HELP_H
#define TESTS_UNIT_POLICY_NOMEM_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* A sanitiser replaces the allocator itself, so there is nothing to fail under it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITISED 1
#endif
#endif
#ifndef SANITISED
#define SANITISED 0
#endif

static long fail_at; /* fail the allocation that brings this to zero; 0: never */
static long alive; /* allocations not freed yet */
static bool counting;

static bool is_failing(void)
{
	return fail_at && !--fail_at;
}

#if !SANITISED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *old);

void *malloc(size_t size)
{
	if (is_failing())
		return NULL;
	alive += counting;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	if (is_failing())
		return NULL;
	alive += counting;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	if (is_failing())
		return NULL;
	alive += counting && !old;
	return __libc_realloc(old, size);
}

/* reallocarray() of the C library calls its own realloc, past the one above. */
void *reallocarray(void *old, size_t count, size_t size)
{
	return realloc(old, count * size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	if (is_failing())
		return NULL;
	alive += counting;
	return __libc_memalign(alignment, size);
}

void free(void *old)
{
	alive -= counting && old;
	__libc_free(old);
}
#endif

static void skip_where_nothing_can_fail(void)
{
	if (!SANITISED)
		return;
	print_message("skipped: the sanitiser owns the allocator\n");
	skip();
}

#endif
