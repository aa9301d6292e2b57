/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking, loading, comparing and gating images while memory runs out: every single allocation
 * fails once. They must say -ENOMEM, leave their output alone and leak nothing.
 */
#include <errno.h>

#include "nomem_help.h"

#include "image_help.h"
#include "made_image.h"
#include "policy/gates.h"

struct attempt {
	struct made_image made;
	struct image_file file;
	struct image_diff diff;
	struct diag diag;
};

static int check(struct attempt *a)
{
	return image_check("m", a->made.bytes, sizeof(a->made), &limits_builtin, &a->diag);
}

static int load(struct attempt *a)
{
	const struct named_text text = { "m", (char *)a->made.bytes, sizeof(a->made) };
	int r = image_load(&text, &limits_builtin, &a->file, &a->diag);

	if (!r)
		image_free(&a->file);
	return r;
}

static int compare(struct attempt *a)
{
	struct image image = made_as_image(&a->made);
	int r = image_diff(&image, &image, &a->diff);

	if (!r)
		image_diff_free(&a->diff);
	return r;
}

static int judge(struct attempt *a)
{
	struct image image = made_as_image(&a->made);
	struct policy_settings settings;
	struct gate_result results[GATES] = { 0 };
	const struct gate_facts facts = {
		.image = &image,
		.good = &image,
		.limits = &limits_builtin,
		.settings = &settings.gates,
		.forced = 1u << GATE_COVERAGE,
	};
	int r;

	settings_default(&settings);
	r = gates_run(&facts, results, &a->diag);
	if (r) /* what comes before is known, the rest is not */
		assert_true(results[GATE_GUARD].judged && !results[GATE_HOST].judged);
	return r;
}

static int remember(struct attempt *a)
{
	const struct host_address item = { .family = 4, .kind = HOST_OWN };
	struct host host = { 0 };
	int r = host_add(&host, &item);

	(void)a;
	assert_int_equal(host.count, !r);
	host_free(&host);
	return r;
}

/* Fails allocation @n. Returns whether there were that many; the run must hold the contract. */
static bool survives(int (*run)(struct attempt *a), long n)
{
	struct attempt a = { 0 };
	bool reached;
	int r;

	made_image(&a.made);
	alive = 0;
	counting = true;
	fail_at = n;
	r = run(&a);
	reached = !fail_at;
	fail_at = 0;
	counting = false;
	assert_int_equal(alive, 0);
	assert_int_equal(r, n && reached ? -ENOMEM : 0);
	assert_null(a.file.bytes);
	assert_null(a.diff.changes);
	assert_int_equal(a.diag.total, 0);
	return reached;
}

static void assert_survives(int (*run)(struct attempt *a), long allocations)
{
	long n = 1;

	skip_where_nothing_can_fail();
	while (survives(run, n))
		n++;
	assert_int_equal(n - 1, allocations);
}

static void an_image_is_checked_or_memory_runs_out(void **state)
{
	(void)state;
	assert_survives(check, 3); /* names, leaves, lines seen */
}

static void an_image_is_loaded_or_memory_runs_out(void **state)
{
	(void)state;
	assert_survives(load, 4);
}

static void images_are_compared_or_memory_runs_out(void **state)
{
	(void)state;
	assert_survives(compare, 5); /* changes, two sets of names, numbers, what is known */
}

static void gates_are_run_or_memory_runs_out(void **state)
{
	(void)state;
	assert_survives(judge, 6); /* for growth and shrinkage: two sets of names, numbers */
}

static void an_address_is_kept_or_memory_runs_out(void **state)
{
	(void)state;
	assert_survives(remember, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_checked_or_memory_runs_out),
		cmocka_unit_test(an_image_is_loaded_or_memory_runs_out),
		cmocka_unit_test(images_are_compared_or_memory_runs_out),
		cmocka_unit_test(gates_are_run_or_memory_runs_out),
		cmocka_unit_test(an_address_is_kept_or_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
