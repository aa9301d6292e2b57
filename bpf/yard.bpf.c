// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs without us: a program that does nothing, two that only count, and one that
 * sends what a live-frame test run gives it. `stanch bench` measures beside them; they never touch
 * an interface of the host.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <stanch/abi.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counted SEC(".maps");

/* Of yard_send: where to, how many so far, and when some of them were. One thread runs it. */
__u32 out_ifindex;
__u64 sent, first_ns, stamped_ns, stamped;

#define STAMP_EVERY 256u

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&counted, &zero);

	if (value)
		++*value;
}

SEC("xdp.frags")
int yard_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("xdp.frags")
int yard_drop(struct xdp_md *ctx)
{
	(void)ctx;
	count();
	return XDP_DROP;
}

SEC("xdp.frags")
int yard_pass(struct xdp_md *ctx)
{
	(void)ctx;
	count();
	return XDP_PASS;
}

static __always_inline void stamp(void)
{
	stamped_ns = bpf_ktime_get_ns();
	stamped = sent;
	if (!sent)
		first_ns = stamped_ns;
}

/*
 * A test run gives the same packet to a program again and again, with the record that a flag put in
 * front of it, until there is room for no other. These take it off and go on with another program.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("xdp.frags")
int yard_reset(struct xdp_md *ctx)
{
	bpf_xdp_adjust_meta(ctx, sizeof(struct meta_record));
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int yard_reset_then(struct xdp_md *ctx)
{
	bpf_xdp_adjust_meta(ctx, sizeof(struct meta_record));
	bpf_tail_call(ctx, &next, 1);
	return XDP_ABORTED;
}

SEC("xdp")
int yard_send(struct xdp_md *ctx)
{
	(void)ctx;
	if (!(sent % STAMP_EVERY))
		stamp();
	sent++;
	return bpf_redirect(out_ifindex, 0);
}
