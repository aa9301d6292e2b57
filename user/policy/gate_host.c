/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would this host cut itself off? Every address that it lives by is asked as a source, its own ones
 * as destinations too, through the lookup that the program does. Protected ports do not excuse: they
 * let in what somebody sends there, not what comes back from an address that is dropped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <stanch/table.h>

#include "policy/gate_parts.h"
#include "policy/policy.h"

/* The list that drops this address in this table, 0 for none. */
static uint16_t dropped_by(const struct image *image, enum table table,
			   const struct host_address *item)
{
	uint32_t id = table_lookup((struct image *)image, image_hot(image)->root[table],
				   item->address.hi, item->address.lo);
	const struct leaf *leaf = id > NODE_LEAF_MASK ? NULL : image_leaf(image, id);

	return leaf ? gate_drop(leaf) : 0;
}

/* Packets from it first; @ret_to says that only packets to it are dropped. */
static uint16_t cut_off_by(const struct image *image, const struct host_address *item, bool *ret_to)
{
	uint32_t six = item->family == 6 ? TABLE_V6_SRC : TABLE_V4_SRC;
	uint16_t list = dropped_by(image, six, item);

	*ret_to = false;
	if (list || item->kind != HOST_OWN)
		return list;
	*ret_to = true;
	return dropped_by(image, six + 1, item);
}

static const char *address_text(const struct host_address *item, char *out)
{
	struct prefix prefix = {
		.hi = item->address.hi,
		.lo = item->address.lo,
		.family = item->family,
		.len = item->family == 4 ? 32 : 128,
	};

	prefix_format(&prefix, out);
	out[strcspn(out, "/")] = 0;
	return out;
}

struct cut_off {
	const struct host_address *item; /* the first one, NULL: none */
	uint64_t count;
	uint16_t list;
	bool to;
};

static void say(const struct gate_facts *facts, const struct cut_off *found,
		struct gate_result *ret)
{
	const struct list_record *list = image_list(facts->image, found->list);
	char address[PREFIX_TEXT], more[48] = "";

	if (found->count > 1)
		snprintf(more, sizeof(more), ", and %" PRIu64 " more", found->count - 1);
	gate_says(ret, true,
		  "list `%.*s` drops packets %s %s (%s)%s; the limit is 0 such addresses",
		  list ? (int)list->name_len : 0, list ? image_text(facts->image, list->name) : "",
		  found->to ? "to" : "from", address_text(found->item, address),
		  host_kinds[found->item->kind], more);
}

int gate_host(const struct gate_facts *facts, struct gate_result *ret)
{
	struct cut_off found = { 0 };

	if (!facts->host)
		return 0;
	for (uint32_t i = 0; i < facts->host->count; i++) {
		const struct host_address *item = &facts->host->items[i];
		bool to;
		uint16_t list = cut_off_by(facts->image, item, &to);

		if (!list)
			continue;
		if (!found.count++) {
			found.item = item;
			found.list = list;
			found.to = to;
		}
	}
	ret->value = found.count;
	if (found.count)
		say(facts, &found, ret);
	else
		gate_says(ret, false, "none of %" PRIu32 " addresses of this host is dropped",
			  facts->host->count);
	return 0;
}
