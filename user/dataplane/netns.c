/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces by their inode, which is what they are known by when they have no name. A
 * thread goes in and ends there, so that the caller never has to find its way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "dataplane/attach.h"

uint64_t netns_current(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
}

/* FOLDER/ENTRY and TAIL for every entry, until one is this namespace. Its fd or -ENOENT. */
static int search(const char *folder, const char *tail, uint64_t netns)
{
	autoclosedir DIR *dir = opendir(folder);
	struct dirent *entry;
	struct stat st;
	char path[600];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s%s", folder, entry->d_name, tail);
		if (*entry->d_name == '.' || stat(path, &st) || st.st_ino != netns)
			continue;
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	return -ENOENT;
}

struct visit {
	int netns;
	int (*fn)(void *context);
	void *context;
	int result;
};

static void *go(void *argument)
{
	struct visit *visit = argument;

	if (setns(visit->netns, CLONE_NEWNET))
		visit->result = -errno;
	else
		visit->result = visit->fn(visit->context);
	return NULL;
}

int netns_run(uint64_t netns, int (*fn)(void *context), void *context)
{
	struct visit visit = { .fn = fn, .context = context };
	autoclose int fd = -1;
	pthread_t thread;
	int r;

	if (netns == netns_current())
		return fn(context);
	fd = search("/run/netns", "", netns);
	if (fd == -ENOENT)
		fd = search("/proc", "/ns/net", netns);
	if (fd < 0)
		return fd;
	visit.netns = fd;
	r = pthread_create(&thread, NULL, go, &visit);
	if (r)
		return -r;
	pthread_join(thread, NULL);
	return visit.result;
}
