/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces and interfaces for tests. Names carry the pid, so that runs do not meet. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "rig.h"

/* Exit status of a shell command, -1 when it was not run to its end. */
static int run(char *command)
{
	char *const argv[] = { "sh", "-c", command, NULL };
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void rig_command(const char *fmt, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, fmt);
	vsnprintf(command, sizeof(command), fmt, arguments);
	va_end(arguments);
	if (run(command))
		fail_msg("failed: %s", command);
}

unsigned int rig_namespace(struct rig *rig)
{
	unsigned int index = rig->namespace_count;
	char *name = rig->namespaces[index];

	assert_true(index < RIG_NAMESPACES);
	snprintf(name, RIG_NAME, "stanch-rig-%d-%u", (int)getpid(), index);
	rig_command("ip netns add %s", name);
	rig->namespace_count++;
	rig_command("ip -n %s link set lo up", name);
	return index;
}

void rig_enter(struct rig *rig, unsigned int index)
{
	char path[64];
	autoclose int fd = -1;

	snprintf(path, sizeof(path), "/run/netns/%s", rig->namespaces[index]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

void rig_leave(struct rig *rig)
{
	if (setns(rig->home, CLONE_NEWNET))
		abort(); /* nothing after this would test what it says */
}

static void set_end(const char *namespace, const char *name, unsigned int host)
{
	rig_command("ip -n %s addr add 198.18.0.%u/24 dev %s", namespace, host, name);
	rig_command("ip -n %s addr add 2001:db8:18::%u/64 dev %s nodad", namespace, host, name);
	rig_command("ip -n %s link set %s up", namespace, name);
}

void rig_veth(struct rig *rig, unsigned int from, unsigned int to, const char *name)
{
	const char *a = rig->namespaces[from], *b = rig->namespaces[to];

	rig_command("ip -n %s link add %s type veth peer name %s netns %s", a, name, name, b);
	set_end(a, name, 1);
	set_end(b, name, 2);
}

void rig_send(const char *name, const void *frame, uint32_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(name) };
	autoclose int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

unsigned int rig_netns_cleanup(struct rig *rig)
{
	unsigned int left = 0;
	char command[128];

	for (unsigned int i = 0; i < rig->namespace_count; i++) {
		snprintf(command, sizeof(command), "ip netns del %s", rig->namespaces[i]);
		left += run(command) != 0;
	}
	rig->namespace_count = 0;
	return left;
}
