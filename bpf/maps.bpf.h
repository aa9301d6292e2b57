/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map. All are pinned by the tool under these names; who may write what:
 * control, slots, slot_info, overrides, seed: the tool. counters, hits, budget, events, reservoir,
 * reservoir_at, samplers, sources, source_groups, judged: the program.
 * An image (inner map) is frozen before it can be seen here.
 */
#ifndef STANCH_MAPS_BPF_H
#define STANCH_MAPS_BPF_H

#include <stanch/abi.h>
#include <stanch/image.h>
#include <stanch/source.h>

/* What this object holds; the tool reads it back from the loaded program and trusts only that. */
const volatile struct limits limits SEC(".rodata.limits") = {
	.abi = ABI_VERSION,
	.image_version = IMAGE_VERSION,
	.prefixes = LIMIT_PREFIXES,
	.lists = LIMIT_LISTS,
	.leaves = LIMIT_LEAVES,
	.lines = LIMIT_LINES,
	.steps = LIMIT_STEPS,
	.families = LIMIT_FAMILIES,
	.vlan_tags = LIMIT_VLAN_TAGS,
	.ext_headers = LIMIT_EXT_HEADERS,
	.reasons = REASONS,
	.stages = STAGES,
	.slots = SLOTS,
	.overrides = LIMIT_OVERRIDES,
	.samples = LIMIT_SAMPLES,
	.sources = LIMIT_SOURCES,
};

/* Set before loading, constant for the verifier: a twin reports each packet and swaps nothing. */
const volatile __u32 twin = 0;
/* Set before loading: the number of possible CPUs, among which sampling is shared out. */
const volatile __u32 cpus = 1;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CONTROL_ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} control SEC(".maps");

/* key_size and value_size, not __type: with the latter Linux 6.1 refuses the outer update. */
struct image_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SLOTS + 1); /* the last is SLOT_SCRATCH, never read by a packet */
	__uint(key_size, 4);
	__uint(value_size, 4);
	__array(values, struct image_map);
} slots SEC(".maps");

/* The image of the operator's overrides, when CONTROL_OVERRIDES says that there is one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__array(values, struct image_map);
} overrides SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct slot_info);
} slot_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, (SLOTS + 1) * LIMIT_REASONS);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, (SLOTS * HITS_PER_SLOT));
	__type(key, __u32);
	__type(value, struct hit);
} hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LIMIT_REASONS);
	__type(key, __u32);
	__type(value, struct event_budget);
} budget SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Heads of packets: readable by the owner only. A twin's has one entry, which nothing is put in. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LIMIT_SAMPLES);
	__type(key, __u32);
	__type(value, struct sample);
} reservoir SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SAMPLE_KINDS *SAMPLE_AT_STRIDE);
	__type(key, __u32);
	__type(value, __u64);
} reservoir_at SEC(".maps");

/* When the next packet that got one verdict is sampled on one CPU. */
struct sampler {
	__u32 left; /* packets before it */
	__u32 interval; /* packets from one sample to the next, on average */
	__u32 taken; /* samples in this window */
	__u32 gap; /* packets from the last sample to it */
	__u64 window_ns; /* when the window began */
	__u64 last_ns; /* when the last sample was taken, coarse */
	__u32 epoch; /* of the word that this is adapted to */
	__u32 reserved;
	__u64 reserved2[3];
};
_Static_assert(sizeof(struct sampler) == 64, "one cache line");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICTS);
	__type(key, __u32);
	__type(value, struct sampler);
} samplers SEC(".maps");

/* What is learned about sources, see source.h. A twin's have SOURCE_TWIN_LINES. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SOURCE_LINES);
	__type(key, __u32);
	__type(value, struct source_line);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SOURCE_GROUP_LINES);
	__type(key, __u32);
	__type(value, struct source_line);
} source_groups SEC(".maps");

/* Per-boot secret for keyed hashes; readable by the owner only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 32);
} seed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct judged);
} judged SEC(".maps");

#endif
