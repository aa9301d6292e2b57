/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a swap takes: the store alone, and from the store to the first packet that is judged by
 * the other generation on another thread. Two generations take turns; what both do to packets is
 * known by the one frame that they judge differently.
 */
#include <pthread.h>
#include <sched.h>

#include "dataplane/bench.h"
#include "dataplane/dump.h"
#include "dataplane/inside.h"

#define PATIENCE_NS 1000000000ull
#define NOTHING_YET UINT32_MAX

/* What the thread that sends packets says; action last, so that the time belongs to it. */
struct watcher {
	int program, error;
	const struct frame *frame;
	uint64_t seen_ns;
	uint32_t action;
	bool stop;
};

static void *watch(void *argument)
{
	struct watcher *watcher = argument;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = watcher->frame->bytes,
		    .data_size_in = watcher->frame->len, .repeat = 1);
	uint32_t last = NOTHING_YET;

	while (!__atomic_load_n(&watcher->stop, __ATOMIC_RELAXED)) {
		if (bpf_prog_test_run_opts(watcher->program, &opts)) {
			__atomic_store_n(&watcher->error, last_error(), __ATOMIC_RELEASE);
			return NULL;
		}
		if (opts.retval == last)
			continue;
		last = opts.retval;
		__atomic_store_n(&watcher->seen_ns, dump_now(), __ATOMIC_RELAXED);
		__atomic_store_n(&watcher->action, last, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Until another action than @before is seen. */
static int await(struct watcher *watcher, uint32_t before)
{
	uint64_t end = dump_now() + PATIENCE_NS;
	int error = 0;

	while (__atomic_load_n(&watcher->action, __ATOMIC_ACQUIRE) == before) {
		error = __atomic_load_n(&watcher->error, __ATOMIC_ACQUIRE);
		if (error || dump_now() > end)
			return error ? error : -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

/* Whose turn it is. */
struct turns {
	unsigned int live;
	uint16_t epoch;
};

static struct turns turns_now(const struct swapping *swapping)
{
	struct word word = word_unpack(control_load(swapping->control, CONTROL_WORD));

	return (struct turns){ word.live, word.epoch };
}

static int swap(const struct swapping *swapping, struct turns *turns)
{
	const unsigned int *slots = swapping->slots;
	unsigned int next = turns->live == slots[0] ? slots[1] : slots[0];
	int r = control_swap(swapping->control, next, turns->epoch);

	turns->live = next;
	turns->epoch++;
	return r;
}

int swapping_store(const struct swapping *swapping, uint32_t times, double *ret_ns)
{
	struct turns turns = turns_now(swapping);
	uint64_t start = dump_now(), spent;
	int r = times ? 0 : -EINVAL;

	for (uint32_t i = 0; i < times && !r; i++)
		r = swap(swapping, &turns);
	spent = dump_now() - start;
	if (!r)
		*ret_ns = (double)spent / times;
	return r;
}

static int first_packets(const struct swapping *swapping, struct watcher *watcher, uint32_t count,
			 double *ret_ns)
{
	struct turns turns = turns_now(swapping);
	int r = await(watcher, NOTHING_YET);

	for (uint32_t i = 0; i < count && !r; i++) {
		uint32_t before = __atomic_load_n(&watcher->action, __ATOMIC_ACQUIRE);
		uint64_t start = dump_now();

		r = swap(swapping, &turns);
		r = r ? r : await(watcher, before);
		if (!r)
			ret_ns[i] = (double)(__atomic_load_n(&watcher->seen_ns, __ATOMIC_RELAXED) -
					     start);
	}
	return r;
}

int swapping_first(const struct swapping *swapping, uint32_t count, double *ret_ns)
{
	struct watcher watcher = {
		.program = swapping->instance->programs[PROGRAM_NATIVE],
		.frame = swapping->frame,
		.action = NOTHING_YET,
	};
	pthread_t thread;
	int r = pthread_create(&thread, NULL, watch, &watcher);

	if (r)
		return -r;
	r = first_packets(swapping, &watcher, count, ret_ns);
	__atomic_store_n(&watcher.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return r;
}
