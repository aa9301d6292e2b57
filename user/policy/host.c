/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that a host lives by, each held once: a bounded set that keeps its order. */
#include "policy/host.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FIRST_CAP 64u /* a power of two, as every other */

const char *const host_kinds[HOST_KINDS] = {
	[HOST_OWN] = "own address", [HOST_GATEWAY] = "gateway",	    [HOST_RESOLVER] = "resolver",
	[HOST_SSH] = "SSH peer",    [HOST_NEIGHBOUR] = "neighbour",
};

static bool is_same(const struct host_address *a, const struct host_address *b)
{
	return a->family == b->family && a->address.hi == b->address.hi &&
	       a->address.lo == b->address.lo;
}

/* Where it is, or the free bucket where it belongs. There are twice as many as addresses. */
static uint32_t *bucket_of(const struct host *host, const struct host_address *address)
{
	uint64_t hash = (address->address.hi ^ address->address.lo * 0x94d049bb133111ebull ^
			 address->family) *
			0x9e3779b97f4a7c15ull;
	uint32_t mask = host->cap * 2 - 1, i = (uint32_t)(hash >> 32) & mask;

	while (host->buckets[i] && !is_same(&host->items[host->buckets[i] - 1], address))
		i = (i + 1) & mask;
	return &host->buckets[i];
}

static int grow(struct host *host)
{
	uint32_t cap = host->cap ? host->cap * 2 : FIRST_CAP;
	uint32_t *buckets = calloc((size_t)cap * 2, sizeof(*buckets));
	struct host_address *items = reallocarray(host->items, cap, sizeof(*items));

	if (items)
		host->items = items;
	if (!items || !buckets) {
		free(buckets);
		return -ENOMEM;
	}
	free(host->buckets);
	host->buckets = buckets;
	host->cap = cap;
	for (uint32_t i = 0; i < host->count; i++)
		*bucket_of(host, &items[i]) = i + 1;
	return 0;
}

int host_add(struct host *host, const struct host_address *address)
{
	uint32_t *bucket;
	int r = host->count == host->cap && host->cap < HOST_ADDRESSES ? grow(host) : 0;

	if (r)
		return r;
	bucket = bucket_of(host, address);
	if (*bucket)
		return 0;
	if (host->count == HOST_ADDRESSES) {
		host->omitted++;
		return 0;
	}
	host->items[host->count++] = *address;
	*bucket = host->count;
	return 0;
}

void host_free(struct host *host)
{
	free(host->items);
	free(host->buckets);
	*host = (struct host){ 0 };
}
