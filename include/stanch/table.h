/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefix tables: longest-prefix match over 32 or 128 bits, one 64-byte line per step.
 *
 * A table is a tree over the address as a bit string, most significant bit first. A 32-bit node
 * entry names what to do with the bits that are left:
 *
 *   bits 29-31  kind
 *   leaf        bits 0-15: id of a struct leaf (0: on no list)
 *   direct      bits 24-28: stride s (1..20), bits 0-23: first line; the next s bits index an
 *               array of entries, sixteen per line
 *   range16/32/64/128   bits 0-23: line; the next w bits are compared with sorted boundaries, the
 *               number of boundaries not above them indexes the leaves. Always the last step.
 *   skip        bits 0-23: line; bits shared by everything below (path compression)
 *
 * So a small chunk of the address space costs one line whatever it holds, a dense one is split by
 * an array as in DIR-24-8, a sparse one skips what its prefixes share. A zero entry is leaf 0.
 */
#ifndef STANCH_TABLE_H
#define STANCH_TABLE_H

#include "image.h"

enum node_kind {
	NODE_LEAF = 0,
	NODE_DIRECT = 1,
	NODE_RANGE16 = 2,
	NODE_RANGE32 = 3,
	NODE_RANGE64 = 4,
	NODE_RANGE128 = 5,
	NODE_SKIP = 6,
};

#define NODE_KIND_SHIFT 29
#define NODE_STRIDE_SHIFT 24
#define NODE_STRIDE_MASK 31u
#define NODE_STRIDE_MAX 20u
#define NODE_LINE_MASK 0xffffffu
#define NODE_LEAF_MASK 0xffffu
#define ENTRIES_PER_LINE 16u

/* Unused keys are all ones and their leaves repeat the last one, so that counting needs no length. */
#define RANGE16_KEYS 15u
#define RANGE32_KEYS 10u
#define RANGE64_KEYS 6u
#define RANGE128_KEYS 3u

struct range16 {
	__u16 keys[RANGE16_KEYS];
	__u16 leaves[RANGE16_KEYS + 1];
	__u16 reserved;
};

struct range32 {
	__u32 keys[RANGE32_KEYS];
	__u16 leaves[RANGE32_KEYS + 1];
	__u16 reserved;
};

struct range64 {
	__u64 keys[RANGE64_KEYS];
	__u16 leaves[RANGE64_KEYS + 1];
	__u16 reserved;
};

struct range128 {
	__u64 hi[RANGE128_KEYS], lo[RANGE128_KEYS];
	__u16 leaves[RANGE128_KEYS + 1];
	__u16 reserved[4];
};

struct skip {
	__u64 shared; /* the shared bits, left-aligned, the rest zero */
	__u32 bits; /* how many, 1..63; more take two nodes */
	__u32 below, above; /* leaf ids for addresses before and after them */
	__u32 inside; /* node entry; applies to the bits that are left */
	__u32 reserved[10];
};

_Static_assert(sizeof(struct range16) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range32) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range64) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range128) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct skip) == LINE_SIZE, "one line");

/* What table_lookup() returns instead of a leaf id. */
#define TABLE_BAD_REFERENCE 0x10000u
#define TABLE_TOO_LONG 0x10001u

/*
 * 1 when a < b, else 0, without a branch: the verifier would follow both sides of every comparison
 * below (two to the fifteenth). The borrow of a - b, as in Hacker's Delight section 2-13.
 */
static __always_inline __u64 below(__u64 a, __u64 b)
{
	__u64 borrow = (~a & b) | ((~a | b) & (a - b));

	opaque(borrow); /* or the compiler turns it back into a branch */
	return borrow >> 63;
}

/* The same for numbers below 2^63. */
static __always_inline __u64 below_small(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	opaque(difference);
	return difference >> 63;
}

static __always_inline __u32 range16_leaf(const struct range16 *r, __u64 key)
{
	__u64 n = RANGE16_KEYS;

#pragma unroll
	for (__u32 i = 0; i < RANGE16_KEYS; i++)
		n -= below_small(key, r->keys[i]);
	opaque(n);
	return r->leaves[n & 15];
}

static __always_inline __u32 range32_leaf(const struct range32 *r, __u64 key)
{
	__u64 n = RANGE32_KEYS;

#pragma unroll
	for (__u32 i = 0; i < RANGE32_KEYS; i++)
		n -= below_small(key, r->keys[i]);
	opaque(n); /* the verifier wants to see the bound */
	return n > RANGE32_KEYS ? TABLE_BAD_REFERENCE : r->leaves[n];
}

static __always_inline __u32 range64_leaf(const struct range64 *r, __u64 key)
{
	__u64 n = RANGE64_KEYS;

#pragma unroll
	for (__u32 i = 0; i < RANGE64_KEYS; i++)
		n -= below(key, r->keys[i]);
	opaque(n); /* the verifier wants to see the bound */
	return n > RANGE64_KEYS ? TABLE_BAD_REFERENCE : r->leaves[n];
}

static __always_inline __u32 range128_leaf(const struct range128 *r, __u64 hi, __u64 lo)
{
	__u64 n = RANGE128_KEYS;

#pragma unroll
	for (__u32 i = 0; i < RANGE128_KEYS; i++)
		n -= below(hi, r->hi[i]) | (~below(r->hi[i], hi) & below(lo, r->lo[i]));
	opaque(n);
	return r->leaves[n & 3];
}

/* The last step: kinds that end in a leaf. */
static __always_inline __u32 range_leaf(const void *line, __u32 kind, __u64 hi, __u64 lo)
{
	switch (kind) {
	case NODE_RANGE16:
		return range16_leaf(line, hi >> 48);
	case NODE_RANGE32:
		return range32_leaf(line, hi >> 32);
	case NODE_RANGE64:
		return range64_leaf(line, hi);
	case NODE_RANGE128:
		return range128_leaf(line, hi, lo);
	default:
		return TABLE_BAD_REFERENCE;
	}
}

/* A leaf id as it stands in a node; anything larger is a damaged image. */
static __always_inline __u32 leaf_id(__u32 entry)
{
	return entry > NODE_LEAF_MASK ? TABLE_BAD_REFERENCE : entry;
}

/*
 * table_walk - longest-prefix match, for one caller: it is where the verifier sees which map an
 * image is. A lookup that it has seen in two maps is a slow call, so each kind of image has a
 * function of its own, table_lookup() that of generations.
 * @entry: root entry of the table; @hi, @lo: the address, most significant bit first. An IPv4
 * address fills the upper half of @hi.
 * Returns a leaf id, TABLE_BAD_REFERENCE for an entry that points outside the image, or
 * TABLE_TOO_LONG after LIMIT_STEPS lines.
 */
static __always_inline __u32 table_walk(struct image *image, __u32 entry, __u64 hi, __u64 lo)
{
	for (__u32 i = 0; i < LIMIT_STEPS; i++) {
		__u32 kind = entry >> NODE_KIND_SHIFT;
		__u32 bits =
			kind == NODE_DIRECT ? entry >> NODE_STRIDE_SHIFT & NODE_STRIDE_MASK : 0;
		__u32 index = (hi >> 1) >> (63 - bits); /* 0 without a stride */
		const void *line;

		if (kind == NODE_LEAF)
			return leaf_id(entry);
		line = image_line(image, (entry & NODE_LINE_MASK) + index / ENTRIES_PER_LINE);
		if (!line)
			return TABLE_BAD_REFERENCE;
		if (kind == NODE_DIRECT) {
			entry = ((const __u32 *)line)[index % ENTRIES_PER_LINE];
		} else if (kind == NODE_SKIP) {
			const struct skip *skip = line;
			__u64 shared;

			bits = skip->bits & 63;
			shared = hi & ~(~0ull >> bits);
			if (shared != skip->shared)
				return leaf_id(shared < skip->shared ? skip->below : skip->above);
			entry = skip->inside;
		} else {
			return range_leaf(line, kind, hi, lo);
		}
		hi = hi << bits | (lo >> 1) >> (63 - bits);
		lo <<= bits;
	}
	return entry >> NODE_KIND_SHIFT ? TABLE_TOO_LONG : leaf_id(entry);
}

static __noinline __u32 table_lookup(struct image *image, __u32 entry, __u64 hi, __u64 lo)
{
	return table_walk(image, entry, hi, lo);
}

#endif
