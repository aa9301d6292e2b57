/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images by content, and beside each the text it was compiled from. Knows no slots and no
 * generations: those are numbers of the data plane and of the audit log.
 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/policy.h"
#include "store/disk.h"

#define NAME_ROOM 96

static const char *name_of(const char *folder, const uint8_t digest[32], const char *ending,
			   char ret[NAME_ROOM])
{
	char hex[2 * 32 + 1];

	sodium_bin2hex(hex, sizeof(hex), digest, 32);
	snprintf(ret, NAME_ROOM, "%s/%s.%s", folder, hex, ending);
	return ret;
}

int store_image_write(const struct places *places, const struct image *image)
{
	char name[NAME_ROOM];

	return disk_write(places, name_of("images", image_id(image)->digest, "img", name),
			  image->bytes, (size_t)image->lines * LINE_SIZE);
}

/* A sound image under another one's name is as wrong as a damaged one. */
static int check_name(const char *name, const struct image *image, const uint8_t digest[32],
		      struct diag *diag)
{
	struct diag_place place = { .file = name };

	if (!memcmp(image_id(image)->digest, digest, 32))
		return 0;
	diag_add(diag, &place, "image_name", "the file holds another image than its name says");
	return -EBADMSG;
}

int store_image_read(const struct places *places, const uint8_t digest[32],
		     const struct limits *limits, struct image_file *ret, struct diag *diag)
{
	auto_buf struct buf content = { 0 };
	auto_image struct image_file found = { 0 };
	struct named_text file;
	char name[NAME_ROOM];
	int err;

	name_of("images", digest, "img", name);
	err = disk_read(places, name, FILE_MAX_IMAGE, &content);
	if (err)
		return err;
	file = (struct named_text){ name, content.data, content.len };
	err = image_load(&file, limits, &found, diag);
	if (!err)
		err = check_name(name, &found.image, digest, diag);
	if (err)
		return err == -EINVAL ? -EBADMSG : err;
	*ret = found;
	found = (struct image_file){ 0 };
	return 0;
}

int store_policy_write(const struct places *places, const uint8_t digest[32], const char *text,
		       size_t len)
{
	char name[NAME_ROOM];

	return disk_write(places, name_of("policies", digest, "yaml", name), text, len);
}

int store_policy_read(const struct places *places, const uint8_t digest[32], struct buf *ret)
{
	char name[NAME_ROOM];

	return disk_read(places, name_of("policies", digest, "yaml", name), FILE_MAX_POLICY, ret);
}
