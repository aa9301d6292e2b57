/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: what the parts of policy_compile() share. The prefixes of one table are sorted
 * and swept into ranges, each with the combination of lists that holds in it (a leaf); ranges
 * become nodes, one or more lines each. Nothing here depends on addresses of memory or on the
 * order in a hash table, so that the same policy gives the same bytes.
 */
#ifndef STANCH_POLICY_COMPILE_PARTS_H
#define STANCH_POLICY_COMPILE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <stanch/image.h>
#include <stanch/table.h>

#include "policy.h"

/* An address as a bit string of 128; IPv4 fills the upper 32. */
typedef unsigned __int128 bits128;

static inline bits128 bits128_of(uint64_t hi, uint64_t lo)
{
	return (bits128)hi << 64 | lo;
}

/* ---- compile_lines.c: the image while it grows ---- */

/* Lines past @limit are counted and no longer stored: the image will be refused with its size. */
struct lines {
	unsigned char *bytes; /* 64-byte aligned */
	uint32_t count, cap, limit;
	_Alignas(LINE_SIZE) unsigned char nowhere[LINE_SIZE]; /* stands for lines past the limit */
};

/* lines_take - @count zeroed lines, the first one's index in @ret. Returns 0 or -ENOMEM. */
int lines_take(struct lines *lines, uint32_t count, uint32_t *ret);
/* line_at - valid until the next lines_take(). */
void *line_at(struct lines *lines, uint32_t line);
void lines_free(struct lines *lines);

/* ---- compile_leaves.c: combinations of lists ---- */

/* Numbered by first use; leaf 0 is "on no list". */
struct leaves {
	struct leaf *items;
	uint32_t count, cap;
	uint32_t *buckets; /* by hash; id + 1, 0 is free */
	uint32_t bucket_count; /* a power of two, at least twice cap */
};

/* leaves_start - with leaf 0 in it. Returns 0 or -ENOMEM. */
int leaves_start(struct leaves *leaves);
/* leaf_intern - the number of this combination. Returns 0 or -ENOMEM. */
int leaf_intern(struct leaves *leaves, const struct leaf *leaf, uint32_t *ret);
void leaves_free(struct leaves *leaves);

/* ---- compile_sort.c: the prefixes of one table ---- */

/*
 * table_prefixes - those that @table holds, sorted by address, length (the shorter first) and list.
 * @ret is the caller's to free; NULL when there are none. Returns 0 or -ENOMEM.
 */
int table_prefixes(const struct policy *policy, enum table table, struct prefix **ret,
		   uint32_t *ret_count);

/* ---- compile_ranges.c: sorted prefixes to ranges ---- */

/* From here to the start of the next range every address has this leaf. */
struct range {
	uint64_t hi, lo;
	uint32_t leaf;
};

/* The first range starts at zero; neighbours differ in their leaf. */
struct ranges {
	struct range *items;
	uint32_t count, cap;
};

#define auto_ranges cleanup(ranges_free)

/*
 * ranges_sweep - @families: family index of each list of the policy, by its index.
 * Returns 0 or -ENOMEM.
 */
int ranges_sweep(const struct policy *policy, const uint8_t *families, enum table table,
		 struct leaves *leaves, struct ranges *ret);
void ranges_free(struct ranges *ranges);

static inline bits128 range_start(const struct range *range)
{
	return bits128_of(range->hi, range->lo);
}

/* How many leading bits of this start are needed to write it: the rest is zero. */
static inline uint32_t range_depth(const struct range *range)
{
	if (range->lo)
		return 128 - (uint32_t)__builtin_ctzll(range->lo);
	return range->hi ? 64 - (uint32_t)__builtin_ctzll(range->hi) : 0;
}

/* ---- compile_table.c, compile_line.c, compile_stride.c: ranges to nodes ---- */

/*
 * A part of the address space that one node entry speaks for: the addresses from @start that share
 * their first @at bits, or those of them that @first to @last hold.
 */
struct region {
	const struct range *first,
		*last; /* the one that holds its start; the last that starts in it */
	bits128 start;
	uint32_t at; /* leading bits that all its addresses share, consumed by nodes above */
	uint32_t left; /* bits that remain, up to the end of the address */
	uint32_t depth; /* lines that a walk has touched on the way to it */
};

/*
 * range_is_return - does this range only bring back the leaf that holds around the one before it?
 * Then it takes no place in a line, unless that one takes none. @first: the first of all ranges.
 */
bool range_is_return(const struct range *range, const struct range *first);
/* range_takes_place - in a line whose other addresses have leaf @outside. It is not the first. */
bool range_takes_place(const struct range *range, uint32_t outside);
/* region_bits - how many bits behind region->at it takes to write where its ranges start. */
uint32_t region_bits(const struct region *region);
/* line_room - how many ranges fit in one line that compares @bits bits. */
uint32_t line_room(uint32_t bits);

struct line_plan {
	uint32_t bits, count, outside; /* see region_bits(); places taken; leaf of all others */
};

/* line_plan - does one line hold this region? Then @ret says how. */
bool line_plan(const struct region *region, struct line_plan *ret);
/* line_write - fills the zeroed @line. Returns what kind of node it is. */
enum node_kind line_write(void *line, const struct region *region, const struct line_plan *plan);

/*
 * stride_choose - by how many bits an array should split this region, 1..NODE_STRIDE_MAX; 0 when
 * comparing with a few numbers does it better. @entries: how many places in lines it takes.
 */
uint32_t stride_choose(const struct region *region, uint32_t entries);

/*
 * table_build - append the nodes of one table; @bits is the length of its addresses. @ret_root is
 * the node entry to start from, @ret_steps the lines of the longest walk. Returns 0 or -ENOMEM.
 */
int table_build(struct lines *lines, const struct ranges *ranges, uint32_t bits, uint32_t *ret_root,
		uint32_t *ret_steps);

/* ---- compile_lists.c: what the image says about lists ---- */

/*
 * families_find - @ret_families, the caller's to free: family index of each list by its index
 * (0 where there is none), numbered in the order of the policy; @ret_count families in all.
 * Returns 0 or -ENOMEM.
 */
int families_find(const struct policy *policy, uint8_t **ret_families, uint32_t *ret_count);
/* lists_count - list records of the image: one more than the policy's when prefixes are protected. */
uint32_t lists_count(const struct policy *policy);
/*
 * lists_write - fill lists_count() records at @records, which are zero, and append their names to
 * @names. Returns 0 or -ENOMEM.
 */
int lists_write(const struct policy *policy, const uint8_t *families, struct list_record *records,
		struct buf *names);

#endif
