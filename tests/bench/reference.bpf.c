// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drop lists as anybody would write them: the source is read, looked up, and what is found is
 * counted and dropped. Four programs that differ in the lookup alone: none, the table of stanch
 * (stanch/table.h, without the rest of stanch), an LPM trie, a hash. Each object serves one family;
 * the bench sets sizes before it loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <stanch/table.h>
#include <stanch/wire.h>

#include "keyed.h"

char _license[] SEC("license") = "GPL";

const volatile __u32 family = 4;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, 8);
	__uint(value_size, 4);
} trie SEC(".maps");

/* Single addresses only: what a hash can hold. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} hash SEC(".maps");

struct image_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__array(values, struct image_map);
} images SEC(".maps");

/* The least that must be read: whether it is IP, and from where. */
static __always_inline __u32 read_source(struct xdp_md *ctx, struct key *ret)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	const struct iphdr *v4 = (void *)(eth + 1);
	const struct ipv6hdr *v6 = (void *)(eth + 1);

	if (family == 4) {
		if ((void *)(v4 + 1) > end || eth->h_proto != __builtin_bswap16(ETH_P_IP))
			return 0;
		ret->bytes[0] = v4->saddr;
		return 1;
	}
	if ((void *)(v6 + 1) > end || eth->h_proto != __builtin_bswap16(ETH_P_IPV6))
		return 0;
	__builtin_memcpy(ret, &v6->saddr, sizeof(*ret));
	return 1;
}

static __always_inline int count(__u32 listed)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &listed);

	if (value)
		++*value;
	return listed ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int no_lookup(struct xdp_md *ctx)
{
	struct key key = { 0 };

	return read_source(ctx, &key) ? count(1) : XDP_ABORTED;
}

static __always_inline __u32 in_table(const struct key *key)
{
	__u32 zero = 0;
	struct image *image = bpf_map_lookup_elem(&images, &zero);
	const struct image_hot *hot = image ? image_line(image, IMAGE_HOT_LINE) : (void *)0;
	const __u64 *halves = (void *)key;

	if (!hot)
		return 0;
	if (family == 4)
		return table_lookup(image, hot->root[TABLE_V4_SRC],
				    (__u64)host32(key->bytes[0]) << 32, 0);
	return table_lookup(image, hot->root[TABLE_V6_SRC], host64(halves[0]), host64(halves[1]));
}

SEC("xdp.frags")
int by_table(struct xdp_md *ctx)
{
	struct key key __attribute__((aligned(8))) = { 0 };

	return read_source(ctx, &key) ? count(!!in_table(&key)) : XDP_ABORTED;
}

SEC("xdp.frags")
int by_trie(struct xdp_md *ctx)
{
	struct trie_key key = { .len = family == 4 ? 32 : 128 };

	if (!read_source(ctx, &key.key))
		return XDP_ABORTED;
	return count(!!bpf_map_lookup_elem(&trie, &key));
}

SEC("xdp.frags")
int by_hash(struct xdp_md *ctx)
{
	struct key key = { 0 };

	return read_source(ctx, &key) ? count(!!bpf_map_lookup_elem(&hash, &key)) : XDP_ABORTED;
}
