// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program as it is, but packets to some ports get their source here: quicker than they could be
 * sent, see spoofed.h.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/packet.h>
#include "spoofed.h"

__u64 spoofed[3];

static __always_inline void spoof(struct packet *p)
{
	__u32 which = p->dport - FLOOD_PORT, source;
	__u64 n;

	if (which > 2)
		return;
	n = __sync_fetch_and_add(&spoofed[which], 1);
	source = which == 0 ? scattered(n) : which == 1 ? talker(n) : FIRST_RIVAL + n % RIVALS;
	p->src.hi = (__u64)source << 32;
}

#define packet_read(ctx, p) (packet_read(ctx, p), spoof(p))
#include "../../bpf/stanch.bpf.c"
