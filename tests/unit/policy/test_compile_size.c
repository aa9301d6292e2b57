/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiling at full size: a million prefixes in the shapes that a table structure may dislike. What
 * is bounded is lines, steps and processor time; a sample of addresses is compared with a binary
 * search over the same prefixes.
 * test-timeout: 900
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "shapes.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COMPILE_SECONDS 30.0 /* a sanitiser slows everything down */
#endif
#endif
#ifndef COMPILE_SECONDS
#define COMPILE_SECONDS 4.0 /* four times the budget: other work costs caches, too */
#endif

#define SAMPLES 20000u
/* Processor time: another process on the machine must not fail the test. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void assert_samples(const struct shape *shape, const struct policy *policy,
			   const struct image *image)
{
	enum table table = shape->family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC;
	struct reference reference;
	uint64_t random = 9;

	reference_make(policy, &reference);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		unsigned __int128 address = shape_key(shape, policy, i % KEY_KINDS, &random);

		assert_int_equal(image_lookup(image, table, address).drop,
				 reference_find(&reference, address));
	}
}

static void compile_shape(const struct shape *shape)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };
	double start, taken;

	shape_make(shape, LIMIT_PREFIXES, &made);
	start = seconds();
	made_compile(&made, &file);
	taken = seconds() - start;
	print_message("%s: %u lines, %u steps, %.2f s\n", shape->name, file.image.lines,
		      image_counts(&file.image)->steps, taken);
	if (taken > COMPILE_SECONDS)
		fail_msg("took %.2f s of processor time", taken);
	if (getenv("SHOW"))
		return;
	assert_in_range(file.image.lines, 1, shape->lines);
	assert_in_range(image_counts(&file.image)->steps, 1, shape->steps);
	assert_samples(shape, &made.policy, &file.image);
	assert_int_equal(image_check("compiled", file.bytes, (size_t)file.image.lines * LINE_SIZE,
				     &limits_builtin, &diag),
			 0);
}

static void a_million_prefixes_of_any_shape_fit_and_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < shape_count; i++)
		compile_shape(&shapes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_prefixes_of_any_shape_fit_and_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
