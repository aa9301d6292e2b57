/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files below STATE, opened and locked without surprises: no links are followed, nothing blocks
 * without a bound. Knows nothing of what is in the files.
 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"

#define LOCK_PAUSE_NS 5000000l

int disk_path(const struct places *places, const char *name, char ret[PATH_MAX])
{
	int len = snprintf(ret, PATH_MAX, "%s/%s", places->state, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int disk_open(const struct places *places, const char *name, int flags)
{
	char path[PATH_MAX];
	int err = disk_path(places, name, path);

	return err ? err : file_open(path, flags | O_NOFOLLOW, DISK_FILE_MODE);
}

int disk_read(const struct places *places, const char *name, size_t max, struct buf *ret)
{
	autoclose int fd = disk_open(places, name, O_RDONLY);

	return fd < 0 ? fd : file_read_fd(fd, max, ret);
}

/* Is exactly this content there already? Trouble with reading it counts as no. */
static bool is_there(const struct places *places, const char *name, const void *data, size_t len)
{
	auto_buf struct buf found = { 0 };

	return !disk_read(places, name, len, &found) && found.len == len &&
	       (!len || !memcmp(found.data, data, len));
}

int disk_write(const struct places *places, const char *name, const void *data, size_t len)
{
	char path[PATH_MAX];
	int err = disk_path(places, name, path);

	if (err)
		return err;
	/* Its writer may have been killed between the rename and the end: the name counts too. */
	if (is_there(places, name, data, len))
		return file_sync_directory(path);
	return file_write_atomic(path, data, len, DISK_FILE_MODE);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Does @path still name the file that is open? Otherwise somebody locks another one. */
static bool is_named(const char *path, int fd)
{
	struct stat named, opened;

	return !lstat(path, &named) && !fstat(fd, &opened) && named.st_dev == opened.st_dev &&
	       named.st_ino == opened.st_ino;
}

/* Returns the locked fd, -EAGAIN when it has to be tried again, or -errno. */
static int try_lock(const char *path)
{
	autoclose int fd = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, DISK_LOCK_MODE);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EINTR ? -EAGAIN : -errno; /* EWOULDBLOCK is EAGAIN */
	return is_named(path, fd) ? TAKE_FD(fd) : -EAGAIN;
}

int disk_lock_file(const char *path, int timeout_ms)
{
	const struct timespec pause = { 0, LOCK_PAUSE_NS };
	int64_t end = now_ms() + timeout_ms;
	int fd = try_lock(path);

	while (fd == -EAGAIN && now_ms() < end) {
		nanosleep(&pause, NULL);
		fd = try_lock(path);
	}
	return fd == -EAGAIN ? -EBUSY : fd;
}
