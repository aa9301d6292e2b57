/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of the operator's overrides: built aside, pinned, put where the program looks, and only
 * then asked. Who is killed in between leaves the old one or the new one in force, whole. Callers
 * that write hold the lock.
 */
#include <errno.h>

#include "dataplane/slots.h"

#define PIN_IMAGE "overrides-image"

static int ask_program(const struct instance *instance, uint64_t on)
{
	uint32_t key = CONTROL_OVERRIDES;

	return bpf_map_update_elem(instance->maps[PIN_CONTROL], &key, &on, BPF_ANY) ? last_error()
										    : 0;
}

static int is_asked(const struct instance *instance, uint64_t *ret)
{
	uint32_t key = CONTROL_OVERRIDES;

	return bpf_map_lookup_elem(instance->maps[PIN_CONTROL], &key, ret) ? last_error() : 0;
}

/*
 * The program stops asking, and that is all that counts: what it asked is released after a grace
 * period, or else by whoever publishes next.
 */
static int withdraw(const struct instance *instance)
{
	uint32_t key = 0;
	int r = ask_program(instance, 0);

	if (r)
		return r;
	bpf_map_delete_elem(instance->maps[PIN_OVERRIDES], &key);
	bpffs_unpin(instance->places.pins, PIN_IMAGE);
	return 0;
}

/* As it was: @old is the image that was asked before, or negative. */
static void put_back(const struct instance *instance, int old)
{
	if (old >= 0)
		bpffs_pin(old, instance->places.pins, PIN_IMAGE, 0640);
	else
		bpffs_unpin(instance->places.pins, PIN_IMAGE);
}

/* The old image stays held until nobody can be reading it: see replace() in slots.c. */
static int publish(const struct instance *instance, int map)
{
	autoclose int old = bpffs_get(instance->places.pins, PIN_IMAGE);
	uint64_t on = 0;
	int r;

	if (old < 0 && old != -ENOENT)
		return old;
	r = is_asked(instance, &on);
	if (r)
		return r;
	r = bpffs_pin(map, instance->places.pins, PIN_IMAGE, 0640);
	if (r)
		return r;
	r = slots_publish(instance->maps[PIN_OVERRIDES], 0, map);
	if (r)
		put_back(instance, old);
	return r || on ? r : ask_program(instance, 1);
}

int overrides_publish(struct instance *instance, const struct image_file *image, struct diag *diag)
{
	autoclose int map = -1;
	int r;

	if (!image) {
		r = withdraw(instance);
		return r ? refused(diag, "overrides", r, "taking the overrides away") : 0;
	}
	r = image_map_fits(&image->image, &instance->limits, diag);
	if (r)
		return r;
	map = image_map_create(&image->image, image_id(&image->image)->digest, diag);
	if (map < 0)
		return map;
	r = publish(instance, map);
	return r ? refused(diag, "overrides", r, "publishing the overrides") : 0;
}

int overrides_copy(const struct instance *instance, struct image_file *ret)
{
	autoclose int fd = -1;
	struct map_shape shape;
	uint64_t on = 0;
	uint32_t key = 0, id = 0;
	int r = is_asked(instance, &on);

	if (r || !on)
		return r ? r : -ENOENT;
	fd = bpffs_get(instance->places.pins, PIN_IMAGE);
	if (fd < 0)
		return fd == -ENOENT ? -EBADMSG : fd;
	if (bpf_map_lookup_elem(instance->maps[PIN_OVERRIDES], &key, &id))
		return errno == ENOENT ? -EBADMSG : last_error();
	r = map_shape(fd, &shape);
	if (r)
		return r;
	return id == shape.id ? image_map_copy(fd, ret) : -EBADMSG;
}
