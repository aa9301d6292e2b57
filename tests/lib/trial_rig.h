/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of trials, samples and overrides share: an instance attached nowhere, its word, its
 * program, and frames whose source tells them apart.
 */
#ifndef TESTS_LIB_TRIAL_RIG_H
#define TESTS_LIB_TRIAL_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "force.h"
#include "frames.h"
#include "policies.h"

#define MS 1000000ull
#define FOREVER (3600000 * MS)

struct bed {
	struct rig *rig;
	struct instance *instance;
	struct control *control;
	int program;
};

static inline void bed_close(struct bed *bed)
{
	control_close(&bed->control);
	instance_close(&bed->instance);
	close_fd(&bed->program);
}
#define auto_bed cleanup(bed_close)

/*
 * Attached somewhere, a program stays in the kernel's dispatcher; else every test run puts it there
 * and takes it out again, with a grace period for each.
 */
static inline void bed_settle(struct bed *bed)
{
	rig_enter(bed->rig, rig_namespace(bed->rig));
	/* lo, in generic mode */
	assert_int_equal(bpf_xdp_attach(1, bed->program, 1 << 1, NULL), 0);
}

static inline struct bed bed_of(void **state)
{
	struct bed bed = { .rig = rig_of(state) };

	bed.instance = rig_create(bed.rig);
	bed.program = rig_program(bed.rig);
	bed_settle(&bed);
	assert_int_equal(control_open(&bed.rig->places, &bed.control), 0);
	return bed;
}

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline void rest_until(uint64_t monotonic)
{
	const struct timespec until = { .tv_sec = (time_t)(monotonic / 1000000000u),
					.tv_nsec = (long)(monotonic % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static inline void rest(uint64_t ns)
{
	rest_until(monotonic_ns() + ns);
}

/* @count times the same frame; what XDP answered to the last. */
static inline uint32_t send_frame(const struct bed *bed, const struct frame *frame, uint32_t count)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = (int)count);

	assert_int_equal(bpf_prog_test_run_opts(bed->program, &opts), 0);
	return opts.retval;
}

static inline uint32_t send_many(const struct bed *bed, uint32_t source, uint32_t count)
{
	struct frame frame;

	syn_from(source, &frame);
	return send_frame(bed, &frame, count);
}

static inline bool dropped(const struct bed *bed, uint32_t source)
{
	return send_many(bed, source, 1) == XDP_DROP;
}

/* Put @text into @slot as a generation of that number. */
static inline void stage_text(const struct bed *bed, const char *text, unsigned int slot)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	int r;

	rig_image(text, &image);
	r = slot_stage(bed->instance, &image, slot, slot, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
}

/* The IPv4 source of a sampled SYN. */
static inline uint32_t sampled_source(const struct sample *sample)
{
	const uint8_t *at = sample->head + 26;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

#endif
