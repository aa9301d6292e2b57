/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing up on disk behind those who were killed, and images that nobody can need any more.
 * Knows only files; what the kernel holds is repaired elsewhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "store/disk.h"
#include "store/pointers.h"
#include "store/store.h"

struct repair {
	const struct places *places;
	void (*fn)(void *context, const char *text);
	void *context;
	int error; /* the first */
};

static void failed(struct repair *repair, int error)
{
	if (!repair->error)
		repair->error = error;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct repair *repair, const char *fmt,
						       ...)
{
	char text[384];
	va_list list;

	va_start(list, fmt);
	vsnprintf(text, sizeof(text), fmt, list);
	va_end(list);
	repair->fn(repair->context, text);
}

static void close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* ---- files written aside ---- */

/* NAME.new-PID-N: the process that wrote @name aside, when it is no more, else 0. */
static int leftover_of(const char *name)
{
	const char *mark = strstr(name, ".new-");
	const char *end = NULL;
	int pid = mark ? disk_number(mark + strlen(".new-"), '-', &end) : 0;

	if (!pid)
		return 0;
	disk_number(end + 1, '\0', &end);
	return !*end && kill(pid, 0) && errno == ESRCH ? pid : 0;
}

/* @folder below STATE; "" is STATE itself. */
static void sweep(struct repair *repair, const char *folder)
{
	char path[PATH_MAX];
	int err = disk_path(repair->places, folder, path);
	cleanup(close_folder) DIR *dir = err ? NULL : opendir(path);
	const struct dirent *entry;

	if (!dir)
		failed(repair, err ? err : -errno);
	while (dir && (entry = readdir(dir))) {
		int pid = leftover_of(entry->d_name);

		if (!pid)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			failed(repair, -errno);
		else
			tell(repair, "removed %s%s%s, which process %d was writing when it ended",
			     folder, *folder ? "/" : "", entry->d_name, pid);
	}
}

/* ---- pointers ---- */

static void check_pointer(struct repair *repair, const char *name)
{
	struct pointer pointer;
	int err = pointer_read(repair->places, name, &pointer);

	if (err != -EBADMSG)
		return;
	err = disk_remove(repair->places, name);
	if (err)
		failed(repair, err);
	else
		tell(repair, "removed the pointer `%s`, which was damaged", name);
}

/* ---- images ---- */

#define HEX 64
#define PRUNE_MOST 65536u /* names looked at in one folder */

struct stored {
	char digest[HEX + 1];
	struct timespec time;
};

struct images {
	struct stored *items;
	size_t count, room;
};

static void images_free(struct images *images)
{
	free(images->items);
}

/* DIGEST@ending, or nothing of ours. */
static bool is_stored(const char *name, const char *ending)
{
	return strlen(name) == HEX + strlen(ending) && strspn(name, "0123456789abcdef") == HEX &&
	       !strcmp(name + HEX, ending);
}

static int add_image(struct images *images, int folder, const char *name)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (images->count == images->room) {
		size_t room = images->room ? 2 * images->room : 64;
		struct stored *more = reallocarray(images->items, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		images->items = more;
		images->room = room;
	}
	snprintf(images->items[images->count].digest, HEX + 1, "%s", name);
	images->items[images->count++].time = st.st_mtim;
	return 0;
}

static int compare_newest_first(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;

	if (x->time.tv_sec != y->time.tv_sec)
		return x->time.tv_sec < y->time.tv_sec ? 1 : -1;
	if (x->time.tv_nsec != y->time.tv_nsec)
		return x->time.tv_nsec < y->time.tv_nsec ? 1 : -1;
	return strcmp(x->digest, y->digest);
}

static int list_images(const struct places *places, struct images *ret)
{
	char path[PATH_MAX];
	int err = disk_path(places, disk_folders[0], path);
	cleanup(close_folder) DIR *dir = err ? NULL : opendir(path);
	const struct dirent *entry;

	if (!dir)
		return err ? err : -errno;
	while (!err && ret->count < PRUNE_MOST && (entry = readdir(dir))) {
		if (is_stored(entry->d_name, ".img"))
			err = add_image(ret, dirfd(dir), entry->d_name);
	}
	if (!err && ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_newest_first);
	return err;
}

static bool is_pointed_to(const struct places *places, const char *digest)
{
	for (size_t i = 0; i < ARRAY_SIZE(pointer_names); i++) {
		struct pointer pointer;
		char hex[HEX + 1];

		if (pointer_read(places, pointer_names[i], &pointer))
			continue;
		sodium_bin2hex(hex, sizeof(hex), pointer.digest, sizeof(pointer.digest));
		if (!strcmp(hex, digest))
			return true;
	}
	return false;
}

/* The policy goes first: without an image it would never be found again. */
static int remove_image(const struct places *places, const char *digest)
{
	static const char *const endings[DISK_FOLDERS] = { "img", "yaml" };
	int err = 0;

	for (size_t i = DISK_FOLDERS; i-- && !err;) {
		char name[HEX + 32];

		snprintf(name, sizeof(name), "%s/%s.%s", disk_folders[i], digest, endings[i]);
		err = disk_remove(places, name);
	}
	return err;
}

static void prune(struct repair *repair)
{
	cleanup(images_free) struct images images = { 0 };
	int err = list_images(repair->places, &images);

	for (size_t i = STORE_IMAGES; i < images.count && !err; i++) {
		if (!is_pointed_to(repair->places, images.items[i].digest))
			err = remove_image(repair->places, images.items[i].digest);
	}
	if (err)
		failed(repair, err);
}

int store_repair(const struct places *places, void (*fn)(void *context, const char *text),
		 void *context)
{
	struct repair repair = { places, fn, context, 0 };

	sweep(&repair, "");
	for (size_t i = 0; i < DISK_FOLDERS; i++)
		sweep(&repair, disk_folders[i]);
	for (size_t i = 0; i < ARRAY_SIZE(pointer_names); i++)
		check_pointer(&repair, pointer_names[i]);
	prune(&repair);
	return repair.error;
}
