/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator allows and blocks, as a file. A damaged one is not taken for an empty one: it
 * says who must not be blocked. Knows nothing of images and of what has expired.
 */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stanch/abi.h>

#include "base/cleanup.h"
#include "policy/overrides.h"
#include "store/json_file.h"

static const struct json_kind override_kind = {
	.name = "overrides.json",
	.kept = "overrides.bad",
	.schema = "stanch.overrides/1",
	.max = (size_t)4 << 20,
};

static const char *const file_members[] = { "schema", "overrides", NULL };
static const char *const item_members[] = { "prefix", "action", "expires", "since",
					    "uid",    "reason", NULL };

static int take_prefix(const json_t *value, struct prefix *ret)
{
	const char *text = json_string_value(value);
	struct prefix prefix = { 0 };

	if (!text || prefix_parse(text, json_string_length(value), &prefix))
		return -EBADMSG;
	*ret = (struct prefix){
		.hi = prefix.hi, .lo = prefix.lo, .family = prefix.family, .len = prefix.len
	};
	return 0;
}

static int take_action(const json_t *value, bool *ret_block)
{
	const char *text = json_string_value(value);

	if (!text || (strcmp(text, "block") && strcmp(text, "allow")))
		return -EBADMSG;
	*ret_block = *text == 'b';
	return 0;
}

static int take_uid(const json_t *value, uint32_t *ret)
{
	json_int_t uid = json_integer_value(value);

	if (!json_is_integer(value) || uid < 0 || uid > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)uid;
	return 0;
}

static int take_item(const json_t *value, struct override *ret)
{
	if (json_members(value, item_members))
		return -EBADMSG;
	return take_prefix(json_object_get(value, "prefix"), &ret->prefix)
		       ?: take_action(json_object_get(value, "action"), &ret->block)
		       ?: json_take_u64(json_object_get(value, "expires"), &ret->expires)
		       ?: json_take_u64(json_object_get(value, "since"), &ret->since)
		       ?: take_uid(json_object_get(value, "uid"), &ret->uid)
		       ?: json_take_text(json_object_get(value, "reason"), ret->reason,
					 sizeof(ret->reason));
}

int override_list_read(const struct places *places, struct override **ret, uint32_t *ret_count)
{
	auto_json json_t *file = NULL;
	autofree struct override *items = NULL;
	const json_t *list, *item;
	size_t i;
	int err = json_file_read(places, &override_kind, &file);

	if (err && err != -ENOENT)
		return err;
	list = json_object_get(file, "overrides");
	if (!err && (json_members(file, file_members) || !json_is_array(list) ||
		     json_array_size(list) > LIMIT_OVERRIDES))
		return -EBADMSG;
	items = calloc(json_array_size(list) + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	json_array_foreach(list, i, item)
	{
		if (take_item(item, &items[i]))
			return -EBADMSG;
	}
	*ret_count = (uint32_t)json_array_size(list);
	*ret = TAKE_PTR(items);
	return 0;
}

static json_t *give_item(const struct override *item)
{
	char prefix[PREFIX_TEXT], reason[OVERRIDE_REASON];

	text_copy(item->reason, reason, sizeof(reason));
	return json_pack("{ss,ss,so,so,sI,ss}", "prefix", prefix_format(&item->prefix, prefix),
			 "action", item->block ? "block" : "allow", "expires",
			 json_give_u64(item->expires), "since", json_give_u64(item->since), "uid",
			 (json_int_t)item->uid, "reason", reason);
}

int override_list_write(const struct places *places, const struct override *items, uint32_t count)
{
	auto_json json_t *file = json_file_new(&override_kind);
	autofree struct override *old = NULL;
	json_t *list;
	uint32_t old_count;
	int old_error = override_list_read(places, &old, &old_count);

	if (!count && !old_error) /* the last one: nothing that a full disk could stop */
		return disk_remove(places, override_kind.name);
	list = json_array();
	if (json_object_set_new(file, "overrides", list))
		return -ENOMEM;
	if (count > LIMIT_OVERRIDES)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (json_array_append_new(list, give_item(&items[i])))
			return -ENOMEM;
	}
	return json_file_replace(places, &override_kind, old_error, file);
}
