/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The growing byte buffer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Read by AddressSanitizer: an impossible size is an error to return, not to die of. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void bytes_arrive_in_order(void **state)
{
	auto_buf struct buf buf = { 0 };
	char expected[3000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(expected); i++) {
		expected[i] = (char)(i * 7);
		assert_int_equal(buf_append(&buf, &expected[i], 1), 0);
	}
	assert_int_equal(buf.len, sizeof(expected));
	assert_memory_equal(buf.data, expected, sizeof(expected));
}

static void appending_nothing_allocates_nothing(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_int_equal(buf_append(&buf, NULL, 0), 0);
	assert_null(buf.data);
}

static void printed_text_is_terminated_but_the_nul_is_not_counted(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_int_equal(buf_printf(&buf, "%s-%d", "line", 1), 0);
	assert_int_equal(buf_printf(&buf, "+%0300d", 2), 0);
	assert_int_equal(buf.len, 6 + 301);
	assert_int_equal(buf.data[buf.len], 0);
	assert_memory_equal(buf.data, "line-1+000", 10);
}

static void an_impossible_size_is_refused_and_keeps_the_content(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_int_equal(buf_append(&buf, "x", 1), 0);
	assert_int_equal(buf_reserve(&buf, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_reserve(&buf, SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(buf_append(&buf, "y", SIZE_MAX / 2), -ENOMEM);
	assert_int_equal(buf.len, 1);
	assert_int_equal(buf.data[0], 'x');
}

static void a_freed_buffer_is_empty_and_usable(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_int_equal(buf_append(&buf, "abc", 3), 0);
	buf_free(&buf);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf_append(&buf, "d", 1), 0);
	assert_int_equal(buf.data[0], 'd');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_in_order),
		cmocka_unit_test(appending_nothing_allocates_nothing),
		cmocka_unit_test(printed_text_is_terminated_but_the_nul_is_not_counted),
		cmocka_unit_test(an_impossible_size_is_refused_and_keeps_the_content),
		cmocka_unit_test(a_freed_buffer_is_empty_and_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
