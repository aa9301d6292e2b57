/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folders of an instance, and the one lock that whoever changes something holds. Knows nothing
 * of what is in the files.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/disk.h"

#define READERS_GROUP "stanch" /* its members may look; it need not exist */

const char *const disk_folders[DISK_FOLDERS] = { "images", "policies" };

/* A folder that is there keeps its mode and group: they are its owner's decision. */
static int finish_folder(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct group *group = getgrnam(READERS_GROUP);
	mode_t mode = DISK_DIR_MODE;

	if (fd < 0)
		return -errno;
	/* With the set-group-id bit the files in it belong to the group too. */
	if (group && !fchown(fd, (uid_t)-1, group->gr_gid))
		mode |= S_ISGID;
	if (fchmod(fd, mode))
		return -errno;
	return file_sync_directory(path);
}

static int make_folder(const char *path)
{
	struct stat st;

	if (!mkdir(path, DISK_DIR_MODE))
		return finish_folder(path);
	if (errno != EEXIST)
		return -errno;
	if (lstat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* Every missing folder on the way; only the last one must not be a link. */
static int make_path(const char *path)
{
	char part[PATH_MAX];
	char *slash;
	int err;

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		err = access(part, F_OK) ? make_folder(part) : 0;
		if (err)
			return err;
		*slash = '/';
	}
	return make_folder(part);
}

int store_prepare(const struct places *places)
{
	char path[PATH_MAX];
	int err = make_path(places->state);

	if (!err)
		err = make_path(places->run);
	for (size_t i = 0; i < DISK_FOLDERS && !err; i++) {
		err = disk_path(places, disk_folders[i], path);
		if (!err)
			err = make_folder(path);
	}
	return err;
}

/* The pid is for people: a lock without one is still a lock. */
static void write_holder(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (!ftruncate(fd, 0))
		file_write_fd(fd, text, (size_t)len);
}

static pid_t read_holder(const char *path)
{
	autoclose int fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0);
	char text[16] = "";
	const char *end;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return disk_number(text, '\n', &end);
}

int store_lock(const struct places *places, int timeout_ms, pid_t *ret_holder)
{
	int fd = disk_lock_file(places->lock, timeout_ms);

	if (fd == -EBUSY && ret_holder)
		*ret_holder = read_holder(places->lock);
	if (fd < 0)
		return fd;
	write_holder(fd);
	return fd;
}
