/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What control word, overrides, canary and samples cost when no trial is running: stanch beside
 * itself without them. Both are loaded anew several times, since where the kernel happens to put a
 * program is worth as many nanoseconds as the difference.
 */
#include <errno.h>

#include "packets.h"

#define LOADS 21 /* of both programs that are compared, */
#define TURNS 5 /* each taking so many turns */
#define TURN_REPEAT 200000

static const char policy_text[] =
	"version: 1\n"
	"mode: enforce\n"
	"lists:\n"
	"  - {name: abusers, action: drop, entries: [203.0.113.0/24, '2001:db8:bad::/48']}\n"
	"  - {name: partners, action: allow, entries: [198.51.100.0/24]}\n";

static const struct {
	const char *name;
	uint32_t source, action; /* what XDP must answer */
	struct frame_step steps[FRAME_STEPS];
} compared[] = {
	{ "pass", 0xc000020a, 2, { { FRAME_IPV4, 0 }, { FRAME_TCP, 0x10 } } },
	{ "drop", 0xcb007142, 1, { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
};
#define COMPARED ARRAY_SIZE(compared)

static int make_frame(size_t i, struct frame *ret)
{
	struct frame_ends ends = {
		.src4 = address_v4(compared[i].source),
		.dst4 = address_v4(0xc0000201),
		.sport = 40000,
		.dport = 80,
	};

	return frame_build(compared[i].steps, &ends, ret);
}

static int open_with_policy(struct subject *subject, const char *name, const char *object)
{
	auto_diag struct diag diag = { 0 };
	auto_policy struct policy policy = { 0 };
	auto_image struct image_file image = { 0 };
	const struct named_text text = { "bench", policy_text, sizeof(policy_text) - 1 };
	int r = subject_open(subject, name, object);

	if (r)
		return r;
	r = policy_parse(&text, NULL, NULL, &policy, &diag);
	if (!r)
		r = policy_compile(&policy, instance_limits(subject->instance), &image, &diag);
	return r ? fail(name, r, &diag) : subject_stage(subject, &image, 1);
}

/* One class by two programs in turn; the median of how much longer the first took. */
static int compare_programs(size_t class, const int fds[2], double *ret)
{
	double ns[2], differences[TURNS];
	struct frame frame;
	int r = make_frame(class, &frame);

	for (int turn = 0; turn < TURNS && !r; turn++) {
		for (int i = 0; i < 2 && !r; i++)
			r = run_frame(fds[i], &frame, TURN_REPEAT, compared[class].action, &ns[i]);
		differences[turn] = r ? 0 : ns[0] - ns[1];
	}
	*ret = spread_of(differences, TURNS).median;
	return r;
}

static int load_and_compare(const char *without_object, int load, double cost[COMPARED][LOADS])
{
	struct subject with = { .program = -1 }, without = { .program = -1 };
	int r = open_with_policy(&with, "bench-with", NULL);

	if (!r)
		r = open_with_policy(&without, "bench-without", without_object);
	for (size_t i = 0; i < COMPARED && !r; i++) {
		const int fds[2] = { with.program, without.program };

		r = compare_programs(i, fds, &cost[i][load]);
	}
	subject_close(&with);
	subject_close(&without);
	return r;
}

json_t *control_cost(const char *without)
{
	double cost[COMPARED][LOADS];
	json_t *costs;

	for (int load = 0; load < LOADS; load++)
		if (load_and_compare(without, load, cost))
			return NULL;
	costs = json_object();
	for (size_t i = 0; i < COMPARED; i++) {
		double median = spread_of(cost[i], LOADS).median;

		json_object_set_new(costs, compared[i].name,
				    json_pack("{s:f,s:f,s:f}", "ns_median", median, "ns_min",
					      cost[i][0], "ns_max", cost[i][LOADS - 1]));
	}
	return costs;
}
