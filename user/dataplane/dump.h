/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dataplane/: asking the kernel for everything it has of a kind, over netlink. */
#ifndef STANCH_DATAPLANE_DUMP_H
#define STANCH_DATAPLANE_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* What to do with each answer, and until when to wait for it. */
struct dump {
	int protocol; /* NETLINK_ROUTE, NETLINK_SOCK_DIAG */
	uint64_t deadline; /* CLOCK_MONOTONIC ns */
	int (*fn)(void *context, const struct nlmsghdr *message); /* non-zero ends it */
	void *context;
};

/*
 * dump_run - send @request (its flags and length are set here from @len bytes behind the header)
 * and hand out every answer. Returns 0, what @fn returned, -ETIMEDOUT, or -errno of the kernel.
 * What changes meanwhile makes the kernel say that the answer may have holes: then it is asked
 * again, so @fn may see an answer twice.
 */
int dump_run(const struct dump *dump, struct nlmsghdr *request, size_t len);

/* dump_now - CLOCK_MONOTONIC, ns. */
uint64_t dump_now(void);

/* Attributes behind the fixed part of a message. */
struct attributes {
	const struct rtattr *first;
	size_t len;
};
/* dump_attributes - what stands behind @fixed bytes of payload. */
struct attributes dump_attributes(const struct nlmsghdr *message, size_t fixed);
/* attribute_find - payload of the first one of @kind with at least @least bytes, or NULL. */
const void *attribute_find(const struct attributes *attributes, uint16_t kind, size_t least);
/* attribute_len - bytes of the payload of the first one of @kind, 0 without. */
size_t attribute_len(const struct attributes *attributes, uint16_t kind);

#endif
