/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recent traffic as the program sampled it, read through a mapping while it is written. A copy is
 * believed when neither its time nor its ring moved past it meanwhile. Knows no verdict.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/inside.h"

#define RING ((uint64_t)LIMIT_SAMPLES / SAMPLE_KINDS)
#define SAMPLES_BYTES (sizeof(struct sample) * LIMIT_SAMPLES)
#define AT_BYTES (sizeof(uint64_t) * SAMPLE_KINDS * SAMPLE_AT_STRIDE)

struct reservoir {
	const struct sample *samples;
	const uint64_t *at;
};

void reservoir_close(struct reservoir **reservoir)
{
	if (!*reservoir)
		return;
	if ((*reservoir)->samples)
		munmap((void *)(*reservoir)->samples, SAMPLES_BYTES);
	if ((*reservoir)->at)
		munmap((void *)(*reservoir)->at, AT_BYTES);
	free(*reservoir);
	*reservoir = NULL;
}

int reservoir_open(const struct instance *instance, struct reservoir **ret)
{
	auto_reservoir struct reservoir *reservoir = calloc(1, sizeof(*reservoir));
	const void *bytes;
	int r;

	if (!reservoir)
		return -ENOMEM;
	r = pin_map(instance, PIN_RESERVOIR, SAMPLES_BYTES, &bytes);
	if (r)
		return r;
	reservoir->samples = bytes;
	r = pin_map(instance, PIN_RESERVOIR_AT, AT_BYTES, &bytes);
	if (r)
		return r;
	reservoir->at = bytes;
	*ret = TAKE_PTR(reservoir);
	return 0;
}

static uint64_t taken(const struct reservoir *reservoir, enum sample_kind kind)
{
	return __atomic_load_n(&reservoir->at[(size_t)kind * SAMPLE_AT_STRIDE], __ATOMIC_ACQUIRE);
}

void reservoir_at(const struct reservoir *reservoir, uint64_t ret[SAMPLE_KINDS])
{
	for (enum sample_kind kind = 0; kind < SAMPLE_KINDS; kind++)
		ret[kind] = taken(reservoir, kind);
}

/* Move to the oldest sample that is still there. A reader that begins has lost nothing yet. */
static void catch_up(struct reservoir_reader *reader, uint64_t end)
{
	uint64_t oldest = end > RING ? end - RING : 0;

	if (reader->at >= oldest)
		return;
	if (reader->at)
		reader->lost += oldest - reader->at;
	reader->at = oldest;
}

/* Is the copy a whole sample, and the one that the reader wants, not its predecessor in this place? */
static bool whole(const struct sample *copy, uint64_t time_ns, uint64_t n)
{
	return time_ns && copy->time_ns == time_ns &&
	       !(copy->flags & SAMPLE_ODD_LAP) == !(n / RING & 1);
}

static bool copy_sample(const struct sample *sample, uint64_t n, struct sample *ret)
{
	uint64_t time_ns = __atomic_load_n(&sample->time_ns, __ATOMIC_ACQUIRE);

	*ret = *(const volatile struct sample *)sample;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return whole(ret, time_ns, n) &&
	       __atomic_load_n(&sample->time_ns, __ATOMIC_RELAXED) == time_ns;
}

/*
 * A sample that is not whole yet ends the walk: its writer is about to finish it. One that was
 * given away meanwhile is lost.
 */
int reservoir_read(const struct reservoir *reservoir, struct reservoir_reader *reader,
		   int (*fn)(void *context, const struct sample *sample), void *context)
{
	const struct sample *ring = reservoir->samples + reader->kind * RING;
	uint64_t end = taken(reservoir, reader->kind), now;
	struct sample copy;
	bool good;
	int r;

	catch_up(reader, end);
	while (reader->at < end) {
		good = copy_sample(&ring[reader->at % RING], reader->at, &copy);
		now = taken(reservoir, reader->kind);
		if (now - reader->at > RING) {
			catch_up(reader, now);
			continue;
		}
		if (!good)
			return 0;
		reader->at++;
		r = fn(context, &copy);
		if (r)
			return r;
	}
	return 0;
}
