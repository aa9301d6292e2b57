/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an image is shown: one wording for check, compile, inspect and status. */
#include "describe.h"

#include <stanch/reasons.h>
#include <string.h>

static const char *const action_names[] = {
	[ACTION_ALLOW] = "allow", [ACTION_DROP] = "drop",	[ACTION_FLAG] = "flag",
	[ACTION_SCORE] = "score", [ACTION_PROTECT] = "protect",
};
_Static_assert(ARRAY_SIZE(action_names) == ACTIONS, "every action");

static const char *const match_names[] = {
	[MATCH_SOURCE] = "source",
	[MATCH_DESTINATION] = "destination",
};
_Static_assert(ARRAY_SIZE(match_names) == MATCHES, "every match");

const char *action_name(unsigned int action)
{
	return action_names[action];
}

const char *digest_text(const uint8_t digest[32], char *out)
{
	size_t i;

	for (i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return out;
}

json_t *list_name(const struct image *image, uint32_t id)
{
	const struct list_record *list = image && id ? image_list(image, id) : NULL;

	if (!list)
		return json_null();
	return json_stringn(image_text(image, list->name), list->name_len);
}

static json_t *mark_json(const struct image_hot *hot)
{
	if (!hot->mark_mask)
		return json_null();
	return json_pack("{sI, sI}", "mask", (json_int_t)hot->mark_mask, "value",
			 (json_int_t)hot->mark_value);
}

static json_t *counts_json(const struct image_counts *counts)
{
	return json_pack("{sI, sI, sI, sI, sI, sI, sI}", "prefixes", (json_int_t)counts->prefixes,
			 "lists", (json_int_t)counts->lists, "leaves", (json_int_t)counts->leaves,
			 "steps", (json_int_t)counts->steps, "families",
			 (json_int_t)counts->families, "protected_ports", (json_int_t)counts->ports,
			 "protected_prefixes", (json_int_t)counts->protects);
}

json_t *describe_json(const struct image *image)
{
	const struct image_hot *hot = image_hot(image);
	char digest[DIGEST_TEXT];

	return json_pack("{ss, si, sI, so, ss, sb, sb, sb, so, so}", "digest",
			 digest_text(image_id(image)->digest, digest), "image_version",
			 (int)image_id(image)->version, "lines", (json_int_t)image->lines, "bytes",
			 json_u64((uint64_t)image->lines * LINE_SIZE), "mode",
			 mode_names[hot->mode], "inner", !!(hot->flags & IMAGE_INNER), "headers",
			 !!(hot->flags & IMAGE_HEADERS), "sources", !!(hot->flags & IMAGE_SOURCES),
			 "mark", mark_json(hot), "counts", counts_json(image_counts(image)));
}

void describe_text(const struct image *image)
{
	const struct image_counts *counts = image_counts(image);
	const struct image_hot *hot = image_hot(image);
	char digest[DIGEST_TEXT];

	say_text("digest    %s\n", digest_text(image_id(image)->digest, digest));
	say_text("size      %u lines, %llu bytes\n", image->lines,
		 (unsigned long long)image->lines * LINE_SIZE);
	say_text("settings  mode %s, impossible headers %s, tunnels %s, sources %s\n",
		 mode_names[hot->mode], hot->flags & IMAGE_HEADERS ? "drop" : "pass",
		 hot->flags & IMAGE_INNER ? "looked into" : "not looked into",
		 hot->flags & IMAGE_SOURCES ? "counted" : "not counted");
	if (hot->mark_mask)
		say_text("mark      value 0x%08x under mask 0x%08x\n", hot->mark_value,
			 hot->mark_mask);
	say_text("holds     %u prefixes in %u lists, %u combinations, walks of %u lines\n",
		 counts->prefixes, counts->lists, counts->leaves, counts->steps);
	say_text("protects  %u prefixes, %u ports\n", counts->protects, counts->ports);
}

static const char *entry_text(const uint8_t address[16], uint8_t len, uint8_t family, char *out)
{
	struct prefix prefix = { .family = family, .len = len };
	unsigned int i;

	if (!family)
		return "-";
	for (i = 0; i < 8; i++) {
		prefix.hi = prefix.hi << 8 | address[i];
		prefix.lo = prefix.lo << 8 | address[8 + i];
	}
	if (family == 4) {
		prefix.hi &= 0xffffffff00000000ull;
		prefix.lo = 0;
	}
	return prefix_format(&prefix, out);
}

static json_t *entry_json(const uint8_t address[16], uint8_t len, uint8_t family)
{
	char text[PREFIX_TEXT];

	return family ? json_string(entry_text(address, len, family, text)) : json_null();
}

json_t *describe_list_json(const struct image *image, uint32_t id)
{
	const struct list_record *list = image_list(image, id);
	json_t *ret;

	ret = json_pack("{sI, so, ss, ss, sI, sI, so, so}", "id", (json_int_t)id, "name",
			list_name(image, id), "action", action_names[list->action], "match",
			match_names[list->match], "prefixes_v4", (json_int_t)list->prefixes_v4,
			"prefixes_v6", (json_int_t)list->prefixes_v6, "first",
			entry_json(list->first, list->first_len, list->first_family), "last",
			entry_json(list->last, list->last_len, list->last_family));
	if (ret && list->action == ACTION_SCORE) {
		json_object_set_new(
			ret, "family",
			json_stringn(image_text(image, list->family_name), list->family_len));
		json_object_set_new(ret, "points", json_integer(list->points));
	}
	return ret;
}

void describe_list_head(void)
{
	say_text("%5s  %-24s  %-7s  %-11s  %8s  %8s  %s\n", "id", "list", "action", "match", "v4",
		 "v6", "from .. to");
}

void describe_list_row(const struct image *image, uint32_t id)
{
	const struct list_record *list = image_list(image, id);
	char first[PREFIX_TEXT], last[PREFIX_TEXT];

	say_text("%5u  %-24.*s  %-7s  %-11s  %8u  %8u  %s .. %s\n", id, (int)list->name_len,
		 image_text(image, list->name), action_names[list->action],
		 match_names[list->match], list->prefixes_v4, list->prefixes_v6,
		 entry_text(list->first, list->first_len, list->first_family, first),
		 entry_text(list->last, list->last_len, list->last_family, last));
}

json_t *describe_changes_json(const struct image_diff *diff)
{
	json_t *ret = json_array();

	for (uint32_t i = 0; i < diff->count; i++) {
		const struct image_change *change = &diff->changes[i];

		json_array_append_new(ret,
				      json_pack("{ss, ss%, ss}", "kind", change->kind, "sign",
						&change->sign, (size_t)1, "text", change->text));
	}
	return ret;
}
