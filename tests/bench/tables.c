/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables - prefix table structures compared on the same mixed IPv4 prefixes: nanoseconds per
 * lookup, 64-byte lines per lookup, memory. Natively, so that only the structures differ; each
 * lookup waits for the one before, as packets of one CPU do, and pages are small, as those of an
 * array map are. Fails when two structures disagree about an address.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/cleanup.h"
#include "policies.h"
#include "tables.h"

#define LISTS 64u
#define KEYS (1u << 20)
#define ROUND (1u << 18) /* lookups in one measurement */
#define ROUNDS 7u /* an odd number: the median is one of them */
#define FLOWS_BITS 16u
#define TRACED 100000u

static const struct candidate *const candidates[] = {
	&candidate_lines,
	&candidate_dxr,
	&candidate_poptrie,
	&candidate_dir24,
};
#define CANDIDATES ARRAY_SIZE(candidates)

enum mix { MIX_UNIFORM, MIX_ZIPF, MIX_LISTED, MIXES };
static const char *const mix_names[MIXES] = { "uniform", "zipf", "listed" };

struct bench {
	struct made made;
	struct image_file file;
	struct boundaries boundaries;
	void *tables[CANDIDATES];
	uint32_t *keys[MIXES];
	uint64_t random;
};

/* ---- what is looked up in ---- */

/* Of a hundred: 60 hosts, 25 networks of 256, 10 smaller ones, 5 larger ones. */
static uint8_t mixed_length(uint64_t random)
{
	uint32_t percent = random % 100;

	if (percent < 60)
		return 32;
	if (percent < 85)
		return 24;
	return percent < 95 ? 25 + random / 100 % 7 : 16 + random / 100 % 8;
}

static int collect(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct boundaries *boundaries = context;

	(void)lo;
	boundaries->items[boundaries->count++] =
		(struct boundary){ .start = (uint32_t)(hi >> 32), .leaf = (uint16_t)leaf };
	return 0;
}

static void build_all(struct bench *bench, uint32_t prefixes)
{
	for (uint32_t i = 0; i < LISTS; i++)
		make_list(&bench->made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	for (uint32_t i = 0; i < prefixes; i++)
		make_prefix(&bench->made, 1 + i % LISTS, 4, random_address(&bench->random, 4),
			    mixed_length(random_next(&bench->random)));
	made_compile(&bench->made, &bench->file);
	bench->boundaries = (struct boundaries){
		.items = bench_alloc(NULL, 2 * prefixes + 1, sizeof(struct boundary)),
		.image = &bench->file.image,
	};
	image_each_range(&bench->file.image, TABLE_V4_SRC, collect, &bench->boundaries);
	for (size_t i = 0; i < CANDIDATES; i++)
		bench->tables[i] = candidates[i]->build(&bench->boundaries);
}

static void release_all(struct bench *bench)
{
	for (size_t i = 0; i < CANDIDATES; i++)
		candidates[i]->release(bench->tables[i]);
	for (enum mix mix = 0; mix < MIXES; mix++)
		free(bench->keys[mix]);
	free(bench->boundaries.items);
	image_free(&bench->file);
	made_free(&bench->made);
}

/* ---- what is looked up ---- */

static uint32_t listed_key(struct bench *bench)
{
	const struct policy *policy = &bench->made.policy;
	const struct prefix *prefix =
		&policy->prefixes[random_next(&bench->random) % policy->prefix_count];
	uint64_t host = ~0ull >> 32 >> prefix->len;

	return (uint32_t)(prefix->hi >> 32 | (random_next(&bench->random) & host));
}

/* Half of the flows from listed sources; the n-th is seen about 1/n as often as the first. */
static void fill_zipf(struct bench *bench, uint32_t *keys)
{
	uint32_t *flows = bench_alloc(NULL, 1u << FLOWS_BITS, sizeof(*flows));

	for (uint32_t i = 0; i < 1u << FLOWS_BITS; i++)
		flows[i] = i & 1 ? listed_key(bench) : (uint32_t)random_next(&bench->random);
	for (uint32_t i = 0; i < KEYS; i++) {
		uint64_t random = random_next(&bench->random);
		uint32_t scale = 1u << random % FLOWS_BITS; /* flows scale..2*scale-1 */

		keys[i] = flows[scale + (random >> 8) % scale];
	}
	free(flows);
}

static void fill_keys(struct bench *bench)
{
	for (enum mix mix = 0; mix < MIXES; mix++)
		bench->keys[mix] = bench_alloc(NULL, KEYS, sizeof(*bench->keys[mix]));
	for (uint32_t i = 0; i < KEYS; i++) {
		bench->keys[MIX_UNIFORM][i] = (uint32_t)random_next(&bench->random);
		bench->keys[MIX_LISTED][i] = listed_key(bench);
	}
	fill_zipf(bench, bench->keys[MIX_ZIPF]);
}

/* ---- agreement ---- */

static bool agree(const struct bench *bench, uint32_t address)
{
	uint32_t want = candidates[0]->find(bench->tables[0], address);

	for (size_t i = 1; i < CANDIDATES; i++) {
		uint32_t got = candidates[i]->find(bench->tables[i], address);

		if (got == want)
			continue;
		fprintf(stderr, "tables: %08" PRIx32 ": %s says %" PRIu32 ", %s %" PRIu32 "\n",
			address, candidates[0]->name, want, candidates[i]->name, got);
		return false;
	}
	return true;
}

static bool all_agree(const struct bench *bench)
{
	for (uint32_t i = 0; i < bench->boundaries.count; i++) {
		uint32_t start = bench->boundaries.items[i].start;

		if (candidates[0]->find(bench->tables[0], start) !=
			    bench->boundaries.items[i].leaf ||
		    !agree(bench, start) || !agree(bench, start - 1))
			return false;
	}
	for (enum mix mix = 0; mix < MIXES; mix++)
		for (uint32_t i = 0; i < KEYS; i++)
			if (!agree(bench, bench->keys[mix][i]))
				return false;
	return true;
}

/* ---- measuring ---- */

/* Processor time: what others run meanwhile costs caches, but not this. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A leaf is below 2^16, so the shift gives 0; the processor has to wait to find that out. */
static double measure(const struct candidate *candidate, const void *table, const uint32_t *keys)
{
	double start = seconds();
	uint32_t leaf = 0;

	for (uint32_t i = 0; i < ROUND; i++)
		leaf = candidate->find(table, keys[i] + (leaf >> 16));
	return (seconds() - start) * 1e9 / ROUND;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Candidates take turns, so that whatever else the machine does meets all of them. */
static void measure_mix(const struct bench *bench, enum mix mix, double ret[CANDIDATES])
{
	double times[CANDIDATES][ROUNDS];

	for (uint32_t round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < CANDIDATES; i++)
			times[i][round] = measure(candidates[i], bench->tables[i],
						  bench->keys[mix] + round * ROUND % KEYS);
	for (size_t i = 0; i < CANDIDATES; i++) {
		qsort(times[i], ROUNDS, sizeof(times[i][0]), by_value);
		ret[i] = times[i][ROUNDS / 2];
	}
}

static double mean_lines(const struct bench *bench, size_t candidate, enum mix mix)
{
	uint64_t lines = 0;

	for (uint32_t i = 0; i < TRACED; i++) {
		struct trace trace = { .count = 0 };

		candidates[candidate]->trace(bench->tables[candidate], bench->keys[mix][i], &trace);
		lines += trace.count;
	}
	return (double)lines / TRACED;
}

static void print_table(const struct bench *bench, uint32_t prefixes)
{
	double times[MIXES][CANDIDATES];

	for (enum mix mix = 0; mix < MIXES; mix++)
		measure_mix(bench, mix, times[mix]);
	printf("\n%" PRIu32 " prefixes, %" PRIu32 " ranges\n%-16s %9s", prefixes,
	       bench->boundaries.count, "structure", "MiB");
	for (enum mix mix = 0; mix < MIXES; mix++)
		printf(" %10s ns lines", mix_names[mix]);
	for (size_t i = 0; i < CANDIDATES; i++) {
		printf("\n%-16s %9.2f", candidates[i]->name,
		       (double)candidates[i]->size(bench->tables[i]) / (1 << 20));
		for (enum mix mix = 0; mix < MIXES; mix++)
			printf(" %13.1f %5.2f", times[mix][i], mean_lines(bench, i, mix));
	}
	printf("\n");
}

static int run(uint32_t prefixes)
{
	struct bench bench = { .random = 11 };
	bool right;

	build_all(&bench, prefixes);
	fill_keys(&bench);
	right = all_agree(&bench);
	if (right)
		print_table(&bench, prefixes);
	release_all(&bench);
	return right ? 0 : 1;
}

int main(void)
{
	int failed;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	failed = run(10000);
	return failed ? failed : run(LIMIT_PREFIXES);
}
