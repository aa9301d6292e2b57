/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stall: how long a CPU does not answer while something old is freed. It knows no filter; what is
 * freed meanwhile is the caller's, or, as a reference that does stall, an LPM trie of its own.
 *   stall watch          until standard input ends, at most five minutes
 *   stall trie ROWS      builds an LPM trie, frees it, and watches for two seconds
 * `ready` on standard error says that watching has begun. The worst of all CPUs, as JSON.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "watch.h"

#define WATCH_MOST_S 300
#define FREED_S 2
#define BATCH 50000u
#define FIRST 0x20000000u /* 32.0.0.0 */

static struct watch watch;

static int begin(void)
{
	int r = watch_begin(&watch);

	if (!r)
		fprintf(stderr, "ready\n");
	return r;
}

static int end(void)
{
	bool real_time;
	uint64_t worst = watch_end(&watch, &real_time);

	printf("{\"worst_ns\": %llu, \"real_time\": %s, \"cpus\": %d}\n", (unsigned long long)worst,
	       real_time ? "true" : "false", watch.count);
	return 0;
}

/* ---- the reference ---- */

struct row {
	uint32_t len, address;
};

/* As many different addresses as rows: a step that is odd comes back only after 2^32 of them. */
static int fill_trie(int fd, uint32_t rows)
{
	static struct row keys[BATCH];
	static uint64_t values[BATCH];

	for (uint32_t done = 0; done < rows;) {
		LIBBPF_OPTS(bpf_map_batch_opts, batch);
		uint32_t count = rows - done < BATCH ? rows - done : BATCH;

		for (uint32_t i = 0; i < count; i++)
			keys[i] = (struct row){ 32, FIRST + (done + i) * 2654435761u };
		if (bpf_map_update_batch(fd, keys, values, &count, &batch))
			return -errno;
		done += count;
	}
	return 0;
}

static int free_trie(uint32_t rows)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "reference", sizeof(struct row),
				sizeof(uint64_t), rows, &opts);
	int r = fd < 0 ? -errno : fill_trie(fd, rows);

	if (!r)
		r = begin();
	if (r) {
		fprintf(stderr, "stall: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	usleep(200000);
	close(fd);
	sleep(FREED_S);
	return end();
}

int main(int argc, char **argv)
{
	char byte;

	alarm(WATCH_MOST_S);
	if (argc == 2 && !strcmp(argv[1], "watch")) {
		if (begin())
			return EXIT_FAILURE;
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
		return end();
	}
	if (argc == 3 && !strcmp(argv[1], "trie") && strtoul(argv[2], NULL, 10))
		return free_trie((uint32_t)strtoul(argv[2], NULL, 10));
	fprintf(stderr, "usage: stall watch | stall trie ROWS\n");
	return 2;
}
