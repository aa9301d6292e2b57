/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nanoseconds per packet by class, through BPF_PROG_TEST_RUN: stanch beside a program that does
 * nothing and one that counts and drops. The classes take turns, medians over the rounds, ratios
 * first: the machine is noisy and only what happened in one run may be compared. Then stanch beside
 * itself without control word, overrides, trials and samples: both are loaded anew several times,
 * since where the kernel happens to put a program is worth as many nanoseconds as the difference.
 *
 *   packets BARE_OBJECT WITHOUT_OBJECT [RESULT.json]   (needs root; STANCH_* name a folder to work in)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"
#include "policy/frame.h"
#include "policy/policy.h"

#define ROUNDS 31
#define REPEAT 200000
#define LOADS 21 /* of both programs that are compared, */
#define TURNS 5 /* each taking so many turns */

static const char policy_text[] =
	"version: 1\n"
	"mode: enforce\n"
	"lists:\n"
	"  - {name: abusers, action: drop, entries: [203.0.113.0/24, '2001:db8:bad::/48']}\n"
	"  - {name: partners, action: allow, entries: [198.51.100.0/24]}\n";

struct bench_class {
	const char *name, *program; /* NULL: stanch */
	enum { FROM_GOOD, FROM_BAD } source;
	uint32_t action; /* what XDP must answer */
	struct frame_step steps[FRAME_STEPS];
};

static const struct bench_class classes[] = {
	{ "empty program", "empty", FROM_GOOD, 2, { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "counting drop", "counting_drop", FROM_GOOD, 1, { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "pass, no list hit", NULL, FROM_GOOD, 2, { { FRAME_IPV4, 0 }, { FRAME_TCP, 0x10 } } },
	{ "SYN, no list hit",
	  NULL,
	  FROM_GOOD,
	  2,
	  { { FRAME_IPV4, 0 }, { FRAME_TCP, 5 << 8 | 0x02 } } },
	{ "drop by list, IPv4", NULL, FROM_BAD, 1, { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "drop by list, IPv6", NULL, FROM_BAD, 1, { { FRAME_IPV6, 0 }, { FRAME_UDP, 0 } } },
	{ "VLAN + IPv6 chain, pass",
	  NULL,
	  FROM_GOOD,
	  2,
	  { { FRAME_VLAN, 0x8100 },
	    { FRAME_IPV6, 0 },
	    { FRAME_HOP_OPTIONS, 0 },
	    { FRAME_DEST_OPTIONS, 0 },
	    { FRAME_TCP, 0x10 } } },
};
#define CLASSES ARRAY_SIZE(classes)

/* What control word, overrides, canary and samples cost when no trial is running, for these classes. */
static const struct {
	const char *name;
	size_t class;
} compared[] = { { "pass", 2 }, { "drop", 4 } };
#define COMPARED ARRAY_SIZE(compared)

static const struct frame_ends ends[] = {
	[FROM_GOOD] = { .src4 = { 0xc000020a00000000, 0 },
			.dst4 = { 0xc000020100000000, 0 },
			.src6 = { 0x20010db8600d0000, 16 },
			.dst6 = { 0x20010db800010000, 1 },
			.sport = 40000,
			.dport = 80 },
	[FROM_BAD] = { .src4 = { 0xcb00714200000000, 0 },
		       .dst4 = { 0xc000020100000000, 0 },
		       .src6 = { 0x20010db80bad0000, 66 },
		       .dst6 = { 0x20010db800010000, 1 },
		       .sport = 40000,
		       .dport = 80 },
};

struct bench {
	int fd[CLASSES];
	struct frame frames[CLASSES];
	double ns[CLASSES][ROUNDS]; /* sorted when done */
	double cost[COMPARED][LOADS]; /* ns, sorted when done */
	struct subject {
		struct places places;
		struct instance *instance;
		int program;
	} stanch;
	struct bpf_object *bare;
};

static int fail(const char *what, int error, const struct diag *diag)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-error));
	for (uint32_t i = 0; diag && i < diag->stored; i++)
		fprintf(stderr, "  %s\n", diag->problems[i].message);
	return error;
}

/* The policy live in a fresh instance. */
static int stage_policy(struct subject *subject, struct diag *diag)
{
	auto_policy struct policy policy = { 0 };
	auto_image struct image_file image = { 0 };
	auto_control struct control *control = NULL;
	uint16_t epoch;
	const struct named_text text = { "bench", policy_text, sizeof(policy_text) - 1 };
	int r = policy_parse(&text, NULL, NULL, &policy, diag);

	if (!r)
		r = policy_compile(&policy, instance_limits(subject->instance), &image, diag);
	if (!r)
		r = slot_stage(subject->instance, &image, 1, 1, diag);
	if (!r)
		r = control_open(&subject->places, &control);
	if (r)
		return r;
	epoch = word_unpack(control_load(control, CONTROL_WORD)).epoch;
	return control_swap(control, 1, epoch);
}

static void close_subject(struct subject *subject)
{
	close_fd(&subject->program);
	instance_close(&subject->instance);
	instance_destroy(&subject->places);
}

/* @object: another program file than the one built in, or NULL. */
static int open_subject(struct subject *subject, const char *name, const char *object)
{
	auto_diag struct diag diag = { 0 };
	char path[PATH_MAX + 16];
	int r = places_find(name, &subject->places);

	if (object)
		setenv("STANCH_OBJECT", object, 1);
	if (!r)
		r = instance_create(&subject->places, &subject->instance, &diag);
	unsetenv("STANCH_OBJECT");
	if (!r)
		r = stage_policy(subject, &diag);
	if (r)
		return fail(name, r, &diag);
	snprintf(path, sizeof(path), "%s/prog-stanch", subject->places.pins);
	subject->program = bpf_obj_get(path);
	return subject->program < 0 ? fail(path, -errno, NULL) : 0;
}

static int open_bare(struct bench *bench, const char *path)
{
	bench->bare = bpf_object__open_file(path, NULL);
	if (!bench->bare)
		return fail(path, -errno, NULL);
	if (bpf_object__load(bench->bare))
		return fail("loading the yardsticks", -errno, NULL);
	return 0;
}

static int prepare_classes(struct bench *bench)
{
	for (size_t i = 0; i < CLASSES; i++) {
		struct bpf_program *program = NULL;
		int r = frame_build(classes[i].steps, &ends[classes[i].source], &bench->frames[i]);

		if (r)
			return fail(classes[i].name, r, NULL);
		if (classes[i].program)
			program = bpf_object__find_program_by_name(bench->bare, classes[i].program);
		bench->fd[i] = program ? bpf_program__fd(program) : bench->stanch.program;
	}
	return 0;
}

/* A wrong answer makes the figure worthless: it ends the run. */
static int run_class(struct bench *bench, size_t i, uint32_t repeat, double *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bench->frames[i].bytes,
		    .data_size_in = bench->frames[i].len, .repeat = (int)repeat);

	if (bpf_prog_test_run_opts(bench->fd[i], &opts))
		return fail(classes[i].name, -errno, NULL);
	if (opts.retval != classes[i].action) {
		fprintf(stderr, "bench: %s: XDP answered %u\n", classes[i].name, opts.retval);
		return -EBADMSG;
	}
	*ret = opts.duration;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int run_rounds(struct bench *bench)
{
	double warm;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < CLASSES; i++) {
			int r = round ? 0 : run_class(bench, i, REPEAT / 10, &warm);

			if (!r)
				r = run_class(bench, i, REPEAT, &bench->ns[i][round]);
			if (r)
				return r;
		}
	}
	for (size_t i = 0; i < CLASSES; i++)
		qsort(bench->ns[i], ROUNDS, sizeof(double), compare);
	return 0;
}

/* One class by two programs in turn; the median of how much longer the first took. */
static int compare_programs(struct bench *bench, size_t class, const int fds[2], double *ret)
{
	int own = bench->fd[class], r = 0;
	double ns[2], differences[TURNS];

	for (int turn = 0; turn < TURNS && !r; turn++) {
		for (int i = 0; i < 2 && !r; i++) {
			bench->fd[class] = fds[i];
			r = run_class(bench, class, REPEAT, &ns[i]);
		}
		differences[turn] = r ? 0 : ns[0] - ns[1];
	}
	bench->fd[class] = own;
	qsort(differences, TURNS, sizeof(double), compare);
	*ret = differences[TURNS / 2];
	return r;
}

static int load_and_compare(struct bench *bench, const char *object, int load)
{
	struct subject with = { .program = -1 }, without = { .program = -1 };
	int r = open_subject(&with, "bench-with", NULL);

	if (!r)
		r = open_subject(&without, "bench-without", object);
	for (size_t i = 0; i < COMPARED && !r; i++) {
		const int fds[2] = { with.program, without.program };

		r = compare_programs(bench, compared[i].class, fds, &bench->cost[i][load]);
	}
	close_subject(&with);
	close_subject(&without);
	return r;
}

static int compare_loads(struct bench *bench, const char *object)
{
	int r = 0;

	for (int load = 0; load < LOADS && !r; load++)
		r = load_and_compare(bench, object, load);
	for (size_t i = 0; i < COMPARED; i++)
		qsort(bench->cost[i], LOADS, sizeof(double), compare);
	return r;
}

static uint32_t verified(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.verified_insns;
}

static json_t *describe_costs(const struct bench *bench)
{
	json_t *costs = json_object();

	for (size_t i = 0; i < COMPARED; i++) {
		const double *cost = bench->cost[i];

		printf("word, overrides, canary and samples, no trial running: %.0f ns more "
		       "per %s (%.0f to %.0f over %d loads)\n",
		       cost[LOADS / 2], compared[i].name, cost[0], cost[LOADS - 1], LOADS);
		json_object_set_new(costs, compared[i].name,
				    json_pack("{s:f,s:f,s:f}", "ns_median", cost[LOADS / 2],
					      "ns_min", cost[0], "ns_max", cost[LOADS - 1]));
	}
	return costs;
}

static json_t *describe(const struct bench *bench)
{
	json_t *rows = json_array(), *document;
	char date[32] = "";
	struct utsname kernel;
	time_t now = time(NULL);
	double unit = bench->ns[1][ROUNDS / 2];

	uname(&kernel);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	printf("%-26s %9s %8s %8s %8s\n", "class", "x drop", "ns", "p10", "p90");
	for (size_t i = 0; i < CLASSES; i++) {
		const double *ns = bench->ns[i];
		double median = ns[ROUNDS / 2], ratio = unit ? median / unit : 0;

		printf("%-26s %9.2f %8.0f %8.0f %8.0f\n", classes[i].name, ratio, median,
		       ns[ROUNDS / 10], ns[ROUNDS - 1 - ROUNDS / 10]);
		json_array_append_new(rows, json_pack("{s:s,s:f,s:f,s:f,s:f}", "class",
						      classes[i].name, "ratio", ratio, "ns_median",
						      median, "ns_p10", ns[ROUNDS / 10], "ns_p90",
						      ns[ROUNDS - 1 - ROUNDS / 10]));
	}
	document = json_pack("{s:s,s:s,s:s,s:s,s:i,s:o,s:o}", "schema", "stanch.bench.packets/1",
			     "date", date, "kernel", kernel.release, "compiler", __VERSION__,
			     "verified_instructions", (int)verified(bench->stanch.program),
			     "classes", rows, "control_cost", describe_costs(bench));
	printf("verified instructions: %u\n", verified(bench->stanch.program));
	return document;
}

static int report(const struct bench *bench, const char *path)
{
	json_t *document = describe(bench);
	int r = 0;

	if (path && json_dump_file(document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(4)))
		r = fail(path, -EIO, NULL);
	json_decref(document);
	return r;
}

int main(int argc, char **argv)
{
	static struct bench bench = { .stanch.program = -1 };
	int r;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: packets BARE_OBJECT WITHOUT_OBJECT [RESULT.json]\n");
		return 2;
	}
	r = open_bare(&bench, argv[1]);
	if (!r)
		r = open_subject(&bench.stanch, "bench", NULL);
	if (!r)
		r = prepare_classes(&bench);
	if (!r)
		r = run_rounds(&bench);
	if (!r)
		r = compare_loads(&bench, argv[2]);
	if (!r)
		r = report(&bench, argc == 4 ? argv[3] : NULL);
	close_subject(&bench.stanch);
	bpf_object__close(bench.bare);
	return r ? 1 : 0;
}
