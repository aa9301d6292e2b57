/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in force beside what is written down. Both agree unless a command was killed between the
 * two, the disk was full or lost, or the wall clock was set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/overrides.h"

#define NS_PER_S 1000000000ull
#define CLOCKS_AGREE_S 2u /* seconds of wall time, which were rounded, are no difference */

static uint64_t address_part(const uint8_t *bytes)
{
	uint64_t ret = 0;

	for (unsigned int i = 0; i < 8; i++)
		ret = ret << 8 | bytes[i];
	return ret;
}

static uint64_t expiry_of(const struct image *image, uint32_t id)
{
	uint32_t first = image_hot(image)->expiry_line;
	const uint64_t *line = image_line((struct image *)image, first + id / 8);

	return first && line ? line[id % 8] : 0;
}

bool override_is_over(const struct override *override, const struct override_clock *now)
{
	return override->expires && override->expires <= now->realtime_s;
}

/* One that the program's clock says is over, is over. */
static uint64_t end_of(uint64_t end_ns, const struct override_clock *now)
{
	if (!end_ns)
		return 0;
	if (end_ns <= now->monotonic_ns)
		return now->realtime_s;
	return now->realtime_s + (end_ns - now->monotonic_ns + NS_PER_S - 1) / NS_PER_S;
}

static void read_list(const struct image *image, uint32_t id, const struct override_clock *now,
		      struct override *ret)
{
	const struct list_record *list = image_list(image, id);

	*ret = (struct override){ .block = list->action == ACTION_DROP,
				  .expires = end_of(expiry_of(image, id), now) };
	ret->prefix = (struct prefix){ .family = list->first_family,
				       .len = list->first_len,
				       .hi = address_part(list->first),
				       .lo = address_part(list->first + 8) };
}

bool override_of_list(const struct image *image, uint32_t id, const struct override_clock *now,
		      struct override *ret)
{
	struct override item;

	if (!image_list(image, id))
		return false;
	read_list(image, id, now, &item);
	if (override_is_over(&item, now))
		return false;
	*ret = item;
	return true;
}

/* ---- in force ---- */

struct in_force {
	struct override *items;
	bool *listed; /* is it written down? */
	uint32_t count;
};

static void in_force_free(struct in_force *in_force)
{
	free(in_force->items);
	free(in_force->listed);
}

static int in_force_read(const struct image *image, const struct override_clock *now,
			 struct in_force *ret)
{
	uint32_t lists = image_hot(image)->lists;

	ret->items = calloc(lists + 1u, sizeof(*ret->items));
	ret->listed = calloc(lists + 1u, sizeof(*ret->listed));
	if (!ret->items || !ret->listed)
		return -ENOMEM;
	for (; ret->count < lists; ret->count++)
		read_list(image, ret->count + 1, now, &ret->items[ret->count]);
	return 0;
}

static bool is_same(const struct override *a, const struct override *b)
{
	return a->block == b->block && a->prefix.len == b->prefix.len &&
	       prefix_covers(&a->prefix, &b->prefix);
}

/* Did the compiler leave @item out, because @cover lasts as long? */
static bool hides(const struct override *cover, const struct override *item)
{
	return cover->block == item->block && prefix_covers(&cover->prefix, &item->prefix) &&
	       (!cover->expires ||
		(item->expires && item->expires <= cover->expires + CLOCKS_AGREE_S));
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Finds @item in force; its end becomes the one that the program goes by. */
static bool find(struct in_force *in_force, struct override *item)
{
	bool hidden = false;

	for (uint32_t i = 0; i < in_force->count; i++) {
		const struct override *found = &in_force->items[i];

		if (is_same(found, item)) {
			if (!item->expires != !found->expires ||
			    difference(item->expires, found->expires) > CLOCKS_AGREE_S)
				item->expires = found->expires;
			in_force->listed[i] = true;
			return true;
		}
		hidden |= hides(found, item);
	}
	return hidden;
}

/* ---- both ---- */

/* Those on disk that count. What is in force counts even where the wall clock says it is over. */
static void take_disk(const struct override_set *disk, struct in_force *in_force,
		      const struct override_clock *now, struct override_merge *merge)
{
	for (uint32_t i = 0; i < disk->count; i++) {
		struct override item = disk->items[i];
		bool found = in_force && find(in_force, &item);

		if (override_is_over(&item, now))
			merge->expired++;
		else if (in_force && !found)
			merge->stale++;
		else
			merge->items[merge->count++] = item;
	}
}

static void take_unlisted(const struct in_force *in_force, const struct override_clock *now,
			  struct override_merge *merge)
{
	for (uint32_t i = 0; i < in_force->count; i++) {
		if (in_force->listed[i] || override_is_over(&in_force->items[i], now))
			continue;
		merge->items[merge->count++] = in_force->items[i];
		merge->unlisted++;
	}
}

int overrides_merge(const struct override_set *disk, const struct image *image,
		    const struct override_clock *now, struct override_merge *ret)
{
	cleanup(in_force_free) struct in_force in_force = { 0 };
	struct override_merge merge = { 0 };
	int err = image ? in_force_read(image, now, &in_force) : 0;

	if (err)
		return err;
	merge.items = calloc((size_t)disk->count + in_force.count + 1, sizeof(*merge.items));
	if (!merge.items)
		return -ENOMEM;
	take_disk(disk, image ? &in_force : NULL, now, &merge);
	take_unlisted(&in_force, now, &merge);
	*ret = merge;
	return 0;
}
