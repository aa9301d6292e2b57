/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Medians, tenths and ratios. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/spread.h"

#define assert_near(a, b) assert_float_equal(a, b, 1e-9)

static void an_odd_count_has_one_in_the_middle(void **state)
{
	double values[] = { 5, 1, 3 };
	struct spread spread = spread_of(values, 3);

	(void)state;
	assert_near(spread.median, 3);
	assert_near(spread.low, 1);
	assert_near(spread.high, 5);
}

static void an_even_count_has_two(void **state)
{
	double values[] = { 8, 1, 2, 4 };

	(void)state;
	assert_near(spread_of(values, 4).median, 3);
}

static void a_tenth_lies_on_either_side(void **state)
{
	double values[20];
	struct spread spread;

	(void)state;
	for (int i = 0; i < 20; i++)
		values[i] = 20 - i;
	spread = spread_of(values, 20);
	assert_near(spread.low, 3);
	assert_near(spread.high, 18);
}

static void one_outlier_changes_no_median(void **state)
{
	double values[] = { 10, 10, 1e9, 10, 10 };

	(void)state;
	assert_near(spread_of(values, 5).median, 10);
}

static void nothing_measured_is_zero(void **state)
{
	struct spread spread = spread_of(NULL, 0);

	(void)state;
	assert_near(spread.median, 0);
	assert_near(spread.high, 0);
}

static void ratios_are_of_one_round(void **state)
{
	/* the machine is twice as slow in the second round, for both */
	double values[] = { 30, 60, 33 }, yard[] = { 10, 20, 10 };
	struct spread spread = spread_ratios(values, yard, 3);

	(void)state;
	assert_near(spread.median, 3);
	assert_near(spread.low, 3);
	assert_near(spread.high, 3.3);
}

static void rounds_without_a_yardstick_are_left_out(void **state)
{
	double values[] = { 30, 60, 50 }, yard[] = { 10, 0, 10 };

	(void)state;
	assert_near(spread_ratios(values, yard, 3).median, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_odd_count_has_one_in_the_middle),
		cmocka_unit_test(an_even_count_has_two),
		cmocka_unit_test(a_tenth_lies_on_either_side),
		cmocka_unit_test(one_outlier_changes_no_median),
		cmocka_unit_test(nothing_measured_is_zero),
		cmocka_unit_test(ratios_are_of_one_round),
		cmocka_unit_test(rounds_without_a_yardstick_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
