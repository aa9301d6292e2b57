/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is loaded decides: a program with room for less is obeyed (F07), one of another version is
 * refused by name of both versions (F35), and a file that is no program of ours is neither.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "dataplane/inside.h"
#include "frames.h"
#include "policies.h"
#include "rig.h"

static void an_image_of(uint32_t lists, struct image_file *ret)
{
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };

	for (uint32_t i = 0; i < lists; i++) {
		uint16_t id = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);

		make_prefix(&made, id, 4, (unsigned __int128)(0x0a000000 + i) << 96, 32);
	}
	made_compile(&made, ret);
}

static int stage(struct instance *instance, uint32_t lists, struct diag *diag)
{
	auto_image struct image_file image = { 0 };

	an_image_of(lists, &image);
	return slot_stage(instance, &image, lists, 1, diag);
}

static void a_program_with_room_for_less_is_obeyed(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	autofree struct hit *hits = calloc(66, sizeof(*hits));
	auto_diag struct diag diag = { 0 };
	unsigned int held;

	rig_variant("small.bpf.o");
	instance = rig_create(rig);
	unsetenv("STANCH_OBJECT"); /* the tool still believes in 4096 */
	assert_int_equal(instance_limits(instance)->lists, 64);
	assert_int_equal(instance_limits(instance)->prefixes, 1000);
	held = rig_held();
	assert_int_equal(stage(instance, 65, &diag), -EINVAL);
	assert_true(rig_has(&diag, "too_many_lists"));
	assert_true(diag.problems[0].has_limit);
	assert_int_equal(diag.problems[0].actual, 65);
	assert_int_equal(diag.problems[0].limit, 64);
	assert_int_equal(rig_held(), held);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(slot_verify(instance, 1), -ENOENT);
	assert_int_equal(stage(instance, 64, &diag), 0);
	assert_non_null(hits);
	assert_int_equal(hits_read(instance, 1, hits), 0);
}

/* Hits are indexed by what is loaded, not by what the tool was built for. */
static void hits_of_a_small_program_are_those_of_its_slots(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	auto_control struct control *control = NULL;
	autofree struct hit *hits = calloc(66, sizeof(*hits));
	auto_diag struct diag diag = { 0 };
	autoclose int program = -1;
	struct frame frame;

	rig_variant("small.bpf.o");
	instance = rig_create(rig);
	assert_int_equal(stage(instance, 64, &diag), 0);
	assert_int_equal(control_open(&rig->places, &control), 0);
	assert_int_equal(control_swap(control, 1, 0), 0);
	program = rig_program(rig);
	syn_from(0x0a000000 + 63, &frame);
	assert_int_equal(rig_judge(program, frame.bytes, frame.len), 1); /* XDP_DROP */
	assert_int_equal(hits_read(instance, 1, hits), 0);
	assert_int_equal(hits[64].packets, 1);
	assert_int_equal(hits[64].bytes, frame.len);
	assert_int_equal(learned_limit(instance, LEARNED_SOURCES), 1024);
	assert_int_equal(learned_limit(instance, LEARNED_NETWORKS), 256);
}

/* The built object with one number of its limits changed. */
static void another_object(const struct rig *rig, size_t offset, uint32_t value)
{
	const char *build = getenv("BUILD");
	auto_buf struct buf bytes = { 0 };
	char path[PATH_MAX];
	char *limits;

	snprintf(path, sizeof(path), "%s/bpf/stanch.bpf.o", build ? build : "build");
	assert_int_equal(file_read(path, 16 << 20, &bytes), 0);
	limits = memmem(bytes.data, bytes.len, &limits_builtin, sizeof(limits_builtin));
	assert_non_null(limits);
	memcpy(limits + offset, &value, sizeof(value));
	snprintf(path, sizeof(path), "%s/other.bpf.o", rig->folder);
	assert_int_equal(file_write_atomic(path, bytes.data, bytes.len, 0600), 0);
	setenv("STANCH_OBJECT", path, 1);
}

static void a_program_of_another_version_is_refused_before_it_is_loaded(void **state)
{
	static const size_t offsets[] = { offsetof(struct limits, abi),
					  offsetof(struct limits, image_version),
					  offsetof(struct limits, slots) };
	struct rig *rig = rig_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct instance *instance = NULL;
		auto_diag struct diag diag = { 0 };

		another_object(rig, offsets[i], 77);
		assert_int_equal(instance_create(&rig->places, &instance, &diag), -EPROTO);
		assert_true(rig_has(&diag, "abi_version"));
		assert_non_null(strstr(diag.problems[0].message, "77"));
		assert_non_null(strstr(diag.problems[0].message, " 1 "));
		assert_int_equal(rig_pins(rig), 0);
	}
}

/* A running instance of another version: never remade over what filters now. */
static void an_instance_of_another_version_is_refused_and_kept(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_diag struct diag diag = { 0 };
	char before[INSTANCE_IDENTITY], after[INSTANCE_IDENTITY];
	struct instance *other = NULL;
	uint32_t zero = 0;
	struct limits limits = limits_builtin;
	autoclose int map = -1;

	limits.abi = 2;
	assert_int_equal(instance_identity(instance, before), 0);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "limits", 4, sizeof(limits), 1, NULL);
	assert_int_equal(bpf_map_update_elem(map, &zero, &limits, BPF_ANY), 0);
	assert_int_equal(bpffs_pin(map, rig->places.pins, "limits", 0640), 0);
	assert_int_equal(instance_open(&rig->places, &other, &diag), -EPROTO);
	assert_true(rig_has(&diag, "abi_version"));
	assert_int_equal(instance_create(&rig->places, &other, &diag), -EPROTO);
	assert_null(other);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(
		bpffs_pin(instance_map_fd(instance, "limits"), rig->places.pins, "limits", 0640),
		0);
	other = rig_create(rig);
	assert_int_equal(instance_identity(other, after), 0);
	instance_close(&other);
	assert_string_equal(before, after);
}

static void an_image_of_another_version_is_refused(void **state)
{
	auto_instance struct instance *instance = rig_create(rig_of(state));
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	an_image_of(1, &image);
	((struct image_id *)image.bytes)->version = 9;
	image_digest(&image.image, ((struct image_id *)image.bytes)->digest);
	assert_int_equal(slot_stage(instance, &image, 1, 1, &diag), -EINVAL);
	assert_true(rig_has(&diag, "image_version"));
	assert_non_null(strstr(diag.problems[0].message, "9"));
}

static void a_file_that_is_no_program_of_ours_is_refused(void **state)
{
	static const char text[] = "this is not an object file";
	struct rig *rig = rig_of(state);
	struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/text", rig->folder);
	setenv("STANCH_OBJECT", path, 1);
	assert_int_equal(instance_create(&rig->places, &instance, &diag), -ENOENT);
	assert_int_equal(file_write_atomic(path, text, sizeof(text), 0600), 0);
	assert_true(instance_create(&rig->places, &instance, &diag) < 0);
	assert_int_equal(diag.total, 2);
	assert_null(instance);
	assert_int_equal(rig_pins(rig), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_program_with_room_for_less_is_obeyed),
		TEST(hits_of_a_small_program_are_those_of_its_slots),
		TEST(a_program_of_another_version_is_refused_before_it_is_loaded),
		TEST(an_instance_of_another_version_is_refused_and_kept),
		TEST(an_image_of_another_version_is_refused),
		TEST(a_file_that_is_no_program_of_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
