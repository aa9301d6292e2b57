/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_parse() and list_parse() while memory runs out: every single allocation fails once. They
 * must say -ENOMEM or a true problem, leave their output alone and leak nothing.
 */
#include "nomem_help.h"
#include "parse_help.h"

static const struct memory_file files[] = {
	{ "f", "10.0.0.0/8\n11.0.0.0/8\n::1\n10.0.0.0/8\nbad\n", 0 },
	{ "j", "{\"prefixes\":[{\"ipv4Prefix\":\"9.0.0.0/8\"}]}", 0 },
	{ NULL, NULL, 0 }
};

static const char accepted[] =
	"version: 1\n"
	"protect: {prefixes: [9.9.9.9, 8.8.8.8], ports: [22]}\n"
	"lists:\n"
	"  - {name: j, action: drop, file: j}\n"
	"  - {name: a, action: score, family: f, points: 3,\n"
	"     entries: [2.2.2.2, 1.1.1.1]}\n"
	"  - {name: b, action: score, family: f, points: 4, entries: [4.4.4.4]}\n";

static const char refused[] = "version: 1\nmod: x\nlists:\n"
			      "  - {name: a, action: drop, file: f}\n"
			      "  - {name: a, action: drop, entries: [1.1.1.1, &a x]}\n";

/* Fails allocation @n. Returns whether there were that many; the run must hold the contract. */
static bool survives(const char *text, long n, int usual)
{
	struct policy_source source = { memory_read, (void *)files };
	struct policy policy = { .list_count = 77 };
	struct diag diag = { 0 };
	bool reached;
	int err;

	alive = 0;
	counting = true;
	fail_at = n;
	err = policy_parse(&(struct named_text){ "p.yaml", text, strlen(text) }, &source,
			   &test_limits, &policy, &diag);
	reached = !fail_at;
	fail_at = 0;
	if (err)
		assert_int_equal(policy.list_count, 77);
	else
		policy_free(&policy);
	diag_free(&diag);
	counting = false;
	assert_int_equal(alive, 0);
	/* A problem whose text could not be copied is still a problem. */
	if (err != usual)
		assert_int_equal(err, -ENOMEM);
	return reached;
}

static void a_good_policy_is_read_or_runs_out_of_memory(void **state)
{
	long n = 1;

	(void)state;
	skip_where_nothing_can_fail();
	survives(accepted, 0, 0);
	while (survives(accepted, n, 0))
		n++;
	assert_true(n > 30);
}

static void a_bad_policy_is_refused_or_runs_out_of_memory(void **state)
{
	long n = 1;

	(void)state;
	skip_where_nothing_can_fail();
	while (survives(refused, n, -EINVAL))
		n++;
	assert_true(n > 30);
}

static void a_list_file_is_read_or_runs_out_of_memory(void **state)
{
	static const char text[] = "::1\n::2\n";
	struct prefix_vec vec = { 0 };
	struct diag diag = { 0 };

	(void)state;
	skip_where_nothing_can_fail();
	fail_at = 1;
	assert_int_equal(
		list_parse(&(struct named_text){ "l", text, strlen(text) }, 1, 9, &vec, &diag),
		-ENOMEM);
	assert_int_equal(vec.count, 0);
	assert_int_equal(diag.total, 0);
	fail_at = 1;
	assert_int_equal(
		list_parse(&(struct named_text){ "l", files[1].text, strlen(files[1].text) }, 1, 9,
			   &vec, &diag),
		-ENOMEM);
	assert_int_equal(
		list_parse(&(struct named_text){ "l", text, strlen(text) }, 1, 9, &vec, &diag), 0);
	assert_int_equal(vec.count, 2);
	free(vec.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_policy_is_read_or_runs_out_of_memory),
		cmocka_unit_test(a_bad_policy_is_refused_or_runs_out_of_memory),
		cmocka_unit_test(a_list_file_is_read_or_runs_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
