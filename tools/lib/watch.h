/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a CPU does not answer: a thread of real-time priority on each CPU wakes every
 * millisecond and notes how late it is. Knows nothing of what keeps a CPU busy meanwhile.
 */
#ifndef STANCH_TOOLS_LIB_WATCH_H
#define STANCH_TOOLS_LIB_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WATCH_CPUS 64

struct watcher {
	pthread_t thread;
	int cpu;
	bool stop; /* atomic */
	bool real_time;
	uint64_t worst_ns;
};

struct watch {
	struct watcher watchers[WATCH_CPUS];
	int count;
};

/* watch_begin - one thread for each CPU that is there, at most WATCH_CPUS. Returns 0 or -errno. */
int watch_begin(struct watch *watch);

/*
 * watch_end - stop watching. Returns the longest time in nanoseconds that any CPU did not answer.
 * @real_time, false when a thread was not given its priority: then other programs are in it.
 */
uint64_t watch_end(struct watch *watch, bool *real_time);

#endif
