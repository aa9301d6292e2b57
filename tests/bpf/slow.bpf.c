// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program as it is, but slow between reading the control word and looking into the slot: long
 * enough for others to swap and to fill that slot anew. Nothing else differs.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/packet.h>

#define DELAY_ROUNDS (1 << 23) /* the most that bpf_loop() does: some ten milliseconds */

static long delay_round(__u32 index, void *context)
{
	(void)index;
	(void)context;
	return 0;
}

#define packet_read(ctx, p) (bpf_loop(DELAY_ROUNDS, delay_round, (void *)0, 0), packet_read(ctx, p))
#include "../../bpf/stanch.bpf.c"
