/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why one source must not be blocked: the policy allows it anyway, or this host lives by it. */
#include <stdio.h>
#include <string.h>

#include "policy/overrides.h"

/* ---- against a policy ---- */

struct overlap {
	const struct image *image;
	unsigned __int128 first, last; /* of the sources in question */
	uint32_t before; /* leaf of the range that began last, at or before first */
	uint32_t list; /* found: it allows or protects some of them */
};

static uint32_t passing_list(const struct image *image, uint32_t id)
{
	const struct leaf *leaf = image_leaf(image, id);

	if (!leaf)
		return 0;
	return leaf->protect ? leaf->protect : leaf->allow;
}

/* Ranges come in order, and each ends where the next begins. */
static int look_at(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct overlap *overlap = context;
	unsigned __int128 start = (unsigned __int128)hi << 64 | lo;

	if (start > overlap->last)
		return 1;
	if (start <= overlap->first) {
		overlap->before = leaf;
		return 0;
	}
	overlap->list = passing_list(overlap->image, leaf);
	return !!overlap->list;
}

static uint32_t find_passing(const struct image *image, const struct prefix *prefix)
{
	struct overlap overlap = { .image = image,
				   .first = (unsigned __int128)prefix->hi << 64 | prefix->lo };
	uint32_t before;

	overlap.last =
		overlap.first | (prefix->len ? ((unsigned __int128)1 << (128 - prefix->len)) - 1
					     : ~(unsigned __int128)0);
	image_each_range(image, prefix->family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC, look_at,
			 &overlap);
	before = passing_list(image, overlap.before);
	return before ? before : overlap.list;
}

bool override_allowed(const struct image *live, const struct override *item, struct diag *diag)
{
	uint32_t id = find_passing(live, &item->prefix);
	const struct list_record *list = image_list(live, id);
	char text[PREFIX_TEXT];

	if (!list)
		return false;
	diag_add(diag, NULL, "allowed_by_policy",
		 "the live policy %s some of %s (list `%.*s`), and that comes first: take it off "
		 "that list, or block what is beside it",
		 list->action == ACTION_PROTECT ? "protects" : "allows",
		 prefix_format(&item->prefix, text), (int)list->name_len,
		 image_text(live, list->name));
	return true;
}

/* ---- against what the host lives by ---- */

static struct prefix prefix_of(const struct host_address *address)
{
	return (struct prefix){ .hi = address->address.hi,
				.lo = address->address.lo,
				.family = address->family,
				.len = address->family == 4 ? 32 : 128 };
}

static bool is_kept_open(const struct override_set *all, const struct override *block,
			 const struct prefix *address)
{
	for (uint32_t i = 0; i < all->count; i++) {
		const struct override *item = &all->items[i];

		if (!item->block && prefix_covers(&item->prefix, address) &&
		    (!item->expires || (block->expires && item->expires >= block->expires)))
			return true;
	}
	return false;
}

static void say_hit(const struct override *item, const struct host_address *first, uint32_t more,
		    struct diag *diag)
{
	const struct prefix address = prefix_of(first);
	char text[PREFIX_TEXT], blocked[PREFIX_TEXT], others[48] = "";

	prefix_format(&address, text);
	text[strcspn(text, "/")] = '\0';
	if (more)
		snprintf(others, sizeof(others), ", and %u more addresses", more);
	diag_add(diag, NULL, "gate_host", "%s would block %s (%s of this host)%s",
		 prefix_format(&item->prefix, blocked), text, host_kinds[first->kind], others);
}

bool override_hits_host(const struct override_set *all, const struct override *item,
			const struct host *host, struct diag *diag)
{
	const struct host_address *first = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < host->count; i++) {
		const struct prefix address = prefix_of(&host->items[i]);

		if (!prefix_covers(&item->prefix, &address) || is_kept_open(all, item, &address))
			continue;
		if (!count++)
			first = &host->items[i];
	}
	if (count)
		say_hit(item, first, count - 1, diag);
	return count;
}
