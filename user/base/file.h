/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing whole files without surprises: regular files only, sizes bounded. */
#ifndef STANCH_BASE_FILE_H
#define STANCH_BASE_FILE_H

#include "buf.h"

#define FILE_MAX_POLICY ((size_t)16 << 20) /* a policy text */
#define FILE_MAX_LIST ((size_t)256 << 20) /* a list file */
#define FILE_MAX_IMAGE ((size_t)96 << 20) /* an image: LIMIT_LINES * 64 */

/*
 * file_open - open() of a regular file, with O_CLOEXEC | O_NONBLOCK | O_NOCTTY added to @flags.
 * Returns the fd or -errno; -EISDIR for a directory, -EINVAL for a device, socket or FIFO.
 */
int file_open(const char *path, int flags, unsigned int mode);
/* file_read_fd - from where @fd stands to its end into @ret; -EFBIG past @max bytes. */
int file_read_fd(int fd, size_t max, struct buf *ret);
/* file_read - both; @ret stays untouched on failure. Returns 0 or -errno. */
int file_read(const char *path, size_t max, struct buf *ret);

/* file_write_fd - all @len bytes, however many calls that takes. Returns 0 or -errno. */
int file_write_fd(int fd, const void *data, size_t len);

/*
 * file_write_atomic - write aside (O_EXCL | O_NOFOLLOW), fsync, read back, rename over @path, fsync
 * the directory. Either the old or the new content is there, whole. Returns 0 or -errno; -EIO when
 * what is read back is not what was written.
 */
int file_write_atomic(const char *path, const void *data, size_t len, unsigned int mode);
/* file_sync_directory - make the name @path durable: fsync of the directory it is in. */
int file_sync_directory(const char *path);

#endif
