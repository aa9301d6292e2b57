/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conformance table in the kernel: the verdicts it demands, and those of the native judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "base/cleanup.h"
#include "frames.h"
#include "rig.h"

struct bench {
	struct twin *twin;
	struct image_file image;
	unsigned int packets;
};

static void stage(enum conformance_setting setting, struct bench *bench)
{
	auto_diag struct diag diag = { 0 };

	assert_int_equal(conformance_image(setting, &bench->image, &diag), 0);
	assert_int_equal(twin_stage(bench->twin, &bench->image, setting, &diag), 0);
	assert_int_equal(twin_command(bench->twin, setting, MODE_ENFORCE, 0), 0);
}

static void check_row(void *context, const struct conformance_row *row, enum conformance_side side,
		      const struct frame *frame)
{
	const struct expectation *expected = &row->expected[side];
	struct bench *bench = context;
	struct judgement native;
	struct judged kernel;
	uint32_t action = 99;

	frame_judge(&bench->image.image, frame->bytes, frame->len, 0, &native);
	assert_int_equal(twin_run(bench->twin, frame->bytes, frame->len, &kernel, &action), 0);
	bench->packets++;
	if (kernel.verdict == expected->verdict && kernel.reason == expected->reason &&
	    kernel.verdict == native.verdict && kernel.reason == native.reason &&
	    kernel.list == native.list && kernel.enforced == kernel.verdict &&
	    kernel.length == frame->len &&
	    action == (expected->verdict == VERDICT_DROP ? XDP_DROP : XDP_PASS))
		return;
	fail_msg("%s, %s: expected %u for %u, native %u for %u, kernel %u for %u, action %u",
		 row->name, conformance_side_names[side], expected->verdict, expected->reason,
		 native.verdict, native.reason, kernel.verdict, kernel.reason, action);
}

static void every_row_is_judged_as_the_table_says(void **state)
{
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = NULL;
	unsigned int rows = 0;

	rig_of(state);
	assert_int_equal(twin_open(NULL, &twin, &diag), 0);
	for (enum conformance_setting setting = 0; setting < SETTINGS; setting++) {
		struct bench bench = { .twin = twin };

		stage(setting, &bench);
		conformance_each(setting, check_row, &bench);
		image_free(&bench.image);
		assert_true(bench.packets >= 10);
		rows += bench.packets;
	}
	assert_int_equal(rows, conformance_row_count * SIDES);
}

/* The IPv4 packet of a frame of so many bytes fills it. */
static void put_total(uint8_t *frame, uint32_t length)
{
	const uint32_t total = length - sizeof(struct ethhdr);

	frame[16] = (uint8_t)(total >> 8);
	frame[17] = (uint8_t)total;
}

/* One packet in several buffers, as a card with an MTU of 9000 delivers it. */
static void packets_of_several_buffers_are_judged_by_their_headers(void **state)
{
	static const uint32_t lengths[] = { 1514, 3521, 9014, 65535 };
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = NULL;
	struct bench bench = { 0 };
	struct frame frame;

	rig_of(state);
	assert_int_equal(twin_open(NULL, &twin, &diag), 0);
	bench.twin = twin;
	stage(SETTING_PLAIN, &bench);
	image_free(&bench.image);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		autofree uint8_t *bytes = calloc(1, lengths[i]);
		struct judged judged;

		assert_non_null(bytes);
		for (enum conformance_side side = 0; side < SIDES; side++) {
			syn_from(side == SIDE_BLOCKED ? 0xcb007142 : 0xc000020a, &frame);
			memcpy(bytes, frame.bytes, frame.len);
			put_total(bytes, lengths[i]);
			assert_int_equal(twin_run(twin, bytes, lengths[i], &judged, NULL), 0);
			assert_int_equal(judged.length, lengths[i]);
			assert_int_equal(judged.verdict,
					 side == SIDE_BLOCKED ? VERDICT_DROP : VERDICT_PASS);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_row_is_judged_as_the_table_says),
		TEST(packets_of_several_buffers_are_judged_by_their_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
