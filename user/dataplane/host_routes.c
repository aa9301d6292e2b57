/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Own addresses, gateways of default routes, and neighbours, of one network namespace. Anyone on a
 * link can make itself known as a neighbour under any address, so only those count that a route
 * without a gateway leads to.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/dump.h"
#include "dataplane/host.h"

#define LINKS 4096u /* routes without a gateway that are kept */
#define ALIVE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

static const int families[] = { AF_INET, AF_INET6 };

static size_t bytes_of(int af)
{
	return af == AF_INET ? 4 : 16;
}

/* A route to addresses that are on the link itself. */
struct onlink {
	struct host_address to;
	uint32_t ifindex;
	uint8_t len;
};

struct near {
	const struct host_place *place;
	int af;
	struct onlink *links;
	uint32_t count;
};

/* ---- own addresses ---- */

static int take_own(void *context, const struct nlmsghdr *message)
{
	const struct near *near = context;
	const struct ifaddrmsg *head = NLMSG_DATA(message);
	struct attributes attributes = dump_attributes(message, sizeof(*head));
	struct host_address item;
	const void *bytes;

	if (!attributes.first || head->ifa_family != near->af)
		return 0;
	/* Where both are there, IFA_ADDRESS is the other end of the link. */
	bytes = attribute_find(&attributes, IFA_LOCAL, bytes_of(near->af));
	if (!bytes)
		bytes = attribute_find(&attributes, IFA_ADDRESS, bytes_of(near->af));
	if (!bytes)
		return 0;
	item = host_address(near->af, bytes, HOST_OWN);
	return host_keep(near->place, &item);
}

/* ---- routes ---- */

/* One way of a route: its gateway when it is a default route, else a link that it leads to. */
static int take_way(struct near *near, const struct rtmsg *route, const struct host_address *to,
		    const struct attributes *way, uint32_t ifindex)
{
	const struct rtvia *via = attribute_find(way, RTA_VIA, sizeof(*via) + 4);
	const void *gateway = attribute_find(way, RTA_GATEWAY, bytes_of(near->af));
	struct host_address item;
	int af = near->af;

	if (via && attribute_len(way, RTA_VIA) >= sizeof(*via) + bytes_of(via->rtvia_family)) {
		gateway = via->rtvia_addr;
		af = via->rtvia_family;
	}
	if (gateway) {
		item = host_address(af, gateway, HOST_GATEWAY);
		return route->rtm_dst_len ? 0 : host_keep(near->place, &item);
	}
	if (ifindex && near->count < LINKS)
		near->links[near->count++] = (struct onlink){ *to, ifindex, route->rtm_dst_len };
	return 0;
}

static int take_ways(struct near *near, const struct rtmsg *route, const struct host_address *to,
		     const struct attributes *attributes)
{
	const struct rtnexthop *hop = attribute_find(attributes, RTA_MULTIPATH, sizeof(*hop));
	int left = (int)attribute_len(attributes, RTA_MULTIPATH), r = 0;

	while (!r && hop && left >= (int)sizeof(*hop) && RTNH_OK(hop, left)) {
		struct attributes way = { (const void *)RTNH_DATA(hop),
					  hop->rtnh_len - sizeof(*hop) };

		r = take_way(near, route, to, &way, (uint32_t)hop->rtnh_ifindex);
		left -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
	return r;
}

static int take_route(void *context, const struct nlmsghdr *message)
{
	struct near *near = context;
	const struct rtmsg *head = NLMSG_DATA(message);
	struct attributes attributes = dump_attributes(message, sizeof(*head));
	static const unsigned char zero[16];
	const unsigned int *ifindex;
	struct host_address to;
	const void *bytes;

	if (!attributes.first || head->rtm_family != near->af || head->rtm_type != RTN_UNICAST)
		return 0;
	bytes = attribute_find(&attributes, RTA_DST, bytes_of(near->af));
	to = host_address(near->af, bytes ? bytes : zero, HOST_GATEWAY);
	if (attribute_len(&attributes, RTA_MULTIPATH))
		return take_ways(near, head, &to, &attributes);
	ifindex = attribute_find(&attributes, RTA_OIF, sizeof(*ifindex));
	return take_way(near, head, &to, &attributes, ifindex ? *ifindex : 0);
}

/* ---- neighbours ---- */

static bool is_inside(const struct host_address *item, const struct onlink *link)
{
	unsigned __int128 mask = link->len ? ~(unsigned __int128)0 << (128 - link->len) : 0;
	unsigned __int128 a = (unsigned __int128)item->address.hi << 64 | item->address.lo;
	unsigned __int128 b = (unsigned __int128)link->to.address.hi << 64 | link->to.address.lo;

	return item->family == link->to.family && !((a ^ b) & mask);
}

static bool is_on_link(const struct near *near, const struct host_address *item, uint32_t ifindex)
{
	for (uint32_t i = 0; i < near->count; i++) {
		if (near->links[i].ifindex == ifindex && is_inside(item, &near->links[i]))
			return true;
	}
	return false;
}

static int take_neighbour(void *context, const struct nlmsghdr *message)
{
	const struct near *near = context;
	const struct ndmsg *head = NLMSG_DATA(message);
	struct attributes attributes = dump_attributes(message, sizeof(*head));
	struct host_address item;
	const void *bytes;

	if (!attributes.first || head->ndm_family != near->af || !(head->ndm_state & ALIVE))
		return 0;
	bytes = attribute_find(&attributes, NDA_DST, bytes_of(near->af));
	if (!bytes)
		return 0;
	item = host_address(near->af, bytes, HOST_NEIGHBOUR);
	if (!is_on_link(near, &item, (uint32_t)head->ndm_ifindex))
		return 0;
	return host_keep(near->place, &item);
}

/* ---- the questions ---- */

static int ask(struct near *near, uint16_t type,
	       int (*fn)(void *context, const struct nlmsghdr *message))
{
	struct {
		struct nlmsghdr head;
		struct rtmsg body; /* the largest of the three; the family is first in each */
	} request = { .head.nlmsg_type = type, .body.rtm_family = (uint8_t)near->af };
	const struct dump dump = { NETLINK_ROUTE, near->place->search->deadline, fn, near };

	_Static_assert(sizeof(struct rtmsg) >= sizeof(struct ifaddrmsg) &&
			       sizeof(struct rtmsg) >= sizeof(struct ndmsg),
		       "struct rtmsg stands for each");
	return dump_run(&dump, &request.head,
			type == RTM_GETADDR    ? sizeof(struct ifaddrmsg)
			: type == RTM_GETNEIGH ? sizeof(struct ndmsg)
					       : sizeof(struct rtmsg));
}

int host_own(const struct host_place *place)
{
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++) {
		struct near near = { .place = place, .af = families[i] };

		r = host_unread(place, ask(&near, RTM_GETADDR, take_own), "addresses");
	}
	return r;
}

int host_near(const struct host_place *place)
{
	autofree struct onlink *links = calloc(LINKS, sizeof(*links));
	int r = 0;

	if (!links)
		return -ENOMEM;
	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++) {
		struct near near = { .place = place, .af = families[i], .links = links };

		r = host_unread(place, ask(&near, RTM_GETROUTE, take_route), "routes");
		if (!r)
			r = host_unread(place, ask(&near, RTM_GETNEIGH, take_neighbour),
					"neighbours");
	}
	return r;
}
