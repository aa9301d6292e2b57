/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an interface of the current network namespace is and can do. Asks only, changes nothing. */
#ifndef STANCH_DATAPLANE_INTERFACE_H
#define STANCH_DATAPLANE_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

struct interface_facts {
	uint32_t ifindex, mtu;
	bool up;
	bool ethernet; /* its frames begin with an Ethernet header */
	char driver[32]; /* "" when it has no name */
	enum answer native; /* does its driver run XDP programs; unknown before Linux 6.3 */
	enum answer frags; /* and on packets that span several buffers */
	enum answer gro, lro; /* receive offloads that are on */
	uint32_t program; /* id of the XDP program that is there, 0: none */
};

/* interface_facts - Returns 0, -ENODEV, or what the kernel said about asking. */
int interface_facts(const char *name, struct interface_facts *ret);

/* netdev_features - bits of XDP features, from the generic netlink family "netdev". Returns 0,
 * -ENOENT when this kernel has no such family, or what the kernel said. */
#define NETDEV_XDP_BASIC 0x01u
#define NETDEV_XDP_RX_SG 0x20u
int netdev_features(uint32_t ifindex, uint64_t *ret);

#endif
