/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about an interface by ioctl and netlink. /sys is not asked: it shows the namespace that it
 * was mounted in, which is not the one that --netns entered.
 */
#include "dataplane/interface.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static int ask(int fd, unsigned long request, const char *name, struct ifreq *ret)
{
	snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", name);
	return ioctl(fd, request, ret) ? -errno : 0;
}

static enum answer ask_flag(int fd, const char *name, uint32_t command, uint32_t mask)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request = { .ifr_data = (void *)&value };

	if (ask(fd, SIOCETHTOOL, name, &request))
		return ANSWER_UNKNOWN;
	return value.data & mask ? ANSWER_YES : ANSWER_NO;
}

static void ask_driver(int fd, const char *name, struct interface_facts *facts)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };

	if (!ask(fd, SIOCETHTOOL, name, &request))
		snprintf(facts->driver, sizeof(facts->driver), "%.31s", info.driver);
	facts->gro = ask_flag(fd, name, ETHTOOL_GGRO, UINT32_MAX);
	facts->lro = ask_flag(fd, name, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
}

static void ask_xdp(struct interface_facts *facts)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	uint64_t features;

	if (!bpf_xdp_query((int)facts->ifindex, 0, &query))
		facts->program = query.prog_id	     ? query.prog_id
				 : query.drv_prog_id ? query.drv_prog_id
						     : query.skb_prog_id;
	if (netdev_features(facts->ifindex, &features))
		return;
	facts->native = features & NETDEV_XDP_BASIC ? ANSWER_YES : ANSWER_NO;
	facts->frags = features & NETDEV_XDP_RX_SG ? ANSWER_YES : ANSWER_NO;
}

int interface_facts(const char *name, struct interface_facts *ret)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct interface_facts facts = { 0 };
	struct ifreq request = { 0 };
	int err;

	if (fd < 0)
		return -errno;
	if (strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	err = ask(fd, SIOCGIFINDEX, name, &request);
	if (err)
		return err;
	facts.ifindex = (uint32_t)request.ifr_ifindex;
	err = ask(fd, SIOCGIFMTU, name, &request);
	if (err)
		return err;
	facts.mtu = (uint32_t)request.ifr_mtu;
	err = ask(fd, SIOCGIFFLAGS, name, &request);
	if (err)
		return err;
	facts.up = request.ifr_flags & IFF_UP;
	err = ask(fd, SIOCGIFHWADDR, name, &request);
	if (err)
		return err;
	facts.ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
			 request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	ask_driver(fd, name, &facts);
	ask_xdp(&facts);
	*ret = facts;
	return 0;
}
