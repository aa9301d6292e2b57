/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults on order: preloaded into a program, it counts the calls that match SHIM_CALL and lets the
 * one numbered SHIM_AT fail, vanish, come up short, wait or be the last. README.md has the words.
 * Knows libc's calls only, nothing of the program; a word that it does not know ends the program,
 * so that no test passes because nothing was injected.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define DETAIL 512
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MISUSED 99

enum call {
	CALL_BPF,
	CALL_SYSCALL,
	CALL_WRITE,
	CALL_FSYNC,
	CALL_TRUNCATE,
	CALL_RENAME,
	CALL_UNLINK,
	CALL_OPEN,
	CALL_MMAP,
	CALL_IOCTL,
	CALLS,
	CALL_ANY = CALLS,
};

static const char *const call_names[] = {
	[CALL_BPF] = "bpf",	  [CALL_SYSCALL] = "syscall",	[CALL_WRITE] = "write",
	[CALL_FSYNC] = "fsync",	  [CALL_TRUNCATE] = "truncate", [CALL_RENAME] = "rename",
	[CALL_UNLINK] = "unlink", [CALL_OPEN] = "open",		[CALL_MMAP] = "mmap",
	[CALL_IOCTL] = "ioctl",	  [CALL_ANY] = "any",
};
_Static_assert(ARRAY_SIZE(call_names) == CALLS + 1, "every call has a name");

static const char *const commands[] = {
	[BPF_MAP_CREATE] = "MAP_CREATE",
	[BPF_MAP_LOOKUP_ELEM] = "MAP_LOOKUP_ELEM",
	[BPF_MAP_UPDATE_ELEM] = "MAP_UPDATE_ELEM",
	[BPF_MAP_DELETE_ELEM] = "MAP_DELETE_ELEM",
	[BPF_MAP_GET_NEXT_KEY] = "MAP_GET_NEXT_KEY",
	[BPF_PROG_LOAD] = "PROG_LOAD",
	[BPF_OBJ_PIN] = "OBJ_PIN",
	[BPF_OBJ_GET] = "OBJ_GET",
	[BPF_PROG_ATTACH] = "PROG_ATTACH",
	[BPF_PROG_DETACH] = "PROG_DETACH",
	[BPF_PROG_TEST_RUN] = "PROG_TEST_RUN",
	[BPF_OBJ_GET_INFO_BY_FD] = "OBJ_GET_INFO_BY_FD",
	[BPF_PROG_QUERY] = "PROG_QUERY",
	[BPF_BTF_LOAD] = "BTF_LOAD",
	[BPF_MAP_FREEZE] = "MAP_FREEZE",
	[BPF_MAP_LOOKUP_BATCH] = "MAP_LOOKUP_BATCH",
	[BPF_MAP_UPDATE_BATCH] = "MAP_UPDATE_BATCH",
	[BPF_LINK_CREATE] = "LINK_CREATE",
	[BPF_LINK_UPDATE] = "LINK_UPDATE",
	[BPF_LINK_DETACH] = "LINK_DETACH",
	[BPF_PROG_BIND_MAP] = "PROG_BIND_MAP",
};

enum act { ACT_CALL, ACT_FAIL, ACT_LOSE, ACT_SHORT, ACT_AFTER };
enum deed { DEED_NONE, DEED_KILL, DEED_STOP, DEED_SLEEP };

static struct {
	bool ready;
	enum call call;
	char only[DETAIL]; /* "" matches all */
	unsigned long at; /* 0: count only */
	bool onwards;
	enum act act;
	enum deed deed;
	int error;
	long sleep_ms;
	int log;
	atomic_ulong count;
} shim = { .log = -1 };

static void misused(const char *variable, const char *value)
{
	dprintf(STDERR_FILENO, "shim: %s=%s is not understood\n", variable, value ? value : "");
	_exit(MISUSED);
}

static void read_call(const char *text)
{
	size_t len = text ? strcspn(text, ":") : 0;
	unsigned int i;

	for (i = 0; len && i < ARRAY_SIZE(call_names); i++) {
		if (strlen(call_names[i]) == len && !strncmp(call_names[i], text, len))
			break;
	}
	if (!len || i == ARRAY_SIZE(call_names) || strlen(text + len) >= sizeof(shim.only))
		misused("SHIM_CALL", text);
	shim.call = i;
	strcpy(shim.only, text[len] ? text + len + 1 : "");
}

/* A command may be given by number; it is compared by name. */
static void read_command(void)
{
	char *end;
	unsigned long number = strtoul(shim.only, &end, 10);

	if (shim.call != CALL_BPF || !*shim.only)
		return;
	if (!*end && number < ARRAY_SIZE(commands) && commands[number])
		strcpy(shim.only, commands[number]);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i] && !strcmp(commands[i], shim.only))
			return;
	}
	if (*end)
		misused("SHIM_CALL", shim.only);
}

static void read_at(const char *text)
{
	char *end;

	if (!text)
		return;
	shim.at = strtoul(text, &end, 10);
	shim.onwards = *end == '+';
	if (!shim.at || end[shim.onwards])
		misused("SHIM_AT", text);
}

static int error_named(const char *name)
{
	for (int error = 1; error < 200; error++) {
		const char *known = strerrorname_np(error);

		if (known && !strcmp(known, name))
			return error;
	}
	return 0;
}

/* A descriptor cannot be made up, and only data can come up short. */
static bool is_possible(void)
{
	switch (shim.act) {
	case ACT_LOSE:
		return shim.call >= CALL_WRITE && shim.call <= CALL_UNLINK;
	case ACT_SHORT:
		return shim.call == CALL_WRITE;
	default:
		return true;
	}
}

static bool read_sleep(const char *word)
{
	static const char name[] = "SLEEP:";
	char *end;

	if (strncmp(word, name, strlen(name)))
		return false;
	word += strlen(name);
	shim.sleep_ms = strtol(word, &end, 10);
	return *word && !*end && shim.sleep_ms >= 0;
}

static void read_deed(const char *text)
{
	bool after = !strncmp(text, "AFTER:", 6);
	const char *word = after ? text + 6 : text;

	shim.act = after ? ACT_AFTER : ACT_CALL;
	shim.deed = !strcmp(word, "KILL")   ? DEED_KILL
		    : !strcmp(word, "STOP") ? DEED_STOP
		    : read_sleep(word)	    ? DEED_SLEEP
					    : DEED_NONE;
	if (shim.deed)
		return;
	shim.error = error_named(word);
	shim.act = shim.error		    ? ACT_FAIL
		   : !strcmp(word, "LOSE")  ? ACT_LOSE
		   : !strcmp(word, "SHORT") ? ACT_SHORT
					    : ACT_CALL;
	if (after || shim.act == ACT_CALL || !is_possible())
		misused("SHIM_DO", text);
}

static void prepare(void)
{
	const char *deed = getenv("SHIM_DO");
	const char *log = getenv("SHIM_LOG");

	if (shim.ready)
		return;
	shim.ready = true;
	read_call(getenv("SHIM_CALL"));
	read_command();
	read_at(getenv("SHIM_AT"));
	if (deed)
		read_deed(deed);
	if (!deed != !shim.at)
		misused("SHIM_DO", deed);
	if (!log)
		return;
	shim.log = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (shim.log < 0)
		misused("SHIM_LOG", log);
}

static void do_deed(void)
{
	struct timespec pause = { shim.sleep_ms / 1000, shim.sleep_ms % 1000 * 1000000 };

	if (shim.deed == DEED_KILL)
		kill(getpid(), SIGKILL);
	else if (shim.deed == DEED_STOP)
		raise(SIGSTOP);
	else if (shim.deed == DEED_SLEEP)
		nanosleep(&pause, NULL);
}

static bool matches(enum call call, const char *detail)
{
	if (shim.call != CALL_ANY && shim.call != call)
		return false;
	/* A command is one word, of a path any part will do. */
	return call == CALL_BPF || call == CALL_SYSCALL ? !*shim.only || !strcmp(detail, shim.only)
							: !!strstr(detail, shim.only);
}

/* What to do with this call; errno is set for ACT_FAIL. */
static enum act enter(enum call call, const char *detail)
{
	char line[DETAIL + 64];
	unsigned long number;
	int kept = errno, len;

	prepare();
	if (!matches(call, detail))
		return ACT_CALL;
	number = ++shim.count;
	if (shim.log >= 0) {
		len = snprintf(line, sizeof(line), "%d %lu %s %s\n", (int)getpid(), number,
			       call_names[call], detail);
		REAL(write)(shim.log, line, (size_t)len);
	}
	errno = kept;
	if (!shim.at || number < shim.at || (number > shim.at && !shim.onwards))
		return ACT_CALL;
	if (shim.act == ACT_CALL)
		do_deed();
	errno = shim.act == ACT_FAIL ? shim.error : kept;
	return shim.act;
}

static long leave(enum act act, long result)
{
	int kept = errno;

	if (act == ACT_AFTER)
		do_deed();
	errno = kept;
	return result;
}

/* Is the call not to be made at all? Then the caller returns refusal(), or its pretended success. */
static bool is_skipped(enum act act)
{
	return act == ACT_FAIL || act == ACT_LOSE;
}

static int refusal(enum act act)
{
	return act == ACT_FAIL ? -1 : 0;
}

static const char *path_of(int fd, char path[DETAIL])
{
	char link[32];
	ssize_t len;
	int kept = errno;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = fd < 0 ? 0 : readlink(link, path, DETAIL - 1);
	path[len > 0 ? len : 0] = '\0';
	errno = kept;
	return path;
}

static const char *command_of(long number, char text[DETAIL])
{
	bool known = number >= 0 && number < (long)ARRAY_SIZE(commands) && commands[number];

	snprintf(text, DETAIL, "%ld", number);
	return known ? commands[number] : text;
}

long syscall(long number, ...)
{
	char text[DETAIL];
	long args[6];
	va_list list;
	enum act act;

	va_start(list, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		act = enter(CALL_BPF, command_of((int)args[0], text));
	else
		act = enter(CALL_SYSCALL, (snprintf(text, sizeof(text), "%ld", number), text));
	if (is_skipped(act))
		return refusal(act);
	return leave(act,
		     REAL(syscall)(number, args[0], args[1], args[2], args[3], args[4], args[5]));
}

ssize_t write(int fd, const void *data, size_t len)
{
	char path[DETAIL];
	enum act act = enter(CALL_WRITE, path_of(fd, path));

	if (is_skipped(act))
		return act == ACT_FAIL ? -1 : (ssize_t)len;
	return leave(act, REAL(write)(fd, data, act == ACT_SHORT ? (len + 1) / 2 : len));
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	char path[DETAIL];
	enum act act = enter(CALL_WRITE, path_of(fd, path));

	if (is_skipped(act))
		return act == ACT_FAIL ? -1 : (ssize_t)len;
	return leave(act, REAL(pwrite)(fd, data, act == ACT_SHORT ? (len + 1) / 2 : len, at));
}

int fsync(int fd)
{
	char path[DETAIL];
	enum act act = enter(CALL_FSYNC, path_of(fd, path));

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
	char path[DETAIL];
	enum act act = enter(CALL_FSYNC, path_of(fd, path));

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(fdatasync)(fd));
}

int ftruncate(int fd, off_t len)
{
	char path[DETAIL];
	enum act act = enter(CALL_TRUNCATE, path_of(fd, path));

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(ftruncate)(fd, len));
}

int rename(const char *from, const char *to)
{
	enum act act = enter(CALL_RENAME, to);

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(rename)(from, to));
}

int unlink(const char *path)
{
	enum act act = enter(CALL_UNLINK, path);

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(unlink)(path));
}

int unlinkat(int dir, const char *path, int flags)
{
	enum act act = enter(CALL_UNLINK, path);

	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(unlinkat)(dir, path, flags));
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	enum act act = enter(CALL_OPEN, path);

	if (is_skipped(act))
		return -1;
	return (int)leave(act, REAL(openat)(dir, path, flags, mode));
}

static mode_t mode_in(int flags, va_list list)
{
	bool given = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;

	return given ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, list);
	va_end(list);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_in(flags, list);
	va_end(list);
	return open_at(dir, path, flags, mode);
}

/* What a fortified program calls when there is no mode. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);

int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags, 0);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t from)
{
	char path[DETAIL];
	enum act act = enter(CALL_MMAP, path_of(fd, path));
	void *result;

	if (is_skipped(act))
		return MAP_FAILED;
	result = REAL(mmap)(at, len, protection, flags, fd, from);
	leave(act, 0);
	return result;
}

int ioctl(int fd, unsigned long request, ...)
{
	char path[DETAIL];
	enum act act = enter(CALL_IOCTL, path_of(fd, path));
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (is_skipped(act))
		return refusal(act);
	return (int)leave(act, REAL(ioctl)(fd, request, argument));
}

/* The names that programs with large file offsets use, libbpf among them. */
int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
int __openat64_2(int dir, const char *path, int flags) __attribute__((alias("__openat_2")));
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));
ssize_t pwrite64(int fd, const void *data, size_t len, off_t at) __attribute__((alias("pwrite")));
int ftruncate64(int fd, off_t len) __attribute__((alias("ftruncate")));
void *mmap64(void *at, size_t len, int protection, int flags, int fd, off_t from)
	__attribute__((alias("mmap")));
_Static_assert(sizeof(off_t) == 8, "both names mean the same");
