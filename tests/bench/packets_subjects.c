/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is measured: instances of stanch, and the reference programs with their maps filled. */
#include <errno.h>

#include <bpf/bpf.h>

#include "packets.h"

#define BATCH 50000u

int fail(const char *what, int error, const struct diag *diag)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-error));
	for (uint32_t i = 0; diag && i < diag->stored; i++)
		fprintf(stderr, "  %s\n", diag->problems[i].message);
	return error;
}

/* ---- stanch ---- */

int subject_swap(struct subject *subject, unsigned int slot)
{
	uint16_t epoch = word_unpack(control_load(subject->control, CONTROL_WORD)).epoch;

	return control_swap(subject->control, slot, epoch);
}

int subject_stage(struct subject *subject, const struct image_file *image, unsigned int slot)
{
	auto_diag struct diag diag = { 0 };
	int r = slot_stage(subject->instance, image, slot + 1, slot, &diag);

	if (!r)
		r = subject_swap(subject, slot);
	return r ? fail("staging", r, &diag) : 0;
}

int subject_open(struct subject *subject, const char *name, const char *object)
{
	auto_diag struct diag diag = { 0 };
	const char *given = getenv("STANCH_OBJECT");
	char path[PATH_MAX + 16];
	int r = places_find(name, &subject->places);

	if (object)
		setenv("STANCH_OBJECT", object, 1);
	if (!r)
		r = instance_create(&subject->places, &subject->instance, &diag);
	if (object && given)
		setenv("STANCH_OBJECT", given, 1);
	else if (object)
		unsetenv("STANCH_OBJECT");
	if (!r)
		r = control_open(&subject->places, &subject->control);
	if (r)
		return fail(name, r, &diag);
	snprintf(path, sizeof(path), "%s/prog-stanch", subject->places.pins);
	subject->program = bpf_obj_get(path);
	return subject->program < 0 ? fail(path, -errno, NULL) : 0;
}

void subject_close(struct subject *subject)
{
	if (!subject->instance)
		return;
	close_fd(&subject->program);
	control_close(&subject->control);
	instance_close(&subject->instance);
	instance_destroy(&subject->places);
}

uint64_t subject_flags_failed(const struct subject *subject, unsigned int slot)
{
	int cpus = libbpf_num_possible_cpus();
	autofree struct counter *counters = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*counters));
	int map = instance_map_fd(subject->instance, "counters");
	uint32_t index = slot * LIMIT_REASONS + REASON_META_FAILED;
	uint64_t ret = 0;

	if (!counters || bpf_map_lookup_elem(map, &index, counters))
		return 1;
	for (int cpu = 0; cpu < cpus; cpu++)
		ret += counters[cpu].packets[VERDICT_PASS];
	return ret;
}

/* ---- references ---- */

static int send_batch(int map, const void *keys, const uint32_t *values, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);

	return count && bpf_map_update_batch(map, keys, values, &count, &opts) ? -errno : 0;
}

/* The trie gets prefixes; the hash what it can hold, their first addresses. Equal keys merge. */
static int fill_maps(const struct lists *lists, enum family family, uint32_t count, const int fd[2])
{
	const struct prefix *prefixes = &lists->made[family].policy.prefixes[1];
	size_t bytes = family == V4 ? 4 : sizeof(struct key);
	autofree uint8_t *rows = calloc(BATCH, sizeof(struct trie_key));
	autofree uint8_t *hosts = calloc(BATCH, sizeof(struct key));
	autofree uint32_t *values = calloc(BATCH, sizeof(*values));
	int r = rows && hosts && values ? 0 : -ENOMEM;

	for (uint32_t done = 0; done < count && !r; done += BATCH) {
		uint32_t batch = count - done < BATCH ? count - done : BATCH;

		for (uint32_t i = 0; i < batch; i++) {
			struct trie_key row = { .len = prefixes[done + i].len,
						.key = key_of(&prefixes[done + i]) };

			memcpy(rows + i * (4 + bytes), &row, 4 + bytes);
			memcpy(hosts + i * bytes, &row.key, bytes);
		}
		r = send_batch(fd[0], rows, values, batch);
		if (!r)
			r = send_batch(fd[1], hosts, values, batch);
	}
	return r;
}

static int prepare_reference(struct bpf_object *object, enum family family, uint32_t count)
{
	struct bpf_map *trie = bpf_object__find_map_by_name(object, "trie");
	struct bpf_map *hash = bpf_object__find_map_by_name(object, "hash");
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	uint32_t bytes = family == V4 ? 4 : sizeof(struct key), number = family == V4 ? 4 : 6;

	if (!trie || !hash || !rodata)
		return -ENOENT;
	if (bpf_map__set_max_entries(trie, count) || bpf_map__set_max_entries(hash, count) ||
	    bpf_map__set_key_size(trie, 4 + bytes) || bpf_map__set_key_size(hash, bytes) ||
	    bpf_map__set_initial_value(rodata, &number, sizeof(number)))
		return -EINVAL;
	return bpf_object__load(object) ? -errno : 0;
}

/* The very memory that stanch reads. */
static int share_image(struct bpf_object *object, const struct subject *stanch, int slot)
{
	char path[PATH_MAX + 16];
	uint32_t zero = 0;
	int images = bpf_object__find_map_fd_by_name(object, "images");
	autoclose int image = -1;

	snprintf(path, sizeof(path), "%s/gen-%d", stanch->places.pins, slot);
	image = bpf_obj_get(path);
	if (image < 0 || images < 0)
		return -ENOENT;
	return bpf_map_update_elem(images, &zero, &image, BPF_ANY) ? -errno : 0;
}

int reference_load(const char *path, const struct lists *lists, const struct subject *stanch,
		   struct reference *reference)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	uint32_t count = sizes[reference->size];
	int maps[2], r;

	if (!object)
		return fail(path, -errno, NULL);
	reference->object = object;
	r = prepare_reference(object, reference->family, count);
	if (r)
		return fail("loading the references", r, NULL);
	maps[0] = bpf_object__find_map_fd_by_name(object, "trie");
	maps[1] = bpf_object__find_map_fd_by_name(object, "hash");
	r = fill_maps(lists, reference->family, count, maps);
	if (!r)
		r = share_image(object, stanch, reference->size);
	return r ? fail("filling the references", r, NULL) : 0;
}
