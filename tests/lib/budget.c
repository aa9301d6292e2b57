/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The budget file, line by line; what is not a number of ours is kept as it stands. */
#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/cleanup.h"

static char *find(struct budget *budget, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < budget->count; i++)
		if (!strncmp(budget->lines[i], name, len) && budget->lines[i][len] == ' ')
			return budget->lines[i];
	fail_msg("%s: %s has no such line", name, BUDGET);
	return NULL;
}

/* Does @name stand there with @word? When renewing: now it does. */
static bool same(struct budget *budget, const char *name, const char *word)
{
	char *line = find(budget, name);

	if (budget->renew)
		snprintf(line, BUDGET_LINE, "%s %s", name, word);
	if (!strcmp(line + strlen(name) + 1, word))
		return true;
	print_message("the budget was recorded on another %s than %s\n", name, word);
	return false;
}

/* Is @word in the first kilobytes of a file, which tells what this machine is? */
static bool says(const char *path, const char *word)
{
	autofclose FILE *file = fopen(path, "re");
	char text[16384];
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[len] = '\0';
	return strstr(text, word) != NULL;
}

#define DEFECTS "/sys/devices/system/cpu/vulnerabilities/"

/* The kernel's release without its last numbers; of the machine, what machine code depends on. */
static void find_place(struct budget *budget)
{
	char kernel[32], machine[64];
	struct utsname name;
	char *end;
	unsigned long major;

	assert_int_equal(uname(&name), 0);
	major = strtoul(name.release, &end, 10);
	assert_int_equal(*end, '.');
	snprintf(kernel, sizeof(kernel), "%lu.%lu", major, strtoul(end + 1, NULL, 10));
	snprintf(machine, sizeof(machine), "%.16s%s%s%s", name.machine,
		 says("/proc/cpuinfo", " bmi2 ") ? "+bmi2" : "",
		 says(DEFECTS "spectre_v2", "Retpolines") ? "+retpolines" : "",
		 says(DEFECTS "spec_rstack_overflow", "Safe RET") ? "+safe-ret" : "");
	budget->same_kernel = same(budget, "kernel", kernel);
	budget->same_machine = same(budget, "machine", machine);
}

void budget_load(struct budget *ret)
{
	autofclose FILE *file = fopen(BUDGET, "re");

	assert_non_null(file);
	*ret = (struct budget){ .renew = getenv("BUDGET_WRITE") != NULL };
	while (ret->count < BUDGET_LINES && fgets(ret->lines[ret->count], BUDGET_LINE, file)) {
		ret->lines[ret->count][strcspn(ret->lines[ret->count], "\n")] = '\0';
		ret->count++;
	}
	assert_true(feof(file));
	find_place(ret);
}

bool budget_holds(struct budget *budget, const char *name, double measured)
{
	char *line = find(budget, name), *end;
	double most = strtod(line + strlen(name), &end);
	double percent = strtod(end, NULL);

	if (budget->renew)
		snprintf(line, BUDGET_LINE, "%s %.10g %g", name, measured, percent);
	if (budget->renew || measured <= most * (100 + percent) / 100)
		return true;
	budget->over++;
	if (!budget->quiet)
		fprintf(stderr, "%s: budget %.10g (and %g %% more), measured %.10g\n", name, most,
			percent, measured);
	return false;
}

void budget_save(const struct budget *budget)
{
	autofclose FILE *file = budget->renew ? fopen(BUDGET, "we") : NULL;

	if (!budget->renew)
		return;
	assert_non_null(file);
	for (int i = 0; i < budget->count; i++)
		fprintf(file, "%s\n", budget->lines[i]);
}
