/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Following the ring buffer of events. Sampled and lossy by design: what is lost is counted. */
#include <errno.h>
#include <time.h>

#include "dataplane/inside.h"

struct follow {
	int (*fn)(void *context, const struct event *event);
	void *context;
	int stop; /* what @fn returned */
	int64_t end_ms; /* -1: never */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static int left_ms(const struct follow *follow)
{
	int64_t left = follow->end_ms < 0 ? -1 : follow->end_ms - now_ms();

	return follow->end_ms >= 0 && left < 0 ? 0 : (int)left;
}

/* Under a flood the buffer is never empty: what was there at the end is read, but not for ever. */
#define DRAIN_MS 200

static int take_event(void *context, void *data, size_t size)
{
	struct follow *follow = context;
	bool late;

	if (size < sizeof(struct event))
		return 0;
	follow->stop = follow->fn(follow->context, data);
	late = follow->end_ms >= 0 && now_ms() > follow->end_ms + DRAIN_MS;
	return follow->stop || late ? -ECANCELED : 0;
}

static void free_ring(struct ring_buffer **ring)
{
	ring_buffer__free(*ring);
}

int events_follow(const struct instance *instance, int timeout_ms,
		  int (*fn)(void *context, const struct event *event), void *context)
{
	struct follow follow = { .fn = fn, .context = context, .end_ms = -1 };
	cleanup(free_ring) struct ring_buffer *ring =
		ring_buffer__new(instance->maps[PIN_EVENTS], take_event, &follow, NULL);
	int r = 0;

	if (!ring)
		return last_error();
	if (timeout_ms >= 0)
		follow.end_ms = now_ms() + timeout_ms;
	do
		r = ring_buffer__poll(ring, left_ms(&follow));
	while (r >= 0 && left_ms(&follow));
	if (follow.stop)
		return follow.stop;
	return r >= 0 || r == -ECANCELED ? 0 : r;
}
