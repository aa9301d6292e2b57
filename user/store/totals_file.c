/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of the list totals: JSON, 64-bit numbers as strings, every value checked when it comes
 * back. Knows nothing of images.
 */
#include "store/totals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json_file.h"

static const struct json_kind totals_kind = {
	.name = "totals.json",
	.kept = "totals.bad",
	.schema = "stanch.totals/1",
	.max = (size_t)32 << 20,
};

/* ["packets", "bytes"], after @skip other items. */
static int take_hit(const json_t *value, size_t skip, struct hit *ret)
{
	uint64_t packets, bytes;

	if (!json_is_array(value) || json_array_size(value) != skip + 2 ||
	    json_take_u64(json_array_get(value, skip), &packets) ||
	    json_take_u64(json_array_get(value, skip + 1), &bytes))
		return -EBADMSG;
	*ret = (struct hit){ packets, bytes };
	return 0;
}

static int take_names(json_t *value, struct tally *ret)
{
	size_t size = json_object_size(value);
	const char *name;
	json_t *hit;

	if (!json_is_object(value) || size > TOTALS_NAMES)
		return -EBADMSG;
	ret->names = calloc(size + 1, sizeof(*ret->names));
	if (!ret->names)
		return -ENOMEM;
	json_object_foreach(value, name, hit)
	{
		struct named_hit *named = &ret->names[ret->count];

		if (!totals_name(name, strlen(name)) || take_hit(hit, 0, &named->hit))
			return -EBADMSG;
		snprintf(named->name, sizeof(named->name), "%s", name);
		ret->count++;
	}
	tally_sort(ret);
	return 0;
}

/* [id, "packets", "bytes"]; the id, or -EBADMSG. */
static int take_id(const json_t *item)
{
	const json_t *id = json_array_get(item, 0);
	json_int_t number = json_integer_value(id);

	if (!json_is_integer(id) || number < 1 || number >= (json_int_t)TOTALS_ENTRIES)
		return -EBADMSG;
	return (int)number;
}

/* Lists that are not mentioned begin at zero; @ret has room for the largest id that is. */
static int take_base(const json_t *value, unsigned int slot, struct tally *ret)
{
	const json_t *item;
	int largest = 0;
	size_t i;

	json_array_foreach(value, i, item)
	{
		int id = take_id(item);

		if (id < 0)
			return id;
		largest = id > largest ? id : largest;
	}
	ret->base[slot] = calloc((size_t)largest + 1, sizeof(*ret->base[slot]));
	if (!ret->base[slot])
		return -ENOMEM;
	ret->entries[slot] = (uint32_t)largest + 1;
	json_array_foreach(value, i, item)
	{
		if (take_hit(item, 1, &ret->base[slot][take_id(item)]))
			return -EBADMSG;
	}
	return 0;
}

static int take_bases(const json_t *value, struct tally *ret)
{
	int err = 0;

	if (!json_is_array(value) || json_array_size(value) != SLOTS)
		return -EBADMSG;
	for (unsigned int slot = 0; slot < SLOTS && !err; slot++) {
		const json_t *base = json_array_get(value, slot);

		if (!json_is_array(base) || json_array_size(base) > TOTALS_ENTRIES)
			return -EBADMSG;
		err = take_base(base, slot, ret);
	}
	return err;
}

static void drop_bases(struct tally *tally)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		free(TAKE_PTR(tally->base[slot]));
		tally->entries[slot] = 0;
	}
}

int tally_read(const struct places *places, const char *boot, struct tally *ret)
{
	auto_tally struct tally found = { 0 };
	auto_json json_t *file = NULL;
	const char *given;
	int err = json_file_read(places, &totals_kind, &file);

	if (err)
		return err;
	given = json_string_value(json_object_get(file, "boot"));
	if (!given)
		return -EBADMSG;
	err = take_names(json_object_get(file, "retired"), &found)
		      ?: take_bases(json_object_get(file, "bases"), &found);
	if (err)
		return err;
	if (strcmp(given, boot))
		drop_bases(&found); /* the counters have begun again */
	*ret = found;
	found = (struct tally){ 0 };
	return 0;
}

static json_t *give_names(const struct tally *tally)
{
	auto_json json_t *names = json_object();

	for (size_t i = 0; i < tally->count; i++) {
		const struct named_hit *named = &tally->names[i];
		json_t *hit = json_pack("[oo]", json_give_u64(named->hit.packets),
					json_give_u64(named->hit.bytes));

		if (json_object_set_new(names, named->name, hit))
			return NULL;
	}
	return TAKE_PTR(names);
}

static json_t *give_base(const struct hit *base, uint32_t entries)
{
	auto_json json_t *list = json_array();

	for (uint32_t id = 1; id < entries; id++) {
		json_t *item;

		if (!base[id].packets && !base[id].bytes)
			continue;
		item = json_pack("[ioo]", (int)id, json_give_u64(base[id].packets),
				 json_give_u64(base[id].bytes));
		if (json_array_append_new(list, item))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *give_bases(const struct tally *tally)
{
	auto_json json_t *bases = json_array();

	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		if (json_array_append_new(bases,
					  give_base(tally->base[slot], tally->entries[slot])))
			return NULL;
	}
	return TAKE_PTR(bases);
}

int tally_write(const struct places *places, const char *boot, const struct tally *tally)
{
	auto_json json_t *file = json_file_new(&totals_kind);

	if (json_object_set_new(file, "boot", json_string(boot)) ||
	    json_object_set_new(file, "retired", give_names(tally)) ||
	    json_object_set_new(file, "bases", give_bases(tally)))
		return -ENOMEM;
	return json_file_write(places, &totals_kind, file);
}

int tally_keep_damaged(const struct places *places)
{
	return disk_keep_damaged(places, totals_kind.name, totals_kind.kept);
}
