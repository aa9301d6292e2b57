/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What does not vary from run to run, against tests/bench/budget: instructions that the verifier
 * looks at, bytes of machine code, memory of the maps of a fresh instance, code in the object. The
 * ratios there are `make bench-check`'s, which runs this first. The budget goes one way: what got
 * cheaper should have its number lowered, by
 *
 *   make bench-check UPDATE=1       (or only these: BUDGET_WRITE=1 build/tests/bpf/test_budget)
 *
 * after a look at why. The verifier differs between kernels and compilers, machine code between
 * processors: where a number was recorded elsewhere the programs must load, and it is not compared.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "base/buf.h"
#include "base/file.h"
#include "budget.h"
#include "dataplane/inside.h"
#include "rig.h"

struct measured {
	uint32_t verified[PROGRAMS], jited[PROGRAMS];
	uint64_t shared_bytes, cpu_bytes; /* maps: all of them, and what each CPU adds */
	uint64_t code_bytes; /* in the object, of all programs and functions */
};

/* ---- programs ---- */

static void measure_programs(const struct instance *instance, struct measured *ret)
{
	for (int i = 0; i < PROGRAMS; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(instance->programs[i], &info, &size), 0);
		ret->verified[i] = info.verified_insns;
		ret->jited[i] = info.jited_prog_len;
	}
}

/* ---- maps ---- */

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* What the kernel says that a map takes. */
static uint64_t memory_of(int map)
{
	char path[64], line[128];
	autofclose FILE *file = NULL;
	uint64_t ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "memlock:", 8))
			ret = strtoull(line + 8, NULL, 10);
	assert_int_not_equal(ret, 0);
	return ret;
}

/* The maps of the program, pinned or not. Those per CPU by their size, whatever CPUs there are. */
static void measure_maps(const struct instance *instance, struct measured *ret)
{
	uint32_t ids[64], size;
	struct bpf_prog_info program = { .nr_map_ids = ARRAY_SIZE(ids),
					 .map_ids = (uint64_t)(uintptr_t)ids };

	size = sizeof(program);
	assert_int_equal(
		bpf_obj_get_info_by_fd(instance->programs[PROGRAM_NATIVE], &program, &size), 0);
	assert_in_range(program.nr_map_ids, 1, ARRAY_SIZE(ids));
	for (uint32_t i = 0; i < program.nr_map_ids; i++) {
		autoclose int map = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info info = { 0 };

		size = sizeof(info);
		assert_int_equal(bpf_obj_get_info_by_fd(map, &info, &size), 0);
		if (is_per_cpu(info.type))
			ret->cpu_bytes += info.max_entries * ((info.value_size + 7ull) / 8 * 8);
		else
			ret->shared_bytes += memory_of(map);
	}
}

/* ---- the object ---- */

/* Debug information names folders and does not count: only sections with instructions do. */
static uint64_t code_bytes(void)
{
	const char *object = getenv("STANCH_OBJECT"), *build = getenv("BUILD");
	cleanup(buf_free) struct buf bytes = { 0 };
	const Elf64_Ehdr *header;
	char path[PATH_MAX];
	uint64_t ret = 0;

	snprintf(path, sizeof(path), "%s/bpf/stanch.bpf.o", build ? build : "build");
	assert_int_equal(file_read(object ? object : path, FILE_MAX_IMAGE, &bytes), 0);
	header = (const void *)bytes.data;
	assert_true(bytes.len > sizeof(*header));
	assert_true(header->e_shoff + header->e_shnum * sizeof(Elf64_Shdr) <= bytes.len);
	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Shdr *section =
			(const void *)(bytes.data + header->e_shoff + i * sizeof(*section));

		if (section->sh_flags & SHF_EXECINSTR)
			ret += section->sh_size;
	}
	return ret;
}

/* ---- against the budget ---- */

static void measure(struct rig *rig, struct measured *ret)
{
	auto_instance struct instance *instance = rig_create(rig);

	*ret = (struct measured){ .code_bytes = code_bytes() };
	measure_programs(instance, ret);
	measure_maps(instance, ret);
}

static void holds(struct budget *budget, const char *what, const char *of, uint64_t measured)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", what, of);
	print_message("%s %llu\n", name, (unsigned long long)measured);
	budget_holds(budget, name, (double)measured);
}

static void compare(struct budget *budget, const struct measured *measured)
{
	for (int i = 0; i < PROGRAMS && budget->same_kernel; i++) {
		holds(budget, "verified", program_kinds[i].object, measured->verified[i]);
		if (budget->same_machine)
			holds(budget, "jited-bytes", program_kinds[i].object, measured->jited[i]);
	}
	if (budget->same_kernel)
		holds(budget, "map-bytes", "shared", measured->shared_bytes);
	holds(budget, "map-bytes", "per-cpu", measured->cpu_bytes);
	holds(budget, "object-bytes", "code", measured->code_bytes);
}

static void nothing_is_over_its_budget(void **state)
{
	struct rig *rig = rig_of(state);
	struct measured measured;
	struct budget budget;

	measure(rig, &measured);
	budget_load(&budget);
	compare(&budget, &measured);
	budget_save(&budget);
	assert_int_equal(budget.over, 0);
}

/* The control: what the budget is against, and must see. */
static void wasted_work_is_over_the_budget(void **state)
{
	struct rig *rig = rig_of(state);
	struct measured measured;
	struct budget budget;

	budget_load(&budget);
	budget.renew = false;
	budget.quiet = true;
	rig_variant("wasteful.bpf.o");
	measure(rig, &measured);
	unsetenv("STANCH_OBJECT");
	if (!budget.same_kernel) {
		print_message("skipped: the budget was recorded on another kernel\n");
		skip();
	}
	compare(&budget, &measured);
	assert_true(budget.over >= 2); /* both programs, at least */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_over_its_budget, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(wasted_work_is_over_the_budget, rig_setup,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
