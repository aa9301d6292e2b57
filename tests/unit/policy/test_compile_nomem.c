/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_compile() while memory runs out: every single allocation fails once. It must say -ENOMEM,
 * leave its output alone and leak nothing.
 */
#include <errno.h>

#include "nomem_help.h"

#include "base/cleanup.h"
#include "policies.h"

/* Enough of everything that each array has to grow at least once. */
static void make_all(struct made *made)
{
	uint64_t random = 6;

	for (uint32_t i = 0; i < 40; i++)
		make_list(made, i % ACTION_PROTECT, i & 4 ? MATCH_SOURCE : MATCH_DESTINATION,
			  i % ACTION_PROTECT == ACTION_SCORE ? "reputation" : NULL, 1 + i);
	for (uint32_t i = 0; i < 2000; i++) {
		uint8_t family = i & 1 ? 4 : 6;

		make_prefix(made, 1 + i % 40, family, random_address(&random, family),
			    family == 4 ? 1 + i % 32 : 1 + i % 128);
	}
	make_protect(made, 4, 0, 8);
	make_protected_port(made, 22);
}

/* Fails allocation @n. Returns whether there were that many; the run must hold the contract. */
static bool survives(const struct made *made, long n)
{
	struct image_file file = { .image.lines = 77 };
	struct diag diag = { 0 };
	bool reached;
	int err;

	alive = 0;
	counting = true;
	fail_at = n;
	err = policy_compile(&made->policy, &limits_builtin, &file, &diag);
	reached = !fail_at;
	fail_at = 0;
	if (!err)
		image_free(&file);
	counting = false;
	assert_int_equal(alive, 0);
	assert_int_equal(diag.total, 0);
	assert_int_equal(err, n && reached ? -ENOMEM : 0);
	assert_int_equal(file.image.lines, err ? 77 : 0);
	return reached;
}

static void a_policy_is_compiled_or_memory_runs_out(void **state)
{
	auto_made struct made made = { 0 };
	long n = 1;

	(void)state;
	skip_where_nothing_can_fail();
	make_all(&made);
	survives(&made, 0);
	while (survives(&made, n))
		n++;
	assert_true(n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_compiled_or_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
