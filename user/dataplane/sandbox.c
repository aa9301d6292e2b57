/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place that ends with who works in it: a thread enters namespaces that have no name and that
 * nobody else is in. Whatever ends the process, the kernel takes interfaces, mounts, pins and maps
 * back; there is nothing to tidy up, and nothing that could be left.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "dataplane/bench.h"
#include "dataplane/inside.h"

#define COVERED "/run" /* is there on every host, and holds what must be out of sight */
#define SANDBOX_RUN COVERED "/stanch"
#define SANDBOX_BPF SANDBOX_RUN "/bpf"
#define SANDBOX_STATE SANDBOX_RUN "/state"
#define HARMLESS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct sandbox {
	int (*fn)(void *context, const struct places *places);
	void *context;
	struct diag *diag;
	int result;
};

static const struct places sandbox_places = {
	.instance = "bench",
	.state = SANDBOX_STATE "/bench",
	.run = SANDBOX_RUN,
	.lock = SANDBOX_RUN "/bench.lock",
	.bpf = SANDBOX_BPF,
	.pins = SANDBOX_BPF "/bench",
};

/* What is mounted from here on stays here; what the host unmounts goes here, too. */
static int cover(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount("tmpfs", COVERED, "tmpfs", HARMLESS, "mode=0700,size=1m") ||
	    mkdir(SANDBOX_RUN, 0700) || mkdir(SANDBOX_BPF, 0700) ||
	    mount("bpf", SANDBOX_BPF, "bpf", HARMLESS, "mode=0700"))
		return last_error();
	return 0;
}

static int enter(struct diag *diag)
{
	int r = unshare(CLONE_NEWNET | CLONE_NEWNS) ? last_error() : 0;

	r = r ? r : cover();
	if (!r)
		return 0;
	diag_add(diag, NULL, "sandbox", "a network namespace and mounts of its own: %s",
		 r == -EPERM ? "not permitted (CAP_SYS_ADMIN)" : strerror(-r));
	return r;
}

static void *work(void *argument)
{
	struct sandbox *sandbox = argument;

	sandbox->result = enter(sandbox->diag);
	if (!sandbox->result)
		sandbox->result = sandbox->fn(sandbox->context, &sandbox_places);
	return NULL;
}

int sandbox_run(int (*fn)(void *context, const struct places *places), void *context,
		struct diag *diag)
{
	struct sandbox sandbox = { .fn = fn, .context = context, .diag = diag };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, work, &sandbox);

	if (r)
		return -r;
	pthread_join(thread, NULL);
	return sandbox.result;
}
