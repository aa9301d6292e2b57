// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program as it is, but with work that serves nobody before it looks into
 * the packet: what the budget must not let through.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/packet.h>

#define WASTED_ROUNDS 2000u

static __always_inline void waste(struct packet *p)
{
	__u32 wasted = p->length;

	for (__u32 i = 0; i < WASTED_ROUNDS; i++) {
		wasted = wasted * 2654435761u + (wasted >> 7);
		opaque(wasted);
	}
	p->length = wasted;
}

#define packet_read(ctx, p) (waste(p), packet_read(ctx, p))
#include "../../bpf/stanch.bpf.c"
