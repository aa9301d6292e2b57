// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs without us: a program that does nothing, and one that counts and drops. Both
 * are the yardsticks of `make bench`; nothing of the product is in here.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int counting_drop(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&dropped, &zero);

	if (count)
		++*count;
	return XDP_DROP;
}
