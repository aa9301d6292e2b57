/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `stanch doctor` asks the host: kernel, privileges, file systems, memory, clocks, group. */
#include "doctor.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

#include <stanch/abi.h>
#include <stanch/image.h>

#include "base/machine.h"
#include "live.h"

#define READERS "stanch"
#define KERNEL_MAJOR 6u
#define KERNEL_MINOR 1u
#define YEAR_2024 1704067200
#define SLOT_BYTES ((uint64_t)LIMIT_LINES * LINE_SIZE)

static void check_kernel(struct doctor *doctor)
{
	unsigned long major = 0, minor = 0;
	struct utsname name;
	char *dot = NULL;

	if (!uname(&name))
		major = strtoul(name.release, &dot, 10);
	if (dot && *dot == '.')
		minor = strtoul(dot + 1, NULL, 10);
	if (!major)
		doctor_say(doctor, GRADE_FINDING, "kernel", NULL, "its version cannot be read");
	else if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		doctor_say(doctor, GRADE_FINDING, "kernel", "boot Linux 6.1 or later",
			   "Linux %s is older than 6.1", name.release);
	else
		doctor_say(doctor, GRADE_GOOD, "kernel", NULL, "Linux %s", name.release);
}

static void check_btf(struct doctor *doctor)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		doctor_say(doctor, GRADE_FINDING, "btf",
			   "boot a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are",
			   "the kernel has no type information: %s", strerror(errno));
	else
		doctor_say(doctor, GRADE_GOOD, "btf", NULL, "the kernel carries its types");
}

/* The switch is shown in the first network namespace only. */
static void check_jit(struct doctor *doctor)
{
	char value[16];

	machine_line("/proc/sys/net/core/bpf_jit_enable", value, sizeof(value));
	if (!*value)
		doctor_say(doctor, GRADE_NOTE, "jit", NULL, "the switch is not shown here");
	else if (!strcmp(value, "0"))
		doctor_say(doctor, GRADE_FINDING, "jit", "sysctl net.core.bpf_jit_enable=1",
			   "programs are interpreted: several times slower");
	else
		doctor_say(doctor, GRADE_GOOD, "jit", NULL, "programs are compiled");
}

static void check_privileges(struct doctor *doctor)
{
	static const struct {
		unsigned int bit;
		const char *name, *what;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF", "programs and maps cannot be loaded" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "nothing can be attached" },
		{ CAP_PERFMON, "CAP_PERFMON", "the program is refused, or costs twice as much" },
	};
	uint64_t have = machine_capabilities();
	bool whole = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		if (have >> needed[i].bit & 1)
			continue;
		whole = false;
		doctor_say(doctor, GRADE_FINDING, "privileges", "run it as root",
			   "%s is missing: %s", needed[i].name, needed[i].what);
	}
	if (whole)
		doctor_say(doctor, GRADE_GOOD, "privileges", NULL,
			   "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are there");
}

static void check_bpffs(struct doctor *doctor)
{
	const char *path = doctor->options->places.bpf;
	struct statfs fs;
	struct stat st;

	if (statfs(path, &fs) && errno != ENOENT)
		doctor_say(doctor, GRADE_FINDING, "bpffs", "run it as root or as group stanch",
			   "%s: %s", path, strerror(errno));
	else if (stat(path, &st) || fs.f_type != BPF_FS_MAGIC)
		doctor_say(doctor, GRADE_NOTE, "bpffs", NULL,
			   "not mounted at %s yet; attach and apply mount it", path);
	else if (st.st_mode & S_IRWXO)
		doctor_say(doctor, GRADE_FINDING, "bpffs", "chmod o= that folder",
			   "%s is open to everyone (mode %04o)", path, st.st_mode & 07777u);
	else
		doctor_say(doctor, GRADE_GOOD, "bpffs", NULL, "mounted at %s", path);
}

/* The memory limit of this process's own group, UINT64_MAX for none or unknown. */
static uint64_t memory_limit(void)
{
	char line[PATH_MAX], path[PATH_MAX + 64], value[32];
	char *end;
	unsigned long long limit;

	machine_line("/proc/self/cgroup", line, sizeof(line));
	if (strncmp(line, "0::", 3))
		return UINT64_MAX;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
	machine_line(path, value, sizeof(value));
	limit = strtoull(value, &end, 10);
	return end == value ? UINT64_MAX : limit;
}

/* Since Linux 5.11 maps count against the memory of the group, not against RLIMIT_MEMLOCK. */
static void check_memory(struct doctor *doctor)
{
	uint64_t limit = memory_limit(), need = SLOTS * SLOT_BYTES;

	if (limit < need)
		doctor_say(doctor, GRADE_FINDING, "memory",
			   "raise memory.max of that control group, or run it outside",
			   "the group's limit is %llu MiB; four full slots take %llu MiB, and a "
			   "fill over the limit is killed",
			   (unsigned long long)(limit >> 20), (unsigned long long)(need >> 20));
	else
		doctor_say(doctor, GRADE_GOOD, "memory", NULL,
			   "no limit below the %llu MiB that four full slots take",
			   (unsigned long long)(need >> 20));
}

static void check_clocks(struct doctor *doctor)
{
	char source[32];

	machine_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
		     sizeof(source));
	if (time(NULL) < YEAR_2024)
		doctor_say(doctor, GRADE_FINDING, "clocks", "set the clock, and keep it with NTP",
			   "the date lies before 2024: the audit log would be dated wrongly");
	else if (!strcmp(source, "hpet") || !strcmp(source, "acpi_pm"))
		doctor_say(doctor, GRADE_FINDING, "clocks",
			   "find out why the kernel gave up tsc (dmesg)",
			   "the clock source %s is slow to read", source);
	else
		doctor_say(doctor, GRADE_GOOD, "clocks", NULL, "clock source %s",
			   *source ? source : "unknown");
}

/* Folders made before there was the group keep their old one. Returns whether members may look. */
static bool check_folder(struct doctor *doctor, const char *path, gid_t group)
{
	char remedy[DIAG_TEXT];
	struct stat st;

	if (stat(path, &st) || st.st_gid == group || st.st_mode & S_IXOTH)
		return true;
	snprintf(remedy, sizeof(remedy),
		 "chgrp -R " READERS " %.100s; find %.100s -type d -exec chmod g+s {} +", path,
		 path);
	doctor_say(doctor, GRADE_FINDING, "group", remedy,
		   "members of " READERS " cannot look into %s: it is of another group", path);
	return false;
}

static void check_group(struct doctor *doctor)
{
	const struct places *places = &doctor->options->places;
	autofree char *state = strdup(places->state);
	const char *const folders[] = { places->run, places->bpf, places->pins,
					state ? dirname(state) : places->state, places->state };
	const struct group *group = getgrnam(READERS);
	bool open = true;
	gid_t gid;

	if (!group) {
		doctor_say(doctor, GRADE_FINDING, "group", "groupadd --system " READERS,
			   "there is no group " READERS ": only root can observe");
		return;
	}
	gid = group->gr_gid;
	for (unsigned int i = 0; i < ARRAY_SIZE(folders); i++)
		open = check_folder(doctor, folders[i], gid) && open;
	if (open)
		doctor_say(doctor, GRADE_GOOD, "group", NULL, "members of " READERS " may observe");
}

static void check_instance(struct doctor *doctor)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	const struct diag_problem *problem = diag.problems;
	const char *name = doctor->options->places.instance, *remedy = NULL;
	int err = instance_open(&doctor->options->places, &instance, &diag);

	if (diag.stored && !strcmp(problem->code, "incomplete"))
		remedy = "detach --all --purge of this instance, then attach and apply again";
	if (!err)
		doctor_say(doctor, GRADE_GOOD, "instance", NULL, "'%s' is there", name);
	else if (err == -ENOENT)
		doctor_say(doctor, GRADE_NOTE, "instance", NULL, "'%s' is not there yet", name);
	else
		doctor_say(doctor, GRADE_FINDING, "instance", remedy, "'%s' cannot be used: %s",
			   name, diag.stored ? problem->message : say_reason(err));
}

void doctor_host(struct doctor *doctor)
{
	check_kernel(doctor);
	check_btf(doctor);
	check_jit(doctor);
	check_privileges(doctor);
	check_bpffs(doctor);
	check_memory(doctor);
	check_clocks(doctor);
	check_group(doctor);
	check_instance(doctor);
}
