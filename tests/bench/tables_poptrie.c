/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Poptrie (Asai, Ohara, SIGCOMM 2015): an array by the upper 18 bits, then nodes of six bits whose
 * children are found by counting bits. Nodes and leaves of one parent are contiguous; a leaf that
 * equals the one before it is left out (the paper's leafvec).
 */
#include "tables.h"

#define TOP_BITS 18u
#define TOP (1u << TOP_BITS)
#define STEP_BITS 6u
#define CHILDREN (1u << STEP_BITS)
#define IS_LEAF (1u << 31)
/* 18 + 3 * 6 bits: addresses are padded with four zero bits at their end. */
#define PADDING 4u

struct node {
	uint64_t vector, leafvec;
	uint32_t leaves, nodes; /* base0, base1 */
};

struct poptrie {
	uint32_t *top; /* IS_LEAF and a leaf, or a node */
	struct node *nodes;
	uint16_t *leaves;
	uint32_t node_count, node_room, leaf_count, leaf_room;
};

static inline uint32_t up_to(uint64_t bits, uint32_t v)
{
	return (uint32_t)__builtin_popcountll(bits & ((2ull << v) - 1));
}

static inline uint32_t find(const struct poptrie *table, uint32_t address, struct trace *trace)
{
	uint64_t rest = (uint64_t)address << 32 << TOP_BITS;
	uint32_t entry = table->top[address >> (32 - TOP_BITS)], v;
	const struct node *node;
	const uint16_t *leaf;

	touch(trace, &table->top[address >> (32 - TOP_BITS)]);
	if (entry & IS_LEAF)
		return entry & ~IS_LEAF;
	node = &table->nodes[entry];
	touch(trace, node);
	touch(trace, (const char *)(node + 1) - 1);
	for (v = rest >> 58; node->vector >> v & 1; v = rest >> 58) {
		node = &table->nodes[node->nodes + up_to(node->vector, v) - 1];
		touch(trace, node);
		touch(trace, (const char *)(node + 1) - 1);
		rest <<= STEP_BITS;
	}
	leaf = &table->leaves[node->leaves + up_to(node->leafvec, v) - 1];
	touch(trace, leaf);
	return *leaf;
}

static uint32_t add_nodes(struct poptrie *table, uint32_t count)
{
	uint32_t first = table->node_count;

	table->node_count += count;
	if (table->node_count > table->node_room) {
		table->node_room = table->node_count * 2;
		table->nodes = bench_alloc(table->nodes, table->node_room, sizeof(*table->nodes));
	}
	return first;
}

static void add_leaf(struct poptrie *table, uint16_t leaf)
{
	if (table->leaf_count == table->leaf_room) {
		table->leaf_room = table->leaf_room ? table->leaf_room * 2 : 1024;
		table->leaves =
			bench_alloc(table->leaves, table->leaf_room, sizeof(*table->leaves));
	}
	table->leaves[table->leaf_count++] = leaf;
}

/* Where a walk over the boundaries is. */
struct walk {
	const struct boundary *at, *end;
};

/* Moves to the boundary that holds the padded address @start. */
static void walk_to(struct walk *walk, uint64_t start)
{
	while (walk->at + 1 < walk->end && (uint64_t)walk->at[1].start << PADDING <= start)
		walk->at++;
}

static int is_uniform(const struct walk *walk, uint64_t next)
{
	return walk->at + 1 == walk->end || (uint64_t)walk->at[1].start << PADDING >= next;
}

/* Node @index stands for the padded addresses from @start, @span of them per child. */
static void fill_node(struct poptrie *table, uint32_t index, uint64_t start, uint64_t span,
		      struct walk walk)
{
	struct node node = { .leaves = table->leaf_count };
	struct walk inside[CHILDREN];
	uint32_t last = ~0u, child = 0;

	for (uint32_t v = 0; v < CHILDREN; v++) {
		walk_to(&walk, start + v * span);
		if (!is_uniform(&walk, start + (v + 1) * span)) {
			node.vector |= 1ull << v;
			inside[v] = walk;
			continue;
		}
		if (walk.at->leaf != last) {
			node.leafvec |= 1ull << v;
			add_leaf(table, walk.at->leaf);
			last = walk.at->leaf;
		}
	}
	node.nodes = add_nodes(table, (uint32_t)__builtin_popcountll(node.vector));
	table->nodes[index] = node;
	for (uint32_t v = 0; v < CHILDREN; v++)
		if (node.vector >> v & 1)
			fill_node(table, node.nodes + child++, start + v * span, span / CHILDREN,
				  inside[v]);
}

static void *poptrie_build(const struct boundaries *boundaries)
{
	struct poptrie *table = bench_alloc(NULL, 1, sizeof(*table));
	struct walk walk = { boundaries->items, boundaries->items + boundaries->count };
	const uint64_t span = 1ull << (32 + PADDING - TOP_BITS);

	*table = (struct poptrie){ .top = bench_alloc(NULL, TOP, sizeof(*table->top)) };
	for (uint32_t i = 0; i < TOP; i++) {
		walk_to(&walk, i * span);
		if (is_uniform(&walk, (i + 1) * span)) {
			table->top[i] = IS_LEAF | walk.at->leaf;
			continue;
		}
		table->top[i] = add_nodes(table, 1);
		fill_node(table, table->top[i], i * span, span / CHILDREN, walk);
	}
	return table;
}

static uint32_t poptrie_find(const void *table, struct key key)
{
	return find(table, (uint32_t)(key.hi >> 32), NULL);
}

static uint32_t poptrie_trace(const void *table, struct key key, struct trace *trace)
{
	return find(table, (uint32_t)(key.hi >> 32), trace);
}

static size_t poptrie_size(const void *table)
{
	const struct poptrie *poptrie = table;

	return TOP * sizeof(*poptrie->top) + poptrie->node_count * sizeof(*poptrie->nodes) +
	       poptrie->leaf_count * sizeof(*poptrie->leaves);
}

static void poptrie_release(void *table)
{
	struct poptrie *poptrie = table;

	free(poptrie->top);
	free(poptrie->nodes);
	free(poptrie->leaves);
	free(poptrie);
}

const struct candidate candidate_poptrie = {
	.name = "poptrie",
	.build = poptrie_build,
	.find = poptrie_find,
	.trace = poptrie_trace,
	.size = poptrie_size,
	.release = poptrie_release,
};
