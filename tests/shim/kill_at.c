/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill_at - run a command and kill it at one of its system calls: `kill_at K COMMAND...` sends
 * SIGKILL at the K-th stop, counting from 1 the entry and the exit of every call of every process
 * and thread of it, libc's own included. At an entry the call is not made any more.
 * `kill_at --count COMMAND...` lets it run and prints how many stops there are as the last line.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRONG 99 /* exit code: this program was used wrongly, or cannot trace */
#define SYSCALL_STOP (SIGTRAP | 0x80)

struct run {
	pid_t command;
	unsigned long at; /* 0: never */
	unsigned long stops;
	int status; /* of the command, once it has ended */
};

static void wrong(const char *what)
{
	fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
	exit(WRONG);
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		wrong("fork");
	if (pid)
		return pid;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(WRONG);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	fprintf(stderr, "kill_at: %s: %s\n", argv[0], strerror(errno));
	_exit(WRONG);
}

/* Until the command itself runs: the calls that start it are not its own. */
static void wait_for_exec(pid_t pid)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
				      PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
				      PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		wrong("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, options))
		wrong("PTRACE_SETOPTIONS");
	do {
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
			wrong("starting");
		if (!WIFSTOPPED(status))
			exit(WRONG);
	} while (status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8));
}

static void say_where(pid_t pid, unsigned long stop)
{
	struct __ptrace_syscall_info info = { 0 };
	bool entry;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return;
	entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (entry)
		fprintf(stderr, "kill_at: %lu: entry of call %llu\n", stop,
			(unsigned long long)info.entry.nr);
	else
		fprintf(stderr, "kill_at: %lu: exit of a call that returned %lld\n", stop,
			(long long)info.exit.rval);
}

/* What the tracee gets when it goes on: signals that are meant for it, none of ours. */
static int signal_of(int status)
{
	int signal = WSTOPSIG(status);

	if (signal == SYSCALL_STOP || status >> 16)
		return 0;
	return signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

static void go_on(struct run *run, pid_t pid, int status)
{
	if (WSTOPSIG(status) == SYSCALL_STOP && ++run->stops == run->at) {
		say_where(pid, run->stops);
		kill(run->command, SIGKILL);
		if (pid != run->command)
			kill(pid, SIGKILL);
		return;
	}
	/* One that was killed meanwhile is waited for like the others. */
	if (ptrace(PTRACE_SYSCALL, pid, NULL, signal_of(status)) && errno != ESRCH)
		wrong("PTRACE_SYSCALL");
}

static void follow(struct run *run)
{
	bool ended = false;
	int status;
	pid_t pid;

	if (ptrace(PTRACE_SYSCALL, run->command, NULL, 0))
		wrong("PTRACE_SYSCALL");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			go_on(run, pid, status);
		} else if (pid == run->command) {
			run->status = status;
			ended = true;
		}
	}
	if (!ended)
		wrong("the command was lost");
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct run run = { 0 };
	bool count = argc > 2 && !strcmp(argv[1], "--count");
	char *end = NULL;

	if (!count && argc > 2) {
		errno = 0;
		run.at = strtoul(argv[1], &end, 10);
	}
	if (argc < 3 || (!count && (!run.at || *end || errno))) {
		fprintf(stderr, "usage: kill_at K|--count COMMAND...\n");
		return WRONG;
	}
	run.command = start(argv + 2);
	wait_for_exec(run.command);
	follow(&run);
	if (count)
		printf("%lu\n", run.stops);
	return exit_code(run.status);
}
