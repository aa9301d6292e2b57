/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packets - nanoseconds per packet through BPF_PROG_TEST_RUN: stanch by class, list length and mix
 * of sources, beside a program that does nothing, one that counts and drops, and references with an
 * LPM trie and a hash. The classes take turns, medians over the rounds, ratios first: the machine
 * is noisy and only what happened in one run may be compared.
 *
 *   packets --out FILE BUILD     all of it, and what the control word costs (minutes)
 *   packets --check BUILD        fewer rounds; exit 1 when a ratio is over tests/bench/budget,
 *                                or, with BUDGET_WRITE=1, that becomes what is measured
 *
 * Needs root; STANCH_* name a folder to work in.
 */
#include <errno.h>
#include <unistd.h>

#include "budget.h"
#include "packets.h"

#define TRIES 3 /* of a check: noise passes, what crept stays */

static int write_document(json_t *document, const char *path)
{
	int r = 0;

	if (!document || json_dump_file(document, path, JSON_INDENT(1) | JSON_REAL_PRECISION(4)))
		r = fail(path, -EIO, NULL);
	json_decref(document);
	return r;
}

static int measure_all(struct matrix *matrix, const struct objects *objects, const char *path)
{
	struct metric metrics[METRICS];
	json_t *document, *cost;
	int r = matrix_run(matrix, ROUNDS, true);

	if (r)
		return r;
	metrics_find(matrix, metrics);
	document = report(matrix, metrics);
	cost = control_cost(objects->without);
	if (!document || !cost)
		return fail("the cost of control", -EIO, NULL);
	json_object_set_new(document, "control_cost", cost);
	return write_document(document, path);
}

/* A counting drop is so little that mitigations alone make it several times as much. */
static int over(struct budget *budget, const struct metric *metrics)
{
	budget->over = 0;
	for (size_t i = 0; i < METRICS; i++)
		if (budget->same_machine || strncmp(metrics[i].name, "times_drop.", 11) != 0)
			budget_holds(budget, metrics[i].name, metrics[i].value);
	return budget->over;
}

/* The best of a few tries for each. */
static int check(struct matrix *matrix)
{
	struct metric best[METRICS], metrics[METRICS];
	struct budget budget;
	int r = -EDQUOT;

	budget_load(&budget);
	metrics_watch(matrix);
	for (int try = 0; try < TRIES && r == -EDQUOT; try++) {
		r = matrix_run(matrix, ROUNDS_QUICK, false);
		if (r)
			return r;
		metrics_find(matrix, metrics);
		for (size_t i = 0; i < METRICS; i++)
			if (!try || metrics[i].value < best[i].value)
				best[i] = metrics[i];
		r = over(&budget, best) ? -EDQUOT : 0;
	}
	budget_save(&budget);
	return r;
}

int main(int argc, char **argv)
{
	static struct matrix matrix;
	char paths[4][PATH_MAX];
	static const char *const names[] = { "bench/bare", "bench/keyed", "bench/reference",
					     "bpf/no_control" };
	const bool checks = argc == 3 && !strcmp(argv[1], "--check");
	int r;

	if (!checks && (argc != 4 || strcmp(argv[1], "--out"))) {
		fputs("usage: packets --out FILE BUILD | --check BUILD\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		snprintf(paths[i], PATH_MAX, "%s/tests/%s.bpf.o", argv[argc - 1], names[i]);
	const struct objects objects = { paths[0], paths[1], paths[2], paths[3] };

	r = matrix_open(&matrix, &objects);
	if (!r)
		r = checks ? check(&matrix) : measure_all(&matrix, &objects, argv[2]);
	matrix_close(&matrix);
	return r ? 1 : 0;
}
