/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program learned about sources, read while it is written. An entry that changes hands
 * meanwhile is left out. Knows no policy and no verdict.
 */
#include <errno.h>
#include <sys/mman.h>

#include <stanch/source.h>

#include "dataplane/inside.h"

/* A table as this user may read it: mapped, or copied. */
struct reading {
	const struct source_line *lines;
	uint32_t count;
	size_t mapped; /* bytes, 0 when it is a copy */
	struct image_file copy;
};

static void reading_close(struct reading *reading)
{
	if (reading->mapped)
		munmap((void *)reading->lines, reading->mapped);
	image_free(&reading->copy);
}

static int reading_open(const struct instance *instance, enum pin pin, uint32_t lines,
			struct reading *ret)
{
	size_t size = (size_t)lines * sizeof(struct source_line);
	const void *bytes;
	int r = pin_map(instance, pin, size, &bytes);

	ret->count = lines;
	if (!r) {
		ret->lines = bytes;
		ret->mapped = size;
		return 0;
	}
	if (r != -EACCES)
		return r;
	r = image_map_copy(instance->maps[pin], &ret->copy);
	ret->lines = (const struct source_line *)ret->copy.bytes;
	return r;
}

/* False when the entry is nobody's, or changed hands while it was copied. */
static bool copy_entry(const struct source_entry *entry, struct source_entry *ret)
{
	uint64_t key = __atomic_load_n(&entry->key, __ATOMIC_ACQUIRE);

	if (key == SOURCE_KEY_NONE || key == SOURCE_KEY_BUSY)
		return false;
	*ret = *(const volatile struct source_entry *)entry;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return ret->key == key && __atomic_load_n(&entry->key, __ATOMIC_RELAXED) == key;
}

void learned_prefix(uint64_t key, enum learned what, struct prefix *ret)
{
	bool network = what == LEARNED_NETWORKS;

	*ret = (struct prefix){ .family = 6, .hi = key, .len = network ? 48 : 64 };
	if (key == SOURCE_KEY_RESERVED) {
		ret->hi = 0;
		ret->len = 16;
	} else if (!(key >> 48)) {
		ret->family = 4;
		ret->hi = key << 32;
		ret->len = network ? 24 : 32;
	}
}

static void describe(const struct source_entry *entry, enum learned what,
		     struct learned_source *ret)
{
	learned_prefix(entry->key, what, &ret->prefix);
	ret->dropped = entry->dropped.word & SOURCE_COUNT_MASK;
	ret->packets = source_packets(entry);
	ret->bytes = entry->bytes;
	ret->seen_ns = (uint64_t)source_seen(entry) << SOURCE_TICK_SHIFT;
}

/* The entries of one line; those of one source are added up. */
static uint32_t read_line(const struct source_line *line, enum learned what,
			  struct learned_source ret[SOURCE_WAYS])
{
	struct source_entry copies[SOURCE_WAYS];
	uint32_t count = 0;

	for (uint32_t way = 0; way < SOURCE_WAYS; way++)
		if (copy_entry(&line->way[way], &copies[count]))
			describe(&copies[count], what, &ret[count]), count++;
	if (count < 2 || copies[0].key != copies[1].key)
		return count;
	ret[0].packets += ret[1].packets;
	ret[0].dropped += ret[1].dropped;
	ret[0].bytes += ret[1].bytes;
	if (ret[0].seen_ns < ret[1].seen_ns)
		ret[0].seen_ns = ret[1].seen_ns;
	return 1;
}

uint32_t learned_limit(const struct instance *instance, enum learned what)
{
	return instance->limits.sources / (what == LEARNED_NETWORKS ? SOURCE_GROUP : 1);
}

int learned_each(const struct instance *instance, enum learned what,
		 int (*fn)(void *context, const struct learned_source *source), void *context)
{
	static const enum pin pins[] = { PIN_SOURCES, PIN_SOURCE_GROUPS };
	cleanup(reading_close) struct reading reading = { 0 };
	int r = reading_open(instance, pins[what], learned_limit(instance, what) / SOURCE_WAYS,
			     &reading);

	for (uint32_t i = 0; i < reading.count && !r; i++) {
		struct learned_source found[SOURCE_WAYS];
		uint32_t count = read_line(&reading.lines[i], what, found);

		for (uint32_t j = 0; j < count && !r; j++)
			r = fn(context, &found[j]);
	}
	return r;
}
