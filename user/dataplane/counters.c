/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what the program counted: exact numbers, kept per CPU, summed here. Every kind of
 * counter is a row of 64-bit numbers, so one sum does for all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/inside.h"

#define BATCH 256u /* values a call */

/* A run of values of a per-CPU array, @words numbers each. */
struct rows {
	int fd;
	uint32_t first, count, words;
};

/* The next values, at most BATCH, into @each and their number into @ret. */
static int next_batch(const struct rows *rows, uint32_t done, void *each, uint32_t *ret)
{
	uint32_t at = rows->first + done, before = at - 1, last, keys[BATCH];
	uint32_t count = rows->count - done < BATCH ? rows->count - done : BATCH;
	int r = bpf_map_lookup_batch(rows->fd, at ? &before : NULL, &last, keys, each, &count,
				     NULL);

	if (r && (r != -ENOENT || !count)) /* -ENOENT also says that these were the last ones */
		return r;
	*ret = count;
	return 0;
}

/* Sums of @rows over CPUs into @ret, which is zero. */
static int sum_cpus(const struct rows *rows, void *ret)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t width = cpus > 0 ? rows->words * (uint32_t)cpus : 0, count;
	autofree uint64_t *each = width ? calloc(BATCH, width * sizeof(*each)) : NULL;
	uint64_t *sums = ret;

	if (cpus < 0)
		return cpus;
	if (!each)
		return -ENOMEM;
	for (uint32_t done = 0; done < rows->count; done += count) {
		int r = next_batch(rows, done, each, &count);

		if (r)
			return r;
		for (uint32_t i = 0; i < count * width; i++)
			sums[(size_t)(done + i / width) * rows->words + i % rows->words] += each[i];
	}
	return 0;
}

#define WORDS(type) (sizeof(type) / sizeof(uint64_t))

int counters_read(const struct instance *instance, struct counter *ret)
{
	const struct rows rows = { instance->maps[PIN_COUNTERS], 0, COUNTERS, WORDS(*ret) };

	memset(ret, 0, (size_t)COUNTERS * sizeof(*ret));
	return sum_cpus(&rows, ret);
}

int hits_read(const struct instance *instance, unsigned int slot, struct hit *ret)
{
	uint32_t entries = instance->limits.lists + 2;
	const struct rows rows = { instance->maps[PIN_HITS], slot * entries, entries, WORDS(*ret) };

	if (slot >= SLOTS)
		return -EINVAL;
	memset(ret, 0, (size_t)entries * sizeof(*ret));
	return sum_cpus(&rows, ret);
}

int budget_read(const struct instance *instance, struct event_budget *ret)
{
	const struct rows rows = { instance->maps[PIN_BUDGET], 0, LIMIT_REASONS, WORDS(*ret) };
	int r;

	memset(ret, 0, LIMIT_REASONS * sizeof(*ret));
	r = sum_cpus(&rows, ret);
	for (uint32_t i = 0; i < LIMIT_REASONS; i++)
		ret[i].window = ret[i].used = 0; /* of one CPU at one moment: no sums */
	return r;
}
