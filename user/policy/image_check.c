/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking an image, from the outside in: is it one, is it whole, are its parts where they say,
 * does every part hold what it may. Bytes come from anywhere; nothing here knows from where.
 */
#include "policy/image_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/compile.h"
#include "policy/policy.h"

#define MIN_BYTES ((size_t)IMAGE_MIN_LINES * LINE_SIZE)

void check_limit(struct check *check, const char *code, uint64_t actual, uint64_t limit,
		 const char *what)
{
	if (actual > limit)
		diag_add_limit(
			check->diag, &check->place, code, (struct diag_limit){ actual, limit },
			"%" PRIu64 " %s, the loaded program holds %" PRIu64, actual, what, limit);
}

void check_zero(struct check *check, const void *bytes, size_t len, const char *where,
		uint32_t number)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < len; i++) {
		if (!byte[i])
			continue;
		refuse(check, "image_reserved", "reserved bytes of %s %" PRIu32 " are not zero",
		       where, number);
		return;
	}
}

static bool check_version(struct check *check, uint32_t version)
{
	if (version == IMAGE_VERSION && version == check->limits->image_version)
		return true;
	if (version != IMAGE_VERSION)
		refuse(check, "image_version", "image version %u, this tool reads version %u",
		       version, IMAGE_VERSION);
	if (version != check->limits->image_version)
		refuse(check, "image_version", "image version %u, the loaded program reads %u",
		       version, check->limits->image_version);
	return false;
}

/* Is it an image, and all of it? Nothing else is worth saying about bytes that are not. */
static bool check_whole(struct check *check)
{
	const struct image_id *id = (const struct image_id *)check->image.bytes;
	uint8_t digest[32];

	if (check->len < MIN_BYTES) {
		refuse(check, "image_length", "%zu bytes, an image has at least %zu", check->len,
		       MIN_BYTES);
		return false;
	}
	if (id->magic != IMAGE_MAGIC) {
		refuse(check, "image_magic",
		       "this is not an image: it does not begin with STANHIMG");
		return false;
	}
	if (!check_version(check, id->version))
		return false;
	if ((uint64_t)id->lines * LINE_SIZE != check->len) {
		refuse(check, "image_length", "%zu bytes, its %" PRIu32 " lines are %" PRIu64,
		       check->len, id->lines, (uint64_t)id->lines * LINE_SIZE);
		return false;
	}
	check->image.lines = id->lines;
	image_digest(&check->image, digest);
	if (memcmp(digest, id->digest, sizeof(digest)) != 0) {
		refuse(check, "image_digest",
		       "damaged: the bytes do not have the digest they name");
		return false;
	}
	return true;
}

static void check_id(struct check *check)
{
	const struct image_id *id = check_line(check, IMAGE_ID_LINE);

	check_limit(check, "too_many_lines", id->lines, check->limits->lines, "lines");
	check_zero(check, &id->reserved, LINE_SIZE - offsetof(struct image_id, reserved), "line",
		   IMAGE_ID_LINE);
	check_zero(check, check_line(check, IMAGE_HEADER_LINES - 1), LINE_SIZE, "line",
		   IMAGE_HEADER_LINES - 1);
}

static int check_all(struct check *check)
{
	int r;

	if (!check_whole(check))
		return 0;
	check->hot = check_line(check, IMAGE_HOT_LINE);
	check->counts = check_line(check, IMAGE_COUNTS_LINE);
	check_id(check);
	if (!check_sections(check))
		return 0;
	check_hot(check);
	check_counts(check);
	check_ports(check);
	check_expiry(check);
	r = check_lists(check);
	if (!r)
		r = check_leaves(check);
	return r ? r : check_tables(check);
}

int image_check(const char *name, const void *bytes, size_t len, const struct limits *limits,
		struct diag *diag)
{
	struct check check = {
		.image = { .bytes = bytes },
		.len = len,
		.limits = limits,
		.diag = diag,
		.place = { .file = name },
	};
	uint64_t before = diag->total;
	int r = check_all(&check);

	free(check.leaf_tables);
	free(check.seen);
	if (r)
		return r;
	return diag->total == before ? 0 : -EINVAL;
}

/* The copy is what gets checked: whoever holds the bytes may change them meanwhile. */
int image_load(const struct named_text *file, const struct limits *limits, struct image_file *ret,
	       struct diag *diag)
{
	autofree unsigned char *copy = NULL;
	int r;

	if (file->len < MIN_BYTES || file->len % LINE_SIZE)
		return image_check(file->name, file->text, file->len, limits, diag);
	copy = aligned_alloc(LINE_SIZE, file->len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, file->text, file->len);
	r = image_check(file->name, copy, file->len, limits, diag);
	if (r)
		return r;
	ret->bytes = TAKE_PTR(copy);
	ret->image = (struct image){ ret->bytes, (uint32_t)(file->len / LINE_SIZE) };
	return 0;
}
