/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel refuses, at every call of a transaction in turn (F08): nothing is published, nothing
 * is left over, what was there before serves on, and people are told in words that mean something.
 * libbpf's bpf() calls come through syscall(), which this program defines.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "frames.h"
#include "rig.h"

#define BAD 0xcb007101

static const char before_policy[] = "version: 1\nmode: enforce\nlists:\n"
				    "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";
static const char after_policy[] = "version: 1\nmode: enforce\nlists:\n"
				   "  - {name: bad, action: drop, entries: [192.0.2.0/24]}\n";

/* Call number @refuse_at of bpf() fails with @refuse_with; 0: none does. */
static unsigned int calls, refuse_at;
static int refuse_with;

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long a[6];
	va_list arguments;

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_bpf && ++calls == refuse_at) {
		errno = refuse_with;
		return -1;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void refuse(unsigned int at, int with)
{
	calls = 0;
	refuse_at = at;
	refuse_with = with;
}

/* Told, and not in words about arguments or files. */
static void assert_told(const struct diag *diag)
{
	assert_true(diag->stored > 0);
	for (uint32_t i = 0; i < diag->stored; i++) {
		const char *message = diag->problems[i].message;

		if (strstr(message, strerror(E2BIG)))
			fail_msg("raw: %s", message);
	}
}

static int stage(struct instance *instance, struct diag *diag)
{
	auto_image struct image_file image = { 0 };
	int r;

	rig_image(after_policy, &image);
	r = slot_stage(instance, &image, 2, 2, diag);
	refuse_at = 0;
	return r;
}

/* @r: of a staging in which one call failed. Slot 2 is as it was before it, or whole. */
static void check_slot(struct rig *rig, const struct instance *instance, int r, bool filled)
{
	unsigned int pins = RIG_WHOLE + 1 + (filled || !r);
	struct slot_info info;

	assert_int_equal(slot_read(instance, 2, &info), 0);
	assert_int_equal(info.lines != 0, filled || !r);
	assert_int_equal(info.generation, !r ? 2 : filled ? 7 : 0);
	assert_int_equal(slot_verify(instance, 2), filled || !r ? 0 : -ENOENT);
	assert_int_equal(rig_pins(rig), pins);
}

static void refuse_every_call_of_staging(struct rig *rig, struct instance *instance, int error,
					 bool filled)
{
	unsigned int held, at;
	auto_image struct image_file image = { 0 };
	autoclose int program = rig_program(rig);
	struct frame frame;
	int r = -1;

	rig_image(before_policy, &image);
	syn_from(BAD, &frame);
	held = rig_held();
	for (at = 1; r && at < 100; at++) {
		auto_diag struct diag diag = { 0 };

		if (filled)
			assert_int_equal(slot_stage(instance, &image, 7, 2, &diag), 0);
		refuse(at, error);
		r = stage(instance, &diag);
		if (r)
			assert_told(&diag);
		assert_int_not_equal(r, -E2BIG);
		check_slot(rig, instance, r, filled);
		assert_int_equal(rig_held(), held);
		assert_int_equal(rig_judge(program, frame.bytes, frame.len), XDP_DROP);
	}
	assert_in_range(at, 8, 99); /* scratch, wait, create, freeze, look, publish, pin ... */
	assert_int_equal(slot_withdraw(instance, 2), 0);
}

static void a_refusal_at_any_step_of_staging_changes_nothing(void **state)
{
	static const int errors[] = { E2BIG, ENOMEM, EPERM };
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);

	assert_int_equal(rig_apply(rig, instance, before_policy, 1), 1);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		refuse_every_call_of_staging(rig, instance, errors[i], false);
		refuse_every_call_of_staging(rig, instance, errors[i], true);
	}
}

/* libbpf tries some things and goes on without them, so a refusal may also be survived. */
static void a_refusal_at_any_step_of_making_an_instance_leaves_none(void **state)
{
	struct rig *rig = rig_of(state);
	unsigned int refused = 0, at = 1, held;
	struct instance *instance = rig_create(rig); /* mounts, and lets libbpf probe the kernel */
	bool more = true;

	instance_close(&instance);
	assert_int_equal(instance_destroy(&rig->places), 0);
	held = rig_held();
	for (; more && at < 400; at += 3) {
		auto_diag struct diag diag = { 0 };
		int r;

		refuse(at, at % 2 ? EPERM : ENOMEM);
		r = instance_create(&rig->places, &instance, &diag);
		more = calls >= refuse_at;
		refuse_at = 0;
		instance_close(&instance);
		if (r) {
			refused++;
			assert_told(&diag);
			assert_int_equal(rig_pins(rig), 0);
		}
		assert_int_equal(rig_held(), held);
		assert_int_equal(instance_destroy(&rig->places), 0);
	}
	assert_true(refused > 10);
	assert_true(at < 400);
	instance = rig_create(rig);
	instance_close(&instance);
}

static void a_refusal_while_attaching_leaves_nothing_attached(void **state)
{
	struct rig *rig = rig_of(state);
	struct instance *instance = rig_create(rig);
	unsigned int a = rig_namespace(rig), b = rig_namespace(rig);
	unsigned int held = rig_held(), at;
	int r = -1;

	rig_veth(rig, a, b, "veth-rig");
	rig_enter(rig, b);
	for (at = 1; r && at < 100; at++) {
		auto_diag struct diag diag = { 0 };

		refuse(at, EPERM);
		r = attach_interface(instance, "veth-rig", ATTACH_NATIVE, &diag);
		refuse_at = 0;
		assert_int_equal(rig_held(), held);
		assert_int_equal(rig_pins(rig), RIG_WHOLE + (r ? 0 : 2));
		if (r)
			assert_told(&diag);
	}
	assert_in_range(at, 4, 99);
	rig_leave(rig);
	instance_close(&instance);
}

static void a_refused_twin_leaves_nothing(void **state)
{
	struct rig *rig = rig_of(state);
	struct instance *instance = rig_create(rig);
	unsigned int held = rig_held(), refused = 0;

	for (unsigned int at = 1; at < 60; at++) {
		struct twin *twin = NULL;
		auto_diag struct diag diag = { 0 };
		int r;

		refuse(at, ENOMEM);
		r = twin_open(instance, &twin, &diag);
		refuse_at = 0;
		refused += r != 0;
		if (r)
			assert_told(&diag);
		twin_close(&twin);
		assert_int_equal(rig_held(), held);
	}
	assert_true(refused > 5);
	instance_close(&instance);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_refusal_at_any_step_of_staging_changes_nothing),
		TEST(a_refusal_at_any_step_of_making_an_instance_leaves_none),
		TEST(a_refusal_while_attaching_leaves_nothing_attached),
		TEST(a_refused_twin_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
