/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: what the parts of image_check() share. Each part reports every problem of its own
 * and relies on what earlier parts have checked; none believes a number that it has not compared.
 */
#ifndef STANCH_POLICY_IMAGE_CHECK_H
#define STANCH_POLICY_IMAGE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stanch/image.h>

#include "base/diag.h"

struct check {
	struct image image;
	size_t len; /* bytes, before image.lines is known to be right */
	const struct limits *limits;
	struct diag *diag;
	struct diag_place place;
	const struct image_hot *hot;
	const struct image_counts *counts;
	const struct section *sections[SECTION_KINDS]; /* by kind, NULL: there is none */
	uint8_t *leaf_tables; /* by leaf id: bit n when it may stand in enum table n */
	uint64_t *seen; /* by line: a node was found there */
	uint32_t steps; /* longest walk found */
};

extern const char *const section_names[SECTION_KINDS];

#define refuse(check, code, ...) diag_add((check)->diag, &(check)->place, code, __VA_ARGS__)

/* check_limit - @actual @what, and no more than the loaded program holds. */
void check_limit(struct check *check, const char *code, uint64_t actual, uint64_t limit,
		 const char *what);
/* check_zero - @len bytes at @bytes mean nothing yet; @where names them in the message. */
void check_zero(struct check *check, const void *bytes, size_t len, const char *where,
		uint32_t number);

static inline const void *check_line(const struct check *check, uint32_t line)
{
	return check->image.bytes + (size_t)line * LINE_SIZE;
}

/* Items of a section, 0 without one. */
static inline uint32_t check_items(const struct check *check, enum section_kind kind)
{
	return check->sections[kind] ? check->sections[kind]->count : 0;
}

/* Record of list @id, which is at least 1 and at most check_items(SECTION_LISTS). */
static inline const struct list_record *check_list(const struct check *check, uint32_t id)
{
	return check_line(check, check->sections[SECTION_LISTS]->first + id - 1);
}

/* ---- image_check_sections.c ---- */

/* check_sections - the section table; fills check->sections. False: nothing behind it is safe. */
bool check_sections(struct check *check);

/* ---- image_check_counts.c ---- */

/* check_hot, check_counts - lines 1 and 2, against sections, limits and each other. */
void check_hot(struct check *check);
void check_counts(struct check *check);
void check_ports(struct check *check);
void check_expiry(struct check *check);

/* ---- image_check_lists.c ---- */

/* check_lists - the list records, their names, and the counts that sum them up. 0 or -ENOMEM. */
int check_lists(struct check *check);

/* ---- image_check_leaves.c, image_check_tables.c ---- */

/* check_leaves - every leaf; fills check->leaf_tables. 0 or -ENOMEM. */
int check_leaves(struct check *check);
/* check_tables - every node of every table, each reached once. Needs check_leaves(). */
int check_tables(struct check *check);

#endif
