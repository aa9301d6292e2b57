/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image written by hand, line by line, with every kind of node, list and leaf in it. Tests of
 * what reads images start from it and break one thing, so that they depend on no compiler. The
 * lines are named here, the policy that they stand for is in made_image.c.
 */
#ifndef TESTS_LIB_MADE_IMAGE_H
#define TESTS_LIB_MADE_IMAGE_H

#include <stdint.h>

#include <stanch/table.h>

enum made_line {
	MADE_V4_SRC = IMAGE_HEADER_LINES, /* root: direct, stride 2 */
	MADE_RANGE16,
	MADE_SKIP,
	MADE_RANGE32,
	MADE_V4_DST, /* root: range16 with a range that starts at all ones */
	MADE_V6_SRC, /* root: skip of 32 bits; V6_DST is one leaf and has no section */
	MADE_DIRECT, /* stride 4 */
	MADE_RANGE64,
	MADE_RANGE128,
	MADE_SPLIT,
	MADE_LEAVES, /* seven, so that half a line is left */
	MADE_PORTS = MADE_LEAVES + 4,
	MADE_LISTS = MADE_PORTS + 128,
	MADE_NAMES = MADE_LISTS + 8,
	MADE_LINES = MADE_NAMES + 1,
};

enum made_list {
	MADE_GOOD = 1,
	MADE_BAD,
	MADE_TARGET,
	MADE_GREY,
	MADE_POOR,
	MADE_HOSTED,
	MADE_EMPTY,
	MADE_PROTECT,
	MADE_LIST_COUNT = MADE_PROTECT,
};

enum made_leaf {
	LEAF_NONE,
	LEAF_BAD,
	LEAF_GREY,
	LEAF_SCORED, /* on MADE_POOR and MADE_HOSTED */
	LEAF_GOOD, /* on MADE_GOOD, MADE_POOR and MADE_HOSTED */
	LEAF_PROTECTED,
	LEAF_TARGET,
	MADE_LEAF_COUNT,
};

#define MADE_NAMES_TEXT "goodbadtargetgreypoorhostedemptyprotectreputation"

struct made_image {
	_Alignas(64) unsigned char bytes[MADE_LINES][LINE_SIZE];
};

/* made_image - the image, its digest right. */
void made_image(struct made_image *ret);
/* made_seal - write the digest of what is there now. */
void made_seal(struct made_image *made);

static inline struct image made_as_image(const struct made_image *made)
{
	return (struct image){ .bytes = made->bytes[0], .lines = MADE_LINES };
}

/* Node entries. */
static inline uint32_t made_entry(enum node_kind kind, uint32_t line)
{
	return (uint32_t)kind << NODE_KIND_SHIFT | line;
}

static inline uint32_t made_direct(uint32_t stride, uint32_t line)
{
	return made_entry(NODE_DIRECT, line) | stride << NODE_STRIDE_SHIFT;
}

#endif
