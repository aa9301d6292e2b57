/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: a prefix table as a sequence of address ranges, pulled one at a time, so that two
 * tables can be walked side by side. What a node is, is explained in table.h.
 */
#ifndef STANCH_POLICY_IMAGE_WALK_H
#define STANCH_POLICY_IMAGE_WALK_H

#include <stanch/image.h>

#include <stdint.h>

#define WALK_DEPTH 128u /* lines of the longest walk that anybody follows */

/* A node on the way down, and how far its children have been seen. */
struct walk_frame {
	const void *line; /* first line of the node; NULL: the root is a leaf */
	unsigned __int128 base; /* the bits of the address that were used up on the way to it */
	unsigned __int128 first, last; /* addresses that it is asked for */
	uint32_t entry; /* the node entry that led here */
	uint32_t at; /* next child */
	uint32_t used; /* how many bits of base */
};

/* Addresses from here to the next range, or to the end of the address space. */
struct image_range {
	uint64_t hi, lo;
	uint32_t leaf;
};

struct image_walk {
	const struct image *image;
	struct walk_frame frames[WALK_DEPTH];
	uint32_t depth;
	uint32_t deepest; /* lines of the longest way down so far */
	struct image_range ahead; /* seen already, not handed out */
	int state; /* what seeing it returned */
};

/* image_walk_start - before the first range of @table. @walk borrows @image. */
void image_walk_start(struct image_walk *walk, const struct image *image, enum table table);

/*
 * image_walk_next - the next range, in address order; neighbours never have the same leaf.
 * Returns 1 and fills @ret, 0 at the end, -EINVAL when the image is broken (image_check() would
 * have refused it). Constant memory; time linear in the table.
 */
int image_walk_next(struct image_walk *walk, struct image_range *ret);

#endif
