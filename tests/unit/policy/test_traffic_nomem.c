/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging traffic and searching a policy by it while memory runs out: every single allocation fails
 * once. They must say -ENOMEM and leak nothing.
 */
#include <errno.h>

#include "nomem_help.h"

#include "base/cleanup.h"
#include "policy/bisect.h"
#include "traffic_help.h"

#define SAMPLES 50u

struct attempt {
	struct made made;
	struct image_file passes;
	struct sample samples[SAMPLES];
	struct diag diag;
};

static int judge_cut(struct attempt *a)
{
	struct traffic_pair pair;
	auto_traffic struct traffic *traffic = NULL;
	int r = traffic_new(&a->passes.image, &traffic);

	return r ? r : traffic_judge_sample(NULL, &a->passes.image, &a->samples[0], &pair);
}

static int look_closer(struct bisect *bisect, struct diag *diag)
{
	auto_image struct image_file image = { 0 };
	struct bisect_row row;
	int r = bisect_next(bisect, &row, diag);

	if (r != 1)
		return r;
	r = bisect_image(bisect, &row, &image, diag);
	return r ? r : 1;
}

static int search(struct attempt *a)
{
	const struct bisect_question question = { &a->made.policy, &limits_builtin,
						  &a->passes.image, a->samples, SAMPLES };
	auto_bisect struct bisect *bisect = NULL;
	struct bisect_whole whole;
	int r = bisect_open(&question, &bisect, &whole, &a->diag);

	if (!r)
		r = look_closer(bisect, &a->diag);
	assert_true(r == 1 || r == -ENOMEM);
	return r < 0 ? r : 0;
}

/* Fails allocation @n. Returns whether there were that many. */
static bool survives(struct attempt *a, int (*run)(struct attempt *a), long n)
{
	int r;

	alive = 0;
	counting = true;
	fail_at = n;
	r = run(a);
	counting = false;
	if (fail_at) { /* all went well before it came to that */
		fail_at = 0;
		assert_int_equal(r, 0);
		assert_int_equal(alive, 0);
		return false;
	}
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(alive, 0);
	return true;
}

static void prepare(struct attempt *a)
{
	auto_made struct made empty = { 0 };
	uint16_t list = make_list(&a->made, ACTION_DROP, MATCH_SOURCE, NULL, 0);

	for (uint32_t i = 0; i < 8; i++)
		make_prefix(&a->made, list, 4, (unsigned __int128)(i << 24) << 96, 24);
	empty.policy.mode = MODE_ENFORCE;
	made_compile(&empty, &a->passes);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		a->samples[i] = udp_from(5 << 24 | i, 80);
		a->samples[i].length += 100; /* not all of it was kept */
	}
}

static void no_allocation_that_fails_is_overlooked(void **state)
{
	int (*const runs[])(struct attempt * a) = { judge_cut, search };
	struct attempt *a;

	(void)state;
	skip_where_nothing_can_fail();
	a = calloc(1, sizeof(*a));
	assert_non_null(a);
	prepare(a);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		long n = 1;

		while (survives(a, runs[i], n))
			n++;
		assert_true(n > 2);
	}
	made_free(&a->made);
	image_free(&a->passes);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_allocation_that_fails_is_overlooked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
