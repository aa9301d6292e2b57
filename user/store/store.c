/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folders of an instance, the one lock that whoever changes something holds, and sweeping up
 * after those who were killed while they held it. Knows nothing of what is in the files.
 */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/disk.h"

#define READERS_GROUP "stanch" /* its members may look; it need not exist */

static const char *const folders[] = { "images", "policies" };

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
	for (size_t i = 0; i < ARRAY_SIZE(folders) && !err; i++) {
		err = disk_path(places, folders[i], path);
		if (!err)
			err = make_folder(path);
	}
	return err;
}

/* A number of at most nine digits that ends with @last; 0 when it is not one. */
static int take_number(const char *text, char last, const char **ret_end)
{
	size_t len = strspn(text, "0123456789");

	if (!len || len > 9 || text[len] != last)
		return 0;
	*ret_end = text + len;
	return (int)strtol(text, NULL, 10);
}

/* NAME.new-PID-N: the process that wrote @name aside, when it is no more. */
static bool is_leftover(const char *name)
{
	const char *mark = strstr(name, ".new-");
	const char *end = NULL;
	int pid = mark ? take_number(mark + strlen(".new-"), '-', &end) : 0;

	if (!pid)
		return false;
	take_number(end + 1, '\0', &end);
	return !*end && kill(pid, 0) && errno == ESRCH;
}

static void close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void sweep(const char *path)
{
	cleanup(close_folder) DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (is_leftover(entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

static void sweep_all(const struct places *places)
{
	char path[PATH_MAX];

	sweep(places->state);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (!disk_path(places, folders[i], path))
			sweep(path);
	}
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
	return take_number(text, '\n', &end);
}

int store_lock(const struct places *places, int timeout_ms, pid_t *ret_holder)
{
	int fd = disk_lock_file(places->lock, timeout_ms);

	if (fd == -EBUSY && ret_holder)
		*ret_holder = read_holder(places->lock);
	if (fd < 0)
		return fd;
	write_holder(fd);
	sweep_all(places);
	return fd;
}
