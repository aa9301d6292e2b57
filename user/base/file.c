/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files in and out. The only file of base/ that touches the disk. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

#define FILE_TRIES 64 /* names tried for the file written aside */

/* A growing or a /proc file may hold more than fstat said: reads until its end, or past @max. */
static int read_all(int fd, size_t max, struct buf *ret)
{
	while (ret->len <= max) {
		size_t room;
		ssize_t got;
		int err = buf_reserve(ret, 1);

		if (err)
			return err;
		room = ret->cap - ret->len;
		got = read(fd, ret->data + ret->len, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return 0;
		ret->len += (size_t)got;
	}
	return -EFBIG;
}

int file_open(const char *path, int flags, unsigned int mode)
{
	autoclose int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
	struct stat st;

	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno; /* a socket, or a FIFO's kin */
	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

int file_read_fd(int fd, size_t max, struct buf *ret)
{
	auto_buf struct buf content = { 0 };
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	err = buf_reserve(&content, (size_t)st.st_size + 1);
	if (!err)
		err = read_all(fd, max, &content);
	if (err)
		return err;
	buf_free(ret);
	*ret = content;
	content = (struct buf){ 0 };
	return 0;
}

int file_read(const char *path, size_t max, struct buf *ret)
{
	autoclose int fd = file_open(path, O_RDONLY, 0);

	return fd < 0 ? fd : file_read_fd(fd, max, ret);
}

int file_write_fd(int fd, const void *data, size_t len)
{
	const char *next = data;

	while (len) {
		ssize_t put = write(fd, next, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		next += put;
		len -= (size_t)put;
	}
	return 0;
}

/* A file written aside; removed when it leaves scope unless it was renamed away. */
struct aside {
	char *name;
	int fd;
};

static void aside_drop(struct aside *aside)
{
	close_fd(&aside->fd);
	if (aside->name)
		unlink(aside->name);
	free(aside->name);
}

/* Returns the new file, or -errno; its name is for the caller to keep. */
static int create_aside(const char *path, unsigned int number, char **name)
{
	int fd;

	if (asprintf(name, "%s.new-%d-%u", path, (int)getpid(), number) < 0) {
		*name = NULL;
		return -ENOMEM;
	}
	fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int aside_open(const char *path, struct aside *ret)
{
	unsigned int i;
	int fd = -EEXIST;

	/* A leftover of a killed process keeps its name: take the next. */
	for (i = 0; i < FILE_TRIES && fd == -EEXIST; i++) {
		autofree char *name = NULL;

		fd = create_aside(path, i, &name);
		if (fd >= 0)
			ret->name = TAKE_PTR(name);
	}
	if (fd < 0)
		return fd;
	ret->fd = fd;
	return 0;
}

int file_sync_directory(const char *path)
{
	autofree char *copy = strdup(path);
	autoclose int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) ? -errno : 0;
}

/* Does the file hold this? Read through an open of its own, for a disk may only claim to write. */
static int check_content(const char *path, const void *data, size_t len)
{
	auto_buf struct buf found = { 0 };
	int err = file_read(path, len, &found);

	if (err)
		return err == -EFBIG ? -EIO : err;
	return found.len == len && (!len || !memcmp(found.data, data, len)) ? 0 : -EIO;
}

int file_write_atomic(const char *path, const void *data, size_t len, unsigned int mode)
{
	cleanup(aside_drop) struct aside aside = { NULL, -1 };
	int err = aside_open(path, &aside);

	if (err)
		return err;
	if (fchmod(aside.fd, mode))
		return -errno;
	err = file_write_fd(aside.fd, data, len);
	if (err)
		return err;
	if (fsync(aside.fd))
		return -errno;
	err = check_content(aside.name, data, len);
	if (err)
		return err;
	if (rename(aside.name, path))
		return -errno;
	if (!access(aside.name, F_OK))
		return -EIO; /* it was not renamed at all */
	free(TAKE_PTR(aside.name));
	return file_sync_directory(path);
}
