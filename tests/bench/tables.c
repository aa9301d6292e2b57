/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables - prefix table structures compared on the same prefixes: nanoseconds per lookup, 64-byte
 * lines per lookup, memory, for sets of many shapes and for the lists of addresses in the folder
 * blocklists of STANCH_DATA. `tables NAME` takes one set, `tables lists` the lists. Natively, so
 * that only the structures differ; each lookup waits for the one before, as packets of one CPU do,
 * and pages are small, as those of an array map are. Fails when two structures disagree about an
 * address.
 */
#include <arpa/inet.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/cleanup.h"
#include "shapes.h"
#include "tables.h"

#define KEYS (1u << 20)
#define ROUND (1u << 18) /* lookups in one measurement */
#define ROUNDS 5u /* an odd number: the median is one of them */
#define FLOWS_BITS 16u
#define TRACED 100000u

static const struct candidate *const candidates[] = {
	&candidate_lines, &candidate_dxr, &candidate_poptrie, &candidate_dir24, &candidate_search,
};
#define CANDIDATES ARRAY_SIZE(candidates)

enum mix { MIX_UNIFORM, MIX_ZIPF, MIX_LISTED, MIXES };
static const char *const mix_names[MIXES] = { "uniform", "zipf", "listed" };

/* What is measured: a shape and how many prefixes. DIR-24-8 takes as long as all others. */
struct set {
	const char *shape;
	uint32_t prefixes;
};

static const struct set sets[] = {
	{ "IPv4 blocklist", 10000 },
	{ "IPv4 blocklist", LIMIT_PREFIXES },
	{ "IPv4 /25", LIMIT_PREFIXES },
	{ "IPv4 /31", LIMIT_PREFIXES },
	{ "IPv4 every length", LIMIT_PREFIXES },
	{ "IPv6 blocklist in 2000::/3", 10000 },
	{ "IPv6 blocklist in 2000::/3", LIMIT_PREFIXES },
	{ "IPv6 /64 in 2000::/3", LIMIT_PREFIXES },
	{ "IPv6 /128 in 2000::/3", LIMIT_PREFIXES },
	{ "IPv6 /128, pairs in /48", LIMIT_PREFIXES },
	{ "IPv6 /29../128 in 2000::/3", LIMIT_PREFIXES },
	{ "IPv6 every length", LIMIT_PREFIXES },
};

struct bench {
	const struct shape *shape;
	struct made made;
	struct image_file file;
	struct boundaries boundaries;
	void *tables[CANDIDATES];
	struct key *keys[MIXES];
	uint64_t random;
};

/* ---- what is looked up in ---- */

static int collect(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct boundaries *boundaries = context;

	boundaries->items[boundaries->count++] = (struct boundary){ .key = { hi, lo },
								    .start = (uint32_t)(hi >> 32),
								    .leaf = (uint16_t)leaf };
	return 0;
}

static bool takes_part(const struct bench *bench, size_t candidate)
{
	return bench->shape->family == 4 || candidates[candidate]->six;
}

static void build_all(struct bench *bench)
{
	enum table table = bench->shape->family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC;

	made_compile(&bench->made, &bench->file);
	bench->boundaries = (struct boundaries){
		.items = bench_alloc(NULL, 2 * bench->made.policy.prefix_count + 1,
				     sizeof(struct boundary)),
		.image = &bench->file.image,
		.table = table,
	};
	image_each_range(&bench->file.image, table, collect, &bench->boundaries);
	for (size_t i = 0; i < CANDIDATES; i++)
		if (takes_part(bench, i))
			bench->tables[i] = candidates[i]->build(&bench->boundaries);
}

static void release_all(struct bench *bench)
{
	for (size_t i = 0; i < CANDIDATES; i++)
		if (takes_part(bench, i))
			candidates[i]->release(bench->tables[i]);
	for (enum mix mix = 0; mix < MIXES; mix++)
		free(bench->keys[mix]);
	free(bench->boundaries.items);
	image_free(&bench->file);
	made_free(&bench->made);
}

/* ---- what is looked up ---- */

static struct key make_key(struct bench *bench, enum key_kind kind)
{
	unsigned __int128 address =
		shape_key(bench->shape, &bench->made.policy, kind, &bench->random);

	return (struct key){ (uint64_t)(address >> 64), (uint64_t)address };
}

/* Half of the flows from listed sources; the n-th is seen about 1/n as often as the first. */
static void fill_zipf(struct bench *bench, struct key *keys)
{
	struct key *flows = bench_alloc(NULL, 1u << FLOWS_BITS, sizeof(*flows));

	for (uint32_t i = 0; i < 1u << FLOWS_BITS; i++)
		flows[i] = make_key(bench, i & 1 ? KEY_LISTED : KEY_RANDOM);
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
		bench->keys[MIX_UNIFORM][i] = make_key(bench, KEY_RANDOM);
		bench->keys[MIX_LISTED][i] = make_key(bench, KEY_LISTED);
	}
	fill_zipf(bench, bench->keys[MIX_ZIPF]);
}

/* ---- agreement ---- */

static bool agree(const struct bench *bench, struct key key)
{
	uint32_t want = candidates[0]->find(bench->tables[0], key);

	for (size_t i = 1; i < CANDIDATES; i++) {
		uint32_t got =
			takes_part(bench, i) ? candidates[i]->find(bench->tables[i], key) : want;

		if (got == want)
			continue;
		fprintf(stderr,
			"tables: %016" PRIx64 "%016" PRIx64 ": %s says %" PRIu32 ", %s %" PRIu32
			"\n",
			key.hi, key.lo, candidates[0]->name, want, candidates[i]->name, got);
		return false;
	}
	return true;
}

static bool all_agree(const struct bench *bench)
{
	for (uint32_t i = 0; i < bench->boundaries.count; i++) {
		const struct boundary *boundary = &bench->boundaries.items[i];

		if (candidates[0]->find(bench->tables[0], boundary->key) != boundary->leaf ||
		    !agree(bench, boundary->key))
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
static double measure(const struct candidate *candidate, const void *table, const struct key *keys)
{
	double start = seconds();
	uint32_t leaf = 0;

	for (uint32_t i = 0; i < ROUND; i++)
		leaf = candidate->find(table,
				       (struct key){ keys[i].hi + (leaf >> 16), keys[i].lo });
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
			if (takes_part(bench, i))
				times[i][round] = measure(candidates[i], bench->tables[i],
							  bench->keys[mix] + round * ROUND % KEYS);
	for (size_t i = 0; i < CANDIDATES; i++) {
		if (!takes_part(bench, i))
			continue;
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

static void print_table(const struct bench *bench, const char *name)
{
	double times[MIXES][CANDIDATES];

	for (enum mix mix = 0; mix < MIXES; mix++)
		measure_mix(bench, mix, times[mix]);
	printf("\n%s: %" PRIu32 " prefixes, %" PRIu32 " ranges\n%-16s %9s", name,
	       bench->made.policy.prefix_count, bench->boundaries.count, "structure", "MiB");
	for (enum mix mix = 0; mix < MIXES; mix++)
		printf(" %10s ns lines", mix_names[mix]);
	for (size_t i = 0; i < CANDIDATES; i++) {
		if (!takes_part(bench, i))
			continue;
		printf("\n%-16s %9.2f", candidates[i]->name,
		       (double)candidates[i]->size(bench->tables[i]) / (1 << 20));
		for (enum mix mix = 0; mix < MIXES; mix++)
			printf(" %13.1f %5.2f", times[mix][i], mean_lines(bench, i, mix));
	}
	printf("\n");
	fflush(stdout);
}

/* What was made is measured and released. */
static int run(struct bench *bench, const char *name)
{
	bool right;

	build_all(bench);
	fill_keys(bench);
	right = all_agree(bench);
	if (right)
		print_table(bench, name);
	release_all(bench);
	return right ? 0 : 1;
}

static int run_set(const struct set *set)
{
	struct bench bench = { .random = 11, .shape = shape_named(set->shape) };

	shape_make(bench.shape, set->prefixes, &bench.made);
	return run(&bench, set->shape);
}

/* The IPv4 prefix or address that a line of a list starts with, if it does. */
static void take_row(struct made *made, char *line)
{
	size_t end = strcspn(line, "/ \t\r\n#");
	bool is_prefix = line[end] == '/';
	unsigned long len = is_prefix ? strtoul(line + end + 1, NULL, 10) : 32;
	struct in_addr address;

	line[end] = '\0';
	if (inet_pton(AF_INET, line, &address) == 1 && len <= 32)
		make_prefix(made, 1, 4, (unsigned __int128)ntohl(address.s_addr) << 96,
			    (uint8_t)len);
}

/* One list of IPv4 prefixes; what is no prefix is left out. */
static int run_file(const char *path)
{
	struct bench bench = { .random = 11, .shape = shape_named("IPv4 blocklist") };
	autofclose FILE *file = fopen(path, "re");
	char line[128];

	if (!file)
		return 1;
	make_list(&bench.made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	while (fgets(line, sizeof(line), file))
		take_row(&bench.made, line);
	if (bench.made.policy.prefix_count)
		return run(&bench, path);
	made_free(&bench.made);
	return 0;
}

static int run_data(const char *folder)
{
	char pattern[PATH_MAX];
	int failed = 0;
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/blocklists/*.txt", folder);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !failed; i++)
		failed = run_file(found.gl_pathv[i]);
	globfree(&found);
	return failed;
}

int main(int argc, char **argv)
{
	const char *data = getenv("STANCH_DATA");
	int failed = 0;

	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sets) && !failed; i++)
		if (argc < 2 || !strcmp(argv[1], sets[i].shape))
			failed = run_set(&sets[i]);
	if (!failed && data && (argc < 2 || !strcmp(argv[1], "lists")))
		failed = run_data(data);
	return failed;
}
