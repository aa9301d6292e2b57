/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F73: a generation of a million prefixes is freed. Nobody waits for that but the CPU that does it:
 * a thread of real-time priority on each CPU wakes every millisecond and notes how late it is. The
 * control frees an LPM trie of as many rows, which stalls a CPU for longer.
 * test-timeout: 300
 */
#include "swap_rig.h"

#include <linux/bpf.h>

#include "policies.h"
#include "watch.h"

#define BOUND_NS 50000000ull
#define TRIES 4u
#define FREED_S 2 /* after so long the kernel has freed what it was told to */
#define ROWS LIMIT_PREFIXES
#define BATCH 50000u

/* ---- how long a CPU does not answer ---- */

static void begin(struct watch *watch)
{
	assert_int_equal(watch_begin(watch), 0);
	sleep(1);
}

/* The longest time that any CPU did not answer. */
static uint64_t end(struct watch *watch)
{
	bool real_time;
	uint64_t worst = watch_end(watch, &real_time);

	assert_true(real_time);
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
	begin(&watch);
	assert_int_equal(slot_withdraw(rig->instance, 1), 0);
	sleep(FREED_S);
	return end(&watch);
}

static uint64_t free_trie(void)
{
	struct watch watch = { 0 };
	int fd = make_trie();

	begin(&watch);
	close(fd);
	sleep(FREED_S);
	return end(&watch);
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
