/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside store/: a JSON file below STATE, of a known schema and a bounded size, and its values. */
#ifndef STANCH_STORE_JSON_FILE_H
#define STANCH_STORE_JSON_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "store/disk.h"

struct json_kind {
	const char *name; /* below STATE */
	const char *kept; /* what a damaged one is renamed to when it is replaced */
	const char *schema;
	size_t max; /* bytes */
};

/* json_file_read - -ENOENT; -EBADMSG when it is too long, no object, or of another schema. */
int json_file_read(const struct places *places, const struct json_kind *kind, json_t **ret);
/* json_file_new - an object with the schema set; NULL without memory. */
json_t *json_file_new(const struct json_kind *kind);
/*
 * json_file_write - durable when it returns. -ENOMEM for NULL, which is what json_pack() and
 * json_file_new() give without memory; -EFBIG past the size that could be read again.
 */
int json_file_write(const struct places *places, const struct json_kind *kind, const json_t *file);
/*
 * json_file_replace - the same in place of a file that may be damaged: @damaged is what reading it
 * gave (0 or -errno); for -EBADMSG it is kept aside first.
 */
int json_file_replace(const struct places *places, const struct json_kind *kind, int damaged,
		      const json_t *file);

/* json_take_u64 - a number in a string: digits only, in 64 bits. Returns 0 or -EBADMSG. */
int json_take_u64(const json_t *value, uint64_t *ret);
json_t *json_give_u64(uint64_t value);
/* json_take_text - a string of less than @size bytes without control bytes. 0 or -EBADMSG. */
int json_take_text(const json_t *value, char *ret, size_t size);
/* json_members - does @value have these and no others? The names end with NULL. */
int json_members(const json_t *value, const char *const *names);
/* text_copy - @text as json_take_text() takes it again: cut off, other bytes as '?'. */
void text_copy(const char *text, char *ret, size_t size);

#endif
