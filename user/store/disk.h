/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside store/: paths below STATE, opening without following links, locks with a bound. */
#ifndef STANCH_STORE_DISK_H
#define STANCH_STORE_DISK_H

#include <limits.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/places.h"

#define DISK_FILE_MODE 0640
#define DISK_DIR_MODE 0750
/*
 * Whoever can open a file can lock it, whatever its mode lets them do: a lock is in a file that
 * only its owner can open, or members of the group could hold up every change.
 */
#define DISK_LOCK_MODE 0600

/* Folders below STATE, made by store_prepare(). */
#define DISK_FOLDERS 2u
extern const char *const disk_folders[DISK_FOLDERS];

/* jansson's own attribute does not go together with our word for it. */
#define auto_json cleanup(disk_drop_json)
static inline void disk_drop_json(json_t **json)
{
	json_decref(*json);
}

/* disk_path - STATE/@name. Returns 0 or -ENAMETOOLONG. */
int disk_path(const struct places *places, const char *name, char ret[PATH_MAX]);
/* disk_open - STATE/@name, a regular file, never through a link. Returns the fd or -errno. */
int disk_open(const struct places *places, const char *name, int flags);
/* disk_read - the whole of it, at most @max bytes. Returns 0 or -errno. */
int disk_read(const struct places *places, const char *name, size_t max, struct buf *ret);
/*
 * disk_write - all of it or nothing, durable when it returns; nothing to do when it is there. What
 * was written is read again: -EIO from a disk that only claims to have done it.
 */
int disk_write(const struct places *places, const char *name, const void *data, size_t len);
/* disk_keep_damaged - @name becomes @kept, to be looked at by people. None is fine. */
int disk_keep_damaged(const struct places *places, const char *name, const char *kept);
/* disk_remove - durably; 0 when it was not there. */
int disk_remove(const struct places *places, const char *name);
/* disk_lock_file - open @path (made with DISK_LOCK_MODE) and lock it; the fd, or -EBUSY ... */
int disk_lock_file(const char *path, int timeout_ms);
/* disk_number - at most nine digits that end with @last; 0 when it is not such a number. */
int disk_number(const char *text, char last, const char **ret_end);

#endif
