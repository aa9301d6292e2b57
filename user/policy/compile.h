/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy -> image -> checked image. Pure and reproducible: same policy, same bytes. */
#ifndef STANCH_POLICY_COMPILE_H
#define STANCH_POLICY_COMPILE_H

#include <stdint.h>

#include <stanch/image.h>

#include "base/buf.h"
#include "base/diag.h"

struct policy;
struct named_text;

/* An image in memory: image.lines * LINE_SIZE bytes, 64-byte aligned, owned. */
struct image_file {
	struct image image;
	unsigned char *bytes; /* == image.bytes */
};

#define auto_image cleanup(image_free)

/*
 * policy_compile - build the image of @policy (limits already checked by policy_parse).
 * Returns 0 and fills @ret; -EINVAL with problems in @diag (too many lines, leaves, steps for
 * @limits, each with its number); -ENOMEM.
 */
int policy_compile(const struct policy *policy, const struct limits *limits, struct image_file *ret,
		   struct diag *diag);
/*
 * policy_compile_overrides - the same with SECTION_EXPIRY, for an image of operator overrides.
 * @expiry: by list id, CLOCK_MONOTONIC ns from which on the list matches nothing, 0: never;
 * policy->list_count + 1 entries, of which the first stands for no list and is not read.
 */
int policy_compile_overrides(const struct policy *policy, const struct limits *limits,
			     const uint64_t *expiry, struct image_file *ret, struct diag *diag);
void image_free(struct image_file *image);

/*
 * image_check - is every byte of this image what the format allows, the digest right, every
 * reference inside its section, every walk at most limits->steps lines, every count within
 * @limits? Time and memory are linear in the size. @name is used in messages.
 * Returns 0, -EINVAL with problems in @diag, or -ENOMEM. Never reads past @len.
 */
int image_check(const char *name, const void *bytes, size_t len, const struct limits *limits,
		struct diag *diag);

/* image_load - check and copy into aligned memory. Same errors as image_check. */
int image_load(const struct named_text *file, const struct limits *limits, struct image_file *ret,
	       struct diag *diag);

/* image_digest - SHA-256 over all lines with the digest field taken as zero. */
void image_digest(const struct image *image, uint8_t ret[32]);

/* limits_builtin - the limits this tool was built with. */
extern const struct limits limits_builtin;

/* ---- reading a checked image ---- */
const struct image_id *image_id(const struct image *image);
const struct image_hot *image_hot(const struct image *image);
const struct image_counts *image_counts(const struct image *image);
/* image_section - NULL when the image has no such section. */
const struct section *image_section(const struct image *image, enum section_kind kind);
/* image_list - record of list @id (from 1, `protect` included), NULL when there is none. */
const struct list_record *image_list(const struct image *image, uint32_t id);
/* image_text - a name out of SECTION_NAMES; not terminated. */
const char *image_text(const struct image *image, uint32_t offset);
const struct leaf *image_leaf(const struct image *image, uint32_t id);

/*
 * image_each_range - walk one table in address order as maximal ranges of equal leaf. @fn gets the
 * first address of each range and its leaf id; non-zero from it stops the walk and is returned.
 */
int image_each_range(const struct image *image, enum table table,
		     int (*fn)(void *context, uint64_t hi, uint64_t lo, uint32_t leaf),
		     void *context);

/* ---- diff ---- */
struct image_change {
	char kind[16]; /* "setting" "list" "prefix" */
	char sign; /* '+' '-' '~' */
	char text[DIAG_TEXT];
};
struct image_diff {
	struct image_change *changes;
	uint32_t count;
	uint64_t omitted; /* changes past the bound */
};
/*
 * image_diff - what changes for packets and for people when @to replaces @from: settings, lists
 * (by name: added, removed, action or size changed), and address ranges whose winning lists
 * differ by name. At most 1000 changes are stored. Returns 0 or -ENOMEM.
 */
int image_diff(const struct image *from, const struct image *to, struct image_diff *ret);
void image_diff_free(struct image_diff *diff);

#endif
