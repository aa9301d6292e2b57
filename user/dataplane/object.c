/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program file: the one built in, or another that the environment names for tests. What it has
 * room for is read from it before anything is loaded. Knows nothing of pins.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "dataplane/inside.h"
#include "stanch.skel.h"

/* The verifier repeats itself at length before it says what is wrong; untouched pages cost nothing. */
#define LOG_SIZE (16u << 20)
#define LOG_LINES 3 /* of its end are shown */

/* What matters of it comes as a problem in a diag; netlink reports even questions as errors. */
static int keep_quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

__attribute__((constructor)) static void silence_libbpf(void)
{
	libbpf_set_print(keep_quiet);
}

void object_close(struct object *object)
{
	bpf_object__close(object->bpf);
	free(object->log);
	*object = (struct object){ 0 };
}

int limits_agree(const struct limits *limits, const char *whose, struct diag *diag)
{
	if (limits->abi == ABI_VERSION && limits->image_version == IMAGE_VERSION &&
	    limits->slots == SLOTS)
		return 0;
	diag_add(
		diag, NULL, "abi_version",
		"%s speaks ABI version %u with image version %u and %u slots, this tool %u with %u "
		"and %u",
		whose, limits->abi, limits->image_version, limits->slots, ABI_VERSION,
		IMAGE_VERSION, SLOTS);
	return -EPROTO;
}

/* Where a variable of a data section is, as the object's BTF has it; NULL when it is not there. */
static void *variable(struct bpf_object *bpf, const char *section, const char *name, size_t size)
{
	struct bpf_map *map = bpf_object__find_map_by_name(bpf, section);
	const struct btf *btf = bpf_object__btf(bpf);
	const struct btf_type *type;
	const struct btf_var_secinfo *vars;
	size_t room = 0;
	char *data;
	int id;

	if (!map || !btf)
		return NULL;
	id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	data = (char *)bpf_map__initial_value(map, &room);
	if (id < 0 || !data)
		return NULL;
	type = btf__type_by_id(btf, id);
	vars = btf_var_secinfos(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_type *var = btf__type_by_id(btf, vars[i].type);

		if (!strcmp(btf__name_by_offset(btf, var->name_off), name))
			return vars[i].size == size && vars[i].offset + size <= room
				       ? data + vars[i].offset
				       : NULL;
	}
	return NULL;
}

static int read_variables(struct object *object, bool twin, struct diag *diag)
{
	const struct limits *limits =
		variable(object->bpf, ".rodata.limits", "limits", sizeof(*limits));
	uint32_t *flag = variable(object->bpf, ".rodata", "twin", sizeof(*flag));
	uint32_t *cpus = variable(object->bpf, ".rodata", "cpus", sizeof(*cpus));
	int possible = libbpf_num_possible_cpus();

	if (!limits || !flag || !cpus) {
		diag_add(diag, NULL, "object",
			 "the program file does not say what it has room for: not one of stanch's");
		return -EPROTO;
	}
	*flag = twin;
	*cpus = possible > 0 ? (uint32_t)possible : 1;
	object->limits = *limits;
	return limits_agree(limits, "the program file", diag);
}

static struct bpf_object *open_file(const char *path, const struct bpf_object_open_opts *opts)
{
	size_t size;
	const void *bytes = stanch_bpf__elf_bytes(&size);

	return path ? bpf_object__open_file(path, opts) : bpf_object__open_mem(bytes, size, opts);
}

int object_open(bool twin, struct object *ret, struct diag *diag)
{
	const char *path = secure_getenv("STANCH_OBJECT");
	auto_object struct object object = { .log = calloc(1, LOG_SIZE) };
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "stanch",
		    .kernel_log_buf = object.log, .kernel_log_size = LOG_SIZE);
	int r;

	if (!object.log)
		return -ENOMEM;
	object.bpf = open_file(path && *path ? path : NULL, &opts);
	if (!object.bpf) {
		r = -errno;
		return refused(diag, "object", r, path && *path ? path : "the program file");
	}
	r = read_variables(&object, twin, diag);
	if (r)
		return r;
	*ret = object;
	object = (struct object){ 0 };
	return 0;
}

/* The last lines before the summary ("processed 1234 insns ...") say what the verifier minds. */
static void show_log(char *log, struct diag *diag)
{
	char *end = strstr(log, "\nprocessed ");
	char *line;

	if (end)
		*end = '\0';
	for (int i = 0; i < LOG_LINES && *log; i++) {
		line = strrchr(log, '\n');
		diag_add(diag, NULL, "verifier", "%s", line ? line + 1 : log);
		if (!line)
			break;
		*line = '\0';
	}
}

int object_load(struct object *object, struct diag *diag)
{
	int r = bpf_object__load(object->bpf);

	if (!r)
		return 0;
	r = refused(diag, "program_load", r, "loading the programs");
	if (r != -EPERM)
		show_log(object->log, diag);
	return r;
}

int object_map_fd(const struct object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object->bpf, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

int object_program_fd(const struct object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object->bpf, name);

	return program ? bpf_program__fd(program) : -ENOENT;
}
