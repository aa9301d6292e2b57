/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses this host lives by: in the network namespace of the tool and in each that is
 * filtered. Own addresses of all of them first, since an address is kept as the kind it has first,
 * and a namespace's own address may be the neighbour of another.
 */
#include "dataplane/host.h"

#include <string.h>

#include "dataplane/attach.h"
#include "dataplane/dump.h"

#define WAIT_NS 5000000000ull
#define PLACES 64u /* namespaces */

struct host_address host_address(int af, const void *bytes, enum host_kind kind)
{
	struct host_address ret = { .family = af == AF_INET ? 4 : 6, .kind = (uint8_t)kind };
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	const unsigned char *byte = bytes;
	const size_t len = af == AF_INET ? 4 : 16;

	if (len == 16 && !memcmp(bytes, mapped, sizeof(mapped)))
		return host_address(AF_INET, byte + 12, kind);
	for (size_t i = 0; i < 8; i++)
		ret.address.hi = ret.address.hi << 8 | (i < len ? byte[i] : 0);
	for (size_t i = 8; i < len; i++)
		ret.address.lo = ret.address.lo << 8 | byte[i];
	return ret;
}

static bool is_loopback(const struct host_address *item)
{
	if (item->family == 4)
		return item->address.hi >> 56 == 127;
	return !item->address.hi && item->address.lo == 1;
}

/* Unspecified, multicast, broadcast. */
static bool is_nobody(const struct host_address *item)
{
	uint64_t top = item->address.hi >> 56;

	if (!item->address.hi && !item->address.lo)
		return true;
	return item->family == 4 ? top >= 224 : top == 255;
}

int host_keep(const struct host_place *place, const struct host_address *address)
{
	if (is_nobody(address) || (is_loopback(address) && !place->loopback))
		return 0;
	return host_add(place->search->host, address);
}

int host_unread(const struct host_place *place, int err, const char *what)
{
	char text[DIAG_TEXT / 2];

	if (!err || err == -ENOMEM)
		return err;
	snprintf(text, sizeof(text), "%s of network namespace %llu cannot be read", what,
		 (unsigned long long)place->netns);
	refused(place->search->diag, "host_unread", err, text);
	return 0;
}

static int find_own(void *context)
{
	return host_own(context);
}

static int find_rest(void *context)
{
	int r = host_ssh(context);

	return r ? r : host_near(context);
}

/* The namespaces to look into: the present one, and where something is attached. */
struct tour {
	struct host_place places[PLACES];
	uint32_t count;
};

static void tour_add(struct tour *tour, struct host_search *search, uint64_t netns, bool loopback)
{
	uint32_t i = 0;

	while (i < tour->count && tour->places[i].netns != netns)
		i++;
	if (i == PLACES)
		return;
	if (i == tour->count)
		tour->places[tour->count++] =
			(struct host_place){ .search = search, .netns = netns };
	tour->places[i].loopback |= loopback;
}

static int tour_plan(const struct instance *instance, struct host_search *search, struct tour *ret)
{
	autofree struct attachment *items = NULL;
	uint32_t count = 0;
	int r = 0;

	tour_add(ret, search, netns_current(), false);
	if (instance)
		r = attach_list(instance, &items, &count);
	for (uint32_t i = 0; !r && i < count; i++) {
		if (!items[i].gone)
			tour_add(ret, search, items[i].netns, !strcmp(items[i].name, "lo"));
	}
	return host_unread(&ret->places[0], r, "what is attached, seen from the namespace");
}

static int tour_make(struct tour *tour, int (*fn)(void *context))
{
	int r = 0;

	for (uint32_t i = 0; !r && i < tour->count; i++) {
		struct host_place *place = &tour->places[i];

		r = host_unread(place, netns_run(place->netns, fn, place), "the addresses");
	}
	return r;
}

int host_find(const struct instance *instance, struct host *ret, struct diag *diag)
{
	auto_host struct host host = { 0 };
	struct host_search search = { &host, diag, dump_now() + WAIT_NS };
	autofree struct tour *tour = calloc(1, sizeof(*tour));
	int r;

	if (!tour)
		return -ENOMEM;
	r = tour_plan(instance, &search, tour);
	if (!r)
		r = tour_make(tour, find_own);
	if (!r)
		r = host_resolvers(&tour->places[0]);
	if (!r)
		r = tour_make(tour, find_rest);
	if (r)
		return r;
	*ret = host;
	host = (struct host){ 0 };
	return 0;
}
