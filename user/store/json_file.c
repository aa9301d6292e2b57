/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON files of the store: size, schema and types are checked like a stranger's input. Knows
 * nothing of what the files are about.
 */
#include "store/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

int json_file_read(const struct places *places, const struct json_kind *kind, json_t **ret)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *file = NULL;
	const char *schema;
	int err = disk_read(places, kind->name, kind->max, &text);

	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	file = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	schema = json_string_value(json_object_get(file, "schema"));
	if (!schema || strcmp(schema, kind->schema))
		return -EBADMSG;
	*ret = TAKE_PTR(file);
	return 0;
}

json_t *json_file_new(const struct json_kind *kind)
{
	return json_pack("{ss}", "schema", kind->schema);
}

static void free_text(char **text)
{
	free(*text);
}

int json_file_write(const struct places *places, const struct json_kind *kind, const json_t *file)
{
	cleanup(free_text) char *text = json_dumps(file, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return -ENOMEM;
	return len > kind->max ? -EFBIG : disk_write(places, kind->name, text, len);
}

int json_file_replace(const struct places *places, const struct json_kind *kind, int damaged,
		      const json_t *file)
{
	int err = damaged == -EBADMSG ? disk_keep_damaged(places, kind->name, kind->kept) : 0;

	return err ? err : json_file_write(places, kind, file);
}

int json_take_u64(const json_t *value, uint64_t *ret)
{
	const char *text = json_string_value(value);
	unsigned long long number;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end)
		return -EBADMSG;
	*ret = number;
	return 0;
}

json_t *json_give_u64(uint64_t value)
{
	return json_sprintf("%llu", (unsigned long long)value);
}

int json_take_text(const json_t *value, char *ret, size_t size)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text || len >= size)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return -EBADMSG;
	}
	memcpy(ret, text, len + 1);
	return 0;
}

int json_members(const json_t *value, const char *const *names)
{
	size_t count = 0;

	for (; names[count]; count++) {
		if (!json_object_get(value, names[count]))
			return -EBADMSG;
	}
	return json_object_size(value) == count ? 0 : -EBADMSG;
}

void text_copy(const char *text, char *ret, size_t size)
{
	size_t left = strlen(text), len = 0;
	uint32_t code;

	while (left) {
		unsigned int take = utf8_next(text, left, &code);
		bool shown = take && code >= ' ' && code != 0x7f;

		take = take ? take : 1;
		if (len + (shown ? take : 1) >= size)
			break;
		if (shown)
			memcpy(ret + len, text, take);
		else
			ret[len] = '?';
		len += shown ? take : 1;
		text += take;
		left -= take;
	}
	ret[len] = '\0';
}
