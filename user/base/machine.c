/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what the kernel says about itself, the processor and this process. Judges nothing. */
#include "machine.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cleanup.h"
#include "file.h"

#define SMALL_FILE ((size_t)64 << 10)
#define CPUINFO_FILE ((size_t)8 << 20) /* two kilobytes for each of 4,096 processors */

const char *machine_line(const char *path, char *out, size_t size)
{
	auto_buf struct buf content = { 0 };

	*out = '\0';
	if (!file_read(path, SMALL_FILE, &content))
		snprintf(out, size, "%.*s", (int)content.len, content.data);
	out[strcspn(out, "\n")] = '\0';
	return out;
}

/* Terminated, and empty when it cannot be read. */
static void read_text(const char *path, size_t max, struct buf *ret)
{
	if (file_read(path, max, ret) || buf_append(ret, "", 1))
		buf_free(ret);
}

uint64_t machine_capabilities(void)
{
	auto_buf struct buf status = { 0 };
	char value[32];

	read_text("/proc/self/status", SMALL_FILE, &status);
	return strtoull(machine_field(status.data, "CapEff", value, sizeof(value)), NULL, 16);
}

/* The start of the value when @line is "NAME :value", else NULL. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0)
		return NULL;
	line += len + strspn(line + len, " \t");
	return *line == ':' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

const char *machine_field(const char *text, const char *name, char *out, size_t size)
{
	const char *line = text, *value = NULL;

	*out = '\0';
	while (line && *line && !value) {
		const char *end = strchr(line, '\n');

		value = value_of(line, name);
		line = end ? end + 1 : NULL;
	}
	if (value)
		snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
	return out;
}

/* A program pays for these at its calls, returns and loads. */
static void find_mitigations(struct machine *machine)
{
	static const char *const names[MITIGATIONS] = { "spectre_v2", "spec_rstack_overflow",
							"retbleed", "spec_store_bypass" };

	for (size_t i = 0; i < MITIGATIONS; i++) {
		struct mitigation *mitigation = &machine->mitigations[i];
		char path[96];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s",
			 names[i]);
		mitigation->name = names[i];
		machine_line(path, mitigation->text, sizeof(mitigation->text));
	}
}

static void find_cpu(struct machine *machine)
{
	auto_buf struct buf info = { 0 };
	char flags[8192];
	cpu_set_t set;

	read_text("/proc/cpuinfo", CPUINFO_FILE, &info);
	machine_field(info.data, "model name", machine->cpu, sizeof(machine->cpu));
	machine_field(info.data, "flags", flags, sizeof(flags));
	machine->virtual = strstr(flags, " hypervisor");
	machine->cpus = sched_getaffinity(0, sizeof(set), &set) ? 0 : (unsigned)CPU_COUNT(&set);
}

void machine_find(struct machine *ret)
{
	struct utsname kernel;
	uint64_t have = machine_capabilities();
	char jit[16];

	memset(ret, 0, sizeof(*ret));
	if (!uname(&kernel))
		snprintf(ret->kernel, sizeof(ret->kernel), "%s %s", kernel.sysname, kernel.release);
	machine_line("/proc/sys/net/core/bpf_jit_enable", jit, sizeof(jit));
	ret->jit = *jit ? *jit != '0' : -1;
	ret->perfmon = (have >> CAP_PERFMON | have >> CAP_SYS_ADMIN) & 1;
	find_cpu(ret);
	find_mitigations(ret);
}
