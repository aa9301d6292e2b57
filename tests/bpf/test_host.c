/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that a host lives by, found in namespaces made for it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/policy.h"
#include "rig.h"

#define DEV "veth-host"
#define NOT_FOUND (-1)

/* The kind under which an address was found, or NOT_FOUND. */
static int kind_of(const struct host *host, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, strlen(text), &prefix), 0);
	for (uint32_t i = 0; i < host->count; i++) {
		const struct host_address *item = &host->items[i];

		if (item->family == prefix.family && item->address.hi == prefix.hi &&
		    item->address.lo == prefix.lo)
			return item->kind;
	}
	return NOT_FOUND;
}

static void find(const struct instance *instance, struct host *ret)
{
	auto_diag struct diag diag = { 0 };
	int r = host_find(instance, ret, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
	assert_int_equal(diag.total, 0);
}

/* Two namespaces and a veth; the test stands in the second. */
static const char *stand(struct rig *rig)
{
	unsigned int from = rig_namespace(rig), to = rig_namespace(rig);

	rig_veth(rig, from, to, DEV);
	rig_enter(rig, to);
	return rig->namespaces[to];
}

static void own_addresses_of_both_families_are_found(void **state)
{
	struct rig *rig = rig_of(state);
	auto_host struct host host = { 0 };
	const char *here = stand(rig);

	rig_command("ip -n %s addr add 192.0.2.9/32 dev lo", here);
	rig_command("ip -n %s addr add 198.51.100.1 peer 198.51.100.2/32 dev %s", here, DEV);
	find(NULL, &host);
	assert_int_equal(kind_of(&host, "198.18.0.2"), HOST_OWN);
	assert_int_equal(kind_of(&host, "2001:db8:18::2"), HOST_OWN);
	assert_int_equal(kind_of(&host, "192.0.2.9"), HOST_OWN);
	assert_int_equal(kind_of(&host, "198.51.100.1"), HOST_OWN);
	/* The other end of a link is somebody else, and nobody filters what never leaves. */
	assert_int_equal(kind_of(&host, "198.51.100.2"), NOT_FOUND);
	assert_int_equal(kind_of(&host, "127.0.0.1"), NOT_FOUND);
	assert_int_equal(kind_of(&host, "::1"), NOT_FOUND);
	assert_int_equal(kind_of(&host, "198.18.0.1"), NOT_FOUND);
}

static void gateways_of_default_routes_are_found(void **state)
{
	struct rig *rig = rig_of(state);
	auto_host struct host host = { 0 };
	const char *here = stand(rig);

	rig_command("ip -n %s route add default nexthop via 198.18.0.11 nexthop via 198.18.0.12",
		    here);
	rig_command("ip -n %s route add default via 198.18.0.13 metric 9", here);
	rig_command("ip -n %s route add default via inet6 2001:db8:18::14 metric 10 dev %s", here,
		    DEV);
	rig_command("ip -n %s route add default via 198.18.0.15 table 77", here);
	rig_command("ip -n %s route add 203.0.113.0/24 via 198.18.0.16", here);
	rig_command("ip -n %s -6 route add default via 2001:db8:18::17", here);
	rig_command("ip -n %s -6 route add default via fe80::18 dev %s metric 9", here, DEV);
	find(NULL, &host);
	assert_int_equal(kind_of(&host, "198.18.0.11"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "198.18.0.12"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "198.18.0.13"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "2001:db8:18::14"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "198.18.0.15"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "198.18.0.16"), NOT_FOUND);
	assert_int_equal(kind_of(&host, "2001:db8:18::17"), HOST_GATEWAY);
	assert_int_equal(kind_of(&host, "fe80::18"), HOST_GATEWAY);
}

static void only_neighbours_that_live_on_the_link_are_found(void **state)
{
	static const struct {
		const char *address, *state;
		bool found;
	} rows[] = {
		{ "198.18.0.21", "reachable", true },	  { "198.18.0.22", "stale", true },
		{ "198.18.0.23", "permanent", true },	  { "198.18.0.24", "failed", false },
		{ "198.18.0.25", "noarp", false },	  { "203.0.113.66", "stale", false },
		{ "2001:db8:18::21", "permanent", true }, { "fe80::22", "permanent", true },
		{ "2001:db8:bad::66", "stale", false },
	};
	struct rig *rig = rig_of(state);
	auto_host struct host host = { 0 };
	const char *here = stand(rig);

	rig_command("for i in $(seq 50); do ip -n %s -6 route | grep -q ^fe80 && exit; sleep 0.1; "
		    "done; exit 1",
		    here);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rig_command("ip -n %s neigh add %s lladdr 02:00:00:00:00:%02x dev %s nud %s", here,
			    rows[i].address, (unsigned int)i, DEV, rows[i].state);
	find(NULL, &host);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int kind = kind_of(&host, rows[i].address);

		if (kind != (rows[i].found ? HOST_NEIGHBOUR : NOT_FOUND))
			fail_msg("%s (%s): %d", rows[i].address, rows[i].state, kind);
	}
}

/* Anyone on the link can ask for our address under a sender's address that is not his own. */
static void a_stranger_does_not_become_a_neighbour_by_asking(void **state)
{
	struct rig *rig = rig_of(state);
	auto_host struct host host = { 0 };
	const char *here = stand(rig);

	rig_leave(rig);
	rig_command("ip -n %s addr add 203.0.113.66/32 dev %s", rig->namespaces[0], DEV);
	rig_command("nsenter --net=/run/netns/%s ping -q -c1 -W1 -I 203.0.113.66 198.18.0.2 "
		    ">/dev/null 2>&1; true",
		    rig->namespaces[0]);
	rig_enter(rig, 1);
	rig_command("ip -n %s neigh show 203.0.113.66 | grep -q lladdr", here);
	find(NULL, &host);
	assert_int_equal(kind_of(&host, "203.0.113.66"), NOT_FOUND);
	rig_command("ip -n %s route add 203.0.113.0/24 dev %s", here, DEV);
	host_free(&host);
	find(NULL, &host);
	assert_int_equal(kind_of(&host, "203.0.113.66"), HOST_NEIGHBOUR);
}

static int endpoint(int family, const char *address, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (void *)ret;
	struct sockaddr_in6 *six = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		four->sin_port = htons(port);
	else
		six->sin6_port = htons(port);
	assert_int_equal(
		inet_pton(family, address,
			  family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr),
		1);
	return family == AF_INET ? sizeof(*four) : sizeof(*six);
}

/* A listening socket in the present namespace. */
static int listen_at(int family, const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	int len = endpoint(family, address, port, &at), no = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	assert_int_equal(bind(fd, (void *)&at, (socklen_t)len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* A connection from the first namespace; the test stands in the second again afterwards. */
static int connect_from(struct rig *rig, int family, const char *from, const char *to,
			uint16_t port)
{
	struct sockaddr_storage here, there;
	int len = endpoint(family, from, 0, &here), fd;

	endpoint(family, to, port, &there);
	rig_enter(rig, 0);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (void *)&here, (socklen_t)len), 0);
	assert_int_equal(connect(fd, (void *)&there, (socklen_t)len), 0);
	rig_enter(rig, 1);
	return fd;
}

static void whoever_is_logged_in_over_ssh_is_found(void **state)
{
	struct rig *rig = rig_of(state);
	auto_host struct host host = { 0 };
	int sockets[5];

	stand(rig);
	for (unsigned int i = 31; i < 33; i++)
		rig_command("ip -n %s addr add 198.18.0.%u/24 dev %s", rig->namespaces[0], i, DEV);
	sockets[0] = listen_at(AF_INET6, "::", 22);
	sockets[1] = listen_at(AF_INET, "198.18.0.2", 2222);
	sockets[2] = connect_from(rig, AF_INET, "198.18.0.31", "198.18.0.2", 22);
	sockets[3] = connect_from(rig, AF_INET6, "2001:db8:18::1", "2001:db8:18::2", 22);
	sockets[4] = connect_from(rig, AF_INET, "198.18.0.32", "198.18.0.2", 2222);
	find(NULL, &host);
	assert_int_equal(kind_of(&host, "198.18.0.31"), HOST_SSH); /* mapped, in the socket */
	assert_int_equal(kind_of(&host, "2001:db8:18::1"), HOST_SSH);
	assert_int_not_equal(kind_of(&host, "198.18.0.32"), HOST_SSH);
	/* This shell came over another port, so others did too. */
	setenv("SSH_CONNECTION", "203.0.113.5 40000 198.18.0.2 2222", 1);
	host_free(&host);
	find(NULL, &host);
	unsetenv("SSH_CONNECTION");
	assert_int_equal(kind_of(&host, "203.0.113.5"), HOST_SSH);
	assert_int_equal(kind_of(&host, "198.18.0.32"), HOST_SSH);
	assert_int_equal(kind_of(&host, "198.18.0.31"), HOST_SSH);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		close(sockets[i]);
}

static void a_strange_environment_is_no_peer(void **state)
{
	static const char *const strange[] = { "",
					       " ",
					       "unknown",
					       "203.0.113.5",
					       "1.2.3.4/8 1 1 1",
					       "fe80::1%eth0 1 fe80::2 99999999999999",
					       "a b c d" };
	struct rig *rig = rig_of(state);

	stand(rig);
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		auto_host struct host host = { 0 };

		setenv("SSH_CONNECTION", strange[i], 1);
		find(NULL, &host);
		unsetenv("SSH_CONNECTION");
		assert_int_equal(kind_of(&host, "203.0.113.5"), i == 3 ? HOST_SSH : NOT_FOUND);
		assert_int_equal(kind_of(&host, "fe80::1"), i == 5 ? HOST_SSH : NOT_FOUND);
		assert_int_equal(kind_of(&host, "1.0.0.0"), NOT_FOUND);
	}
}

static void namespaces_that_are_filtered_are_searched_too(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	auto_host struct host without = { 0 }, with = { 0 };
	auto_diag struct diag diag = { 0 };
	const char *here = stand(rig);

	rig_command("ip -n %s route add default via 198.18.0.11", here);
	rig_command("ip -n %s neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 dev %s nud permanent",
		    here, DEV);
	instance = rig_create(rig);
	assert_int_equal(attach_interface(instance, DEV, ATTACH_GENERIC, &diag), 0);
	rig_enter(rig, 0);
	find(NULL, &without);
	assert_int_equal(kind_of(&without, "198.18.0.11"), NOT_FOUND);
	find(instance, &with);
	assert_int_equal(kind_of(&with, "198.18.0.11"), HOST_GATEWAY);
	/* Own in the one, neighbour in the other: own. */
	assert_int_equal(kind_of(&with, "198.18.0.1"), HOST_OWN);
	assert_int_equal(kind_of(&with, "198.18.0.2"), HOST_OWN);
	assert_int_equal(kind_of(&with, "127.0.0.1"), NOT_FOUND);
}

static void loopback_counts_where_it_is_filtered(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	auto_host struct host host = { 0 };
	auto_diag struct diag diag = { 0 };

	stand(rig);
	instance = rig_create(rig);
	assert_int_equal(attach_interface(instance, "lo", ATTACH_GENERIC, &diag), 0);
	find(instance, &host);
	assert_int_equal(kind_of(&host, "127.0.0.1"), HOST_OWN);
	assert_int_equal(kind_of(&host, "::1"), HOST_OWN);
}

/* In a mount namespace of its own, where name servers are others. 0, or what was wrong. */
static int look_for_resolvers(const char *path)
{
	static const char text[] = "# nameserver 192.0.2.1\n"
				   "search example.org\n"
				   "nameserver 192.0.2.53\n"
				   "\tnameserver\t2001:db8::53\n"
				   "nameserver fe80::53%eth0\n"
				   "nameserver 127.0.0.53\n"
				   "nameserver\n"
				   "nameservers 192.0.2.2\n"
				   "nameserver not.an.address\n"
				   "nameserver 192.0.2.54";
	auto_host struct host host = { 0 };
	auto_diag struct diag diag = { 0 };
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 ||
	    unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		return 77;
	if (host_find(NULL, &host, &diag))
		return 1;
	if (kind_of(&host, "192.0.2.53") != HOST_RESOLVER ||
	    kind_of(&host, "2001:db8::53") != HOST_RESOLVER ||
	    kind_of(&host, "fe80::53") != HOST_RESOLVER ||
	    kind_of(&host, "192.0.2.54") != HOST_RESOLVER)
		return 2;
	if (kind_of(&host, "192.0.2.1") != NOT_FOUND || kind_of(&host, "192.0.2.2") != NOT_FOUND ||
	    kind_of(&host, "127.0.0.53") != NOT_FOUND)
		return 3;
	return 0;
}

static void name_servers_are_found(void **state)
{
	struct rig *rig = rig_of(state);
	char path[128];
	int status = -1;
	pid_t pid;

	stand(rig);
	snprintf(path, sizeof(path), "%s/resolv.conf", rig->folder);
	pid = fork();
	if (!pid)
		_exit(look_for_resolvers(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	unlink(path);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* As somebody who may not go into other namespaces. */
static int find_as_reader(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	auto_host struct host host = { 0 };
	auto_diag struct diag diag = { 0 };

	if (instance_open(&rig->places, &instance, &diag))
		return 1;
	if (host_find(instance, &host, &diag))
		return 2;
	if (kind_of(&host, "198.18.0.1") != HOST_OWN)
		return 3;
	if (kind_of(&host, "198.18.0.2") != NOT_FOUND)
		return 4;
	return rig_has(&diag, "host_unread") ? 0 : 5;
}

static void what_a_reader_may_not_see_is_left_out_and_said(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };

	stand(rig);
	instance = rig_create(rig);
	assert_int_equal(attach_interface(instance, DEV, ATTACH_GENERIC, &diag), 0);
	rig_enter(rig, 0);
	assert_int_equal(rig_as_reader(rig, find_as_reader), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(own_addresses_of_both_families_are_found),
		TEST(gateways_of_default_routes_are_found),
		TEST(only_neighbours_that_live_on_the_link_are_found),
		TEST(a_stranger_does_not_become_a_neighbour_by_asking),
		TEST(whoever_is_logged_in_over_ssh_is_found),
		TEST(a_strange_environment_is_no_peer),
		TEST(namespaces_that_are_filtered_are_searched_too),
		TEST(loopback_counts_where_it_is_filtered),
		TEST(name_servers_are_found),
		TEST(what_a_reader_may_not_see_is_left_out_and_said),
	};

	unsetenv("SSH_CONNECTION");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
