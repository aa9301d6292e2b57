/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, opening and removing instances, whole ones and what a killed creator leaves. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "dataplane/inside.h"
#include "rig.h"

static int open_again(const struct rig *rig, struct instance **ret, struct diag *diag)
{
	return instance_open(&rig->places, ret, diag);
}

static void unpin(const struct rig *rig, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", rig->places.pins, name);
	assert_int_equal(unlink(path), 0);
}

static void there_is_no_instance_until_one_is_made(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };

	assert_int_equal(open_again(rig, &instance, &diag), -ENOENT);
	assert_null(instance);
	assert_int_equal(instance_destroy(&rig->places), 0);
}

static void a_new_instance_enforces_the_factory_generation(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_control struct control *control = NULL;
	struct slot_info info;
	struct word word;

	assert_int_equal(control_open(&rig->places, &control), 0);
	word = word_unpack(control_load(control, CONTROL_WORD));
	assert_int_equal(word.mode, MODE_ENFORCE);
	assert_int_equal(word.live, 0);
	assert_int_equal(word.good, 0);
	assert_int_equal(word.provisional, 0);
	assert_int_equal(slot_read(instance, 0, &info), 0);
	assert_int_equal(info.generation, 0);
	assert_true(info.lines > 0);
	assert_int_equal(slot_verify(instance, 0), 0);
	assert_int_equal(slot_check(instance, 0), 0);
	assert_int_equal(slot_verify(instance, 1), -ENOENT);
}

static void a_second_create_opens_the_first(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *first = rig_create(rig);
	auto_instance struct instance *second = rig_create(rig);
	char a[INSTANCE_IDENTITY], b[INSTANCE_IDENTITY];

	assert_int_equal(instance_identity(first, a), 0);
	assert_int_equal(instance_identity(second, b), 0);
	assert_string_equal(a, b);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

static void a_purged_instance_comes_back_as_another(void **state)
{
	struct rig *rig = rig_of(state);
	char a[INSTANCE_IDENTITY], b[INSTANCE_IDENTITY];
	struct instance *instance = rig_create(rig);

	assert_int_equal(instance_identity(instance, a), 0);
	instance_close(&instance);
	assert_int_equal(instance_destroy(&rig->places), 0);
	assert_int_equal(rig_pins(rig), 0);
	instance = rig_create(rig);
	assert_int_equal(instance_identity(instance, b), 0);
	instance_close(&instance);
	assert_string_not_equal(a, b);
}

static void the_limits_are_those_of_the_loaded_program(void **state)
{
	auto_instance struct instance *instance = rig_create(rig_of(state));
	const struct limits *limits = instance_limits(instance);

	assert_memory_equal(limits, &limits_builtin, sizeof(*limits));
}

/* Killed while building: everything is beside the place, nothing in it. */
static void what_a_killed_creator_built_is_thrown_away(void **state)
{
	struct rig *rig = rig_of(state);
	struct instance *instance = rig_create(rig);
	auto_diag struct diag diag = { 0 };
	char aside[PATH_MAX + 8];

	assert_int_equal(
		bpffs_pin(instance_map_fd(instance, "slots"), rig->places.pins, "stray", 0640), 0);
	instance_close(&instance);
	snprintf(aside, sizeof(aside), "%s+new", rig->places.pins);
	assert_int_equal(rename(rig->places.pins, aside), 0);
	assert_int_equal(open_again(rig, &instance, &diag), -ENOENT);
	instance = rig_create(rig);
	instance_close(&instance);
	assert_int_equal(access(aside, F_OK), -1);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

static void an_instance_without_a_pin_is_told_and_remade(void **state)
{
	static const char *const pins[] = { "control", "slots", "limits", "prog-mark", "seed" };
	struct rig *rig = rig_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		struct instance *instance = rig_create(rig);
		auto_diag struct diag diag = { 0 };

		instance_close(&instance);
		unpin(rig, pins[i]);
		assert_int_equal(open_again(rig, &instance, &diag), -EPROTO);
		assert_true(rig_has(&diag, "incomplete"));
		instance = rig_create(rig);
		instance_close(&instance);
		assert_int_equal(rig_pins(rig), RIG_WHOLE);
	}
}

static void an_empty_folder_is_an_incomplete_instance(void **state)
{
	struct rig *rig = rig_of(state);
	struct instance *instance = rig_create(rig);

	instance_close(&instance);
	assert_int_equal(instance_destroy(&rig->places), 0);
	assert_int_equal(mkdir(rig->places.pins, 0700), 0);
	instance = rig_create(rig);
	instance_close(&instance);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

/*
 * instance_create() as in a command that `ip netns exec` or a service manager gives mounts of its
 * own. Returns 0 when it succeeds, 1 when it is refused for that, 2 otherwise.
 */
static int create_alone(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int r;

	if (unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 2;
	r = instance_create(&rig->places, &instance, &diag);
	return r == -EXDEV && rig_has(&diag, "bpffs") ? 1 : !!r * 2;
}

static int in_a_child(const struct rig *rig, int (*fn)(const struct rig *rig))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(fn(rig));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void pins_that_would_end_with_the_command_are_not_made(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;

	assert_int_equal(in_a_child(rig, create_alone), 1);
	/* where the bpffs is mounted already, the pins are everybody's */
	instance = rig_create(rig);
	assert_int_equal(in_a_child(rig, create_alone), 0);
}

static void secrets_are_for_the_owner_alone(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	static const struct {
		const char *name;
		mode_t mode;
	} pins[] = { { "seed", 0600 },	      { "control", 0640 }, { "slots", 0640 },
		     { "prog-stanch", 0600 }, { "gen-0", 0640 },   { "limits", 0640 } };
	uint8_t seed[32] = { 0 }, zeroes[32] = { 0 };
	char path[PATH_MAX + 64];
	uint32_t zero = 0;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		snprintf(path, sizeof(path), "%s/%s", rig->places.pins, pins[i].name);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, pins[i].mode);
	}
	assert_int_equal(stat(rig->places.pins, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat(rig->places.bpf, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(bpf_map_lookup_elem(instance_map_fd(instance, "seed"), &zero, seed), 0);
	assert_memory_not_equal(seed, zeroes, sizeof(seed));
	assert_int_equal(instance_map_fd(instance, "nonsense"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_is_no_instance_until_one_is_made, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(a_new_instance_enforces_the_factory_generation,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_second_create_opens_the_first, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(a_purged_instance_comes_back_as_another, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(the_limits_are_those_of_the_loaded_program,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(what_a_killed_creator_built_is_thrown_away,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(an_instance_without_a_pin_is_told_and_remade,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(an_empty_folder_is_an_incomplete_instance,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(pins_that_would_end_with_the_command_are_not_made,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(secrets_are_for_the_owner_alone, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
