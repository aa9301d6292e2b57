// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test run sends one frame over and over: whatever is looked up for it is in the cache, and no
 * table looks large. So a program of ours runs first, which takes the next source address from an
 * array of prepared ones, writes it into the frame, and tail-calls what is measured. All that are
 * compared are called from here, so that its cost is in all of them; the array is read from one
 * end to the other, which the processor foresees. (As many frames, a system call for each, would
 * cost more than what is measured; and frames by the million are the cold memory themselves.)
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "keyed.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the bench makes it as large as it needs */
	__type(key, __u32);
	__type(value, struct key);
} keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct turn);
} turns SEC(".maps");

/* One entry, and its index known when this is compiled by the kernel: the call is a plain jump. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} next SEC(".maps");

#define OFFSET_MASK 63u /* the source is among the first 64 bytes of every frame used here */

static __always_inline const struct key *take_key(struct turn *turn)
{
	__u32 index = turn->cursor + 1;

	if (index >= turn->count)
		index = 0;
	turn->cursor = index;
	index += turn->start;
	return bpf_map_lookup_elem(&keys, &index);
}

/* What cannot be done is XDP_ABORTED: an answer that ends the bench. */
SEC("xdp.frags")
int keyed(struct xdp_md *ctx)
{
	__u32 zero = 0, *source;
	struct turn *turn = bpf_map_lookup_elem(&turns, &zero);
	const struct key *key = turn ? take_key(turn) : (void *)0;

	if (!key)
		return XDP_ABORTED;
	if (turn->fresh && bpf_xdp_adjust_meta(ctx, (int)(ctx->data - ctx->data_meta)))
		return XDP_ABORTED;
	source = (void *)(long)ctx->data + (turn->at & OFFSET_MASK);
	if ((void *)(source + 4) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	source[0] = key->bytes[0];
	if (turn->words > 1) {
		source[1] = key->bytes[1];
		source[2] = key->bytes[2];
		source[3] = key->bytes[3];
	}
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}
