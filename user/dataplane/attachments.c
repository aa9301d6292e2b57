/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is attached, in every namespace, and taking all of it off. Pins say where; what is really
 * there is asked in the namespace itself, when this user may go in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/attach.h"

struct listing {
	const struct instance *instance;
	struct attachment *items;
	uint32_t count;
};

struct visit {
	const struct instance *instance;
	struct attachment *item;
	bool known; /* the link itself has said that it lives */
};

/* In the namespace of the interface. */
static int look_there(void *context)
{
	const struct visit *visit = context;
	struct attachment *item = visit->item;
	char name[IF_NAMESIZE];

	if (!if_indextoname(item->ifindex, name)) {
		item->gone =
			!visit->known; /* a link that lives has moved away with its interface */
		return 0;
	}
	memcpy(item->name, name, sizeof(item->name));
	xdp_there(item->ifindex, &item->mode);
	if (item->mark == MARK_NONE &&
	    !clsact_find(program_id(visit->instance->programs[PROGRAM_MARK]), item->ifindex))
		item->mark = MARK_CLSACT;
	return 0;
}

static void describe(const struct instance *instance, const struct spot *spot,
		     struct attachment *item)
{
	struct visit visit = { .instance = instance, .item = item };
	const char *folder = instance->places.pins;
	struct link_found link;
	int r = link_look(folder, LINK_XDP, spot, &link);

	visit.known = !r && link.ifindex;
	item->gone = !r && !link.ifindex;
	r = link_look(folder, LINK_MARK, spot, &link);
	if (r == -EACCES || (!r && link.ifindex))
		item->mark = MARK_TCX;
	if (item->gone)
		item->mark = MARK_NONE;
	else
		netns_run(spot->netns, look_there, &visit);
}

static int add_link(void *context, const char *name)
{
	struct listing *listing = context;
	struct attachment *items;
	struct spot spot;

	if (!link_parse(LINK_XDP, name, &spot))
		return 0;
	items = reallocarray(listing->items, listing->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	listing->items = items;
	items += listing->count++;
	*items = (struct attachment){ .ifindex = spot.ifindex, .netns = spot.netns };
	describe(listing->instance, &spot, items);
	return 0;
}

int attach_list(const struct instance *instance, struct attachment **ret, uint32_t *ret_count)
{
	struct listing listing = { .instance = instance };
	int r = bpffs_each(instance->places.pins, add_link, &listing);

	if (r) {
		free(listing.items);
		return r;
	}
	*ret = listing.items;
	*ret_count = listing.count;
	return 0;
}

/* ---- taking everything off ---- */

static int remove_links(void *context, const char *name)
{
	struct spot spot;
	int r = 0;

	for (enum link_kind kind = 0; kind < LINK_KINDS && !r; kind++) {
		if (link_parse(kind, name, &spot))
			r = link_remove(context, kind, &spot);
	}
	return r;
}

/* Filters have no pin: they are found through what the instance says of its interfaces. */
static void remove_filters(struct instance *instance)
{
	autofree struct attachment *items = NULL;
	auto_diag struct diag diag = { 0 };
	uint32_t count = 0;

	if (attach_list(instance, &items, &count))
		return;
	for (uint32_t i = 0; i < count; i++)
		detach_attachment(instance, &items[i], &diag);
}

int detach_everything(const struct places *places)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int r;

	if (!instance_open(places, &instance, &diag))
		remove_filters(instance);
	r = bpffs_each(places->pins, remove_links, (void *)places->pins);
	return r == -ENOENT ? 0 : r;
}
