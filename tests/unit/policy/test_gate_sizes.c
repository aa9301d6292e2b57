/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growth and shrinkage against last-known-good: by list, by table, and together. */
#include "gates_help.h"

/* The verdict of @gate when @after replaces @before, with this growth (0: the usual one). */
static void judge(enum gate gate, const struct many *before, const struct many *after,
		  uint32_t growth, struct gate_result *ret)
{
	auto_image struct image_file good = { 0 }, image = { 0 };
	struct gate_result results[GATES] = { 0 };
	struct gate_settings settings;
	auto_diag struct diag diag = { 0 };
	struct gate_facts facts;

	image_of_many(before, &good);
	image_of_many(after, &image);
	facts = facts_of(&image);
	settings = *facts.settings;
	if (growth)
		settings.growth = growth;
	facts.settings = &settings;
	facts.good = &good.image;
	gates_run(&facts, results, &diag);
	*ret = results[gate];
}

static void assert_says(enum gate gate, const struct many *before, const struct many *after,
			bool refused, const char *text)
{
	struct gate_result result;

	judge(gate, before, after, 0, &result);
	assert_true(result.judged);
	if (result.refused != refused || strcmp(result.text, text) != 0)
		fail_msg("%d: %s", result.refused, result.text);
}

#define MANY(...) ((const struct many[]){ __VA_ARGS__, { 0 } })

static void a_list_may_grow_to_the_limit_and_not_past_it(void **state)
{
	struct gate_result result;

	(void)state;
	assert_says(GATE_GROWTH, MANY({ "a", 100 }), MANY({ "a", 150 }), false,
		    "IPv4 sources: from 100 to 150 rows, x1.50; the limit is x1.50");
	assert_says(GATE_GROWTH, MANY({ "a", 100 }, { "b", 900 }), MANY({ "a", 151 }, { "b", 900 }),
		    true, "list `a`: from 100 to 151 rows, x1.51; the limit is x1.50");
	assert_says(GATE_GROWTH, MANY({ "a", 1000 }), MANY({ "a", 1501 }), true,
		    "IPv4 sources: from 1000 to 1501 rows, x1.501; the limit is x1.50");
	judge(GATE_GROWTH, MANY({ "a", 100 }), MANY({ "a", 160 }), 0, &result);
	assert_int_equal(result.value, 1600);
	assert_int_equal(result.limit, 1500);
	judge(GATE_GROWTH, MANY({ "a", 100 }), MANY({ "a", 1000 }), 10000, &result);
	assert_false(result.refused);
	judge(GATE_GROWTH, MANY({ "a", 100 }), MANY({ "a", 1001 }), 10000, &result);
	assert_true(result.refused);
	assert_int_equal(result.value, 10010);
}

static void what_is_refused_also_looks_like_it(void **state)
{
	struct gate_result result;

	(void)state;
	judge(GATE_GROWTH, MANY({ "a", 3001 }), MANY({ "a", 4502 }), 0, &result);
	assert_true(result.refused);
	assert_int_equal(result.value, 1501);
	judge(GATE_SHRINKAGE, MANY({ "a", 3001 }), MANY({ "a", 1500 }), 0, &result);
	assert_true(result.refused);
	assert_int_equal(result.value, 499);
}

static void a_list_may_shrink_to_half_and_not_below(void **state)
{
	struct gate_result result;

	(void)state;
	assert_says(GATE_SHRINKAGE, MANY({ "a", 200 }), MANY({ "a", 100 }), false,
		    "IPv4 sources: from 200 to 100 rows, x0.50; the limit is x0.50");
	assert_says(GATE_SHRINKAGE, MANY({ "a", 200 }, { "b", 900 }),
		    MANY({ "a", 99 }, { "b", 900 }), true,
		    "list `a`: from 200 to 99 rows, x0.495; the limit is x0.50");
	judge(GATE_SHRINKAGE, MANY({ "a", 100 }), MANY({ "a", 40 }), 0, &result);
	assert_true(result.refused);
	assert_int_equal(result.value, 400);
	assert_int_equal(result.limit, 500);
}

/* The shrinkage gate is the inverse of growth, but never stricter than half. */
static void a_wider_growth_widens_shrinkage_too(void **state)
{
	struct gate_result result;

	(void)state;
	judge(GATE_SHRINKAGE, MANY({ "a", 400 }), MANY({ "a", 100 }), 4000, &result);
	assert_false(result.refused);
	assert_int_equal(result.limit, 250);
	judge(GATE_SHRINKAGE, MANY({ "a", 400 }), MANY({ "a", 99 }), 4000, &result);
	assert_true(result.refused);
	judge(GATE_SHRINKAGE, MANY({ "a", 400 }), MANY({ "a", 200 }), 1100, &result);
	assert_false(result.refused);
	assert_int_equal(result.limit, 500);
}

static void small_tables_are_not_judged(void **state)
{
	struct gate_result result;

	(void)state;
	assert_says(GATE_GROWTH, MANY({ "a", 1 }), MANY({ "a", 64 }), false, "nothing grows");
	judge(GATE_GROWTH, MANY({ "a", 1 }), MANY({ "a", 65 }), 0, &result);
	assert_true(result.refused);
	assert_says(GATE_SHRINKAGE, MANY({ "a", 64 }), MANY({ "a", 0 }), false, "nothing shrinks");
	judge(GATE_SHRINKAGE, MANY({ "a", 65 }), MANY({ "a", 32 }), 0, &result);
	assert_true(result.refused);
}

static void a_list_that_vanishes_has_no_rows_left(void **state)
{
	(void)state;
	assert_says(GATE_SHRINKAGE, MANY({ "a", 65 }, { "b", 900 }), MANY({ "b", 900 }), true,
		    "list `a`: from 65 to 0 rows, x0.00; the limit is x0.50");
	/* Under another name it is another list. */
	assert_says(GATE_SHRINKAGE, MANY({ "a", 65 }, { "b", 900 }),
		    MANY({ "new", 65 }, { "b", 900 }), true,
		    "list `a`: from 65 to 0 rows, x0.00; the limit is x0.50");
	assert_says(GATE_GROWTH, MANY({ "a", 65 }, { "b", 900 }), MANY({ "new", 65 }, { "b", 900 }),
		    false, "nothing grows");
}

static void a_new_list_counts_against_the_sum_only(void **state)
{
	(void)state;
	assert_says(GATE_GROWTH, MANY({ "a", 400 }),
		    MANY({ "a", 400 }, { "n", 200, "allow", true }), false,
		    "all lists together: from 400 to 600 rows, x1.50; the limit is x1.50");
	assert_says(GATE_GROWTH, MANY({ "a", 400 }),
		    MANY({ "a", 400 }, { "n", 201, "allow", true }), true,
		    "all lists together: from 400 to 601 rows, x1.503; the limit is x1.50");
	/* One that was empty is new. */
	assert_says(GATE_GROWTH, MANY({ "a", 400 }, { "n", 0 }),
		    MANY({ "a", 400 }, { "n", 100, "drop", true }), false,
		    "all lists together: from 400 to 500 rows, x1.25; the limit is x1.50");
}

static void each_table_is_judged_for_itself(void **state)
{
	static const struct {
		const char *action;
		bool six;
		const char *name;
	} rows[] = {
		{ "drop", false, "IPv4 sources" },
		{ "drop, match: destination", false, "IPv4 destinations" },
		{ "drop", true, "IPv6 sources" },
		{ "allow, match: destination", true, "IPv6 destinations" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Neither list has grown past its limit; those of the table together have. */
		const char *rest = i ? "flag" : "flag, match: destination";
		char more[100], less[100];

		snprintf(more, sizeof(more), "%s: from 100 to 200 rows, x2.00; the limit is x1.50",
			 rows[i].name);
		snprintf(less, sizeof(less), "%s: from 200 to 80 rows, x0.40; the limit is x0.50",
			 rows[i].name);
		assert_says(GATE_GROWTH,
			    MANY({ "a", 100, rows[i].action, rows[i].six }, { "z", 1000, rest }),
			    MANY({ "a", 100, rows[i].action, rows[i].six },
				 { "b", 100, rows[i].action, rows[i].six }, { "z", 1000, rest }),
			    true, more);
		/* No list has rows enough to be judged for itself. */
		assert_says(GATE_SHRINKAGE,
			    MANY({ "a", 60, rows[i].action, rows[i].six },
				 { "b", 60, rows[i].action, rows[i].six },
				 { "c", 60, rows[i].action, rows[i].six },
				 { "d", 20, rows[i].action, rows[i].six }, { "z", 1000, rest }),
			    MANY({ "a", 60, rows[i].action, rows[i].six },
				 { "d", 20, rows[i].action, rows[i].six }, { "z", 1000, rest }),
			    true, less);
	}
}

static void what_is_protected_is_compared_as_a_list(void **state)
{
	static const char *const head = "version: 1\nlists: [{name: a, action: drop, "
					"entries: [192.0.2.0/24]}]\nprotect: {prefixes: [";
	auto_image struct image_file good = { 0 }, image = { 0 };
	struct buf before = { 0 }, after = { 0 };
	struct gate_facts facts;

	(void)state;
	assert_int_equal(buf_printf(&before, "%s", head), 0);
	write_rows(&before, 100, false);
	assert_int_equal(buf_printf(&before, "]}\n"), 0);
	assert_int_equal(buf_printf(&after, "%s", head), 0);
	write_rows(&after, 40, false);
	assert_int_equal(buf_printf(&after, "]}\n"), 0);
	image_of(before.data, &good);
	image_of(after.data, &image);
	facts = facts_of(&image);
	facts.good = &good.image;
	assert_refuses(&facts, GATE_SHRINKAGE,
		       "list `protect`: from 100 to 40 rows, x0.40; the limit is x0.50");
	buf_free(&before);
	buf_free(&after);
}

static void without_anything_to_compare_with_nothing_is_judged(void **state)
{
	auto_image struct image_file image = { 0 }, empty = { 0 };
	struct gate_facts facts;

	(void)state;
	image_of_many(MANY({ "a", 1000 }), &image);
	image_of("version: 1\n", &empty);
	facts = facts_of(&image);
	assert_false(run_gate(&facts, GATE_GROWTH).judged);
	assert_false(run_gate(&facts, GATE_SHRINKAGE).judged);
	facts.good = &empty.image; /* such as the generation that passes everything */
	assert_false(run_gate(&facts, GATE_GROWTH).judged);
	assert_false(run_gate(&facts, GATE_SHRINKAGE).judged);
	facts = facts_of(&empty);
	facts.good = &image.image;
	assert_refuses(&facts, GATE_SHRINKAGE,
		       "IPv4 sources: from 1000 to 0 rows, x0.00; the limit is x0.50");
}

static void lists_are_found_by_name_wherever_they_stand(void **state)
{
	(void)state;
	assert_says(GATE_GROWTH, MANY({ "b", 100 }, { "a", 300 }, { "c", 200 }),
		    MANY({ "c", 200 }, { "x", 10 }, { "b", 160 }, { "a", 300 }), true,
		    "list `b`: from 100 to 160 rows, x1.60; the limit is x1.50");
	assert_says(GATE_SHRINKAGE, MANY({ "b", 100 }, { "a", 300 }, { "c", 200 }),
		    MANY({ "c", 90 }, { "b", 100 }, { "a", 300 }), true,
		    "list `c`: from 200 to 90 rows, x0.45; the limit is x0.50");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_may_grow_to_the_limit_and_not_past_it),
		cmocka_unit_test(what_is_refused_also_looks_like_it),
		cmocka_unit_test(a_list_may_shrink_to_half_and_not_below),
		cmocka_unit_test(a_wider_growth_widens_shrinkage_too),
		cmocka_unit_test(small_tables_are_not_judged),
		cmocka_unit_test(a_list_that_vanishes_has_no_rows_left),
		cmocka_unit_test(a_new_list_counts_against_the_sum_only),
		cmocka_unit_test(each_table_is_judged_for_itself),
		cmocka_unit_test(what_is_protected_is_compared_as_a_list),
		cmocka_unit_test(without_anything_to_compare_with_nothing_is_judged),
		cmocka_unit_test(lists_are_found_by_name_wherever_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
