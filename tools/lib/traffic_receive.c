/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting at a UDP socket: what a program behind the filter really gets. A bitmap per flow tells
 * duplicates from gaps; time stamps are the kernel's, so that a slow reader is not a gap.
 */
#include "traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 256u
#define NUMBERS_MAX (1ull << 27) /* per flow; higher numbers are counted as strangers' */
#define SOCKET_BUFFER (32 << 20)
#define CONTROL_ROOM 128u

struct arrivals {
	struct traffic_tally tally;
	uint64_t *seen; /* bitmap */
	uint64_t words; /* of it */
	uint64_t last_ns;
};

struct traffic_receiver {
	int fd;
	uint32_t overflows;
	struct arrivals flows[TRAFFIC_FLOWS];
};

int traffic_receiver_open(uint16_t port, struct traffic_receiver **ret)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	auto_receiver struct traffic_receiver *receiver = calloc(1, sizeof(*receiver));
	int on = 1, off = 0, size = SOCKET_BUFFER;
	struct timeval brief = { .tv_usec = 20000 };

	if (!receiver)
		return -ENOMEM;
	receiver->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (receiver->fd < 0 ||
	    setsockopt(receiver->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(receiver->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(receiver->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) ||
	    setsockopt(receiver->fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief)) ||
	    bind(receiver->fd, (struct sockaddr *)&any, sizeof(any)))
		return -errno;
	if (setsockopt(receiver->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(receiver->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*ret = TAKE_PTR(receiver);
	return 0;
}

void traffic_receiver_close(struct traffic_receiver **receiver)
{
	if (!*receiver)
		return;
	if ((*receiver)->fd >= 0)
		close((*receiver)->fd);
	for (uint32_t i = 0; i < TRAFFIC_FLOWS; i++)
		free((*receiver)->flows[i].seen);
	free(*receiver);
	*receiver = NULL;
}

/* Room for number @seq in the bitmap, doubled as it grows. */
static int grow(struct arrivals *a, uint64_t seq)
{
	uint64_t words = a->words ? a->words : 1024, *seen;

	while (words * 64 <= seq)
		words *= 2;
	if (words == a->words)
		return 0;
	seen = reallocarray(a->seen, words, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	memset(seen + a->words, 0, (words - a->words) * sizeof(*seen));
	a->seen = seen;
	a->words = words;
	return 0;
}

/*
 * Stamping begins a moment after it was asked for; packets before that carry the time at which they
 * were read, which may be later than the stamps of those behind them.
 */
static void note_time(struct arrivals *a, uint64_t now)
{
	if (a->last_ns && now > a->last_ns && now - a->last_ns > a->tally.gap_ns)
		a->tally.gap_ns = now - a->last_ns;
	a->last_ns = now;
}

static int note(struct arrivals *a, uint64_t seq, uint64_t now)
{
	struct traffic_tally *t = &a->tally;
	int r = grow(a, seq);

	if (r)
		return r;
	note_time(a, now);
	if (a->seen[seq / 64] >> (seq % 64) & 1) {
		t->duplicate++;
		return 0;
	}
	a->seen[seq / 64] |= 1ull << (seq % 64);
	if (t->received && seq < t->highest)
		t->late++;
	if (!t->received || seq < t->lowest)
		t->lowest = seq;
	if (seq > t->highest)
		t->highest = seq;
	t->received++;
	return 0;
}

static uint64_t read_control(struct traffic_receiver *receiver, struct msghdr *msg)
{
	uint64_t now = 0;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec stamp;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&receiver->overflows, CMSG_DATA(c), sizeof(receiver->overflows));
		if (c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
		now = stamp.tv_sec * 1000000000ull + stamp.tv_nsec;
	}
	return now;
}

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	struct traffic_tag tags[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][CONTROL_ROOM];
};

static void prepare(struct batch *b)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		b->parts[i] = (struct iovec){ &b->tags[i], sizeof(b->tags[i]) };
		b->messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &b->parts[i],
			.msg_iovlen = 1,
			.msg_control = b->control[i],
			.msg_controllen = CONTROL_ROOM,
		};
	}
}

static int take_batch(struct traffic_receiver *receiver, struct batch *b)
{
	int n, r = 0;

	prepare(b);
	n = recvmmsg(receiver->fd, b->messages, BATCH, MSG_WAITFORONE, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && !r; i++) {
		const struct traffic_tag *tag = &b->tags[i];
		uint64_t now = read_control(receiver, &b->messages[i].msg_hdr);

		if (b->messages[i].msg_len < sizeof(*tag) || tag->magic != TRAFFIC_MAGIC ||
		    tag->flow >= TRAFFIC_FLOWS || tag->seq >= NUMBERS_MAX)
			continue;
		r = note(&receiver->flows[tag->flow], tag->seq, now);
	}
	return r;
}

int traffic_receive(struct traffic_receiver *receiver, uint64_t ns, volatile sig_atomic_t *stop)
{
	autofree struct batch *b = calloc(1, sizeof(*b));
	uint64_t end = traffic_now() + ns;
	int r = 0;

	if (!b)
		return -ENOMEM;
	while (!r && !(stop && *stop) && traffic_now() < end)
		r = take_batch(receiver, b);
	return r;
}

void traffic_tally(const struct traffic_receiver *receiver, uint32_t flow,
		   struct traffic_tally *ret)
{
	*ret = (struct traffic_tally){ 0 };
	if (flow >= TRAFFIC_FLOWS)
		return;
	*ret = receiver->flows[flow].tally;
	if (ret->received)
		ret->lost = ret->highest - ret->lowest + 1 - ret->received;
}

uint64_t traffic_overflows(const struct traffic_receiver *receiver)
{
	return receiver->overflows;
}
