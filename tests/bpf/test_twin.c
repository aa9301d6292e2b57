/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Twins judge packets without a trace in live state (F27), and golden packets prove images (F38). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "frames.h"
#include "rig.h"

static const char policy[] = "version: 1\n"
			     "mode: enforce\n"
			     "protect: {prefixes: [203.0.113.7/32], ports: [22]}\n"
			     "lists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
			     "  - {name: grey, action: flag, entries: [198.51.100.0/24]}\n"
			     "  - {name: poor, action: score, family: rep, points: 5, entries: "
			     "[192.0.2.0/24]}\n";

static struct judged run(struct twin *twin, uint32_t source)
{
	struct judged judged = { 0 };
	struct frame frame;

	syn_from(source, &frame);
	assert_int_equal(twin_run(twin, frame.bytes, frame.len, &judged, NULL), 0);
	return judged;
}

static struct twin *twin_of(const struct instance *instance)
{
	auto_diag struct diag diag = { 0 };
	struct twin *twin = NULL;
	int r = twin_open(instance, &twin, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
	return twin;
}

static void a_twin_of_its_own_judges_a_staged_image(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = rig_of(state) ? twin_of(NULL) : NULL;
	struct judged judged;

	rig_image(policy, &image);
	assert_int_equal(twin_command(twin, 2, MODE_ENFORCE, 0), 0);
	assert_int_equal(run(twin, 0xcb007101).reason, REASON_SLOT_EMPTY);
	assert_int_equal(twin_stage(twin, &image, 2, &diag), 0);
	judged = run(twin, 0xcb007101);
	assert_int_equal(judged.verdict, VERDICT_DROP);
	assert_int_equal(judged.enforced, VERDICT_DROP);
	assert_int_equal(judged.reason, REASON_LIST_DROP);
	assert_int_equal(judged.list, 1);
	assert_int_equal(judged.slot, 2);
	assert_int_equal(judged.family, 4);
	assert_int_equal(judged.sport, 40000);
	assert_int_equal(judged.dport, 80);
	assert_memory_equal(judged.src, "\xcb\x00\x71\x01", 4);
	assert_int_equal(run(twin, 0xc6336401).verdict, VERDICT_FLAG);
	assert_int_equal(run(twin, 0x08080808).reason, REASON_NO_MATCH);
	assert_int_equal(twin_command(twin, SLOTS, MODE_ENFORCE, 0), -EINVAL);
	assert_int_equal(twin_stage(twin, &image, SLOTS, &diag), -EINVAL);
}

static void a_twin_obeys_mode_and_kill_bits(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = rig_of(state) ? twin_of(NULL) : NULL;
	struct judged judged;

	rig_image(policy, &image);
	assert_int_equal(twin_stage(twin, &image, 0, &diag), 0);
	for (enum mode mode = MODE_BYPASS; mode <= MODE_MONITOR; mode++) {
		assert_int_equal(twin_command(twin, 0, mode, 0), 0);
		judged = run(twin, 0xcb007101);
		assert_int_equal(judged.verdict, VERDICT_DROP); /* what it would be */
		assert_int_equal(judged.enforced, VERDICT_PASS);
	}
	assert_int_equal(twin_command(twin, 0, MODE_ENFORCE, 1 << STAGE_DROP), 0);
	assert_int_equal(run(twin, 0xcb007101).reason, REASON_KILLED);
}

static void frames_that_the_kernel_cannot_run_are_refused(void **state)
{
	auto_twin struct twin *twin = rig_of(state) ? twin_of(NULL) : NULL;
	autofree uint8_t *bytes = calloc(1, 300000);
	struct judged judged = { .verdict = 99 };
	uint32_t action = 99;

	assert_non_null(bytes);
	assert_int_equal(twin_command(twin, 0, MODE_ENFORCE, 0), 0);
	assert_int_equal(twin_run(twin, bytes, 0, &judged, &action), -EINVAL);
	assert_int_equal(twin_run(twin, bytes, 13, &judged, &action), -EINVAL);
	assert_int_equal(twin_run(twin, bytes, 300000, &judged, &action), -EINVAL);
	assert_int_equal(judged.verdict, 99);
	assert_int_equal(action, 99);
	assert_int_equal(twin_run(twin, bytes, 14, &judged, &action), 0);
	assert_int_equal(action, XDP_PASS);
}

/* ---- F27 ---- */

struct live_state {
	struct counter counters[COUNTERS];
	struct hit hits[SLOTS][LIMIT_LISTS + 2];
	struct event_budget budget[LIMIT_REASONS];
	struct slot_info info[SLOTS];
	uint64_t control[CONTROL_ENTRIES];
};

static struct live_state *live_state(struct rig *rig, const struct instance *instance)
{
	struct live_state *is = calloc(1, sizeof(*is));
	auto_control struct control *control = NULL;

	assert_non_null(is);
	assert_int_equal(control_open(&rig->places, &control), 0);
	assert_int_equal(counters_read(instance, is->counters), 0);
	assert_int_equal(budget_read(instance, is->budget), 0);
	for (unsigned int i = 0; i < SLOTS; i++) {
		assert_int_equal(hits_read(instance, i, is->hits[i]), 0);
		assert_int_equal(slot_read(instance, i, &is->info[i]), 0);
	}
	for (unsigned int i = 0; i < CONTROL_ENTRIES; i++)
		is->control[i] = control_load(control, i);
	return is;
}

static int any_event(void *context, const struct event *event)
{
	(void)event;
	++*(unsigned int *)context;
	return 0;
}

static void proofs_leave_live_state_as_it_was(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int slot = rig_apply(rig, instance, policy, 5);
	auto_twin struct twin *twin = twin_of(instance);
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	autofree struct live_state *before = NULL, *after = NULL;
	autoclose int program = rig_program(rig);
	unsigned int events = 0;
	struct frame frame;
	struct proof proof;

	rig_image(policy, &image);
	syn_from(0xcb007101, &frame);
	rig_judge(program, frame.bytes, frame.len); /* so that there is something to keep */
	assert_int_equal(events_follow(instance, 0, any_event, &events), 0);
	assert_int_equal(events, 1);
	before = live_state(rig, instance);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(prove_slot(twin, &image.image, slot, &proof, &diag), 0);
		for (uint32_t source = 0; source < 100; source++)
			assert_int_equal(run(twin, 0xcb007100 + source).slot, slot);
	}
	after = live_state(rig, instance);
	assert_int_equal(memcmp(before, after, sizeof(*before)), 0);
	assert_int_equal(events_follow(instance, 0, any_event, &events), 0);
	assert_int_equal(events, 1);
	assert_int_equal(twin_stage(twin, &image, 3, &diag), -EINVAL); /* not its slots */
}

static void a_twin_sees_what_is_staged_after_it_was_opened(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_twin struct twin *twin = twin_of(instance);
	unsigned int slot;

	assert_int_equal(twin_command(twin, 0, MODE_ENFORCE, 0), 0);
	assert_int_equal(run(twin, 0xcb007101).verdict, VERDICT_PASS);
	slot = rig_apply(rig, instance, policy, 5);
	assert_int_equal(twin_command(twin, slot, MODE_ENFORCE, 0), 0);
	assert_int_equal(run(twin, 0xcb007101).verdict, VERDICT_DROP);
}

/* ---- proofs ---- */

static void a_right_image_is_proved(void **state)
{
	auto_twin struct twin *twin = rig_of(state) ? twin_of(NULL) : NULL;
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct proof proof = { 0 };

	rig_image(policy, &image);
	assert_int_equal(twin_stage(twin, &image, 1, &diag), 0);
	assert_int_equal(prove_slot(twin, &image.image, 1, &proof, &diag), 0);
	assert_true(proof.packets >= 35);
	assert_int_equal(proof.wrong, 0);
	assert_int_equal(diag.total, 0);
}

/* What a broken fill would leave: @line of the image flipped, frozen, and in slot 2. */
static void stage_flipped(struct twin *twin, const struct image_file *image, uint32_t line)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	autoclose int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "image", 4, LINE_SIZE,
					   image->image.lines, &opts);
	size_t size = (size_t)image->image.lines * LINE_SIZE;
	uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	uint32_t slot = 2;

	assert_ptr_not_equal(bytes, MAP_FAILED);
	memcpy(bytes, image->bytes, size);
	for (uint32_t i = 0; i < LINE_SIZE; i++)
		bytes[line * LINE_SIZE + i] ^= 0xff;
	munmap(bytes, size);
	assert_int_equal(bpf_map_freeze(map), 0);
	assert_int_equal(bpf_map_update_elem(twin_map_fd(twin, "slots"), &slot, &map, BPF_ANY), 0);
}

static void a_wrong_image_is_found(void **state)
{
	auto_twin struct twin *twin = rig_of(state) ? twin_of(NULL) : NULL;
	auto_image struct image_file image = { 0 };
	const struct image_hot *hot;
	uint32_t lines[3];

	rig_image(policy, &image);
	hot = image_hot(&image.image);
	lines[0] = IMAGE_HOT_LINE;
	lines[1] = hot->leaves_line;
	lines[2] = hot->ports_line; /* its first line holds port 22 */
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		auto_diag struct diag diag = { 0 };
		struct proof proof = { 0 };

		stage_flipped(twin, &image, lines[i]);
		assert_int_equal(prove_slot(twin, &image.image, 2, &proof, &diag), -EBADMSG);
		assert_true(proof.wrong > 0);
		assert_true(rig_has(&diag, "golden_packet"));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_twin_of_its_own_judges_a_staged_image),
		TEST(a_twin_obeys_mode_and_kill_bits),
		TEST(frames_that_the_kernel_cannot_run_are_refused),
		TEST(proofs_leave_live_state_as_it_was),
		TEST(a_twin_sees_what_is_staged_after_it_was_opened),
		TEST(a_right_image_is_proved),
		TEST(a_wrong_image_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
