/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sources and networks that sent most, out of what the program learned. */
#include "stats.h"

#include <errno.h>
#include <time.h>

#include "dataplane/dataplane.h"

/* The busiest ones so far, the least busy of them first: every one is below its two children. */
struct busiest {
	struct learned_source *heap;
	uint32_t count, limit, known;
};

static void busiest_free(struct busiest *busiest)
{
	free(busiest->heap);
}

static void exchange(struct learned_source *a, struct learned_source *b)
{
	struct learned_source kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_up(struct busiest *busiest, uint32_t at)
{
	struct learned_source *heap = busiest->heap;

	for (; at && heap[at].packets < heap[(at - 1) / 2].packets; at = (at - 1) / 2)
		exchange(&heap[at], &heap[(at - 1) / 2]);
}

static void sift_down(struct busiest *busiest)
{
	struct learned_source *heap = busiest->heap;
	uint32_t at = 0, least;

	for (;;) {
		least = 2 * at + 1;
		if (least + 1 < busiest->count && heap[least + 1].packets < heap[least].packets)
			least++;
		if (least >= busiest->count || heap[at].packets <= heap[least].packets)
			return;
		exchange(&heap[at], &heap[least]);
		at = least;
	}
}

static int keep_busiest(void *context, const struct learned_source *source)
{
	struct busiest *busiest = context;

	busiest->known++;
	if (busiest->count < busiest->limit) {
		busiest->heap[busiest->count] = *source;
		sift_up(busiest, busiest->count++);
	} else if (busiest->limit && busiest->heap[0].packets < source->packets) {
		busiest->heap[0] = *source;
		sift_down(busiest);
	}
	return 0;
}

static int collect(const struct look *look, enum learned what, struct stats *ret)
{
	cleanup(busiest_free) struct busiest busiest = { .limit = ret->limit };
	uint32_t most = learned_limit(look->instance, what);
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	char text[PREFIX_TEXT];
	int err;

	if (busiest.limit > most)
		busiest.limit = most;
	busiest.heap = calloc(busiest.limit ? busiest.limit : 1, sizeof(*busiest.heap));
	if (!busiest.heap)
		return -ENOMEM;
	err = learned_each(look->instance, what, keep_busiest, &busiest);
	if (!err)
		err = stats_reserve(ret, busiest.count);
	for (uint32_t i = 0; i < busiest.count && !err; i++) {
		const struct learned_source *source = &busiest.heap[i];
		struct stats_row *row = stats_add(ret, prefix_format(&source->prefix, text));

		row->packets = source->packets;
		row->bytes = source->bytes;
		row->dropped = source->dropped;
		row->idle_ns = now > source->seen_ns ? now - source->seen_ns : 0;
	}
	ret->left_out = busiest.known - busiest.count;
	return err;
}

int stats_by_source(const struct look *look, const struct places *places, struct stats *ret)
{
	(void)places;
	return collect(look, LEARNED_SOURCES, ret);
}

int stats_by_network(const struct look *look, const struct places *places, struct stats *ret)
{
	(void)places;
	return collect(look, LEARNED_NETWORKS, ret);
}
