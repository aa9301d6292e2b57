/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pins as files: a bpffs of our own, folders, and pins that appear in one step. The kernel keeps
 * dots in names for itself, so what is being built carries a `+`, which no instance name has.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "dataplane/inside.h"

#define GROUP "stanch"

/* Observers are members of this group. Without it, or without the right to give, owners only. */
static void give_to_group(const char *path)
{
	struct group group, *found = NULL;
	char text[4096];

	if (getgrnam_r(GROUP, &group, text, sizeof(text), &found) || !found)
		return;
	if (chown(path, -1, group.gr_gid))
		return;
}

int bpffs_folder(const char *path)
{
	if (mkdir(path, 0750))
		return errno == EEXIST ? 0 : -errno;
	if (chmod(path, 0750)) /* whatever the umask */
		return last_error();
	give_to_group(path);
	return 0;
}

/* @path and every folder above it that is missing. */
static int make_folders(const char *path)
{
	char folder[PATH_MAX];
	char *slash = folder;
	int r = 0;

	snprintf(folder, sizeof(folder), "%s", path);
	while (!r && (slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		r = bpffs_folder(folder);
		*slash = '/';
	}
	return r ? r : bpffs_folder(folder);
}

static int is_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return last_error();
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/*
 * Does any other process have the mounts that this one has? If none does, as in a command of `ip
 * netns exec`, they end with it: with them the pins, and at once everything would be detached.
 */
static bool mounts_stay(void)
{
	autoclosedir DIR *proc = opendir("/proc");
	char self[32] = "", path[288];
	struct stat own, other;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)getppid());
	if (!proc || stat("/proc/self/ns/mnt", &own) || stat(path, &other) ||
	    readlink("/proc/self", self, sizeof(self) - 1) < 0)
		return true; /* who may not even look at who started us cannot tell */
	while ((entry = readdir(proc))) {
		if (*entry->d_name < '0' || *entry->d_name > '9' || !strcmp(entry->d_name, self))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", entry->d_name);
		if (!stat(path, &other) && other.st_ino == own.st_ino)
			return true;
	}
	return false;
}

static int mount_own(const char *path)
{
	if (!mounts_stay())
		return -EXDEV;
	if (mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0750"))
		return -errno;
	return chmod(path, 0750) ? last_error() : 0;
}

int bpffs_mount(const struct places *places, struct diag *diag)
{
	int r = is_bpffs(places->bpf);

	if (r == -ENOENT) {
		r = make_folders(places->bpf);
		r = r ? r : is_bpffs(places->bpf);
	}
	if (r > 0)
		return 0;
	r = r ? r : mount_own(places->bpf);
	if (!r) {
		give_to_group(places->bpf);
		return 0;
	}
	diag_add(diag, NULL, "bpffs", "%s: no bpffs is mounted there and none can be: %s",
		 places->bpf,
		 r == -EXDEV
			 ? "it would vanish with this command, whose mounts are its own; enter a "
			   "network namespace by --netns or `nsenter --net`"
			 : strerror(-r));
	return r;
}

static int pin_path(const char *folder, const char *name, char ret[PATH_MAX])
{
	int len = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int bpffs_pin(int fd, const char *folder, const char *name, mode_t mode)
{
	char path[PATH_MAX], aside[PATH_MAX], aside_name[PIN_NAME + sizeof(PIN_ASIDE)];
	int r;

	snprintf(aside_name, sizeof(aside_name), "%s" PIN_ASIDE, name);
	r = pin_path(folder, name, path);
	r = r ? r : pin_path(folder, aside_name, aside);
	if (r)
		return r;
	unlink(aside); /* of somebody who was killed here */
	if (bpf_obj_pin(fd, aside))
		return last_error();
	if (chmod(aside, mode))
		r = -errno;
	give_to_group(aside);
	if (!r && rename(aside, path))
		r = -errno;
	if (r)
		unlink(aside);
	return r;
}

int bpffs_get(const char *folder, const char *name)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	char path[PATH_MAX];
	int fd = pin_path(folder, name, path);

	if (fd)
		return fd;
	fd = bpf_obj_get(path);
	if (fd == -EACCES)
		fd = bpf_obj_get_opts(path, &opts);
	return fd;
}

int bpffs_unpin(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int r = pin_path(folder, name, path);

	if (!r && unlink(path))
		r = -errno;
	return r;
}

int bpffs_each(const char *folder, int (*fn)(void *context, const char *name), void *context)
{
	autoclosedir DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return last_error();
	while (!r && (entry = readdir(dir))) {
		if (*entry->d_name != '.')
			r = fn(context, entry->d_name);
	}
	return r;
}

static int unpin_one(void *context, const char *name)
{
	return bpffs_unpin(context, name);
}

int bpffs_empty(const char *folder)
{
	int r = bpffs_each(folder, unpin_one, (void *)folder);

	if (r == -ENOENT)
		return 0;
	if (!r && rmdir(folder))
		r = -errno;
	return r;
}
