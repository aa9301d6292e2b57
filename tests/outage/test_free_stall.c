/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F73: a generation of a million prefixes is freed. Nobody waits for that but the CPU that does it:
 * a thread of real-time priority on each CPU wakes every millisecond and notes how late it is. The
 * control frees an LPM trie of as many rows, which stalls a CPU for longer.
 * test-timeout: 300
 */
#include "swap_rig.h"

#include <linux/bpf.h>
#include <time.h>

#include "policies.h"

#define CPUS_MOST 64u
#define WAKE_NS 1000000
#define NS_PER_S 1000000000ull
#define BOUND_NS 50000000ull
#define TRIES 4u
#define FREED_S 2 /* after so long the kernel has freed what it was told to */
#define ROWS LIMIT_PREFIXES
#define BATCH 50000u

/* ---- how long a CPU does not answer ---- */

struct watcher {
	pthread_t thread;
	int cpu;
	bool stop; /* atomic */
	bool real_time;
	uint64_t worst_ns;
};

struct watch {
	struct watcher watchers[CPUS_MOST];
	unsigned int count;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void *watch_cpu(void *context)
{
	const struct sched_param high = { .sched_priority = 50 };
	const struct timespec pause = { .tv_nsec = WAKE_NS };
	struct watcher *watcher = context;

	stay_on_cpu(watcher->cpu);
	watcher->real_time = !sched_setscheduler(0, SCHED_FIFO, &high);
	while (!__atomic_load_n(&watcher->stop, __ATOMIC_RELAXED)) {
		uint64_t before = clock_ns(), late;

		nanosleep(&pause, NULL);
		late = clock_ns() - before - WAKE_NS;
		if (late > watcher->worst_ns)
			watcher->worst_ns = late;
	}
	return NULL;
}

static void watch_begin(struct watch *watch)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	watch->count = cpus < (long)CPUS_MOST ? (unsigned int)cpus : CPUS_MOST;
	for (unsigned int i = 0; i < watch->count; i++) {
		watch->watchers[i] = (struct watcher){ .cpu = (int)i };
		assert_int_equal(pthread_create(&watch->watchers[i].thread, NULL, watch_cpu,
						&watch->watchers[i]),
				 0);
	}
	sleep(1);
}

/* The longest time that any CPU did not answer. */
static uint64_t watch_end(struct watch *watch)
{
	uint64_t worst = 0;

	for (unsigned int i = 0; i < watch->count; i++) {
		struct watcher *watcher = &watch->watchers[i];

		__atomic_store_n(&watcher->stop, true, __ATOMIC_RELAXED);
		pthread_join(watcher->thread, NULL);
		assert_true(watcher->real_time);
		if (watcher->worst_ns > worst)
			worst = watcher->worst_ns;
	}
	return worst;
}

static void need_real_time(void)
{
	const struct sched_param high = { .sched_priority = 50 }, usual = { 0 };

	if (!sched_setscheduler(0, SCHED_FIFO, &high)) {
		sched_setscheduler(0, SCHED_OTHER, &usual);
		return;
	}
	print_message("needs real-time priority\n");
	skip();
}

/* ---- a million prefixes ---- */

static unsigned __int128 row_of(uint64_t *random)
{
	return ((unsigned __int128)random_next(random) << 64 | random_next(random)) >> 3 |
	       (unsigned __int128)1 << 125;
}

/* The largest there is: addresses of 128 bits that share nothing. */
static void make_image(struct image_file *ret)
{
	auto_made struct made made = { 0 };
	uint16_t list = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	uint64_t random = 73;

	for (uint32_t i = 0; i < ROWS; i++)
		make_prefix(&made, list, 6, row_of(&random), 128);
	made_compile(&made, ret);
}

struct row {
	uint32_t len;
	uint8_t address[16];
};

static int make_trie(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	autofree struct row *rows = calloc(BATCH, sizeof(*rows));
	autofree uint64_t *values = calloc(BATCH, sizeof(*values));
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "control", sizeof(*rows), sizeof(*values),
				ROWS, &opts);
	uint64_t random = 73;

	assert_true(fd >= 0 && rows && values);
	for (uint32_t done = 0; done < ROWS; done += BATCH) {
		LIBBPF_OPTS(bpf_map_batch_opts, batch);
		uint32_t count = BATCH;

		for (uint32_t i = 0; i < BATCH; i++) {
			unsigned __int128 address = row_of(&random);

			rows[i].len = 128;
			memcpy(rows[i].address, &address, sizeof(address));
		}
		assert_int_equal(bpf_map_update_batch(fd, rows, values, &count, &batch), 0);
	}
	return fd;
}

/* ---- the two ways ---- */

static uint64_t free_generation(struct swap_rig *rig, const struct image_file *image)
{
	struct watch watch = { 0 };

	stage(rig, image, 1, 1);
	watch_begin(&watch);
	assert_int_equal(slot_withdraw(rig->instance, 1), 0);
	sleep(FREED_S);
	return watch_end(&watch);
}

static uint64_t free_trie(void)
{
	struct watch watch = { 0 };
	int fd = make_trie();

	watch_begin(&watch);
	close(fd);
	sleep(FREED_S);
	return watch_end(&watch);
}

/* Others on this machine may stall a CPU, too: the shortest of a few stalls is the one of ours. */
static void freeing_a_million_prefixes_stalls_no_cpu_for_50_ms(void **state)
{
	auto_swap_rig struct swap_rig rig = { .program = -1 };
	auto_image struct image_file image = { 0 };
	struct rig *places = rig_of(state);
	uint64_t least = UINT64_MAX;

	need_real_time();
	swap_rig_open(places, NULL, &rig);
	make_image(&image);
	for (unsigned int i = 0; i < TRIES && least > BOUND_NS; i++) {
		uint64_t stall = free_generation(&rig, &image);

		least = stall < least ? stall : least;
	}
	print_message("%u prefixes, %u lines: a CPU stalled for at most %.1f ms\n", ROWS,
		      image.image.lines, (double)least / 1e6);
	assert_true(least <= BOUND_NS);
}

static void control_freeing_a_trie_of_as_many_stalls_one_for_longer(void **state)
{
	uint64_t most = 0;

	(void)rig_of(state);
	need_real_time();
	for (unsigned int i = 0; i < TRIES && most <= BOUND_NS; i++) {
		uint64_t stall = free_trie();

		most = stall > most ? stall : most;
	}
	print_message("an LPM trie of %u rows: a CPU stalled for %.1f ms\n", ROWS,
		      (double)most / 1e6);
	assert_true(most > BOUND_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(freeing_a_million_prefixes_stalls_no_cpu_for_50_ms,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			control_freeing_a_trie_of_as_many_stalls_one_for_longer, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests_name("F73 freeing", tests, NULL, NULL);
}
