/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the store share: an instance in a folder of its own, and files as strings. */
#ifndef TESTS_UNIT_STORE_STORE_HELP_H
#define TESTS_UNIT_STORE_STORE_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/store.h"

static char top[64];
static struct places places;

/* The host need not have the group: the store asks this instead, and finds it when it is set. */
static const char *group_found;
#define GROUP_ID 54321

struct group *getgrnam(const char *name)
{
	static struct group group = { .gr_name = "stanch", .gr_gid = GROUP_ID };

	return group_found && !strcmp(name, group_found) ? &group : NULL;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static inline int drop_instance(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* In memory when there is such a place: these tests sync thousands of times. */
static inline int make_instance(void **state)
{
	const char *memory = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	(void)state;
	snprintf(top, sizeof(top), "%s/stanch-store-XXXXXX", memory);
	if (!mkdtemp(top) || chmod(top, 0755))
		return -1;
	memset(&places, 0, sizeof(places));
	strcpy(places.instance, "default");
	snprintf(places.state, sizeof(places.state), "%s/state/default", top);
	snprintf(places.run, sizeof(places.run), "%s/run", top);
	snprintf(places.lock, sizeof(places.lock), "%s/run/default.lock", top);
	return store_prepare(&places);
}

#define store_test(test) cmocka_unit_test_setup_teardown(test, make_instance, drop_instance)

/* STATE/NAME; the one before last stays valid. */
static inline const char *in_state(const char *name)
{
	static char paths[2][PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 2];

	assert_true(snprintf(path, PATH_MAX, "%s/%s", places.state, name) < PATH_MAX);
	return path;
}

static inline void put_file(const char *path, const void *data, size_t len)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(file_write_fd(fd, data, len), 0);
}

static inline void get_file(const char *path, struct buf *ret)
{
	assert_int_equal(file_read(path, (size_t)1 << 30, ret), 0);
}

static inline off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static inline mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* From now on no file can grow past @bytes: a write gets short, the next one fails. */
static inline void limit_files(size_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Run @fn in a process of its own; it passes when it returns 0. */
static inline int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void note_repair(void *context, const char *text)
{
	(void)text;
	++*(unsigned int *)context;
}

/* Clear up; returns how many things were said. */
static inline unsigned int repaired(void)
{
	unsigned int said = 0;

	assert_int_equal(store_repair(&places, note_repair, &said), 0);
	return said;
}

static inline void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#endif
