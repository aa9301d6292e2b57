/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image: a compiled policy as one array of 64-byte lines. The file on disk is the bytes that
 * the program reads. Line 0 identifies it, line 1 is all that every packet needs, line 2 counts
 * what it holds, lines 3-6 are the section table, line 7 is reserved. The prefix tables are read
 * by table.h, which also explains their nodes.
 */
#ifndef STANCH_IMAGE_H
#define STANCH_IMAGE_H

#include "abi.h"
#include "portable.h"

#define LINE_SIZE 64u
#define IMAGE_MAGIC 0x474d49484e415453ull /* "STANHIMG" in memory order */
#define IMAGE_HOT_MAGIC 0x53544e48u
#define IMAGE_ID_LINE 0u
#define IMAGE_HOT_LINE 1u
#define IMAGE_COUNTS_LINE 2u
#define IMAGE_SECTIONS_LINE 3u
#define IMAGE_HEADER_LINES 8u
#define IMAGE_SECTIONS 16u
#define IMAGE_MIN_LINES IMAGE_HEADER_LINES

/* Line 0 */
struct image_id {
	__u64 magic;
	__u32 version; /* IMAGE_VERSION */
	__u32 lines; /* of the whole image, this one included */
	__u8 digest[32]; /* SHA-256 over all lines with this field zero */
	__u32 sections; /* entries in use */
	__u32 reserved;
	__u64 reserved2;
};
_Static_assert(sizeof(struct image_id) == LINE_SIZE, "line 0");

enum table { TABLE_V4_SRC, TABLE_V4_DST, TABLE_V6_SRC, TABLE_V6_DST, TABLES };

#define IMAGE_INNER 0x01u /* look one tunnel level inside */
#define IMAGE_HEADERS 0x02u /* impossible headers are dropped */
#define IMAGE_SOURCES 0x04u /* packets are counted by their source, see source.h */

/* Line 1: read for every packet */
struct image_hot {
	__u32 magic;
	__u8 mode; /* enum mode; the effective one is the smaller of this and the word's */
	__u8 flags; /* IMAGE_* */
	__u16 reserved;
	__u32 mark_mask, mark_value;
	__u32 root[TABLES]; /* node entries, see table.h; 0 matches nothing */
	__u32 leaves_line; /* two struct leaf per line; leaf 0 is "on no list" */
	__u32 leaves; /* number of leaves, the empty one included */
	__u32 ports_line; /* 128 lines of bits by protected port; 0: none protected */
	__u32 lists; /* number of list records */
	__u32 expiry_line; /* of overrides: eight u64 per line by list id; 0: nothing expires */
	__u32 reserved2[3];
};
_Static_assert(sizeof(struct image_hot) == LINE_SIZE, "line 1");

/* Line 2: what the program must have room for */
struct image_counts {
	__u32 prefixes; /* v4 and v6, source and destination, `protect` not counted */
	__u32 lists; /* of the operator; `protect` not counted */
	__u32 leaves;
	__u32 steps; /* longest walk of any table, in lines */
	__u32 families;
	__u32 ports;
	__u32 protects; /* protected prefixes */
	__u32 reserved[9];
};
_Static_assert(sizeof(struct image_counts) == LINE_SIZE, "line 2");

enum section_kind {
	SECTION_NONE = 0,
	SECTION_V4_SRC = 1, /* SECTION_V4_SRC + enum table */
	SECTION_V4_DST = 2,
	SECTION_V6_SRC = 3,
	SECTION_V6_DST = 4,
	SECTION_LEAVES = 5,
	SECTION_PORTS = 6,
	SECTION_LISTS = 7,
	SECTION_NAMES = 8, /* bytes; offsets in list records count from its first */
	/*
	 * Only in the image of operator overrides: u64 by list id, CLOCK_MONOTONIC ns from which on
	 * the list matches nothing, 0: never. Entry 0 is zero.
	 */
	SECTION_EXPIRY = 9,
	SECTION_KINDS,
};
#define EXPIRIES_PER_LINE 8u

struct section {
	__u32 kind, first, lines; /* lines from `first` on */
	__u32 count; /* items: nodes' lines, leaves, ports, lists, bytes */
};
_Static_assert(sizeof(struct section) == 16, "four sections per line");

enum action { ACTION_ALLOW, ACTION_DROP, ACTION_FLAG, ACTION_SCORE, ACTION_PROTECT, ACTIONS };
enum match { MATCH_SOURCE, MATCH_DESTINATION, MATCHES };

/* One line per list; record i describes list id i + 1. `protect`, when present, is the last. */
struct list_record {
	__u32 name; /* offset in SECTION_NAMES */
	__u16 name_len;
	__u8 action, match; /* enum action, enum match */
	__u8 family, points; /* score lists: family index, points */
	__u16 family_len;
	__u32 family_name; /* offset in SECTION_NAMES */
	__u32 prefixes_v4, prefixes_v6;
	/* family 4 or 6, 0: the list is empty */
	__u8 first_len, first_family, last_len, last_family;
	__u8 first[16], last[16]; /* lowest and highest prefix, network order; v4 in four bytes */
	__u32 reserved;
};
_Static_assert(sizeof(struct list_record) == LINE_SIZE, "one line per list");

/* What an address is on: ids of the winning list of each action, 0 for none. */
struct leaf {
	__u16 protect, allow, drop, flag;
	__u16 score[LIMIT_FAMILIES]; /* one list per family, packed from the front */
	__u16 reserved[4];
};
_Static_assert(sizeof(struct leaf) == 32, "two leaves per line");
#define LEAVES_PER_LINE 2u

/*
 * image_line - the one way to read an image.
 * In the kernel an image is the inner map of a slot, natively it is bytes and a length.
 * Returns NULL past the end: the caller counts that and lets the packet pass.
 */
struct image;
#ifdef __bpf__
static __always_inline const void *image_line(struct image *image, __u32 line)
{
	return bpf_map_lookup_elem(image, &line);
}
#else
struct image {
	const unsigned char *bytes;
	__u32 lines;
};
static inline const void *image_line(struct image *image, __u32 line)
{
	return line < image->lines ? image->bytes + (__u64)line * LINE_SIZE : (const void *)0;
}
#endif

#endif
