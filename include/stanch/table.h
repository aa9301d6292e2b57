/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefix tables: longest-prefix match over 32 or 128 bits, one 64-byte line per step.
 *
 * A table is a tree over the address as a bit string, most significant bit first. A 32-bit node
 * entry names what to do with the bits that are left:
 *
 *   bits 29-31  kind
 *   leaf        bits 0-15: id of a struct leaf (0: on no list)
 *   direct      bits 24-28: stride s (1..20; 0 in all other kinds), bits 0-23: first line; the
 *               next s bits index an array of entries, sixteen per line
 *   range16/32/64/128   bits 0-23: line; a few ranges, written by the next w bits of where they
 *               start; what is in none of them has leaf 0 of the line. Always the last step.
 *   skip        bits 0-23: line; bits shared by everything below (path compression)
 *   split       bits 0-23: line; the next 63 bits are compared with five sorted numbers, which
 *               choose one of six entries. Nothing is used up of the address.
 *
 * So a small chunk of the address space costs one line whatever it holds, a dense one is split by
 * an array as in DIR-24-8, a sparse one skips what its prefixes share or is split where they are,
 * as in a B-tree. A zero entry is leaf 0.
 *
 * A range ends where the next one of its line starts or, before that, where its reach does: with
 * reach r at the end of the aligned block of 2^r addresses that its start is in. So a prefix is one
 * range and not two boundaries, and neighbours, nests and ragged ends cost no more than boundaries.
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
	NODE_SPLIT = 7,
};

#define NODE_KIND_SHIFT 29
#define NODE_STRIDE_SHIFT 24
#define NODE_STRIDE_MASK 31u
#define NODE_STRIDE_MAX 20u
#define NODE_LINE_MASK 0xffffffu
#define NODE_LEAF_MASK 0xffffu
#define ENTRIES_PER_LINE 16u

/*
 * Starts rise. Unused ones are all ones with reach 0 and the leaf of the highest address, so that
 * counting needs no length. leaves[0] is that of addresses in no range, leaves[i + 1] that of range
 * i. Starts and reach count in units of the lowest of the w bits, w being 15, 32, 64 or 128.
 */
#define RANGE16_KEYS 12u
#define RANGE32_KEYS 8u
#define RANGE64_KEYS 5u
#define RANGE128_KEYS 3u

/* Four starts of 15 bits to a word, the first lowest, the bit above each zero: see range16_leaf(). */
#define RANGE16_LANES 0x0001000100010001ull
#define RANGE16_GUARDS 0x8000800080008000ull
struct range16 {
	__u64 keys[RANGE16_KEYS / 4];
	__u16 leaves[RANGE16_KEYS + 1];
	__u8 reach[RANGE16_KEYS];
	__u8 reserved[2];
};

struct range32 {
	__u32 keys[RANGE32_KEYS];
	__u16 leaves[RANGE32_KEYS + 1];
	__u8 reach[RANGE32_KEYS];
	__u8 reserved[6];
};

struct range64 {
	__u64 keys[RANGE64_KEYS];
	__u16 leaves[RANGE64_KEYS + 1];
	__u8 reach[RANGE64_KEYS];
	__u8 reserved[7];
};

struct range128 {
	__u64 hi[RANGE128_KEYS], lo[RANGE128_KEYS];
	__u16 leaves[RANGE128_KEYS + 1];
	__u8 reach[RANGE128_KEYS];
	__u8 reserved[5];
};

struct skip {
	__u64 shared; /* the shared bits, left-aligned, the rest zero */
	__u32 bits; /* how many, 1..63; more take two nodes */
	__u32 below, above; /* leaf ids for addresses before and after them */
	__u32 inside; /* node entry; applies to the bits that are left */
	__u32 reserved[10];
};

/* Entry i is for what is above keys[i - 1] and not above keys[i]; unused keys are 63 ones. */
#define SPLIT_KEYS 5u
#define SPLIT_BITS 63u
#define SPLIT_FILLER (~0ull >> 1)
struct split {
	__u32 entries[SPLIT_KEYS + 1];
	__u64 keys[SPLIT_KEYS];
};

_Static_assert(sizeof(struct range16) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range32) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range64) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct range128) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct skip) == LINE_SIZE, "one line");
_Static_assert(sizeof(struct split) == LINE_SIZE, "one line");

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

/* All ones when @bits is zero, else zero. */
static __always_inline __u64 all_when_zero(__u64 bits)
{
	__u64 any = (bits | -bits) >> 63;

	opaque(any);
	return any - 1;
}

/*
 * The number of the range that is the last of @n to start, from 0; of none it is 0, too. Counts and
 * numbers below are masked where they index, for the verifier: they are never larger, and what the
 * mask lets through is still in the line.
 */
static __always_inline __u64 last_of(__u64 n)
{
	return n - below_small(0, n);
}

/*
 * Four at a time: with a one above it, a lane minus a start keeps that one unless the start is
 * larger; no lane borrows from the next (Fredman and Willard, fusion trees, 1993).
 */
static __always_inline __u32 range16_leaf(const struct range16 *r, __u64 key)
{
	__u64 keys = key * RANGE16_LANES | RANGE16_GUARDS, n = 0, last, beyond;

#pragma unroll
	for (__u32 i = 0; i < RANGE16_KEYS / 4; i++)
		n += ((keys - r->keys[i]) & RANGE16_GUARDS) >> 15;
	n = n * RANGE16_LANES >> 48; /* the sum of the lanes */
	opaque(n); /* the verifier wants to see the bound */
	if (n > RANGE16_KEYS)
		return TABLE_BAD_REFERENCE;
	last = last_of(n);
	opaque(last);
	if (last >= RANGE16_KEYS)
		return TABLE_BAD_REFERENCE;
	beyond = ((key ^ r->keys[last / 4] >> last % 4 * 16) & 0xffff) >> (r->reach[last] & 63);
	return r->leaves[n & all_when_zero(beyond)];
}

static __always_inline __u32 range32_leaf(const struct range32 *r, __u64 key)
{
	__u64 n = RANGE32_KEYS, last;

#pragma unroll
	for (__u32 i = 0; i < RANGE32_KEYS; i++)
		n -= below_small(key, r->keys[i]);
	last = last_of(n) & 7;
	n &= all_when_zero((key ^ r->keys[last]) >> (r->reach[last] & 63));
	return r->leaves[n & 15];
}

/* Shifts by 64 come to nothing, as they should: in two steps, none of which is that long. */
static __always_inline __u32 range64_leaf(const struct range64 *r, __u64 key)
{
	__u64 n = RANGE64_KEYS, last;
	__u32 reach;

#pragma unroll
	for (__u32 i = 0; i < RANGE64_KEYS; i++)
		n -= below(key, r->keys[i]);
	last = last_of(n) & 7;
	reach = r->reach[last];
	n &= all_when_zero((key ^ r->keys[last]) >> (reach / 2 & 63) >> ((reach + 1) / 2 & 63));
	return r->leaves[n & 7];
}

static __always_inline __u32 range128_leaf(const struct range128 *r, __u64 hi, __u64 lo)
{
	__u64 n = RANGE128_KEYS, last, beyond;
	__u32 reach, above;

#pragma unroll
	for (__u32 i = 0; i < RANGE128_KEYS; i++)
		n -= below(hi, r->hi[i]) | (~below(r->hi[i], hi) & below(lo, r->lo[i]));
	last = last_of(n) & 3;
	reach = r->reach[last];
	above = reach > 64 ? reach - 64 : 0;
	reach -= above;
	beyond = (hi ^ r->hi[last]) >> (above / 2 & 63) >> ((above + 1) / 2 & 63);
	beyond |= (lo ^ r->lo[last]) >> (reach / 2 & 63) >> ((reach + 1) / 2 & 63);
	return r->leaves[n & all_when_zero(beyond) & 3];
}

static __always_inline __u32 split_entry(const struct split *split, __u64 key)
{
	__u64 n = 0;

#pragma unroll
	for (__u32 i = 0; i < SPLIT_KEYS; i++)
		n += below_small(split->keys[i], key);
	return split->entries[n & 7];
}

/* The last step: kinds that end in a leaf. */
static __always_inline __u32 range_leaf(const void *line, __u32 kind, __u64 hi, __u64 lo)
{
	switch (kind) {
	case NODE_RANGE16:
		return range16_leaf(line, hi >> 49);
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
		__u32 bits = entry >> NODE_STRIDE_SHIFT & NODE_STRIDE_MASK; /* 0 but for arrays */
		__u32 index = (hi >> 1) >> (63 - bits);
		const void *line;

		if (kind == NODE_LEAF)
			return leaf_id(entry);
		line = image_line(image, (entry & NODE_LINE_MASK) + index / ENTRIES_PER_LINE);
		if (!line)
			return TABLE_BAD_REFERENCE;
		if (kind == NODE_DIRECT) {
			entry = ((const __u32 *)line)[index % ENTRIES_PER_LINE];
		} else if (kind == NODE_SPLIT) {
			entry = split_entry(line, hi >> 1);
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
