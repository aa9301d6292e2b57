/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instance is a folder of pins. It is built beside its place and renamed into it when whole, so
 * that whoever dies on the way leaves only what the next one throws away. Knows no interface.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "dataplane/attach.h"
#include "dataplane/slots.h"
#include "policy/policy.h"

/* Readers are in the group; ring buffers are read by moving a mark, so `events` is writable. */
const struct pin_kind pin_kinds[PINS] = {
	[PIN_CONTROL] = { "control", "control", 0640 },
	[PIN_SLOTS] = { "slots", "slots", 0640 },
	[PIN_SLOT_INFO] = { "slot_info", "slot_info", 0640 },
	[PIN_COUNTERS] = { "counters", "counters", 0640 },
	[PIN_HITS] = { "hits", "hits", 0640 },
	[PIN_BUDGET] = { "budget", "budget", 0640 },
	[PIN_EVENTS] = { "events", "events", 0660 },
	[PIN_SEED] = { "seed", "seed", 0600 },
	[PIN_LIMITS] = { "limits", ".rodata.limits", 0640 },
	[PIN_OVERRIDES] = { "overrides", "overrides", 0640 },
	[PIN_RESERVOIR] = { "reservoir", "reservoir", 0600 }, /* it holds heads of packets */
	[PIN_RESERVOIR_AT] = { "reservoir_at", "reservoir_at", 0600 },
	[PIN_SOURCES] = { "sources", "sources", 0640 }, /* addresses, as `events` shows them */
	[PIN_SOURCE_GROUPS] = { "source_groups", "source_groups", 0640 },
};

/*
 * Not for readers: whoever holds a program may run it (BPF_PROG_TEST_RUN asks for no capability),
 * which counts packets that nobody sent and hands frames to the host.
 */
const struct pin_kind program_kinds[PROGRAMS] = {
	[PROGRAM_NATIVE] = { "prog-stanch", "stanch", 0600 },
	[PROGRAM_GENERIC] = { "prog-generic", "stanch_generic", 0600 },
	[PROGRAM_MARK] = { "prog-mark", "mark", 0600 },
};

/* ---- opening ---- */

static struct instance *instance_new(const struct places *places)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->places = *places;
	for (int i = 0; i < PINS; i++)
		instance->maps[i] = -1;
	for (int i = 0; i < PROGRAMS; i++)
		instance->programs[i] = -1;
	return instance;
}

void instance_close(struct instance **instance)
{
	if (!*instance)
		return;
	for (int i = 0; i < PINS; i++)
		close_fd(&(*instance)->maps[i]);
	for (int i = 0; i < PROGRAMS; i++)
		close_fd(&(*instance)->programs[i]);
	free(*instance);
	*instance = NULL;
}

/* What only the owner may open stays closed for readers. */
static int open_pin(const struct instance *instance, const struct pin_kind *kind, int *ret,
		    struct diag *diag)
{
	int fd = bpffs_get(instance->places.pins, kind->name);
	char path[PATH_MAX + PIN_NAME];

	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	if (fd == -ENOENT)
		return -ENODATA;
	if (fd == -EACCES && !(kind->mode & 0040))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", instance->places.pins, kind->name);
	return refused(diag, "pin", fd, path);
}

static int open_pins(struct instance *instance, struct diag *diag)
{
	int r = 0;

	for (int i = 0; i < PINS && !r; i++)
		r = open_pin(instance, &pin_kinds[i], &instance->maps[i], diag);
	for (int i = 0; i < PROGRAMS && !r; i++)
		r = open_pin(instance, &program_kinds[i], &instance->programs[i], diag);
	return r;
}

static int pin_shape(const struct instance *instance, enum pin pin, struct map_shape *ret,
		     struct diag *diag)
{
	char what[PIN_NAME + 32];
	int r = map_shape(instance->maps[pin], ret);

	if (!r)
		return 0;
	snprintf(what, sizeof(what), "the shape of pin `%s`", pin_kinds[pin].name);
	return refused(diag, "pin", r, what);
}

static int read_limits(struct instance *instance, struct diag *diag)
{
	struct map_shape shape;
	uint32_t zero = 0;
	int r = pin_shape(instance, PIN_LIMITS, &shape, diag);

	if (r)
		return r;
	if (shape.value_size != sizeof(instance->limits)) {
		diag_add(diag, NULL, "limits", "instance `%s` does not say what it has room for",
			 instance->places.instance);
		return -EPROTO;
	}
	if (bpf_map_lookup_elem(instance->maps[PIN_LIMITS], &zero, &instance->limits))
		return refused(diag, "pin", last_error(), "reading pin `limits`");
	return limits_agree(&instance->limits, "the running instance", diag);
}

/* The shape of the live maps, before anything in them is believed. */
static int check_shapes(const struct instance *instance, struct diag *diag)
{
	const struct {
		enum pin pin;
		uint32_t size, entries;
	} shapes[] = {
		{ PIN_CONTROL, sizeof(uint64_t), CONTROL_ENTRIES },
		{ PIN_SLOTS, sizeof(uint32_t), SLOTS + 1 },
		{ PIN_SLOT_INFO, sizeof(struct slot_info), SLOTS },
		{ PIN_COUNTERS, sizeof(struct counter), COUNTERS },
		{ PIN_HITS, sizeof(struct hit), SLOTS * (instance->limits.lists + 2) },
		{ PIN_BUDGET, sizeof(struct event_budget), LIMIT_REASONS },
		{ PIN_OVERRIDES, sizeof(uint32_t), 1 },
		{ PIN_RESERVOIR, sizeof(struct sample), LIMIT_SAMPLES },
		{ PIN_RESERVOIR_AT, sizeof(uint64_t), SAMPLE_KINDS * SAMPLE_AT_STRIDE },
		{ PIN_SOURCES, sizeof(struct source_line), instance->limits.sources / SOURCE_WAYS },
		{ PIN_SOURCE_GROUPS, sizeof(struct source_line),
		  instance->limits.sources / SOURCE_WAYS / SOURCE_GROUP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct map_shape shape;
		int r;

		if (instance->maps[shapes[i].pin] < 0)
			continue; /* not for readers */
		r = pin_shape(instance, shapes[i].pin, &shape, diag);
		if (r)
			return r;
		if (shape.value_size == shapes[i].size && shape.entries == shapes[i].entries)
			continue;
		diag_add(diag, NULL, "map_shape",
			 "pin `%s` of instance `%s` is %u values of %u bytes, not %u of %u",
			 pin_kinds[shapes[i].pin].name, instance->places.instance, shape.entries,
			 shape.value_size, shapes[i].entries, shapes[i].size);
		return -EPROTO;
	}
	return 0;
}

static int no_folder(const struct places *places, int error, struct diag *diag)
{
	if (error == ENOENT || error == ENOTDIR)
		return -ENOENT;
	diag_add(diag, NULL, "pin", "%s: %s", places->pins, strerror(error));
	return -EACCES;
}

/* -ENODATA: it is there, but pins are missing. */
static int open_whole(const struct places *places, struct instance **ret, struct diag *diag)
{
	auto_instance struct instance *instance = instance_new(places);
	int r;

	if (!instance)
		return -ENOMEM;
	if (access(places->pins, X_OK))
		return no_folder(places, errno, diag);
	r = open_pins(instance, diag);
	r = r ? r : read_limits(instance, diag);
	r = r ? r : check_shapes(instance, diag);
	if (!r)
		*ret = TAKE_PTR(instance);
	return r;
}

static int say_incomplete(const struct places *places, struct diag *diag)
{
	diag_add(
		diag, NULL, "incomplete",
		"instance `%s` is incomplete: pins are missing in %s; `stanch --instance %s detach "
		"--all --purge` clears it away",
		places->instance, places->pins, places->instance);
	return -EPROTO;
}

int instance_open(const struct places *places, struct instance **ret, struct diag *diag)
{
	int r = open_whole(places, ret, diag);

	return r == -ENODATA ? say_incomplete(places, diag) : r;
}

int instance_map_fd(const struct instance *instance, const char *name)
{
	for (int i = 0; i < PINS; i++) {
		if (!strcmp(pin_kinds[i].name, name))
			return instance->maps[i] < 0 ? -EACCES : instance->maps[i];
	}
	return -ENOENT;
}

int pin_map(const struct instance *instance, enum pin pin, size_t size, const void **ret)
{
	int fd = instance->maps[pin];
	void *bytes;

	if (fd < 0)
		return -EACCES;
	bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) /* what may only be read cannot be shared, says the kernel */
		return errno == EPERM || errno == EINVAL ? -EACCES : last_error();
	*ret = bytes;
	return 0;
}

const struct limits *instance_limits(const struct instance *instance)
{
	return &instance->limits;
}

/* Ids of maps are not used again within a boot, until four billion were. */
int instance_identity(const struct instance *instance, char *ret)
{
	char boot[37] = "";
	struct map_shape shape;
	int r = map_shape(instance->maps[PIN_CONTROL], &shape);
	autofclose FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || fread(boot, 1, sizeof(boot) - 1, file) != sizeof(boot) - 1)
		return -EIO;
	if (!r)
		snprintf(ret, INSTANCE_IDENTITY, "%s-%u", boot, shape.id);
	return r;
}

/* ---- making ---- */

/* @fd may be an error: the object has no such part. */
static int pin_one(int fd, const char *folder, const struct pin_kind *kind)
{
	return fd < 0 ? fd : bpffs_pin(fd, folder, kind->name, kind->mode);
}

static int pin_object(const struct object *object, const char *folder, struct diag *diag)
{
	int r = 0;

	for (int i = 0; i < PINS && !r; i++)
		r = pin_one(object_map_fd(object, pin_kinds[i].object), folder, &pin_kinds[i]);
	for (int i = 0; i < PROGRAMS && !r; i++)
		r = pin_one(object_program_fd(object, program_kinds[i].object), folder,
			    &program_kinds[i]);
	return r ? refused(diag, "pin", r, "pinning maps and programs") : 0;
}

static int load_object(const char *folder, struct diag *diag)
{
	auto_object struct object object = { 0 };
	int r = object_open(false, &object, diag);

	r = r ? r : object_load(&object, diag);
	return r ? r : pin_object(&object, folder, diag);
}

int seed_fill(int fd)
{
	uint8_t seed[32];
	uint32_t zero = 0;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	return bpf_map_update_elem(fd, &zero, seed, BPF_ANY) ? last_error() : 0;
}

/* Generation 0 passes everything. */
static int stage_factory(const struct instance *instance, struct diag *diag)
{
	auto_image struct image_file image = { 0 };
	auto_policy struct policy policy = { 0 };
	int r;

	policy_factory(&policy);
	r = policy_compile(&policy, &instance->limits, &image, diag);
	return r ? r : slot_put(instance, &image, 0, 0, diag);
}

static int set_word(const struct instance *instance)
{
	const struct word word = { .mode = MODE_ENFORCE };
	uint64_t bits = word_pack(&word);
	uint32_t key = CONTROL_WORD;

	return bpf_map_update_elem(instance->maps[PIN_CONTROL], &key, &bits, BPF_ANY) ? last_error()
										      : 0;
}

static int build(const struct places *aside, struct instance **ret, struct diag *diag)
{
	auto_instance struct instance *instance = NULL;
	int r = load_object(aside->pins, diag);

	r = r ? r : instance_open(aside, &instance, diag);
	r = r ? r : stage_factory(instance, diag);
	if (r)
		return r;
	assert(instance); /* opened */
	r = seed_fill(instance->maps[PIN_SEED]);
	r = r ? r : set_word(instance);
	if (r)
		return refused(diag, "instance", r, "filling the maps of the instance");
	*ret = TAKE_PTR(instance);
	return 0;
}

static int aside_places(const struct places *places, struct places *ret)
{
	size_t len = strlen(places->pins);

	*ret = *places;
	if (len + sizeof("+new") > sizeof(ret->pins))
		return -ENAMETOOLONG;
	memcpy(ret->pins + len, "+new", sizeof("+new"));
	return 0;
}

static int make(const struct places *places, struct instance **ret, struct diag *diag)
{
	auto_instance struct instance *instance = NULL;
	struct places aside;
	int r = aside_places(places, &aside);

	r = r ? r : bpffs_empty(aside.pins); /* of somebody who was killed here */
	r = r ? r : bpffs_folder(aside.pins);
	if (r)
		return refused(diag, "pin", r, aside.pins);
	r = build(&aside, &instance, diag);
	if (!r && rename(aside.pins, places->pins))
		r = refused(diag, "pin", -errno, places->pins);
	if (r) {
		bpffs_empty(aside.pins);
		return r;
	}
	assert(instance); /* built */
	instance->places = *places;
	*ret = TAKE_PTR(instance);
	return 0;
}

static int count_link(void *context, const char *name)
{
	struct spot spot;

	*(unsigned int *)context += link_parse(LINK_XDP, name, &spot);
	return 0;
}

/* Pins are missing. With nothing attached there is nothing to lose. */
static int clear_incomplete(const struct places *places, struct diag *diag)
{
	unsigned int links = 0;
	int r = bpffs_each(places->pins, count_link, &links);

	if (r)
		return r;
	return links ? say_incomplete(places, diag) : bpffs_empty(places->pins);
}

int instance_create(const struct places *places, struct instance **ret, struct diag *diag)
{
	int r = bpffs_mount(places, diag);

	if (r)
		return r;
	r = open_whole(places, ret, diag);
	if (r == -ENODATA) {
		r = clear_incomplete(places, diag);
		return r ? r : make(places, ret, diag);
	}
	return r == -ENOENT ? make(places, ret, diag) : r;
}

int instance_destroy(const struct places *places)
{
	int r = detach_everything(places);

	return r ? r : bpffs_empty(places->pins);
}
