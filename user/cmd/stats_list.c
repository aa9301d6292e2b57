/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hits of lists, put together under their names from the store and from four slots. */
#include "stats.h"

#include <errno.h>
#include <string.h>

#include "live.h"
#include "store/store.h"

/* Rows by name, while they are put together. */
struct gathering {
	const struct look *look;
	struct totals *totals;
	struct stats *stats;
	json_t *index; /* name -> row */
	struct hit *hits; /* of one slot, by list id */
};

static void gathering_free(struct gathering *gathering)
{
	totals_free(&gathering->totals);
	json_decref(gathering->index);
	free(gathering->hits);
}

int stats_reserve(struct stats *stats, uint32_t more)
{
	struct stats_row *rows;
	uint32_t cap = stats->cap;

	while (cap - stats->count < more)
		cap = cap ? 2 * cap : 64;
	rows = reallocarray(stats->rows, cap, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	stats->rows = rows;
	stats->cap = cap;
	return 0;
}

struct stats_row *stats_add(struct stats *stats, const char *name)
{
	struct stats_row *row = &stats->rows[stats->count++];

	*row = (struct stats_row){ 0 };
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

void stats_free(struct stats *stats)
{
	free(stats->rows);
}

/* The row of @name; a new one begins with what retired generations counted. */
static int find_row(struct gathering *gathering, const char *name, struct stats_row **ret)
{
	json_t *known = json_object_get(gathering->index, name);
	struct stats *stats = gathering->stats;
	struct hit retired = { 0 };
	int err;

	if (known) {
		*ret = &stats->rows[json_integer_value(known)];
		return 0;
	}
	err = stats_reserve(stats, 1);
	if (err || json_object_set_new(gathering->index, name, json_integer(stats->count)))
		return -ENOMEM;
	*ret = stats_add(stats, name);
	totals_of(gathering->totals, name, strlen(name), &retired);
	(*ret)->packets = retired.packets;
	(*ret)->bytes = retired.bytes;
	return 0;
}

static int gather_list(struct gathering *gathering, const struct image *image, unsigned int slot,
		       uint32_t id)
{
	const struct list_record *list = image_list(image, id);
	const struct hit *now = &gathering->hits[id];
	char name[POLICY_NAME_MAX + 1];
	struct stats_row *row;
	struct hit base = { 0 };
	int err;

	snprintf(name, sizeof(name), "%.*s", (int)list->name_len, image_text(image, list->name));
	err = find_row(gathering, name, &row);
	if (err)
		return err;
	totals_base(gathering->totals, slot, id, &base);
	row->packets += now->packets - base.packets;
	row->bytes += now->bytes - base.bytes;
	return 0;
}

/* A slot that is empty or damaged has no names to count under. */
static int gather_slot(struct gathering *gathering, unsigned int slot)
{
	auto_image struct image_file file = { 0 };
	const struct section *lists;
	int err = live_image(gathering->look->instance, slot, &file);
	uint32_t id;

	if (err == -ENOENT || err == -EBADMSG)
		return 0;
	if (!err)
		err = hits_read(gathering->look->instance, slot, gathering->hits);
	if (err)
		return err;
	lists = image_section(&file.image, SECTION_LISTS);
	for (id = 1; lists && id <= lists->count && !err; id++)
		err = gather_list(gathering, &file.image, slot, id);
	return err;
}

int stats_by_list(const struct look *look, const struct places *places, struct stats *ret)
{
	cleanup(gathering_free) struct gathering gathering = { .look = look, .stats = ret };
	char identity[INSTANCE_IDENTITY];
	unsigned int slot;
	int err = instance_identity(look->instance, identity);

	gathering.index = json_object();
	gathering.hits = calloc(instance_limits(look->instance)->lists + 2, sizeof(struct hit));
	if (!gathering.index || !gathering.hits)
		return -ENOMEM;
	if (!err)
		err = totals_load(places, identity, &gathering.totals);
	for (slot = 0; slot < SLOTS && !err; slot++)
		err = gather_slot(&gathering, slot);
	return err;
}
