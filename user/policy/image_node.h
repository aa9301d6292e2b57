/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: the fields of the nodes of a prefix table, for code that goes through all of
 * them. What they mean is explained in table.h; table_lookup() is the only one that decides.
 */
#ifndef STANCH_POLICY_IMAGE_NODE_H
#define STANCH_POLICY_IMAGE_NODE_H

#include <stddef.h>
#include <stdint.h>

#include <stanch/table.h>

static inline uint32_t node_kind(uint32_t entry)
{
	return entry >> NODE_KIND_SHIFT;
}

static inline uint32_t node_line(uint32_t entry)
{
	return entry & NODE_LINE_MASK;
}

static inline uint32_t node_stride(uint32_t entry)
{
	return entry >> NODE_STRIDE_SHIFT & NODE_STRIDE_MASK;
}

/* Lines that a node other than a leaf is made of. */
static inline uint32_t node_lines(uint32_t entry)
{
	if (node_kind(entry) != NODE_DIRECT)
		return 1;
	return ((1u << node_stride(entry)) + ENTRIES_PER_LINE - 1) / ENTRIES_PER_LINE;
}

/* The four kinds that hold ranges differ in these numbers. */
struct node_range {
	uint32_t bits, keys;
	/* offsets of the first leaf id, of which there is one more than there are keys, and reach */
	size_t leaves, reach;
};

static inline const struct node_range *node_range(uint32_t kind)
{
	static const struct node_range ranges[] = {
		[NODE_RANGE16] = { 15, RANGE16_KEYS, offsetof(struct range16, leaves),
				   offsetof(struct range16, reach) },
		[NODE_RANGE32] = { 32, RANGE32_KEYS, offsetof(struct range32, leaves),
				   offsetof(struct range32, reach) },
		[NODE_RANGE64] = { 64, RANGE64_KEYS, offsetof(struct range64, leaves),
				   offsetof(struct range64, reach) },
		[NODE_RANGE128] = { 128, RANGE128_KEYS, offsetof(struct range128, leaves),
				    offsetof(struct range128, reach) },
	};

	return kind >= NODE_RANGE16 && kind <= NODE_RANGE128 ? &ranges[kind] : NULL;
}

/* Where range @i starts, its bits left-aligned. */
static inline unsigned __int128 node_key(const void *line, uint32_t kind, uint32_t i)
{
	const struct range128 *wide = line;

	switch (kind) {
	case NODE_RANGE16:
		return (unsigned __int128)(((const struct range16 *)line)->keys[i / 4] >>
					   i % 4 * 16)
		       << 113;
	case NODE_RANGE32:
		return (unsigned __int128)((const struct range32 *)line)->keys[i] << 96;
	case NODE_RANGE64:
		return (unsigned __int128)((const struct range64 *)line)->keys[i] << 64;
	default:
		return (unsigned __int128)wide->hi[i] << 64 | wide->lo[i];
	}
}

/* Leaf 0 is that of no range, leaf i + 1 that of range i. */
static inline uint32_t node_leaf(const void *line, uint32_t kind, uint32_t i)
{
	const unsigned char *bytes = line;

	return ((const uint16_t *)(bytes + node_range(kind)->leaves))[i];
}

static inline uint32_t node_reach(const void *line, uint32_t kind, uint32_t i)
{
	return ((const unsigned char *)line)[node_range(kind)->reach + i];
}

/* The last address that range @i reaches, as node_key(), when no other starts before it. */
static inline unsigned __int128 node_end(const void *line, uint32_t kind, uint32_t i)
{
	uint32_t bits = node_range(kind)->bits, reach = node_reach(line, kind, i);
	unsigned __int128 all = ~(unsigned __int128)0;

	if (reach >= bits)
		return all;
	return node_key(line, kind, i) | (reach ? all >> (bits - reach) : all >> 1 >> (bits - 1));
}

#endif
