/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded: what a fault in memory would do to a staged image. The byte FLIP_AT of the first map
 * named `image` that has it is another one when the map is frozen. With FLIP_HIDE=1 whoever maps
 * that map next sees it as it should be, as if the fault came behind that look.
 */
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define MISUSED 99
#define LINE 64u

static struct {
	bool done;
	bool hidden; /* still to be hidden, once */
	size_t at, size; /* of the map that was changed */
	uint32_t id;
} flip;

static size_t wanted(void)
{
	const char *text = getenv("FLIP_AT");
	char *end = NULL;
	size_t at = text ? strtoul(text, &end, 10) : 0;

	if (text && *text && !*end)
		return at;
	dprintf(STDERR_FILENO, "flip: FLIP_AT=%s is not understood\n", text ? text : "");
	_exit(MISUSED);
}

static long bpf(int command, union bpf_attr *attr)
{
	return REAL(syscall)(SYS_bpf, command, attr, sizeof(*attr));
}

static bool map_info(int fd, struct bpf_map_info *ret)
{
	union bpf_attr attr = { 0 };

	memset(ret, 0, sizeof(*ret));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*ret);
	attr.info.info = (uintptr_t)ret;
	return !bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static void flip_in(int fd)
{
	struct bpf_map_info info;
	unsigned char *bytes;

	flip.at = wanted();
	if (flip.done || !map_info(fd, &info) || strcmp(info.name, "image") ||
	    info.value_size != LINE || flip.at >= (size_t)info.max_entries * LINE)
		return;
	flip.size = (size_t)info.max_entries * LINE;
	bytes = REAL(mmap)(NULL, flip.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		_exit(MISUSED);
	bytes[flip.at] ^= 1;
	munmap(bytes, flip.size);
	flip.id = info.id;
	flip.hidden = getenv("FLIP_HIDE") != NULL;
	flip.done = true;
}

long syscall(long number, ...)
{
	long args[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf && args[0] == BPF_MAP_FREEZE)
		flip_in((int)((const union bpf_attr *)args[1])->map_fd);
	return REAL(syscall)(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* A copy, right again; it is unmapped like the real one. */
static void *hide(void *bytes)
{
	unsigned char *copy = REAL(mmap)(NULL, flip.size, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		_exit(MISUSED);
	memcpy(copy, bytes, flip.size);
	copy[flip.at] ^= 1;
	munmap(bytes, flip.size);
	flip.hidden = false;
	return copy;
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t from)
{
	void *bytes = REAL(mmap)(at, len, protection, flags, fd, from);
	struct bpf_map_info info;

	if (bytes == MAP_FAILED || !flip.hidden || fd < 0 || len != flip.size || from ||
	    !map_info(fd, &info) || info.id != flip.id)
		return bytes;
	return hide(bytes);
}

/* The name that programs with large file offsets use. */
void *mmap64(void *at, size_t len, int protection, int flags, int fd, off_t from)
	__attribute__((alias("mmap")));
_Static_assert(sizeof(off_t) == 8, "both names mean the same");
