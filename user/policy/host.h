/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that this host lives by: blocking one of them cuts it off. Found by the data plane,
 * judged by the gates; plain data here.
 */
#ifndef STANCH_POLICY_HOST_H
#define STANCH_POLICY_HOST_H

#include <stdint.h>

#include <stanch/packet.h>

enum host_kind {
	HOST_OWN, /* an address of an interface here */
	HOST_GATEWAY,
	HOST_RESOLVER,
	HOST_SSH, /* somebody is logged in from there */
	HOST_NEIGHBOUR,
	HOST_KINDS,
};

struct host_address {
	struct address address;
	uint8_t family; /* 4 or 6 */
	uint8_t kind; /* enum host_kind */
};

#define HOST_ADDRESSES 65536u /* more are counted, not kept */

struct host {
	struct host_address *items;
	uint32_t count, cap;
	uint32_t omitted;
	uint32_t *buckets; /* by hash, two per place in items: index + 1, 0 is free */
};

#define auto_host cleanup(host_free)

/* host_add - each address once, as the kind of its first mention. 0 or -ENOMEM. */
int host_add(struct host *host, const struct host_address *address);
void host_free(struct host *host);

extern const char *const host_kinds[HOST_KINDS]; /* "own address", "gateway", ... */

#endif
