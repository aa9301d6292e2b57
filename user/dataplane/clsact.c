/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The marking program as a classic tc filter, where the kernel has no TCX. It is known by its
 * handle, one of a few priorities, and the program in it. An empty clsact qdisc stays behind: it
 * costs nothing, and somebody else may have made it.
 */
#include <errno.h>

#include "dataplane/attach.h"

#define HANDLE 0x5354 /* META_MAGIC */

/* Early, so that others can see the mark; the next when another kind of filter sits there. */
static const uint32_t priorities[] = { 1, 2, 3, 10, 100, 1000, 10000 };

int clsact_attach(int program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	int r = bpf_tc_hook_create(&hook);

	if (r && r != -EEXIST)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = priorities[i],
			    .prog_fd = program);

		r = bpf_tc_attach(&hook, &opts);
		if (!r || (r != -EEXIST && r != -EINVAL))
			return r;
	}
	return r;
}

/* Its priority, or 0. Readers do not know which program is ours (0): the handle has to do. */
static uint32_t priority_of(uint32_t program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);

	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = priorities[i]);

		if (!bpf_tc_query(&hook, &opts) && (!program || opts.prog_id == program))
			return priorities[i];
	}
	return 0;
}

int clsact_find(uint32_t program, uint32_t ifindex)
{
	return priority_of(program, ifindex) ? 0 : -ENOENT;
}

int clsact_detach(uint32_t program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	uint32_t priority = program ? priority_of(program, ifindex) : 0;
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = priority);

	return priority ? bpf_tc_detach(&hook, &opts) : -ENOENT;
}
