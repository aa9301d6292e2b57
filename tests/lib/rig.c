/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places, pins and counts for tests in the kernel. A failed assertion jumps out of a test, so what
 * has to be undone is undone by teardown and not by the test.
 */
#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "policy/policy.h"

/* NULL when the kernel lets this process do what these tests do. */
static const char *missing(void)
{
	autoclose int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 8, 1, NULL);

	if (geteuid())
		return "root is needed for mounts and namespaces";
	if (map < 0)
		return "the kernel refuses bpf()";
	if (access("/proc/self/ns/net", R_OK))
		return "no network namespaces";
	return NULL;
}

static void free_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static unsigned int count_entries(const char *path, bool (*counts)(const char *path))
{
	cleanup(free_dir) DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int found = 0;
	char name[PATH_MAX + 256];

	while (dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		found += *entry->d_name != '.' && counts(name);
	}
	return found;
}

static bool is_kernel_object(const char *path)
{
	char target[64] = "";

	if (readlink(path, target, sizeof(target) - 1) < 0)
		return false;
	return !strcmp(target, "anon_inode:bpf-map") || !strcmp(target, "anon_inode:bpf-prog") ||
	       !strcmp(target, "anon_inode:bpf_link") || !strcmp(target, "anon_inode:bpf-link");
}

static bool is_anything(const char *path)
{
	(void)path;
	return true;
}

unsigned int rig_held(void)
{
	return count_entries("/proc/self/fd", is_kernel_object);
}

unsigned int rig_pins(const struct rig *rig)
{
	return count_entries(rig->places.pins, is_anything);
}

bool rig_pinned(const struct rig *rig, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", rig->places.pins, name);
	return !access(path, F_OK);
}

static void place(struct rig *rig, const char *variable, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", rig->folder, name);
	setenv(variable, path, 1);
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		return -1;
	*state = rig;
	rig->home = -1;
	if (missing())
		return 0;
	strcpy(rig->folder, "/tmp/stanch-rig.XXXXXX");
	if (!mkdtemp(rig->folder))
		return -1;
	place(rig, "STANCH_STATE_DIR", "state");
	place(rig, "STANCH_RUN_DIR", "run");
	place(rig, "STANCH_BPF_DIR", "bpf");
	rig->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	rig->held = rig_held();
	return rig->home < 0 || places_find("default", &rig->places) ? -1 : 0;
}

struct rig *rig_of(void **state)
{
	const char *reason = missing();

	if (reason) {
		print_message("%s\n", reason);
		skip();
	}
	return *state;
}

static unsigned int leftover(const char *what, unsigned int count)
{
	if (count)
		print_error("left over: %u %s\n", count, what);
	return count;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	unsigned int left = 0;
	int r = 0;

	*state = NULL;
	if (rig->home >= 0) {
		unsetenv("STANCH_OBJECT");
		unsetenv("STANCH_NO_TCX");
		rig_leave(rig);
		r = instance_destroy(&rig->places);
		if (r)
			print_error("the instance cannot be destroyed: %s\n", strerror(-r));
		left = leftover("pins", rig_pins(rig));
		while (!umount2(rig->places.bpf, MNT_DETACH))
			;
		left += leftover("namespaces", rig_netns_cleanup(rig));
		left += leftover("kernel objects held", rig_held() - rig->held);
		rig_command("rm -rf %s", rig->folder);
		close(rig->home);
	}
	free(rig);
	return r || left ? -1 : 0;
}

void rig_show(const struct diag *diag)
{
	for (uint32_t i = 0; i < diag->stored; i++)
		print_message("[%s] %s\n", diag->problems[i].code, diag->problems[i].message);
}

bool rig_has(const struct diag *diag, const char *code)
{
	for (uint32_t i = 0; i < diag->stored; i++) {
		if (!strcmp(diag->problems[i].code, code))
			return true;
	}
	return false;
}

void rig_variant(const char *name)
{
	const char *build = getenv("BUILD");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tests/bpf/%s", build ? build : "build", name);
	assert_int_equal(access(path, R_OK), 0);
	setenv("STANCH_OBJECT", path, 1);
}

struct instance *rig_create(struct rig *rig)
{
	auto_diag struct diag diag = { 0 };
	struct instance *instance = NULL;
	int r = instance_create(&rig->places, &instance, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
	return instance;
}

void rig_image(const char *text, struct image_file *ret)
{
	const struct named_text named = { "rig", text, strlen(text) };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = policy_parse(&named, NULL, NULL, &policy, &diag);

	if (!r)
		r = policy_compile(&policy, &limits_builtin, ret, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
}

unsigned int rig_apply(struct rig *rig, struct instance *instance, const char *text,
		       uint64_t generation)
{
	auto_image struct image_file image = { 0 };
	auto_control struct control *control = NULL;
	auto_diag struct diag diag = { 0 };
	struct word word;
	int slot, r;

	rig_image(text, &image);
	assert_int_equal(control_open(&rig->places, &control), 0);
	word = word_unpack(control_load(control, CONTROL_WORD));
	slot = slot_free(instance, &word);
	assert_in_range(slot, 0, SLOTS - 1);
	r = slot_stage(instance, &image, generation, slot, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
	assert_int_equal(control_swap(control, slot, word.epoch), 0);
	return slot;
}

#define READER 65534

int rig_as_reader(const struct rig *rig, int (*fn)(const struct rig *rig))
{
	int status = -1;
	pid_t pid;

	rig_command("chmod 0755 %s && chgrp -R %d %s", rig->folder, READER, rig->places.bpf);
	pid = fork();
	if (!pid)
		_exit(setgroups(0, NULL) || setgid(READER) || setuid(READER) ? 99 : fn(rig));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int rig_program(const struct rig *rig)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/prog-stanch", rig->places.pins);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

uint32_t rig_judge(int program, const void *frame, uint32_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(program, &opts), 0);
	return opts.retval;
}

uint64_t rig_counted(const struct instance *instance, unsigned int slot, uint8_t reason,
		     uint8_t verdict)
{
	struct counter counters[COUNTERS];

	assert_int_equal(counters_read(instance, counters), 0);
	return counters[slot * LIMIT_REASONS + reason].packets[verdict];
}

uint64_t rig_total(const struct instance *instance)
{
	struct counter counters[COUNTERS];
	uint64_t total = 0;

	assert_int_equal(counters_read(instance, counters), 0);
	for (uint32_t i = 0; i < COUNTERS * VERDICTS; i++)
		total += counters[i / VERDICTS].packets[i % VERDICTS];
	return total;
}

void rig_renew_budget(const struct instance *instance, enum reason reason)
{
	int fd = instance_map_fd(instance, "budget"), cpus = libbpf_num_possible_cpus();
	autofree struct event_budget *each = calloc(cpus, sizeof(*each));
	uint32_t key = reason;

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, each), 0);
	for (int i = 0; i < cpus; i++)
		each[i].used = 0;
	assert_int_equal(bpf_map_update_elem(fd, &key, each, BPF_ANY), 0);
}
