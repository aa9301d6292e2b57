/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Twins: the program judges packets without a trace in live state (F27). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "policy/frame.h"
#include "rig.h"

static const char policy[] = "version: 1\n"
			     "mode: enforce\n"
			     "lists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
			     "  - {name: grey, action: flag, entries: [198.51.100.0/24]}\n"
			     "  - {name: poor, action: score, family: rep, points: 5, entries: "
			     "[192.0.2.0/24]}\n";

static void syn_from(uint32_t source, struct frame *ret)
{
	static const struct frame_step steps[] = { { FRAME_IPV4, 0 }, { FRAME_TCP, TCP_SYN } };
	const struct frame_ends ends = { .src4 = address_v4(source),
					 .dst4 = address_v4(0xc6120001),
					 .sport = 40000,
					 .dport = 80 };
	struct frame_step ended[3] = { steps[0], steps[1], { FRAME_END, 0 } };

	assert_int_equal(frame_build(ended, &ends, ret), 0);
}

static struct judged run(struct twin *twin, uint32_t source)
{
	struct judged judged = { 0 };
	struct frame frame;

	syn_from(source, &frame);
	assert_int_equal(twin_run(twin, frame.bytes, frame.len, &judged, NULL), 0);
	return judged;
}

static void a_twin_of_its_own_judges_a_staged_image(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_twin struct twin *twin = NULL;
	auto_diag struct diag diag = { 0 };
	struct judged judged;

	rig_of(state);
	rig_image(policy, &image);
	assert_int_equal(twin_open(NULL, &twin, &diag), 0);
	assert_int_equal(twin_command(twin, 2, MODE_ENFORCE, 0), 0);
	assert_int_equal(run(twin, 0xcb007101).reason, REASON_SLOT_EMPTY);
	assert_int_equal(twin_stage(twin, &image, 2, &diag), 0);
	judged = run(twin, 0xcb007101);
	assert_int_equal(judged.verdict, VERDICT_DROP);
	assert_int_equal(judged.enforced, VERDICT_DROP);
	assert_int_equal(judged.reason, REASON_LIST_DROP);
	assert_int_equal(judged.list, 1);
	assert_int_equal(judged.slot, 2);
	assert_int_equal(run(twin, 0xc6336401).verdict, VERDICT_FLAG);
	assert_int_equal(run(twin, 0x08080808).reason, REASON_NO_MATCH);
	assert_int_equal(twin_command(twin, 2, MODE_MONITOR, 0), 0);
	judged = run(twin, 0xcb007101);
	assert_int_equal(judged.verdict, VERDICT_DROP);
	assert_int_equal(judged.enforced, VERDICT_PASS);
	assert_int_equal(twin_command(twin, 2, MODE_ENFORCE, 1 << STAGE_DROP), 0);
	assert_int_equal(run(twin, 0xcb007101).reason, REASON_KILLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_twin_of_its_own_judges_a_staged_image, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
