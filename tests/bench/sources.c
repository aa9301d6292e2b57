/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting by source: stanch's lines beside LRU_HASH and HASH of the kernel, in the same run, by
 * turns, the same packets for all. First 262,144 sources at random and by Zipf's law, then a flood
 * in which no source comes twice, and how many of those that had talked are still known after it.
 * Ratios first: nanoseconds of a busy machine mean little.
 *
 *   sources OBJECT [RESULT.json]   (needs root)
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>

#include <stanch/siphash.h>
#include <stanch/source.h>

#include "base/cleanup.h"
#include "sources.h"

#define ROUNDS 41 /* of the flood: ten million packets */
#define REPEAT (1u << 18)
#define WARM 4 /* rounds that are not measured: all of the packets */

enum mix { MIX_UNIFORM, MIX_ZIPF, MIX_FLOOD, MIXES };
static const char *const mix_names[MIXES] = { "uniform", "zipf", "flood" };

static const struct {
	const char *program, *map; /* map: where what it knows is */
} ways[] = {
	{ "in_lru", "lru" },	 { "in_hash", "hash" },
	{ "in_lines", "lines" }, { "in_siphash_lines", "siphash_lines" },
	{ "only_fetch", NULL },
};
#define WAYS ARRAY_SIZE(ways)
#define WAY_LINES 2

struct bench {
	struct bpf_object *object;
	uint64_t seed[4];
	uint64_t *packets; /* keys of BENCH_PACKETS */
	double ns[MIXES][WAYS][ROUNDS]; /* in their order */
	double median[MIXES][WAYS];
	uint32_t known[2][WAYS]; /* of all sources, before and after the flood */
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return error < 0 ? error : -error;
}

static int map_fd(const struct bench *bench, const char *name)
{
	return bpf_object__find_map_fd_by_name(bench->object, name);
}

/* ---- who sends ---- */

static uint64_t source_number(uint64_t n)
{
	return SOURCE_KEY_V4 | bench_scatter(~n) >> 32;
}

/* The source of rank r sends one in r of what the first one sends. */
static uint64_t zipf_rank(const double *sums, double at)
{
	uint32_t low = 0, high = BENCH_SOURCES - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sums[middle] < at * sums[BENCH_SOURCES - 1])
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_packets(struct bench *bench, enum mix mix)
{
	autofree double *sums = calloc(BENCH_SOURCES, sizeof(*sums));
	uint32_t keys = 0;

	if (!sums)
		return -ENOMEM;
	for (uint32_t i = 0; i < BENCH_SOURCES; i++)
		sums[i] = (i ? sums[i - 1] : 0) + 1.0 / (i + 1);
	for (uint32_t i = 0; i < BENCH_PACKETS; i++) {
		uint64_t random = bench_scatter(i + 1);

		bench->packets[i] =
			source_number(mix == MIX_ZIPF ? zipf_rank(sums, (double)random * 0x1p-64)
						      : random % BENCH_SOURCES);
	}
	for (keys = 0; keys < BENCH_PACKETS; keys++) {
		if (bpf_map_update_elem(map_fd(bench, "keys"), &keys, &bench->packets[keys], 0))
			return fail("packets", -errno);
	}
	return 0;
}

/* ---- runs ---- */

static int open_object(struct bench *bench, const char *path)
{
	uint32_t zero = 0;

	bench->packets = calloc(BENCH_PACKETS, sizeof(*bench->packets));
	bench->object = bpf_object__open_file(path, NULL);
	if (!bench->packets || !bench->object)
		return fail(path, -errno);
	if (bpf_object__load(bench->object))
		return fail(path, -errno);
	if (getrandom(bench->seed, sizeof(bench->seed), 0) != sizeof(bench->seed))
		return fail("seed", -EIO);
	return bpf_map_update_elem(map_fd(bench, "seed"), &zero, bench->seed, 0) ? -errno : 0;
}

static int run_once(const struct bench *bench, size_t way, struct bench_state state, double *ret)
{
	char frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = REPEAT);
	struct bpf_program *program =
		bpf_object__find_program_by_name(bench->object, ways[way].program);
	uint32_t zero = 0;

	if (bpf_map_update_elem(map_fd(bench, ".bss"), &zero, &state, 0))
		return fail(".bss", -errno);
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return fail(ways[way].program, -errno);
	*ret = opts.duration;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median_of(const double *ns, size_t count)
{
	double sorted[ROUNDS];

	memcpy(sorted, ns, count * sizeof(*ns));
	qsort(sorted, count, sizeof(*ns), compare);
	return sorted[count / 2];
}

static int run_mix(struct bench *bench, enum mix mix)
{
	int warm = mix == MIX_FLOOD ? 0 : WARM, r = mix == MIX_FLOOD ? 0 : make_packets(bench, mix);
	double ignored;

	for (int round = -warm; round < ROUNDS && !r; round++) {
		struct bench_state state = { .at = (uint64_t)(round + warm) * REPEAT,
					     .flood = mix == MIX_FLOOD };

		for (size_t way = 0; way < WAYS && !r; way++)
			r = run_once(bench, way, state,
				     round < 0 ? &ignored : &bench->ns[mix][way][round]);
	}
	for (size_t way = 0; way < WAYS && !r; way++)
		bench->median[mix][way] = median_of(bench->ns[mix][way], ROUNDS);
	return r;
}

/* ---- who is known ---- */

static bool in_lines(const struct bench *bench, size_t way, uint64_t key)
{
	const uint64_t pair[2] = { key, 0 };
	uint64_t hash = way == WAY_LINES ? source_hash((const __u64 *)bench->seed + 1, key)
					 : siphash_pair((const __u64 *)bench->seed,
							(const __u64 *)pair, 1, 3);
	uint32_t at = source_place_of(hash, SOURCE_LINES);
	struct source_line line;

	return !bpf_map_lookup_elem(map_fd(bench, ways[way].map), &at, &line) &&
	       source_find(&line, key);
}

static void count_known(struct bench *bench, uint32_t known[WAYS])
{
	for (size_t way = 0; way < WAYS - 1; way++) {
		for (uint32_t i = 0; i < BENCH_SOURCES; i++) {
			uint64_t key = source_number(i);
			struct source_entry e;

			known[way] += way >= WAY_LINES
					      ? in_lines(bench, way, key)
					      : !bpf_map_lookup_elem(map_fd(bench, ways[way].map),
								     &key, &e);
		}
	}
}

/* ---- results ---- */

static json_t *describe_way(const struct bench *bench, enum mix mix, size_t way)
{
	const double *ns = bench->ns[mix][way];
	double ratio = bench->median[mix][way] / bench->median[mix][0], sorted[ROUNDS];

	memcpy(sorted, ns, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(double), compare);
	printf("%-8s %-18s %9.2f %6.0f %6.0f %6.0f", mix_names[mix], ways[way].program, ratio,
	       bench->median[mix][way], sorted[ROUNDS / 10], sorted[ROUNDS - 1 - ROUNDS / 10]);
	if (mix == MIX_FLOOD && ways[way].map)
		printf("   %.1f %% of those who talked are known, %.1f %% before",
		       100.0 * bench->known[1][way] / BENCH_SOURCES,
		       100.0 * bench->known[0][way] / BENCH_SOURCES);
	printf("\n");
	return json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "mix", mix_names[mix], "way",
			 ways[way].program, "ratio", ratio, "ns_median", bench->median[mix][way],
			 "ns_p10", sorted[ROUNDS / 10], "ns_p90", sorted[ROUNDS - 1 - ROUNDS / 10],
			 "ns_first_quarter", median_of(ns, ROUNDS / 4), "ns_last_quarter",
			 median_of(ns + ROUNDS - ROUNDS / 4, ROUNDS / 4), "known_before",
			 (double)bench->known[0][way] / BENCH_SOURCES, "known_after",
			 (double)bench->known[1][way] / BENCH_SOURCES);
}

static int report(const struct bench *bench, const char *path)
{
	json_t *rows = json_array(), *document;
	char date[32] = "";
	struct utsname kernel;
	time_t now = time(NULL);
	int r = 0;

	uname(&kernel);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	printf("%-8s %-18s %9s %6s %6s %6s\n", "mix", "way", "x LRU", "ns", "p10", "p90");
	for (enum mix mix = 0; mix < MIXES; mix++)
		for (size_t way = 0; way < WAYS; way++)
			json_array_append_new(rows, describe_way(bench, mix, way));
	document =
		json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:o}", "schema", "stanch.bench.sources/1",
			  "date", date, "kernel", kernel.release, "compiler", __VERSION__,
			  "sources", (int)BENCH_SOURCES, "entries", (int)LIMIT_SOURCES,
			  "flood_packets", (int)(ROUNDS * REPEAT), "rows", rows);
	if (path && json_dump_file(document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(4)))
		r = fail(path, -EIO);
	json_decref(document);
	return r;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int r;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: sources OBJECT [RESULT.json]\n");
		return 2;
	}
	r = open_object(&bench, argv[1]);
	for (enum mix mix = 0; mix < MIXES && !r; mix++) {
		if (mix == MIX_FLOOD)
			count_known(&bench, bench.known[0]);
		r = run_mix(&bench, mix);
	}
	if (!r) {
		count_known(&bench, bench.known[1]);
		r = report(&bench, argc == 3 ? argv[2] : NULL);
	}
	bpf_object__close(bench.object);
	free(bench.packets);
	return r ? 1 : 0;
}
