// SPDX-License-Identifier: GPL-2.0-only
/*
 * How not to do it: sources are counted without atomic additions. Tests use it as the control that
 * must lose packets when two CPUs count for one source.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/source.h>

static __always_inline void add_plainly(struct source_entry *e, const struct source_packet *p)
{
	volatile __u64 *count = p->dropped ? &e->dropped.word : &e->passed.word;
	volatile __u64 *bytes = &e->bytes;

	*count = *count + 1;
	*bytes = *bytes + p->bytes;
}

#define source_add(e, p) add_plainly(e, p)
#include "../../bpf/stanch.bpf.c"
