// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting packets by source in four ways, and a program that only fetches the source. All count
 * the same numbers atomically and read the same clock; they differ in where a source is found.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <stanch/siphash.h>
#include <stanch/source.h>

#include "sources.h"

char _license[] SEC("license") = "GPL";

struct bench_state state;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_PACKETS);
	__type(key, __u32);
	__type(value, __u64);
} keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 32);
} seed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOURCE_LINES);
	__type(key, __u32);
	__type(value, struct source_line);
} lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOURCE_LINES);
	__type(key, __u32);
	__type(value, struct source_line);
} siphash_lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BENCH_SOURCES);
	__type(key, __u64);
	__type(value, struct source_entry);
} lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BENCH_SOURCES);
	__type(key, __u64);
	__type(value, struct source_entry);
} hash SEC(".maps");

/* Where this packet comes from. */
static __always_inline __u64 next_key(void)
{
	__u64 at = state.at++, *key;
	__u32 index = at % BENCH_PACKETS;

	if (state.flood)
		return SOURCE_KEY_V4 | bench_scatter(at) >> 32;
	key = bpf_map_lookup_elem(&keys, &index);
	return key ? *key : 0;
}

static __always_inline struct source_packet this_packet(void)
{
	return (struct source_packet){ .bytes = 64,
				       .tick = source_tick(bpf_ktime_get_coarse_ns()) };
}

static __always_inline int count_in_map(void *map)
{
	__u64 key = next_key();
	struct source_packet p = this_packet();
	struct source_entry *e = bpf_map_lookup_elem(map, &key);

	if (!e) {
		struct source_entry none = { .key = key };

		bpf_map_update_elem(map, &key, &none, BPF_NOEXIST);
		e = bpf_map_lookup_elem(map, &key);
	}
	if (e)
		source_add(e, &p);
	return XDP_DROP;
}

static __always_inline int count_in_lines(void *map, __u64 key, __u64 hashed)
{
	__u32 at = source_place_of(hashed, SOURCE_LINES);
	struct source_packet p = this_packet();
	struct source_line *line = bpf_map_lookup_elem(map, &at);
	struct source_entry *e;

	if (!line)
		return XDP_DROP;
	e = source_find(line, key);
	if (!e)
		e = source_claim(line, key, p.tick, bpf_get_prandom_u32());
	if (e)
		source_add(e, &p);
	return XDP_DROP;
}

SEC("xdp")
int only_fetch(struct xdp_md *ctx)
{
	return next_key() ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int in_lru(struct xdp_md *ctx)
{
	return count_in_map(&lru);
}

SEC("xdp")
int in_hash(struct xdp_md *ctx)
{
	return count_in_map(&hash);
}

SEC("xdp")
int in_lines(struct xdp_md *ctx)
{
	__u32 zero = 0;
	const __u64 *words = bpf_map_lookup_elem(&seed, &zero);
	__u64 key = next_key();

	return words ? count_in_lines(&lines, key, source_hash(words + 1, key)) : XDP_PASS;
}

SEC("xdp")
int in_siphash_lines(struct xdp_md *ctx)
{
	__u32 zero = 0;
	const __u64 *words = bpf_map_lookup_elem(&seed, &zero);
	__u64 pair[2] = { next_key(), 0 };

	if (!words)
		return XDP_PASS;
	return count_in_lines(&siphash_lines, pair[0], siphash_pair(words, pair, 1, 3));
}
