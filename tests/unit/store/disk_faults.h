/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk that goes wrong at the n-th call: it fails, lies, comes up short, or the power goes. */
#ifndef TESTS_UNIT_STORE_DISK_FAULTS_H
#define TESTS_UNIT_STORE_DISK_FAULTS_H

#include "store_help.h"

#include <sys/syscall.h>

enum deed { DEED_FAIL, DEED_LOSE, DEED_SHORT, DEED_KILL };
enum { CALL_WRITE = 1, CALL_FSYNC = 2, CALL_RENAME = 4, CALL_ANY = 7 };

static struct {
	int calls; /* which are counted; 0: none */
	int at; /* from 1 */
	enum deed deed;
	int error;
	int count;
} fault;

/* Is this the one? */
static bool faulty(int call)
{
	if (!(fault.calls & call) || ++fault.count != fault.at)
		return false;
	if (fault.deed == DEED_KILL)
		kill(getpid(), SIGKILL);
	errno = fault.error;
	return true;
}

ssize_t write(int fd, const void *data, size_t len)
{
	if (!faulty(CALL_WRITE))
		return syscall(SYS_write, fd, data, len);
	if (fault.deed == DEED_SHORT)
		return syscall(SYS_write, fd, data, (len + 1) / 2);
	return fault.deed == DEED_FAIL ? -1 : (ssize_t)len;
}

int fsync(int fd)
{
	if (!faulty(CALL_FSYNC))
		return (int)syscall(SYS_fsync, fd);
	return fault.deed == DEED_FAIL ? -1 : 0;
}

int rename(const char *from, const char *to)
{
	if (!faulty(CALL_RENAME))
		return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
	return fault.deed == DEED_FAIL ? -1 : 0;
}

static inline void fault_set(int calls, int at, enum deed deed, int error)
{
	fault.calls = calls;
	fault.at = at;
	fault.deed = deed;
	fault.error = error;
	fault.count = 0;
}

/* Returns how many calls were counted. */
static inline int fault_end(void)
{
	fault.calls = 0;
	return fault.count;
}

#endif
