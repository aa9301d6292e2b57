/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two joined interfaces, by one request over rtnetlink. They have no address and no route: what
 * arrives and is not dropped, the kernel throws away. They go with their namespace.
 */
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "dataplane/bench.h"
#include "dataplane/inside.h"

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	_Alignas(NLMSG_ALIGNTO) char attributes[256];
};

static struct rtattr *request_end(struct request *request)
{
	return (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
}

/* Room for @len bytes under @kind, which all fit. Returns the attribute. */
static struct rtattr *add(struct request *request, unsigned short kind, const void *data,
			  size_t len)
{
	struct rtattr *attribute = request_end(request);

	attribute->rta_type = kind;
	attribute->rta_len = (unsigned short)RTA_LENGTH(len);
	if (data)
		memcpy(RTA_DATA(attribute), data, len);
	request->head.nlmsg_len =
		NLMSG_ALIGN(request->head.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

/* Everything since @attribute was added is inside it. */
static void enclose(struct request *request, struct rtattr *attribute)
{
	attribute->rta_len = (unsigned short)((char *)request_end(request) - (char *)attribute);
}

static void describe(struct request *request)
{
	struct rtattr *link, *data, *peer;

	memset(request, 0, sizeof(*request));
	request->head.nlmsg_len = NLMSG_LENGTH(sizeof(request->info));
	request->head.nlmsg_type = RTM_NEWLINK;
	request->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
	add(request, IFLA_IFNAME, WIRE_OUT, sizeof(WIRE_OUT));
	link = add(request, IFLA_LINKINFO, NULL, 0);
	add(request, IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = add(request, IFLA_INFO_DATA, NULL, 0);
	peer = add(request, VETH_INFO_PEER, NULL, sizeof(struct ifinfomsg));
	add(request, IFLA_IFNAME, WIRE_IN, sizeof(WIRE_IN));
	enclose(request, peer);
	enclose(request, data);
	enclose(request, link);
}

static int make(void)
{
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512]; /* the request, which comes back */
	} answer;
	struct request request;
	ssize_t got;

	if (fd < 0)
		return last_error();
	describe(&request);
	if (send(fd, &request, request.head.nlmsg_len, 0) < 0)
		return last_error();
	got = recv(fd, &answer, sizeof(answer), 0);
	if (got < 0)
		return last_error();
	if ((size_t)got < offsetof(__typeof__(answer), rest) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}

static int bring_up(const char *name)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	if (fd < 0)
		return last_error();
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request) ? last_error() : 0;
}

int wire_make(struct diag *diag)
{
	int r = make();

	if (!r)
		r = bring_up(WIRE_OUT);
	if (!r)
		r = bring_up(WIRE_IN);
	return r ? refused(diag, "wire", r, "making a pair of interfaces (veth)") : 0;
}
