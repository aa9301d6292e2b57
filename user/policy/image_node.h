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

/* The four kinds that compare the address with boundaries differ in three numbers. */
struct node_range {
	uint32_t bits, keys;
	size_t leaves; /* offset of the first leaf id; there is one more than there are keys */
};

static inline const struct node_range *node_range(uint32_t kind)
{
	static const struct node_range ranges[] = {
		[NODE_RANGE16] = { 16, RANGE16_KEYS, offsetof(struct range16, leaves) },
		[NODE_RANGE32] = { 32, RANGE32_KEYS, offsetof(struct range32, leaves) },
		[NODE_RANGE64] = { 64, RANGE64_KEYS, offsetof(struct range64, leaves) },
		[NODE_RANGE128] = { 128, RANGE128_KEYS, offsetof(struct range128, leaves) },
	};

	return kind >= NODE_RANGE16 && kind <= NODE_RANGE128 ? &ranges[kind] : NULL;
}

/* Boundary @i, its bits left-aligned. */
static inline unsigned __int128 node_key(const void *line, uint32_t kind, uint32_t i)
{
	const struct range128 *wide = line;

	switch (kind) {
	case NODE_RANGE16:
		return (unsigned __int128)((const struct range16 *)line)->keys[i] << 112;
	case NODE_RANGE32:
		return (unsigned __int128)((const struct range32 *)line)->keys[i] << 96;
	case NODE_RANGE64:
		return (unsigned __int128)((const struct range64 *)line)->keys[i] << 64;
	default:
		return (unsigned __int128)wide->hi[i] << 64 | wide->lo[i];
	}
}

static inline uint32_t node_leaf(const void *line, uint32_t kind, uint32_t i)
{
	const unsigned char *bytes = line;

	return ((const uint16_t *)(bytes + node_range(kind)->leaves))[i];
}

#endif
