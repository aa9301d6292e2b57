/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an instance lives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/places.h"

static int forget_folders(void **state)
{
	(void)state;
	unsetenv("STANCH_STATE_DIR");
	unsetenv("STANCH_RUN_DIR");
	unsetenv("STANCH_BPF_DIR");
	return 0;
}

static void the_usual_places_are_those_of_the_manual(void **state)
{
	struct places places;

	(void)state;
	assert_int_equal(places_find("default", &places), 0);
	assert_string_equal(places.instance, "default");
	assert_string_equal(places.state, "/var/lib/stanch/default");
	assert_string_equal(places.run, "/run/stanch");
	assert_string_equal(places.lock, "/run/stanch/default.lock");
	assert_string_equal(places.bpf, "/run/stanch/bpf");
	assert_string_equal(places.pins, "/run/stanch/bpf/default");
}

static void the_environment_moves_each_of_them(void **state)
{
	struct places places;

	(void)state;
	setenv("STANCH_STATE_DIR", "/a", 1);
	setenv("STANCH_RUN_DIR", "/b", 1);
	setenv("STANCH_BPF_DIR", "/c", 1);
	assert_int_equal(places_find("0x_y-z", &places), 0);
	assert_string_equal(places.state, "/a/0x_y-z");
	assert_string_equal(places.run, "/b");
	assert_string_equal(places.lock, "/b/0x_y-z.lock");
	assert_string_equal(places.bpf, "/c");
	assert_string_equal(places.pins, "/c/0x_y-z");
	setenv("STANCH_STATE_DIR", "", 1);
	assert_int_equal(places_find("x", &places), 0);
	assert_string_equal(places.state, "/var/lib/stanch/x");
}

static void a_name_that_could_leave_its_folder_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"a/b",
		"../a",
		"-a",
		"_a",
		"A",
		"a b",
		"a.b",
		"\xc3\xa9",
		"a\n",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct places places = { .instance = "kept" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(places_find(bad[i], &places), -EINVAL);
	assert_int_equal(places_find(bad[i - 1] + 1, &places), 0);
	assert_int_equal(strlen(places.instance), 63);
}

static void a_path_that_does_not_fit_is_refused_and_changes_nothing(void **state)
{
	static const char *const variables[] = { "STANCH_STATE_DIR", "STANCH_RUN_DIR",
						 "STANCH_BPF_DIR" };
	struct places places = { .instance = "kept" };
	char path[PATH_MAX];
	size_t i;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	for (i = 0; i < ARRAY_SIZE(variables); i++) {
		setenv(variables[i], path, 1);
		assert_int_equal(places_find("x", &places), -ENAMETOOLONG);
		unsetenv(variables[i]);
	}
	assert_string_equal(places.instance, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_usual_places_are_those_of_the_manual,
						forget_folders, forget_folders),
		cmocka_unit_test_setup_teardown(the_environment_moves_each_of_them, forget_folders,
						forget_folders),
		cmocka_unit_test_setup_teardown(a_name_that_could_leave_its_folder_is_refused,
						forget_folders, forget_folders),
		cmocka_unit_test_setup_teardown(
			a_path_that_does_not_fit_is_refused_and_changes_nothing, forget_folders,
			forget_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
