/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy that this image stands for, as a compiler might have written it:
 *
 *   mode: enforce
 *   inner: true
 *   mark: {mask: 0xff000000, value: 0x5b000000}
 *   protect: {prefixes: [192.0.2.0/24], ports: [22, 65535]}
 *   lists:
 *     - {name: good, action: allow, entries: [172.16.5.5]}
 *     - {name: bad, action: drop, entries: [10.0.0.0/8, '2001:db8:bad::/48',
 *        '2001:db8:1000::1', '2001:db8:2000::/37', '2001:db8:f000::/36']}
 *     - {name: target, action: drop, match: destination, entries: [198.50.0.0/15,
 *        255.254.0.0/15, '::/0']}
 *     - {name: grey, action: flag, entries: [64.0.0.0/2]}
 *     - {name: poor, action: score, family: reputation, points: 15, entries: [172.16.0.0/12]}
 *     - {name: hosted, action: score, family: hosted, points: 50, entries: [172.16.0.0/12]}
 *     - {name: empty, action: drop, allow_empty: true, entries: []}
 */
#include "made_image.h"

#include <string.h>

#include "policy/compile.h"

static void make_header(struct made_image *made)
{
	static const struct section sections[] = {
		{ SECTION_V4_SRC, MADE_V4_SRC, 4, 4 },
		{ SECTION_V4_DST, MADE_V4_DST, 1, 1 },
		{ SECTION_V6_SRC, MADE_V6_SRC, 5, 5 },
		{ SECTION_LEAVES, MADE_LEAVES, 4, MADE_LEAF_COUNT },
		{ SECTION_PORTS, MADE_PORTS, 128, 2 },
		{ SECTION_LISTS, MADE_LISTS, MADE_LIST_COUNT, MADE_LIST_COUNT },
		{ SECTION_NAMES, MADE_NAMES, 1, sizeof(MADE_NAMES_TEXT) - 1 },
	};

	*(struct image_id *)made->bytes[IMAGE_ID_LINE] = (struct image_id){
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.lines = MADE_LINES,
		.sections = sizeof(sections) / sizeof(sections[0]),
	};
	*(struct image_hot *)made->bytes[IMAGE_HOT_LINE] = (struct image_hot){
		.magic = IMAGE_HOT_MAGIC,
		.mode = MODE_ENFORCE,
		.flags = IMAGE_INNER | IMAGE_HEADERS,
		.mark_mask = 0xff000000,
		.mark_value = 0x5b000000,
		.root = { made_direct(2, MADE_V4_SRC), made_entry(NODE_RANGE16, MADE_V4_DST),
			  made_entry(NODE_SKIP, MADE_V6_SRC), LEAF_TARGET },
		.leaves_line = MADE_LEAVES,
		.leaves = MADE_LEAF_COUNT,
		.ports_line = MADE_PORTS,
		.lists = MADE_LIST_COUNT,
	};
	*(struct image_counts *)made->bytes[IMAGE_COUNTS_LINE] = (struct image_counts){
		.prefixes = 12,
		.lists = MADE_LIST_COUNT - 1,
		.leaves = MADE_LEAF_COUNT,
		.steps = 3,
		.families = 2,
		.ports = 2,
		.protects = 1,
	};
	memcpy(made->bytes[IMAGE_SECTIONS_LINE], sections, sizeof(sections));
}

/* Ranges by the first two bits, then by the next fifteen or all that are left. */
static void make_v4(struct made_image *made)
{
	uint32_t *direct = (uint32_t *)made->bytes[MADE_V4_SRC];
	struct range16 *r16 = (struct range16 *)made->bytes[MADE_RANGE16];
	struct range32 *r32 = (struct range32 *)made->bytes[MADE_RANGE32];
	struct range16 *dst = (struct range16 *)made->bytes[MADE_V4_DST];

	direct[0] = made_entry(NODE_RANGE16, MADE_RANGE16);
	direct[1] = LEAF_GREY;
	direct[2] = made_entry(NODE_RANGE32, MADE_RANGE32);
	direct[3] = made_entry(NODE_SKIP, MADE_SKIP);
	r16->keys[0] = 0x7fff7fff7fff0000 | 0x0a00 << 1; /* fifteen bits behind the first two */
	r16->keys[1] = r16->keys[2] = 0x7fff7fff7fff7fff;
	r16->leaves[1] = LEAF_BAD;
	r16->reach[0] = 9;
	*(struct skip *)made->bytes[MADE_SKIP] = (struct skip){
		.shared = (0xc0000200ull << 34), /* 192.0.2 without the first two bits */
		.bits = 22,
		.inside = LEAF_PROTECTED,
	};
	memset(r32->keys, 0xff, sizeof(r32->keys));
	r32->keys[0] = 0xac100000u << 2; /* 172.16.0.0 */
	r32->keys[1] = 0xac100505u << 2;
	r32->keys[2] = 0xac100506u << 2;
	r32->leaves[1] = r32->leaves[3] = LEAF_SCORED;
	r32->leaves[2] = LEAF_GOOD;
	r32->reach[0] = r32->reach[2] = 22; /* to the end of 172.16.0.0/12 */
	r32->reach[1] = 2; /* two bits are behind the address */
	dst->keys[0] = 0x7fff7fff7fff0000 | 0xc632 >> 1; /* 198.50 */
	dst->keys[1] = dst->keys[2] = 0x7fff7fff7fff7fff;
	for (uint32_t i = 1; i <= RANGE16_KEYS; i++)
		dst->leaves[i] = LEAF_TARGET;
}

/* 36 bits are used up above the ranges. */
static void make_v6(struct made_image *made)
{
	uint32_t *direct = (uint32_t *)made->bytes[MADE_DIRECT];
	struct range64 *r64 = (struct range64 *)made->bytes[MADE_RANGE64];
	struct range128 *r128 = (struct range128 *)made->bytes[MADE_RANGE128];
	struct split *split = (struct split *)made->bytes[MADE_SPLIT];

	*(struct skip *)made->bytes[MADE_V6_SRC] = (struct skip){
		.shared = 0x20010db800000000,
		.bits = 32,
		.inside = made_direct(4, MADE_DIRECT),
	};
	direct[0] = made_entry(NODE_RANGE64, MADE_RANGE64);
	direct[1] = made_entry(NODE_RANGE128, MADE_RANGE128);
	direct[2] = made_entry(NODE_SPLIT, MADE_SPLIT);
	direct[15] = LEAF_BAD;
	memset(r64->keys, 0xff, sizeof(r64->keys));
	r64->keys[0] = 0xbadull << 52; /* 2001:db8:0bad:: */
	r64->leaves[1] = LEAF_BAD;
	r64->reach[0] = 52;
	memset(r128, 0xff, offsetof(struct range128, leaves));
	r128->hi[0] = 0;
	r128->lo[0] = 1ull << 36; /* 2001:db8:1000::1 */
	r128->leaves[1] = LEAF_BAD;
	r128->reach[0] = 36;
	for (uint32_t i = 1; i < SPLIT_KEYS; i++)
		split->keys[i] = SPLIT_FILLER;
	split->keys[0] = SPLIT_FILLER >> 1;
	split->entries[0] = LEAF_BAD; /* 2001:db8:2000::/37 */
}

static void make_leaves(struct made_image *made)
{
	static const struct leaf leaves[] = {
		[LEAF_BAD] = { .drop = MADE_BAD },
		[LEAF_GREY] = { .flag = MADE_GREY },
		[LEAF_SCORED] = { .score = { MADE_POOR, MADE_HOSTED } },
		[LEAF_GOOD] = { .allow = MADE_GOOD, .score = { MADE_POOR, MADE_HOSTED } },
		[LEAF_PROTECTED] = { .protect = MADE_PROTECT },
		[LEAF_TARGET] = { .drop = MADE_TARGET },
	};

	memcpy(made->bytes[MADE_LEAVES], leaves, sizeof(leaves));
}

static const struct list_record lists[] = {
	{ .name = 0,
	  .name_len = 4,
	  .action = ACTION_ALLOW,
	  .prefixes_v4 = 1,
	  .first_len = 32,
	  .first_family = 4,
	  .last_len = 32,
	  .last_family = 4,
	  .first = { 172, 16, 5, 5 },
	  .last = { 172, 16, 5, 5 } },
	{ .name = 4,
	  .name_len = 3,
	  .action = ACTION_DROP,
	  .prefixes_v4 = 1,
	  .prefixes_v6 = 4,
	  .first_len = 8,
	  .first_family = 4,
	  .last_len = 36,
	  .last_family = 6,
	  .first = { 10 },
	  .last = { 0x20, 0x01, 0x0d, 0xb8, 0xf0 } },
	{ .name = 7,
	  .name_len = 6,
	  .action = ACTION_DROP,
	  .match = MATCH_DESTINATION,
	  .prefixes_v4 = 2,
	  .prefixes_v6 = 1,
	  .first_len = 15,
	  .first_family = 4,
	  .last_len = 0,
	  .last_family = 6,
	  .first = { 198, 50 } },
	{ .name = 13,
	  .name_len = 4,
	  .action = ACTION_FLAG,
	  .prefixes_v4 = 1,
	  .first_len = 2,
	  .first_family = 4,
	  .last_len = 2,
	  .last_family = 4,
	  .first = { 64 },
	  .last = { 64 } },
	{ .name = 17,
	  .name_len = 4,
	  .action = ACTION_SCORE,
	  .points = 15,
	  .family_name = 39,
	  .family_len = 10,
	  .prefixes_v4 = 1,
	  .first_len = 12,
	  .first_family = 4,
	  .last_len = 12,
	  .last_family = 4,
	  .first = { 172, 16 },
	  .last = { 172, 16 } },
	{ .name = 21,
	  .name_len = 6,
	  .action = ACTION_SCORE,
	  .family = 1,
	  .points = 50,
	  .family_name = 21,
	  .family_len = 6,
	  .prefixes_v4 = 1,
	  .first_len = 12,
	  .first_family = 4,
	  .last_len = 12,
	  .last_family = 4,
	  .first = { 172, 16 },
	  .last = { 172, 16 } },
	{ .name = 27, .name_len = 5, .action = ACTION_DROP },
	{ .name = 32,
	  .name_len = 7,
	  .action = ACTION_PROTECT,
	  .prefixes_v4 = 1,
	  .first_len = 24,
	  .first_family = 4,
	  .last_len = 24,
	  .last_family = 4,
	  .first = { 192, 0, 2 },
	  .last = { 192, 0, 2 } },
};
_Static_assert(sizeof(lists) / LINE_SIZE == MADE_LIST_COUNT, "one record per list");

void made_seal(struct made_image *made)
{
	struct image_id *id = (struct image_id *)made->bytes[IMAGE_ID_LINE];
	struct image image = made_as_image(made);
	uint8_t digest[sizeof(id->digest)];

	image_digest(&image, digest);
	memcpy(id->digest, digest, sizeof(digest));
}

void made_image(struct made_image *ret)
{
	uint64_t *ports = (uint64_t *)ret->bytes[MADE_PORTS];

	memset(ret, 0, sizeof(*ret));
	make_header(ret);
	make_v4(ret);
	make_v6(ret);
	make_leaves(ret);
	ports[0] = 1ull << 22;
	ports[65535 / 64] = 1ull << 63;
	memcpy(ret->bytes[MADE_LISTS], lists, sizeof(lists));
	memcpy(ret->bytes[MADE_NAMES], MADE_NAMES_TEXT, sizeof(MADE_NAMES_TEXT) - 1);
	made_seal(ret);
}
