/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read out of the kernel's own texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/machine.h"

static const char cpuinfo[] = "processor\t: 0\n"
			      "model\t\t: 17\n"
			      "model name\t: A processor @ 2 GHz: fast\n"
			      "flags\t\t: fpu hypervisor sse\n"
			      "\n"
			      "processor\t: 1\n"
			      "model name\t: another\n";

static void a_field_is_what_stands_behind_its_colon(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(machine_field(cpuinfo, "model name", out, sizeof(out)),
			    "A processor @ 2 GHz: fast");
	assert_string_equal(machine_field(cpuinfo, "flags", out, sizeof(out)),
			    "fpu hypervisor sse");
}

static void a_name_is_not_the_start_of_a_longer_one(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(machine_field(cpuinfo, "model", out, sizeof(out)), "17");
	assert_string_equal(machine_field(cpuinfo, "mode", out, sizeof(out)), "");
}

static void what_is_not_there_is_empty(void **state)
{
	char out[64] = "before";

	(void)state;
	assert_string_equal(machine_field(cpuinfo, "stepping", out, sizeof(out)), "");
	assert_string_equal(machine_field("", "model", out, sizeof(out)), "");
	assert_string_equal(machine_field(NULL, "model", out, sizeof(out)), "");
	assert_string_equal(machine_line("/nowhere/at/all", out, sizeof(out)), "");
}

static void what_is_too_long_is_cut(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(machine_field(cpuinfo, "model name", out, sizeof(out)), "A proce");
}

static void this_machine_says_what_it_is(void **state)
{
	struct machine machine;
	struct utsname kernel;

	(void)state;
	machine_find(&machine);
	assert_int_equal(uname(&kernel), 0);
	assert_non_null(strstr(machine.kernel, kernel.release));
	assert_in_range(machine.cpus, 1, 4096);
	for (uint32_t i = 0; i < MITIGATIONS; i++)
		assert_non_null(machine.mitigations[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_what_stands_behind_its_colon),
		cmocka_unit_test(a_name_is_not_the_start_of_a_longer_one),
		cmocka_unit_test(what_is_not_there_is_empty),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test(this_machine_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
