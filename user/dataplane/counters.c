/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what the program counted: exact numbers, kept per CPU, summed here. Every kind of
 * counter is a row of 64-bit numbers, so one sum does for all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/inside.h"

/* Values @first.. of a per-CPU array, @words numbers each, summed into @ret. */
static int sum_cpus(int fd, uint32_t first, uint32_t count, uint32_t words, void *ret)
{
	uint64_t *sums = ret;
	int cpus = libbpf_num_possible_cpus();
	autofree uint64_t *each = cpus > 0 ? calloc(cpus, words * sizeof(*each)) : NULL;

	if (cpus < 0)
		return cpus;
	if (!each)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = first + i;

		if (bpf_map_lookup_elem(fd, &key, each))
			return last_error();
		for (uint32_t word = 0; word < words * (uint32_t)cpus; word++)
			sums[(size_t)i * words + word % words] += each[word];
	}
	return 0;
}

#define WORDS(type) (sizeof(type) / sizeof(uint64_t))

int counters_read(const struct instance *instance, struct counter *ret)
{
	memset(ret, 0, (size_t)COUNTERS * sizeof(*ret));
	return sum_cpus(instance->maps[PIN_COUNTERS], 0, COUNTERS, WORDS(*ret), ret);
}

int hits_read(const struct instance *instance, unsigned int slot, struct hit *ret)
{
	uint32_t entries = instance->limits.lists + 2;

	if (slot >= SLOTS)
		return -EINVAL;
	memset(ret, 0, (size_t)entries * sizeof(*ret));
	return sum_cpus(instance->maps[PIN_HITS], slot * entries, entries, WORDS(*ret), ret);
}

int budget_read(const struct instance *instance, struct event_budget *ret)
{
	int r;

	memset(ret, 0, LIMIT_REASONS * sizeof(*ret));
	r = sum_cpus(instance->maps[PIN_BUDGET], 0, LIMIT_REASONS, WORDS(*ret), ret);
	for (uint32_t i = 0; i < LIMIT_REASONS; i++)
		ret[i].window = ret[i].used = 0; /* of one CPU at one moment: no sums */
	return r;
}
