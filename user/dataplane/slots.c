/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations and the four places they sit in. A slot's map is published before its description
 * and described only while it is whole, so that whoever is killed in between leaves a slot that
 * nobody trusts and the next one reuses. Callers that write hold the lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/slots.h"

static void pin_name(unsigned int slot, char ret[PIN_NAME])
{
	snprintf(ret, PIN_NAME, "gen-%u", slot);
}

int slot_map(const struct instance *instance, unsigned int slot)
{
	char name[PIN_NAME];

	pin_name(slot, name);
	return bpffs_get(instance->places.pins, name);
}

int slot_read(const struct instance *instance, unsigned int slot, struct slot_info *ret)
{
	uint32_t key = slot;
	struct slot_info info = { 0 };

	if (slot >= SLOTS)
		return -EINVAL;
	if (bpf_map_lookup_elem(instance->maps[PIN_SLOT_INFO], &key, &info))
		return last_error();
	*ret = info;
	return 0;
}

static int write_info(const struct instance *instance, unsigned int slot,
		      const struct slot_info *info)
{
	uint32_t key = slot;

	return bpf_map_update_elem(instance->maps[PIN_SLOT_INFO], &key, info, BPF_ANY)
		       ? last_error()
		       : 0;
}

int slot_find(const struct instance *instance, uint64_t generation)
{
	struct slot_info info = { 0 };

	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		int r = slot_read(instance, slot, &info);

		if (r)
			return r;
		if (info.lines && info.generation == generation)
			return (int)slot;
	}
	return -ENOENT;
}

static bool names_slot(const struct word *word, unsigned int slot)
{
	return word->live == slot || word->good == slot || (word->share && word->candidate == slot);
}

int slot_free(const struct instance *instance, const struct word *word)
{
	struct slot_info info, oldest = { .generation = UINT64_MAX };
	int found = -ENOENT;

	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		int r = slot_read(instance, slot, &info);

		if (r)
			return r;
		if (names_slot(word, slot))
			continue;
		if (!info.lines)
			return (int)slot;
		if (info.generation < oldest.generation) {
			oldest = info;
			found = (int)slot;
		}
	}
	return found;
}

/* The map that the program finds in this slot must be the one whose pin is read. */
static int pinned_map(const struct instance *instance, unsigned int slot)
{
	autoclose int fd = slot_map(instance, slot);
	uint32_t key = slot, id = 0;
	struct map_shape shape;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? -EBADMSG : fd;
	if (bpf_map_lookup_elem(instance->maps[PIN_SLOTS], &key, &id))
		return errno == ENOENT ? -EBADMSG : last_error();
	r = map_shape(fd, &shape);
	if (r)
		return r;
	return id == shape.id ? TAKE_FD(fd) : -EBADMSG;
}

/* What a filled slot is described as. */
static int filled_info(const struct instance *instance, unsigned int slot, struct slot_info *ret)
{
	int r = slot_read(instance, slot, ret);

	return r || ret->lines ? r : -ENOENT;
}

int slot_copy(const struct instance *instance, unsigned int slot, struct image_file *ret)
{
	struct slot_info info = { 0 };
	int r = filled_info(instance, slot, &info);
	autoclose int fd = r ? r : slot_map(instance, slot);

	return fd < 0 ? fd : image_map_copy(fd, ret);
}

int slot_verify(const struct instance *instance, unsigned int slot)
{
	struct slot_info info = { 0 };
	uint8_t digest[32];
	int r = filled_info(instance, slot, &info);
	autoclose int fd = r ? r : pinned_map(instance, slot);

	if (fd < 0)
		return fd;
	r = image_map_digest(fd, digest);
	if (r)
		return r == -EPROTO ? -EBADMSG : r;
	return memcmp(digest, info.digest, sizeof(digest)) ? -EBADMSG : 0;
}

int slot_check(const struct instance *instance, unsigned int slot)
{
	struct slot_info info = { 0 };
	struct image_id id;
	uint32_t first = IMAGE_ID_LINE;
	int r = filled_info(instance, slot, &info);
	autoclose int fd = r ? r : pinned_map(instance, slot);

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &first, &id))
		return last_error();
	return memcmp(id.digest, info.digest, sizeof(id.digest)) ? -EBADMSG : 0;
}

int slots_wait(int slots)
{
	autoclose int scratch = image_map_scratch();
	uint32_t key = SLOT_SCRATCH;

	if (scratch < 0)
		return scratch;
	return bpf_map_update_elem(slots, &key, &scratch, BPF_ANY) ? last_error() : 0;
}

int slots_publish(int slots, unsigned int slot, int map)
{
	uint32_t key = slot;

	return bpf_map_update_elem(slots, &key, &map, BPF_ANY) ? last_error() : 0;
}

/* As it was before: @old is the map that was there, or negative. */
static void put_back(const struct instance *instance, unsigned int slot, int old,
		     const struct slot_info *info)
{
	int slots = instance->maps[PIN_SLOTS];
	char name[PIN_NAME];
	uint32_t key = slot;

	pin_name(slot, name);
	if (old >= 0 && !slots_publish(slots, slot, old)) {
		bpffs_pin(old, instance->places.pins, name, 0640);
		write_info(instance, slot, info);
		return;
	}
	bpf_map_delete_elem(slots, &key);
	bpffs_unpin(instance->places.pins, name);
}

/*
 * The old map stays held by @old until the update of the outer map has returned, which waits for
 * every program that may still be reading it: older kernels free an inner map without that wait.
 */
static int replace(const struct instance *instance, unsigned int slot, int map,
		   const struct slot_info *info)
{
	autoclose int old = slot_map(instance, slot);
	const struct slot_info none = { 0 };
	struct slot_info before;
	char name[PIN_NAME];
	int r;

	if (old < 0 && old != -ENOENT)
		return old;
	pin_name(slot, name);
	r = slot_read(instance, slot, &before);
	r = r ? r : write_info(instance, slot, &none);
	if (r)
		return r;
	r = slots_publish(instance->maps[PIN_SLOTS], slot, map);
	r = r ? r : bpffs_pin(map, instance->places.pins, name, 0640);
	r = r ? r : write_info(instance, slot, info);
	if (r)
		put_back(instance, slot, old, &before);
	return r;
}

int slot_put(const struct instance *instance, const struct image_file *image, uint64_t generation,
	     unsigned int slot, struct diag *diag)
{
	struct slot_info info = { .generation = generation, .lines = image->image.lines };
	autoclose int map = -1;
	struct timespec now;
	int r = image_map_fits(&image->image, &instance->limits, diag);

	if (r)
		return r;
	r = slots_wait(instance->maps[PIN_SLOTS]);
	if (r)
		return refused(diag, "slot_wait", r, "waiting until nobody reads the slot");
	memcpy(info.digest, image_id(&image->image)->digest, sizeof(info.digest));
	map = image_map_create(&image->image, info.digest, diag);
	if (map < 0)
		return map;
	clock_gettime(CLOCK_REALTIME, &now);
	info.staged_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	r = replace(instance, slot, map, &info);
	return r ? refused(diag, "slot_publish", r, "publishing the generation in its slot") : 0;
}

/* May this slot be written? */
static int check_unnamed(const struct instance *instance, unsigned int slot)
{
	uint32_t key = CONTROL_WORD;
	struct word word;
	uint64_t bits;

	if (slot >= SLOTS)
		return -EINVAL;
	if (bpf_map_lookup_elem(instance->maps[PIN_CONTROL], &key, &bits))
		return last_error();
	word = word_unpack(bits);
	return names_slot(&word, slot) ? -EBUSY : 0;
}

int slot_stage(struct instance *instance, const struct image_file *image, uint64_t generation,
	       unsigned int slot, struct diag *diag)
{
	int r = check_unnamed(instance, slot);

	if (r == -EBUSY || r == -EINVAL) {
		diag_add(diag, NULL, "slot_in_use",
			 "slot %u is not there, or live, last-known-good or candidate", slot);
		return r;
	}
	if (r)
		return refused(diag, "slot_word", r, "reading the control word");
	return slot_put(instance, image, generation, slot, diag);
}

int slot_withdraw(struct instance *instance, unsigned int slot)
{
	const struct slot_info none = { 0 };
	char name[PIN_NAME];
	uint32_t key = slot;
	int r = check_unnamed(instance, slot);

	if (r)
		return r;
	r = write_info(instance, slot, &none);
	if (r)
		return r;
	if (bpf_map_delete_elem(instance->maps[PIN_SLOTS], &key) && errno != ENOENT)
		return last_error();
	pin_name(slot, name);
	r = bpffs_unpin(instance->places.pins, name);
	return r == -ENOENT ? 0 : r;
}
