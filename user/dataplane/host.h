/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dataplane/: the search for addresses that this host lives by, in several namespaces. */
#ifndef STANCH_DATAPLANE_HOST_H
#define STANCH_DATAPLANE_HOST_H

#include "dataplane/inside.h"
#include "policy/host.h"

struct host_search {
	struct host *host;
	struct diag *diag;
	uint64_t deadline; /* CLOCK_MONOTONIC ns, of everything together */
};

/* One namespace of it. */
struct host_place {
	struct host_search *search;
	uint64_t netns; /* inode, for messages */
	bool loopback; /* its loopback interface is filtered, so loopback addresses count */
};

/* Reads an address of @af (AF_INET, AF_INET6) in network order; what is mapped is IPv4. */
struct host_address host_address(int af, const void *bytes, enum host_kind kind);
/*
 * host_keep - unless it is no single other host's: unspecified, multicast, loopback. 0 or -ENOMEM.
 */
int host_keep(const struct host_place *place, const struct host_address *address);
/* host_unread - what could not be read is left out; -ENOMEM goes on, the rest is said. */
int host_unread(const struct host_place *place, int err, const char *what);

/* ---- host_routes.c: asked in the namespace itself ---- */
int host_own(const struct host_place *place);
/* host_near - gateways of default routes, then neighbours on the links. */
int host_near(const struct host_place *place);

/* ---- host_peers.c ---- */
int host_ssh(const struct host_place *place);
/* host_resolvers - of this host; files have no namespace here. */
int host_resolvers(const struct host_place *place);

#endif
