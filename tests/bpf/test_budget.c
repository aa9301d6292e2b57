/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verifier had to look at for each program, against tests/bpf/verified.budget. The budget
 * goes one way: a program may be at most 2 % above its number, and one that got cheaper should have
 * its number lowered. To write the file anew from what was measured here, after a look at why:
 *
 *   BUDGET_WRITE=1 build/tests/bpf/test_budget
 *
 * The verifier differs between kernels and compilers: with another release than the recorded one
 * the programs must load, and the numbers are not compared.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "dataplane/inside.h"
#include "rig.h"

#define BUDGET "tests/bpf/verified.budget"
#define SLACK_PERCENT 2

struct measured {
	char kernel[32]; /* "6.18" */
	uint32_t insns[PROGRAMS];
};

static void measure(struct rig *rig, struct measured *ret)
{
	auto_instance struct instance *instance = rig_create(rig);
	struct utsname name;
	unsigned long major;
	char *end;

	assert_int_equal(uname(&name), 0);
	major = strtoul(name.release, &end, 10);
	assert_int_equal(*end, '.');
	snprintf(ret->kernel, sizeof(ret->kernel), "%lu.%lu", major, strtoul(end + 1, NULL, 10));
	for (int i = 0; i < PROGRAMS; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(instance->programs[i], &info, &size), 0);
		ret->insns[i] = info.verified_insns;
		print_message("%s %u\n", program_kinds[i].object, info.verified_insns);
	}
}

static void write_budget(const struct measured *measured)
{
	autofclose FILE *file = fopen(BUDGET, "we");

	assert_non_null(file);
	fprintf(file, "kernel %s\n", measured->kernel);
	for (int i = 0; i < PROGRAMS; i++)
		fprintf(file, "%s %u\n", program_kinds[i].object, measured->insns[i]);
}

/* The number behind @name, 0 when there is none. */
static uint32_t budgeted(FILE *file, const char *name)
{
	char line[128];
	size_t len = strlen(name);

	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			return (uint32_t)strtoul(line + len, NULL, 10);
	}
	return 0;
}

static bool same_kernel(FILE *file, const struct measured *measured)
{
	char recorded[32] = "";

	rewind(file);
	return fscanf(file, "kernel %31s", recorded) == 1 && !strcmp(recorded, measured->kernel);
}

static void no_program_is_over_its_budget(void **state)
{
	struct rig *rig = rig_of(state);
	autofclose FILE *file = NULL;
	struct measured measured;

	measure(rig, &measured);
	if (getenv("BUDGET_WRITE"))
		write_budget(&measured);
	file = fopen(BUDGET, "re");
	assert_non_null(file);
	if (!same_kernel(file, &measured)) {
		print_message("the budget was recorded on another kernel than %s\n",
			      measured.kernel);
		skip();
	}
	for (int i = 0; i < PROGRAMS; i++) {
		uint64_t budget = budgeted(file, program_kinds[i].object);

		if (measured.insns[i] * 100ull > budget * (100 + SLACK_PERCENT))
			fail_msg("%s: the verifier looked at %u instructions, %u are budgeted",
				 program_kinds[i].object, measured.insns[i], (uint32_t)budget);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_program_is_over_its_budget, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
