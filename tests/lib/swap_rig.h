/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rows about swaps share: generations from policy texts, frames through a program that is
 * loaded but attached nowhere, and sums over the counters.
 */
#ifndef TESTS_LIB_SWAP_RIG_H
#define TESTS_LIB_SWAP_RIG_H

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"
#include "policy/frame.h"
#include "rig.h"
#include "traffic.h"

/* The long run is a matter of patience only: the same test with other numbers. */
static inline uint64_t times(uint64_t fast, uint64_t longer)
{
	const char *asked = getenv("LONG");

	return asked && *asked == '1' ? longer : fast;
}

#define RIG_CPUS 1024 /* of per-CPU values: more than any machine that runs these tests has */

/* An instance, attached nowhere: its control word, and its program for test runs. */
struct swap_rig {
	struct instance *instance;
	struct control *control;
	int program;
};

static inline void swap_rig_close(struct swap_rig *rig)
{
	control_close(&rig->control);
	instance_close(&rig->instance);
	close_fd(&rig->program);
}
#define auto_swap_rig cleanup(swap_rig_close)

/* @variant: an object file among the tests, or NULL for the program as it is. */
static inline void swap_rig_open(struct rig *rig, const char *variant, struct swap_rig *ret)
{
	const char *build = getenv("BUILD");
	char path[PATH_MAX];

	if (variant) {
		snprintf(path, sizeof(path), "%s/tests/bpf/%s", build ? build : "build", variant);
		setenv("STANCH_OBJECT", path, 1);
	}
	ret->instance = rig_create(rig);
	assert_int_equal(control_open(&rig->places, &ret->control), 0);
	ret->program = rig_program(rig);
}

/* An enforcing policy out of its lists, as an image. */
static inline void image_of(const char *lists, struct image_file *ret)
{
	char text[1024];

	snprintf(text, sizeof(text), "version: 1\nmode: enforce\nlists:\n%s", lists);
	rig_image(text, ret);
}

static inline void stage(const struct swap_rig *rig, const struct image_file *image,
			 uint64_t generation, unsigned int slot)
{
	auto_diag struct diag diag = { 0 };
	int r = slot_stage(rig->instance, image, generation, slot, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
}

static inline void swap_to(const struct swap_rig *rig, unsigned int slot)
{
	struct word word = word_unpack(control_load(rig->control, CONTROL_WORD));

	assert_int_equal(control_swap(rig->control, slot, word.epoch), 0);
}

static inline void need_two_cpus(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) >= 2)
		return;
	print_message("needs two CPUs: one judges, the other swaps\n");
	skip();
}

static inline void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* @count times the same frame through a program; under 20,000, or grace periods get long. */
static inline void run_program(int program, const struct frame *frame, uint32_t count)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = count);

	assert_int_equal(bpf_prog_test_run_opts(program, &opts), 0);
}

/* A UDP packet from 203.0.113.7 to 192.0.2.1, ports 40000 and 80. */
static inline void rig_frame(struct frame *ret)
{
	static const struct frame_step steps[] = {
		{ FRAME_IPV4, 0 },
		{ FRAME_UDP, 0 },
		{ FRAME_PAYLOAD, 18 },
		{ FRAME_END, 0 },
	};
	const struct frame_ends ends = {
		.src4 = address_v4(0xcb007107),
		.dst4 = address_v4(0xc0000201),
		.sport = 40000,
		.dport = 80,
	};

	assert_int_equal(frame_build(steps, &ends, ret), 0);
}

/* How many packets the counters have in all. */
static inline uint64_t counted(const struct counter *counters)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < COUNTERS; i++)
		for (uint32_t v = 0; v < VERDICTS; v++)
			sum += counters[i].packets[v];
	return sum;
}

#endif
