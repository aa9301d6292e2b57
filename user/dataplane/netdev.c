/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two questions over generic netlink: which number the family "netdev" has, and what XDP features
 * an interface has (Linux 6.3 and later). Numbers are the kernel's uapi, linux/netdev.h, which
 * Debian 12 does not ship yet.
 */
#include "dataplane/interface.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"

#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define REPLY_SIZE 8192
#define WAIT_SECONDS 2

struct question {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	char attributes[64];
};

struct reply {
	_Alignas(struct nlmsghdr) char bytes[REPLY_SIZE];
	size_t len;
};

/* @data has at most 32 bytes. */
static void question_make(struct question *question, uint16_t family, uint16_t kind,
			  const void *data, uint16_t len)
{
	struct nlattr attribute = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = kind };

	memset(question, 0, sizeof(*question));
	memcpy(question->attributes, &attribute, sizeof(attribute));
	memcpy(question->attributes + NLA_HDRLEN, data, len);
	question->head.nlmsg_len =
		(uint32_t)(NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(attribute.nla_len));
	question->head.nlmsg_type = family;
	question->head.nlmsg_flags = NLM_F_REQUEST;
	question->generic.version = 1;
}

static int ask(int fd, const struct question *question, struct reply *ret)
{
	const struct nlmsghdr *head = (const void *)ret->bytes;
	ssize_t got = send(fd, question, question->head.nlmsg_len, 0);

	if (got < 0)
		return -errno;
	got = recv(fd, ret->bytes, sizeof(ret->bytes), 0);
	if (got < 0)
		return -errno;
	if (!NLMSG_OK(head, (size_t)got))
		return -EBADMSG;
	ret->len = head->nlmsg_len;
	if (head->nlmsg_type != NLMSG_ERROR)
		return 0;
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		return -EBADMSG;
	return ((const struct nlmsgerr *)NLMSG_DATA(head))->error ?: -EBADMSG;
}

/* Copies @len bytes of the first attribute of @kind. Returns 0 or -ENOENT. */
static int reply_attribute(const struct reply *reply, uint16_t kind, void *ret, size_t len)
{
	size_t at = NLMSG_LENGTH(GENL_HDRLEN);
	struct nlattr attribute;

	while (at + NLA_HDRLEN <= reply->len) {
		memcpy(&attribute, reply->bytes + at, sizeof(attribute));
		if (attribute.nla_len < NLA_HDRLEN || at + attribute.nla_len > reply->len)
			return -EBADMSG;
		if ((attribute.nla_type & NLA_TYPE_MASK) == kind &&
		    attribute.nla_len >= NLA_HDRLEN + len) {
			memcpy(ret, reply->bytes + at + NLA_HDRLEN, len);
			return 0;
		}
		at += NLA_ALIGN(attribute.nla_len);
	}
	return -ENOENT;
}

static int find_family(int fd, uint16_t *ret)
{
	static const char name[] = "netdev";
	struct question question;
	struct reply reply;
	int err;

	question_make(&question, GENL_ID_CTRL, CTRL_ATTR_FAMILY_NAME, name, sizeof(name));
	question.generic.cmd = CTRL_CMD_GETFAMILY;
	err = ask(fd, &question, &reply);
	return err ? err : reply_attribute(&reply, CTRL_ATTR_FAMILY_ID, ret, sizeof(*ret));
}

int netdev_features(uint32_t ifindex, uint64_t *ret)
{
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct timeval wait = { .tv_sec = WAIT_SECONDS };
	struct question question;
	struct reply reply;
	uint16_t family;
	int err;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		return -errno;
	err = find_family(fd, &family);
	if (err)
		return err;
	question_make(&question, family, NETDEV_A_DEV_IFINDEX, &ifindex, sizeof(ifindex));
	question.generic.cmd = NETDEV_CMD_DEV_GET;
	err = ask(fd, &question, &reply);
	return err ? err : reply_attribute(&reply, NETDEV_A_DEV_XDP_FEATURES, ret, sizeof(*ret));
}
