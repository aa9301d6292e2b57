/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking the prefix tables: the tree under each root, with a stack of its own. Every line of a
 * table is reached from its root exactly once, so the time is linear in the image; what is deeper
 * than any walk is not gone into.
 */
#include "policy/image_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "policy/image_node.h"
#include "policy/image_walk.h"

struct table_check {
	struct check *check;
	const struct section *section; /* NULL: the table has no nodes */
	enum table table;
	uint32_t bits; /* of an address */
	uint32_t visited; /* lines */
	uint32_t depth;
	struct walk_frame frames[WALK_DEPTH]; /* base is not used here */
};

#define AT_NODE "%s: node at line %" PRIu32 ": "
#define refuse_node(t, entry, fmt, ...)                                                \
	refuse((t)->check, "image_node", AT_NODE fmt, table_name(t), node_line(entry), \
	       ##__VA_ARGS__)

static const char *table_name(const struct table_check *t)
{
	return section_names[SECTION_V4_SRC + t->table];
}

/* A leaf id as it stands in a node at @line (0: the root). */
static void check_leaf_id(struct table_check *t, uint32_t id, uint32_t line)
{
	uint32_t count = check_items(t->check, SECTION_LEAVES);

	if (id && id >= count)
		refuse(t->check, "image_node", AT_NODE "leaf %" PRIu32 " of %" PRIu32,
		       table_name(t), line, id, count);
	else if (!(t->check->leaf_tables[id] >> t->table & 1))
		refuse(t->check, "image_node", AT_NODE "leaf %" PRIu32 " is of another table",
		       table_name(t), line, id);
}

/* ---- what one node may hold ---- */

/* The leaf of the highest address, which none but the first @count ranges of a line can hold. */
static uint32_t highest_leaf(const struct walk_frame *frame, uint32_t count, uint32_t left)
{
	uint32_t kind = node_kind(frame->entry);
	unsigned __int128 highest = ~(unsigned __int128)0 << (128 - left);

	if (count && node_end(frame->line, kind, count - 1) >= highest)
		return node_leaf(frame->line, kind, count);
	return node_leaf(frame->line, kind, 0);
}

/* Behind the last start, number @i, there is only filler; where addresses end in ones it is one. */
static void check_filler(struct table_check *t, const struct walk_frame *frame, uint32_t i)
{
	uint32_t kind = node_kind(frame->entry), left = t->bits - frame->used, leaf;
	const struct node_range *range = node_range(kind);

	if (i == range->keys)
		return;
	leaf = left < range->bits ? highest_leaf(frame, i, left)
				  : node_leaf(frame->line, kind, i + 1);
	for (; i < range->keys; i++) {
		if (node_key(frame->line, kind, i) != ~(unsigned __int128)0 << (128 - range->bits))
			refuse_node(t, frame->entry, "start %" PRIu32 " does not rise", i);
		if (node_reach(frame->line, kind, i))
			refuse_node(t, frame->entry,
				    "range %" PRIu32 " has a reach behind the last start", i);
		if (node_leaf(frame->line, kind, i + 1) != leaf)
			refuse_node(t, frame->entry,
				    "leaf %" PRIu32 " behind the last start differs", i + 1);
	}
}

/* Starts rise, have no bits that the address has not, and reach no further than the line speaks. */
static void check_range(struct table_check *t, const struct walk_frame *frame)
{
	uint32_t kind = node_kind(frame->entry), left = t->bits - frame->used, i;
	const struct node_range *range = node_range(kind);
	size_t end = range->reach + range->keys;
	unsigned __int128 filler = ~(unsigned __int128)0 << (128 - range->bits), before = 0;

	for (i = 0; i < range->keys; i++) {
		unsigned __int128 key = node_key(frame->line, kind, i);

		if (key == filler)
			break;
		if (i && key <= before)
			refuse_node(t, frame->entry, "start %" PRIu32 " does not rise", i);
		if (left < 128 && key << left)
			refuse_node(t, frame->entry, "start %" PRIu32 " is not an address", i);
		if (left < range->bits && node_reach(frame->line, kind, i) < range->bits - left)
			refuse_node(t, frame->entry, "range %" PRIu32 " ends inside an address", i);
		if (node_reach(frame->line, kind, i) > range->bits)
			refuse_node(t, frame->entry,
				    "range %" PRIu32 " reaches further than an address", i);
		before = key;
	}
	check_filler(t, frame, i);
	for (i = 0; i <= range->keys; i++)
		check_leaf_id(t, node_leaf(frame->line, kind, i), node_line(frame->entry));
	for (i = 0; kind == NODE_RANGE16 && i < RANGE16_KEYS / 4; i++)
		if (((const struct range16 *)frame->line)->keys[i] & RANGE16_GUARDS)
			refuse_node(t, frame->entry, "starts of more than 15 bits");
	check_zero(t->check, (const unsigned char *)frame->line + end, LINE_SIZE - end, "line",
		   node_line(frame->entry));
}

static bool check_split(struct table_check *t, const struct walk_frame *frame)
{
	const struct split *split = frame->line;
	uint32_t left = t->bits - frame->used, i;

	for (i = 0; i < SPLIT_KEYS && split->keys[i] < SPLIT_FILLER; i++) {
		if (i && split->keys[i] <= split->keys[i - 1]) {
			refuse_node(t, frame->entry, "split %" PRIu32 " does not rise", i);
			return false;
		}
		if (left < SPLIT_BITS && (split->keys[i] + 1) << (left + 1))
			refuse_node(t, frame->entry, "split %" PRIu32 " is not an address", i);
	}
	if (!i) {
		refuse_node(t, frame->entry, "a split of nothing");
		return false;
	}
	for (; i < SPLIT_KEYS; i++) {
		if (split->keys[i] != SPLIT_FILLER)
			refuse_node(t, frame->entry, "split %" PRIu32 " does not rise", i);
		if (split->entries[i + 1])
			refuse_node(t, frame->entry, "entry %" PRIu32 " behind the last split",
				    i + 1);
	}
	return true;
}

static bool check_skip(struct table_check *t, const struct walk_frame *frame)
{
	const struct skip *skip = frame->line;

	if (skip->bits < 1 || skip->bits > 63 || skip->bits > t->bits - frame->used) {
		refuse_node(t, frame->entry, "%" PRIu32 " shared bits, %" PRIu32 " are left",
			    skip->bits, t->bits - frame->used);
		return false;
	}
	if (skip->shared << skip->bits)
		refuse_node(t, frame->entry, "more shared bits than it says");
	check_leaf_id(t, skip->below, node_line(frame->entry));
	check_leaf_id(t, skip->above, node_line(frame->entry));
	check_zero(t->check, skip->reserved, sizeof(skip->reserved), "line",
		   node_line(frame->entry));
	return true;
}

static void check_direct(struct table_check *t, const struct walk_frame *frame)
{
	uint32_t entries = 1u << node_stride(frame->entry);

	if (entries < ENTRIES_PER_LINE)
		check_zero(t->check, (const uint32_t *)frame->line + entries,
			   (ENTRIES_PER_LINE - entries) * sizeof(uint32_t), "line",
			   node_line(frame->entry));
}

/* ---- the way through them ---- */

/* Does the entry itself make sense, before its lines are looked at? */
static bool check_entry(struct table_check *t, uint32_t entry, uint32_t used)
{
	uint32_t kind = node_kind(entry), stride = node_stride(entry);

	if (used >= t->bits || (kind == NODE_DIRECT && stride > t->bits - used)) {
		refuse_node(t, entry, "the address has no bits left for it");
		return false;
	}
	if (kind == NODE_DIRECT ? !stride || stride > NODE_STRIDE_MAX : stride) {
		refuse_node(t, entry, "stride %" PRIu32, stride);
		return false;
	}
	return true;
}

/* Marks the lines of a node as seen. */
static bool take_lines(struct table_check *t, uint32_t entry)
{
	uint32_t first = node_line(entry), lines = node_lines(entry);
	uint64_t *seen = t->check->seen;

	/* a line before the section is a huge number of lines behind its first */
	if (!t->section || lines > t->section->lines ||
	    first - t->section->first > t->section->lines - lines) {
		refuse_node(t, entry, "outside the section");
		return false;
	}
	for (uint32_t line = first; line < first + lines; line++) {
		if (seen[line / 64] >> (line % 64) & 1) {
			refuse(t->check, "image_shared", AT_NODE "reached twice", table_name(t),
			       line);
			return false;
		}
		seen[line / 64] |= 1ull << (line % 64);
	}
	t->visited += lines;
	return true;
}

/* Goes down to what @entry names; a node that is wrong is not gone into. */
static void enter(struct table_check *t, uint32_t entry, uint32_t used, uint32_t line)
{
	struct walk_frame *frame = &t->frames[t->depth];

	if (node_kind(entry) == NODE_LEAF) {
		check_leaf_id(t, entry, line);
		return;
	}
	if (t->depth == WALK_DEPTH) {
		refuse_node(t, entry, "deeper than any walk");
		return;
	}
	if (!check_entry(t, entry, used) || !take_lines(t, entry))
		return;
	*frame = (struct walk_frame){
		.line = check_line(t->check, node_line(entry)),
		.entry = entry,
		.used = used,
	};
	if (t->depth >= t->check->steps)
		t->check->steps = t->depth + 1;
	if (node_range(node_kind(entry))) {
		check_range(t, frame);
	} else if (node_kind(entry) == NODE_DIRECT) {
		check_direct(t, frame);
		t->depth++;
	} else if (node_kind(entry) == NODE_SPLIT ? check_split(t, frame) : check_skip(t, frame)) {
		t->depth++;
	}
}

static void step_split(struct table_check *t, struct walk_frame *frame)
{
	const struct split *split = frame->line;
	uint32_t at = frame->at++;

	if (at > SPLIT_KEYS || (at && split->keys[at - 1] == SPLIT_FILLER))
		t->depth--;
	else
		enter(t, split->entries[at], frame->used, node_line(frame->entry));
}

/* One child of the innermost node, or back to the node around it. */
static void step(struct table_check *t)
{
	struct walk_frame *frame = &t->frames[t->depth - 1];
	const struct skip *skip = frame->line;
	uint32_t line = node_line(frame->entry), stride = node_stride(frame->entry);

	if (node_kind(frame->entry) == NODE_SPLIT) {
		step_split(t, frame);
	} else if (node_kind(frame->entry) == NODE_SKIP) {
		if (frame->at++)
			t->depth--;
		else
			enter(t, skip->inside, frame->used + skip->bits, line);
	} else if (frame->at >> stride) {
		t->depth--;
	} else {
		enter(t, ((const uint32_t *)frame->line)[frame->at++], frame->used + stride, line);
	}
}

static void check_unreached(const struct table_check *t)
{
	uint32_t line = t->section->first;

	while (t->check->seen[line / 64] >> (line % 64) & 1)
		line++;
	refuse(t->check, "image_unreached", "%s: no walk reaches line %" PRIu32, table_name(t),
	       line);
}

static void check_table(struct check *check, enum table table)
{
	struct table_check t = {
		.check = check,
		.section = check->sections[SECTION_V4_SRC + table],
		.table = table,
		.bits = table == TABLE_V4_SRC || table == TABLE_V4_DST ? 32 : 128,
	};
	uint64_t before = check->diag->total;

	enter(&t, check->hot->root[table], 0, 0);
	while (t.depth)
		step(&t);
	/* Behind a broken node there are always lines that nothing reaches. */
	if (t.section && check->diag->total == before && t.visited != t.section->lines)
		check_unreached(&t);
}

int check_tables(struct check *check)
{
	uint64_t before = check->diag->total;

	check->seen = calloc(check->image.lines / 64 + 1, sizeof(*check->seen));
	if (!check->seen)
		return -ENOMEM;
	for (enum table table = 0; table < TABLES; table++)
		check_table(check, table);
	if (check->diag->total == before && check->steps != check->counts->steps)
		refuse(check, "image_steps",
		       "line 2 counts %" PRIu32 " steps, the longest walk has %" PRIu32,
		       check->counts->steps, check->steps);
	return 0;
}
