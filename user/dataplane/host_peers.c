/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is logged in here, and who answers this host's names: peers of established connections to the
 * SSH port, the peer that the shell was started for, and the name servers of /etc/resolv.conf.
 */
#include <ctype.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "dataplane/dump.h"
#include "dataplane/host.h"
#include "policy/policy.h"

#define SSH_PORT 22u
#define ESTABLISHED 1 /* TCP_ESTABLISHED of the kernel, include/net/tcp_states.h */
#define RESOLV_MAX ((size_t)64 << 10)

/* ---- text ---- */

struct piece {
	const char *text;
	size_t len;
};

/* The next word of a text that ends at @end, and where it goes on. */
static struct piece next_piece(const char **at, const char *end)
{
	struct piece piece;

	while (*at < end && isspace((unsigned char)**at))
		++*at;
	piece.text = *at;
	while (*at < end && !isspace((unsigned char)**at))
		++*at;
	piece.len = (size_t)(*at - piece.text);
	return piece;
}

/* An address as people write it; a zone behind it is not part of what packets carry. */
static int keep_text(const struct host_place *place, struct piece piece, enum host_kind kind)
{
	const char *zone = memchr(piece.text, '%', piece.len);
	struct host_address item = { .kind = (uint8_t)kind };
	struct prefix prefix;

	if (zone)
		piece.len = (size_t)(zone - piece.text);
	if (prefix_parse(piece.text, piece.len, &prefix) ||
	    prefix.len != (prefix.family == 4 ? 32 : 128))
		return 0;
	item.family = prefix.family;
	item.address = (struct address){ prefix.hi, prefix.lo };
	return host_keep(place, &item);
}

/* ---- name servers ---- */

static int take_lines(const struct host_place *place, const struct buf *content)
{
	const char *at = content->data, *end = content->data + content->len;
	int r = 0;

	while (!r && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct piece key;

		stop = stop ? stop : end;
		key = next_piece(&at, stop);
		if (key.len == 10 && !memcmp(key.text, "nameserver", 10))
			r = keep_text(place, next_piece(&at, stop), HOST_RESOLVER);
		at = stop + 1;
	}
	return r;
}

/* The second file is where systemd-resolved, which answers on loopback, has its own from. */
int host_resolvers(const struct host_place *place)
{
	static const char *const paths[] = { "/etc/resolv.conf",
					     "/run/systemd/resolve/resolv.conf" };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(paths); i++) {
		struct buf content = { 0 };

		r = file_read(paths[i], RESOLV_MAX, &content);
		if (!r)
			r = take_lines(place, &content);
		else if (r == -ENOENT)
			r = 0;
		r = host_unread(place, r, paths[i]);
		buf_free(&content);
	}
	return r;
}

/* ---- SSH ---- */

struct peers {
	const struct host_place *place;
	uint32_t port; /* here */
};

static int take_socket(void *context, const struct nlmsghdr *message)
{
	const struct peers *peers = context;
	const struct inet_diag_msg *found = NLMSG_DATA(message);
	struct host_address item;

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*found)) ||
	    found->idiag_state != ESTABLISHED || host16(found->id.idiag_sport) != peers->port)
		return 0;
	item = host_address(found->idiag_family, found->id.idiag_dst, HOST_SSH);
	return host_keep(peers->place, &item);
}

static int ask(const struct host_place *place, int af, uint32_t port)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.body = {
			.sdiag_family = (uint8_t)af,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1u << ESTABLISHED,
		},
	};
	const unsigned char wire[2] = { (unsigned char)(port >> 8), (unsigned char)port };
	struct peers peers = { place, port };
	const struct dump dump = { NETLINK_SOCK_DIAG, place->search->deadline, take_socket,
				   &peers };

	memcpy(&request.body.id.idiag_sport, wire, sizeof(wire));
	return dump_run(&dump, &request.head, sizeof(request.body));
}

/* SSH_CONNECTION: the peer, its port, the address here, the port here. Returns the last, or 0. */
static uint32_t take_environment(const struct host_place *place, int *ret)
{
	const char *at = getenv("SSH_CONNECTION");
	const char *end = at ? at + strlen(at) : NULL;
	uint32_t port = 0;
	struct piece piece;

	if (!at)
		return 0;
	*ret = keep_text(place, next_piece(&at, end), HOST_SSH);
	next_piece(&at, end);
	next_piece(&at, end);
	piece = next_piece(&at, end);
	for (size_t i = 0; i < piece.len && i < 5 && isdigit((unsigned char)piece.text[i]); i++)
		port = port * 10 + (uint32_t)(piece.text[i] - '0');
	return port > 65535 ? 0 : port;
}

int host_ssh(const struct host_place *place)
{
	int r = 0;
	uint32_t other = take_environment(place, &r);
	const uint32_t ports[] = { SSH_PORT, other };
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < 4; i++) {
		uint32_t port = ports[i / 2];

		if (!r && port && (i < 2 || port != SSH_PORT))
			r = host_unread(place, ask(place, families[i % 2], port), "connections");
	}
	return r;
}
