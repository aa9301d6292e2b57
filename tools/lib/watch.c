/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A waker on each CPU. See watch.h. */
#include "watch.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

#define WAKE_NS 1000000

static bool take_cpu(int cpu)
{
	const struct sched_param high = { .sched_priority = 50 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set) &&
	       !sched_setscheduler(0, SCHED_FIFO, &high);
}

static void *watch_cpu(void *context)
{
	const struct timespec pause = { .tv_nsec = WAKE_NS };
	struct watcher *watcher = context;

	watcher->real_time = take_cpu(watcher->cpu);
	while (!__atomic_load_n(&watcher->stop, __ATOMIC_RELAXED)) {
		uint64_t before = traffic_now(), late;

		nanosleep(&pause, NULL);
		late = traffic_now() - before - WAKE_NS;
		if (late > watcher->worst_ns)
			watcher->worst_ns = late;
	}
	return NULL;
}

int watch_begin(struct watch *watch)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (watch->count = 0; watch->count < cpus && watch->count < WATCH_CPUS; watch->count++) {
		struct watcher *watcher = &watch->watchers[watch->count];
		int r;

		*watcher = (struct watcher){ .cpu = watch->count };
		r = pthread_create(&watcher->thread, NULL, watch_cpu, watcher);
		if (r) {
			watch_end(watch, &watcher->real_time);
			return -r;
		}
	}
	return 0;
}

uint64_t watch_end(struct watch *watch, bool *real_time)
{
	uint64_t worst = 0;

	*real_time = true;
	for (int i = 0; i < watch->count; i++) {
		struct watcher *watcher = &watch->watchers[i];

		__atomic_store_n(&watcher->stop, true, __ATOMIC_RELAXED);
		pthread_join(watcher->thread, NULL);
		*real_time &= watcher->real_time;
		if (watcher->worst_ns > worst)
			worst = watcher->worst_ns;
	}
	return worst;
}
