/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netlink dump from its request to its end. Every wait ends at a deadline; answers are read, not
 * believed: lengths are the kernel's, but a bug there is no reason to read past a buffer here.
 */
#include "dataplane/dump.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER 32768u /* what the kernel fills at most for one answer */
#define TRIES 3
#define MS 1000000u

uint64_t dump_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* One datagram, or -ETIMEDOUT when there is none before the deadline. */
static ssize_t receive(int fd, void *buffer, uint64_t deadline)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	uint64_t now = dump_now();
	int wait = now < deadline ? (int)((deadline - now) / MS) + 1 : 0, r;
	ssize_t got;

	r = poll(&ready, 1, wait);
	if (r < 0 && errno == EINTR)
		return -EAGAIN;
	if (r <= 0)
		return r ? -errno : -ETIMEDOUT;
	got = recv(fd, buffer, BUFFER, MSG_DONTWAIT | MSG_TRUNC);
	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return (size_t)got > BUFFER ? -EMSGSIZE : got;
}

/* Where a dump stands. */
struct progress {
	bool done, holes;
};

static int error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return -EBADMSG;
	return error->error;
}

static int take(const struct dump *dump, const char *buffer, size_t len, struct progress *progress)
{
	const struct nlmsghdr *message = (const void *)buffer;
	int r = 0;

	for (; !r && !progress->done && NLMSG_OK(message, len);
	     message = NLMSG_NEXT(message, len)) {
		progress->holes |= !!(message->nlmsg_flags & NLM_F_DUMP_INTR);
		if (message->nlmsg_type == NLMSG_DONE)
			progress->done = true;
		else if (message->nlmsg_type == NLMSG_ERROR)
			r = error_of(message) ?: -EBADMSG;
		else if (message->nlmsg_type != NLMSG_NOOP)
			r = dump->fn(dump->context, message);
	}
	return r;
}

static int run(const struct dump *dump, const struct nlmsghdr *request, struct progress *progress)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER];
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, dump->protocol);
	int r = 0;

	if (fd < 0 || send(fd, request, request->nlmsg_len, MSG_DONTWAIT) < 0)
		return -errno;
	while (!r && !progress->done) {
		ssize_t got = receive(fd, buffer, dump->deadline);

		if (got == -EAGAIN)
			continue;
		r = got < 0 ? (int)got : take(dump, buffer, (size_t)got, progress);
	}
	return r;
}

int dump_run(const struct dump *dump, struct nlmsghdr *request, size_t len)
{
	int r = 0;

	request->nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	for (int try = 0; !r && try < TRIES; try++) {
		struct progress progress = { 0 };

		r = run(dump, request, &progress);
		if (!progress.holes)
			break;
	}
	return r;
}

struct attributes dump_attributes(const struct nlmsghdr *message, size_t fixed)
{
	size_t head = NLMSG_LENGTH(NLMSG_ALIGN(fixed));

	if (message->nlmsg_len < head)
		return (struct attributes){ 0 };
	return (struct attributes){
		.first = (const void *)((const char *)message + head),
		.len = message->nlmsg_len - head,
	};
}

static const struct rtattr *find(const struct attributes *attributes, uint16_t kind)
{
	const struct rtattr *attribute = attributes->first;
	size_t len = attributes->len;

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
		if ((attribute->rta_type & NLA_TYPE_MASK) == kind)
			return attribute;
	}
	return NULL;
}

size_t attribute_len(const struct attributes *attributes, uint16_t kind)
{
	const struct rtattr *attribute = find(attributes, kind);

	return attribute ? RTA_PAYLOAD(attribute) : 0;
}

const void *attribute_find(const struct attributes *attributes, uint16_t kind, size_t least)
{
	const struct rtattr *attribute = find(attributes, kind);

	return attribute && RTA_PAYLOAD(attribute) >= least ? RTA_DATA(attribute) : NULL;
}
