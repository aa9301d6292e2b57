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
#include <stdlib.h>
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
	err = file_write_atomic(path, data, len, DISK_FILE_MODE);
	if (err)
		return err;
	/* A disk may only claim that it wrote or renamed. */
	return is_there(places, name, data, len) ? 0 : -EIO;
}

int disk_keep_damaged(const struct places *places, const char *name, const char *kept)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err = disk_path(places, name, from) ?: disk_path(places, kept, to);

	if (err)
		return err;
	if (rename(from, to) && errno != ENOENT)
		return -errno;
	return file_sync_directory(to);
}

int disk_remove(const struct places *places, const char *name)
{
	char path[PATH_MAX];
	int err = disk_path(places, name, path);

	if (err)
		return err;
	if (unlink(path))
		return errno == ENOENT ? 0 : -errno;
	return file_sync_directory(path);
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

int disk_number(const char *text, char last, const char **ret_end)
{
	size_t len = strspn(text, "0123456789");

	if (!len || len > 9 || text[len] != last)
		return 0;
	*ret_end = text + len;
	return (int)strtol(text, NULL, 10);
}
