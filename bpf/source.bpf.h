/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts a packet for its source and for the network that the source is in. Both lines are looked
 * at before either is written to: atomic additions wait for what was begun before them, and two
 * cold lines are best waited for at once. None of this can change a verdict.
 */
#ifndef STANCH_SOURCE_BPF_H
#define STANCH_SOURCE_BPF_H

#include "record.bpf.h"
#include <stanch/source.h>

enum source_table { SOURCE_SINGLE, SOURCE_NETWORK };

static __always_inline struct source_line *source_line_of(enum source_table table, __u64 hash)
{
	__u32 lines = table == SOURCE_SINGLE ? SOURCE_LINES : SOURCE_GROUP_LINES;
	__u32 at = source_place_of(hash, twin ? SOURCE_TWIN_LINES : lines);

	if (table == SOURCE_SINGLE)
		return bpf_map_lookup_elem(&sources, &at);
	return bpf_map_lookup_elem(&source_groups, &at);
}

/* A source without an entry: the rare case, or a flood's. */
verified_once int source_miss(__u32 table, __u64 hash, __u64 key, __u64 bytes, __u32 dropped)
{
	const struct source_packet p = {
		.bytes = bytes,
		.dropped = dropped,
		.tick = source_tick(bpf_ktime_get_coarse_ns()),
	};
	struct source_line *line = source_line_of(table, hash);

	return line ? source_count(line, key, &p, bpf_get_prandom_u32()) : 0;
}

static __always_inline void source_count_found(enum source_table table, struct source_entry *e,
					       __u64 hash, __u64 key, const struct source_packet *p)
{
	if (e)
		source_add(e, p);
	else
		source_miss(table, hash, key, p->bytes, p->dropped);
}

static __always_inline void count_source_now(const struct passage *s)
{
	__u32 zero = 0;
	const __u64 *seed_words = bpf_map_lookup_elem(&seed, &zero);
	__u64 key = source_key(s->packet.family, s->packet.src.hi);
	__u64 network = source_group_key(key), hash, network_hash;
	struct source_packet p = {
		.bytes = s->packet.length,
		.dropped = s->enforced == VERDICT_DROP,
		.tick = source_tick(bpf_ktime_get_coarse_ns()),
	};
	struct source_line *line, *network_line;
	struct source_entry *e, *network_e;

	if (!seed_words)
		return;
	hash = source_hash(seed_words + 1, key);
	network_hash = source_hash(seed_words + 1, network);
	line = source_line_of(SOURCE_SINGLE, hash);
	network_line = source_line_of(SOURCE_NETWORK, network_hash);
	if (!line || !network_line)
		return;
	e = source_find(line, key);
	network_e = source_find(network_line, network);
	source_count_found(SOURCE_SINGLE, e, hash, key, &p);
	source_count_found(SOURCE_NETWORK, network_e, network_hash, network, &p);
}

/* Every judged packet that has a source, when the generation that judged it asks for that. */
static __always_inline void count_source(const struct passage *s)
{
	if (s->sources && s->packet.family)
		count_source_now(s);
}

#endif
