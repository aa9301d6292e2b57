/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * victim CALL... - makes each call that it is told to and prints how it went, so that what the
 * shim does to a program can be seen: `bpf:N` `open:PATH` `write:PATH:TEXT` (appends) `fsync:PATH`
 * `truncate:PATH` `rename:FROM:TO` `unlink:PATH` `mmap` `ioctl` `getpid`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long make_call(char *name, char *first, char *second)
{
	union bpf_attr attr = { 0 };
	int fd = -1;

	if (!strcmp(name, "bpf"))
		return syscall(SYS_bpf, strtol(first, NULL, 10), &attr, sizeof(attr));
	if (!strcmp(name, "getpid"))
		return syscall(SYS_getpid) == getpid() ? 0 : -1;
	if (!strcmp(name, "rename"))
		return rename(first, second);
	if (!strcmp(name, "unlink"))
		return unlink(first);
	if (!strcmp(name, "mmap"))
		return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
			       ? -1
			       : 0;
	if (!strcmp(name, "ioctl"))
		return ioctl(STDOUT_FILENO, FIONREAD, &fd);
	fd = open(first, O_RDWR | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || !strcmp(name, "open"))
		return fd;
	if (!strcmp(name, "write"))
		return write(fd, second, strlen(second));
	return !strcmp(name, "fsync") ? fsync(fd) : ftruncate(fd, 0);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *name = strtok(argv[i], ":");
		char *first = strtok(NULL, ":");
		char *second = strtok(NULL, ":");
		long result;

		errno = 0;
		result = make_call(name, first ? first : "", second ? second : "");
		if (result < 0)
			printf("%s %s\n", name, strerrorname_np(errno));
		else
			printf("%s %s\n", name,
			       strcmp(name, "write")		? "ok"
			       : result == (long)strlen(second) ? "ok"
								: "short");
		fflush(stdout);
	}
	return 0;
}
