/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every combination of lists once. A hash table finds those already seen; numbers follow the order
 * of first use, which is address order, so the hash decides nothing that anyone can see.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_parts.h"

#define LEAVES_FIRST 16u

/* Policies choose what is hashed, but more than LIMIT_LEAVES combinations are refused anyway. */
static uint64_t hash_leaf(const struct leaf *leaf)
{
	uint64_t words[sizeof(*leaf) / sizeof(uint64_t)], hash = 0;

	memcpy(words, leaf, sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return hash;
}

/* The bucket of this combination, or the free one where it belongs. */
static uint32_t *find_bucket(const struct leaves *leaves, const struct leaf *leaf)
{
	uint32_t at = (uint32_t)hash_leaf(leaf) & (leaves->bucket_count - 1);

	while (leaves->buckets[at] &&
	       memcmp(&leaves->items[leaves->buckets[at] - 1], leaf, sizeof(*leaf)))
		at = (at + 1) & (leaves->bucket_count - 1);
	return &leaves->buckets[at];
}

static int leaves_grow(struct leaves *leaves)
{
	uint32_t cap = leaves->cap ? leaves->cap * 2 : LEAVES_FIRST;
	struct leaf *items = reallocarray(leaves->items, cap, sizeof(*items));
	uint32_t *buckets;

	if (!items)
		return -ENOMEM;
	leaves->items = items;
	buckets = calloc((size_t)cap * 2, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(leaves->buckets);
	leaves->buckets = buckets;
	leaves->bucket_count = cap * 2;
	leaves->cap = cap;
	for (uint32_t i = 0; i < leaves->count; i++)
		*find_bucket(leaves, &items[i]) = i + 1;
	return 0;
}

int leaf_intern(struct leaves *leaves, const struct leaf *leaf, uint32_t *ret)
{
	uint32_t *bucket = find_bucket(leaves, leaf);

	if (!*bucket) {
		if (leaves->count == leaves->cap) {
			if (leaves_grow(leaves))
				return -ENOMEM;
			bucket = find_bucket(leaves, leaf);
		}
		leaves->items[leaves->count++] = *leaf;
		*bucket = leaves->count;
	}
	*ret = *bucket - 1;
	return 0;
}

int leaves_start(struct leaves *leaves)
{
	const struct leaf nothing = { 0 };
	uint32_t id;

	*leaves = (struct leaves){ 0 };
	if (leaves_grow(leaves))
		return -ENOMEM;
	return leaf_intern(leaves, &nothing, &id);
}

void leaves_free(struct leaves *leaves)
{
	free(leaves->items);
	free(leaves->buckets);
	*leaves = (struct leaves){ 0 };
}
