/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address ranges that two images judge differently: both tables are walked side by side, and where
 * the winning lists differ by name the range is said in prefixes. Constant memory, linear time.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/image_diff.h"
#include "policy/image_walk.h"
#include "policy/policy.h"

#define LISTS_TEXT 160

/* A range in which both sides have one leaf each; both ends are in it. */
struct change {
	unsigned __int128 first, last;
	const struct leaf *from, *to;
};

/* ---- do two leaves mean the same? ---- */

static uint16_t renumbered(const struct diffing *diffing, uint16_t list)
{
	return list ? diffing->renumbered[list] : 0;
}

static bool has_score(const struct leaf *leaf, uint16_t list)
{
	for (uint32_t i = 0; i < LIMIT_FAMILIES && leaf->score[i]; i++)
		if (leaf->score[i] == list)
			return true;
	return false;
}

/* As sets: the order of families is not seen by any packet. */
static bool same_scores(const struct diffing *diffing, const struct leaf *from,
			const struct leaf *to)
{
	uint32_t count = 0;

	for (; count < LIMIT_FAMILIES && from->score[count]; count++)
		if (!has_score(to, renumbered(diffing, from->score[count])))
			return false;
	return count == LIMIT_FAMILIES || !to->score[count];
}

static bool same_lists(const struct diffing *diffing, const struct leaf *from,
		       const struct leaf *to)
{
	return renumbered(diffing, from->protect) == to->protect &&
	       renumbered(diffing, from->allow) == to->allow &&
	       renumbered(diffing, from->drop) == to->drop &&
	       renumbered(diffing, from->flag) == to->flag && same_scores(diffing, from, to);
}

static bool is_nothing(const struct leaf *leaf)
{
	static const struct leaf nothing = { 0 };

	return !memcmp(leaf, &nothing, sizeof(nothing));
}

/* ---- what is said about it ---- */

struct text {
	char out[LISTS_TEXT];
	size_t len;
};

static void add_list(struct text *text, const struct image *image, uint16_t id)
{
	const struct list_record *list = id ? image_list(image, id) : NULL;
	int len;

	if (!list)
		return;
	len = snprintf(text->out + text->len, sizeof(text->out) - text->len, "%s%s %.*s",
		       text->len ? ", " : "", diff_actions[list->action], (int)list->name_len,
		       image_text(image, list->name));
	text->len += (size_t)len;
	if (text->len >= sizeof(text->out))
		text->len = sizeof(text->out) - 1;
}

/* "drop abusers, score datacenters" */
static void leaf_text(const struct image *image, const struct leaf *leaf, struct text *ret)
{
	*ret = (struct text){ 0 };
	add_list(ret, image, leaf->protect);
	add_list(ret, image, leaf->allow);
	add_list(ret, image, leaf->drop);
	add_list(ret, image, leaf->flag);
	for (uint32_t i = 0; i < LIMIT_FAMILIES; i++)
		add_list(ret, image, leaf->score[i]);
}

static void add_prefix(struct diffing *diffing, const struct change *change, enum table table,
		       const struct prefix *prefix)
{
	const char *side =
		table == TABLE_V4_SRC || table == TABLE_V6_SRC ? "source" : "destination";
	struct text was, is;
	char text[PREFIX_TEXT];

	prefix_format(prefix, text);
	leaf_text(diffing->from, change->from, &was);
	leaf_text(diffing->to, change->to, &is);
	if (is_nothing(change->from))
		diff_add(diffing, "prefix", '+', "%s %s: %s", side, text, is.out);
	else if (is_nothing(change->to))
		diff_add(diffing, "prefix", '-', "%s %s: %s", side, text, was.out);
	else
		diff_add(diffing, "prefix", '~', "%s %s: %s -> %s", side, text, was.out, is.out);
}

/* ---- ranges to prefixes ---- */

static uint32_t ones(unsigned __int128 x)
{
	return (uint32_t)(__builtin_popcountll((uint64_t)(x >> 64)) +
			  __builtin_popcountll((uint64_t)x));
}

/* Length in bits of a number; 0 for 0. */
static uint32_t width(unsigned __int128 x)
{
	if (x >> 64)
		return 128 - (uint32_t)__builtin_clzll((uint64_t)(x >> 64));
	return (uint64_t)x ? 64 - (uint32_t)__builtin_clzll((uint64_t)x) : 0;
}

/* How many low bits of an address are free in the largest prefix that starts at @first. */
static uint32_t free_bits(unsigned __int128 first, unsigned __int128 last)
{
	uint32_t aligned = first ? width(first & -first) - 1 : 128;
	/* of 2^n addresses n + 1 bits would be needed, and 2^128 does not fit */
	uint32_t room = width(last - first);

	if (room && ones(last - first) != room)
		room--;
	return aligned < room ? aligned : room;
}

/*
 * How many prefixes it takes: the addresses are cut at the highest power of two between the ends;
 * each side then needs as many prefixes as its length has ones.
 */
static uint32_t count_prefixes(unsigned __int128 first, unsigned __int128 last)
{
	uint32_t bits = width(first ^ last);
	unsigned __int128 cut;

	if (free_bits(first, last) == bits)
		return 1;
	cut = last >> (bits - 1) << (bits - 1);
	return ones(cut - first) + ones(last - cut + 1);
}

/* @bits is the length of an address; the ends are shifted down to it. */
static void add_change(struct diffing *diffing, const struct change *change, enum table table)
{
	uint32_t bits = table == TABLE_V4_SRC || table == TABLE_V4_DST ? 32 : 128;
	unsigned __int128 first = change->first >> (128 - bits);
	unsigned __int128 last = change->last >> (128 - bits);

	if (same_lists(diffing, change->from, change->to))
		return;
	while (!diff_is_full(diffing)) {
		uint32_t host = free_bits(first, last);
		unsigned __int128 address = first << (128 - bits);
		unsigned __int128 end =
			host == 128 ? last : first + (((unsigned __int128)1 << host) - 1);
		struct prefix prefix = {
			.hi = (uint64_t)(address >> 64),
			.lo = (uint64_t)address,
			.family = bits == 32 ? 4 : 6,
			.len = (uint8_t)(bits - host),
		};

		add_prefix(diffing, change, table, &prefix);
		if (end == last)
			return;
		first = end + 1;
	}
	diffing->diff.omitted += count_prefixes(first, last);
}

/* ---- both tables side by side ---- */

struct side {
	struct image_walk walk;
	struct image_range range;
};

static int side_start(struct side *side, const struct image *image, enum table table)
{
	image_walk_start(&side->walk, image, table);
	return image_walk_next(&side->walk, &side->range) == 1 ? 0 : -EINVAL;
}

/* The first address behind the current range, minus one. */
static unsigned __int128 side_last(const struct side *side)
{
	const struct image_range *ahead = &side->walk.ahead;

	if (side->walk.state != 1)
		return ~(unsigned __int128)0;
	return ((unsigned __int128)ahead->hi << 64 | ahead->lo) - 1;
}

static int side_pass(struct side *side, unsigned __int128 last)
{
	if (side_last(side) != last)
		return 0;
	return image_walk_next(&side->walk, &side->range) < 0 ? -EINVAL : 0;
}

/* Joins @piece to @change where nothing but its place is new; else @change is over. */
static void extend(struct diffing *diffing, struct change *change, const struct change *piece,
		   enum table table)
{
	if (piece->first && !memcmp(change->from, piece->from, sizeof(*piece->from)) &&
	    !memcmp(change->to, piece->to, sizeof(*piece->to))) {
		change->last = piece->last;
		return;
	}
	if (piece->first)
		add_change(diffing, change, table);
	*change = *piece;
}

static int diff_table(struct diffing *diffing, enum table table)
{
	unsigned __int128 first = 0, last = 0;
	struct change change = { 0 };
	struct side from, to;
	int r = side_start(&from, diffing->from, table);

	if (!r)
		r = side_start(&to, diffing->to, table);
	while (!r && last != ~(unsigned __int128)0) {
		struct change piece = {
			.first = first,
			.from = image_leaf(diffing->from, from.range.leaf),
			.to = image_leaf(diffing->to, to.range.leaf),
		};

		last = side_last(&from) < side_last(&to) ? side_last(&from) : side_last(&to);
		piece.last = last;
		extend(diffing, &change, &piece, table);
		first = last + 1;
		r = side_pass(&from, last);
		if (!r)
			r = side_pass(&to, last);
	}
	if (!r)
		add_change(diffing, &change, table);
	return r;
}

int diff_ranges(struct diffing *diffing)
{
	int r = 0;

	for (enum table table = 0; table < TABLES && !r; table++)
		r = diff_table(diffing, table);
	return r;
}
