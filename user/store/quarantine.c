/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that did harm, by digest, for QUARANTINE_S. Times are of the wall clock: one that jumped
 * ahead ends a quarantine early, one that jumped back cannot make it longer than from now.
 */
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "store/json_file.h"

#define ENTRIES 256u /* the oldest makes room */

static const struct json_kind quarantine_kind = {
	.name = "quarantine.json",
	.kept = "quarantine.bad",
	.schema = "stanch.quarantine/1",
	.max = (size_t)128 << 10,
};

static const char *const file_members[] = { "schema", "digests", NULL };
static const char *const entry_members[] = { "since", "why", NULL };

struct entry {
	char digest[65];
	uint64_t since_s;
	char why[64];
};

struct quarantined {
	struct entry entries[ENTRIES + 1]; /* one more than is kept, while one is added */
	uint32_t count;
};

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

/* Seconds that are left of it. */
static uint64_t left_of(const struct entry *entry, uint64_t now)
{
	uint64_t spent = now > entry->since_s ? now - entry->since_s : 0;

	return spent < QUARANTINE_S ? QUARANTINE_S - spent : 0;
}

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int take_entry(const char *digest, const json_t *value, struct entry *ret)
{
	if (!is_digest(digest) || json_members(value, entry_members))
		return -EBADMSG;
	memcpy(ret->digest, digest, sizeof(ret->digest));
	return json_take_u64(json_object_get(value, "since"), &ret->since_s)
		       ?: json_take_text(json_object_get(value, "why"), ret->why, sizeof(ret->why));
}

static int take_file(json_t *file, struct quarantined *ret)
{
	json_t *digests = json_object_get(file, "digests");
	const char *digest;
	json_t *value;

	if (json_members(file, file_members) || !json_is_object(digests) ||
	    json_object_size(digests) > ENTRIES)
		return -EBADMSG;
	json_object_foreach(digests, digest, value)
	{
		if (take_entry(digest, value, &ret->entries[ret->count]))
			return -EBADMSG;
		ret->count++;
	}
	return 0;
}

/* None when there is no file, or a damaged one (-EBADMSG is returned then). */
static int load(const struct places *places, struct quarantined *ret)
{
	auto_json json_t *file = NULL;
	int err = json_file_read(places, &quarantine_kind, &file);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = take_file(file, ret);
	if (err)
		ret->count = 0;
	return err;
}

static int save(const struct places *places, int damaged, const struct quarantined *list)
{
	auto_json json_t *file = json_file_new(&quarantine_kind);
	json_t *digests = json_object();
	uint64_t now = now_s();

	if (json_object_set_new(file, "digests", digests))
		return -ENOMEM;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entries[i];

		if (left_of(entry, now) &&
		    json_object_set_new(digests, entry->digest,
					json_pack("{so,ss}", "since", json_give_u64(entry->since_s),
						  "why", entry->why)))
			return -ENOMEM;
	}
	return json_file_replace(places, &quarantine_kind, damaged, file);
}

/* The file, and in it the entry of @digest, NULL for none. Returns 0, -EBADMSG when damaged, ... */
static int look_up(const struct places *places, const uint8_t digest[32], struct quarantined *list,
		   struct entry **ret)
{
	int err = load(places, list);
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), digest, 32);
	*ret = NULL;
	for (uint32_t i = 0; i < list->count; i++) {
		if (!strcmp(list->entries[i].digest, hex))
			*ret = &list->entries[i];
	}
	return err;
}

static void drop_oldest(struct quarantined *list)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < list->count; i++) {
		if (list->entries[i].since_s < list->entries[oldest].since_s)
			oldest = i;
	}
	list->entries[oldest] = list->entries[--list->count];
}

int quarantine_add(const struct places *places, const uint8_t digest[32], const char *why)
{
	autofree struct quarantined *list = calloc(1, sizeof(*list));
	struct entry *entry;
	int err;

	if (!list)
		return -ENOMEM;
	err = look_up(places, digest, list, &entry);
	if (err && err != -EBADMSG)
		return err;
	if (!entry && list->count == ENTRIES)
		drop_oldest(list);
	if (!entry)
		entry = &list->entries[list->count++];
	sodium_bin2hex(entry->digest, sizeof(entry->digest), digest, 32);
	entry->since_s = now_s();
	text_copy(why, entry->why, sizeof(entry->why));
	return save(places, err, list);
}

int quarantine_find(const struct places *places, const uint8_t digest[32], struct quarantine *ret)
{
	autofree struct quarantined *list = calloc(1, sizeof(*list));
	struct entry *entry;
	uint64_t left;
	int err;

	if (!list)
		return -ENOMEM;
	err = look_up(places, digest, list, &entry);
	if (err && err != -EBADMSG)
		return err;
	left = entry ? left_of(entry, now_s()) : 0;
	if (!left)
		return -ENOENT;
	ret->left_s = left;
	memcpy(ret->why, entry->why, sizeof(ret->why));
	return 0;
}
