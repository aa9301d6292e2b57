/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same program loaded a second time, with counters, events and a control word of its own, so
 * that packets can be judged without a trace in live state. Slots and overrides are the instance's,
 * read only, or its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stanch/source.h>

#include "dataplane/bench.h"
#include "dataplane/slots.h"

#define FRAME_SHORTEST 14 /* the kernel runs nothing without an Ethernet header */
#define FRAME_CERTAIN 65536 /* every kernel has buffers for so much */

struct twin {
	struct object object;
	struct control *control;
	int program, judged, slots;
	bool borrowed; /* the slots are an instance's */
};

void twin_close(struct twin **twin)
{
	if (!*twin)
		return;
	control_close(&(*twin)->control);
	object_close(&(*twin)->object);
	free(*twin);
	*twin = NULL;
}

/* The maps that a twin shares with the instance it is the twin of. */
static int borrow(struct object *object, const struct instance *instance)
{
	static const enum pin shared[] = { PIN_SLOTS, PIN_SLOT_INFO, PIN_OVERRIDES };

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		const struct pin_kind *kind = &pin_kinds[shared[i]];
		struct bpf_map *map = bpf_object__find_map_by_name(object->bpf, kind->object);
		int r = map ? bpf_map__reuse_fd(map, instance->maps[shared[i]]) : -ENOENT;

		if (r)
			return r;
	}
	return 0;
}

static void set_entries(struct object *object, const char *name, uint32_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object->bpf, name);

	if (map)
		bpf_map__set_max_entries(map, entries);
}

/*
 * A twin that only judges takes no samples, and their memory is not worth having. What it learns
 * about sources is its own, and little.
 */
static void leave_out(struct object *object, bool judges)
{
	struct bpf_program *program;

	if (judges) {
		set_entries(object, "reservoir", 1);
		set_entries(object, "sources", SOURCE_TWIN_LINES);
		set_entries(object, "source_groups", SOURCE_TWIN_LINES);
	}
	bpf_object__for_each_program(program, object->bpf)
	{
		const char *name = bpf_program__name(program);

		if (strcmp(name, program_kinds[PROGRAM_NATIVE].object))
			bpf_program__set_autoload(program, false);
	}
}

/* @judges: it says of each packet how it was judged, and does nothing else that outlives it. */
static int open_twin(const struct instance *instance, bool judges, struct twin **ret,
		     struct diag *diag)
{
	auto_twin struct twin *twin = calloc(1, sizeof(*twin));
	int r;

	if (!twin)
		return -ENOMEM;
	r = object_open(judges, &twin->object, diag);
	if (r)
		return r;
	leave_out(&twin->object, judges);
	if (instance) {
		r = borrow(&twin->object, instance);
		if (r)
			return refused(diag, "twin", r, "sharing the slots with a twin");
		twin->borrowed = true;
	}
	r = object_load(&twin->object, diag);
	if (r)
		return r;
	twin->program = object_program_fd(&twin->object, program_kinds[PROGRAM_NATIVE].object);
	twin->judged = object_map_fd(&twin->object, "judged");
	twin->slots = object_map_fd(&twin->object, "slots");
	r = seed_fill(object_map_fd(&twin->object, "seed"));
	if (r)
		return refused(diag, "twin", r, "filling the seed of a twin");
	r = control_map(object_map_fd(&twin->object, "control"), &twin->control);
	if (r)
		return refused(diag, "twin", r, "mapping the control word of a twin");
	*ret = TAKE_PTR(twin);
	return 0;
}

int twin_open(const struct instance *instance, struct twin **ret, struct diag *diag)
{
	return open_twin(instance, true, ret, diag);
}

int twin_open_measured(struct twin **ret, struct diag *diag)
{
	return open_twin(NULL, false, ret, diag);
}

int twin_stage(struct twin *twin, const struct image_file *image, unsigned int slot,
	       struct diag *diag)
{
	autoclose int map = -1;
	int r = image_map_fits(&image->image, &twin->object.limits, diag);

	if (r)
		return r;
	if (twin->borrowed || slot >= SLOTS)
		return -EINVAL;
	map = image_map_create(&image->image, image_id(&image->image)->digest, diag);
	if (map < 0)
		return map;
	r = slots_publish(twin->slots, slot, map);
	return r ? refused(diag, "slot_publish", r, "publishing an image to a twin") : 0;
}

int twin_command(struct twin *twin, unsigned int slot, enum mode mode, uint16_t kills)
{
	const struct word word = { .live = slot, .good = slot, .mode = mode, .kills = kills };

	if (slot >= SLOTS || mode >= MODES)
		return -EINVAL;
	control_set(twin->control, CONTROL_WORD, word_pack(&word));
	return 0;
}

int twin_overrides(struct twin *twin, bool on)
{
	return control_set(twin->control, CONTROL_OVERRIDES, on);
}

/*
 * Frames longer than a page are run in several buffers, as a card with a large MTU delivers them.
 * What is longer than the kernel has buffers for (about 70 kB) is not run.
 */
int twin_run(struct twin *twin, const void *frame, uint32_t len, struct judged *ret,
	     uint32_t *ret_action)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .repeat = 1);
	uint32_t zero = 0;
	int r;

	if (len < FRAME_SHORTEST)
		return -EINVAL;
	r = bpf_prog_test_run_opts(twin->program, &opts);
	if (r)
		return r == -ENOMEM && len > FRAME_CERTAIN ? -EINVAL : r;
	if (bpf_map_lookup_elem(twin->judged, &zero, ret))
		return last_error();
	if (ret_action)
		*ret_action = opts.retval;
	return 0;
}

int twin_program_fd(const struct twin *twin)
{
	return twin->program;
}

int twin_map_fd(const struct twin *twin, const char *name)
{
	return object_map_fd(&twin->object, name);
}
