// SPDX-License-Identifier: GPL-2.0-only
/* Nothing but lookups: a whole batch of them in one run, so that millions can be compared. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <stanch/table.h>

#include "lookups.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the test sets it */
	__uint(key_size, 4);
	__uint(value_size, LINE_SIZE);
} image SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LOOKUPS);
	__type(key, __u32);
	__type(value, struct lookup);
} lookups SEC(".maps");

static long look_up_one(__u32 i, void *context)
{
	struct lookup *lookup = bpf_map_lookup_elem(&lookups, &i);

	if (!lookup)
		return 1;
	lookup->leaf = table_walk((struct image *)&image, lookup->root, lookup->hi, lookup->lo);
	return 0;
}

SEC("xdp")
int look_up(struct xdp_md *context)
{
	bpf_loop(LOOKUPS, look_up_one, NULL, 0);
	return XDP_PASS;
}
