/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hits of a list go on under its name, whichever generation and slot counted them. Knows the
 * lists of an image, but neither maps nor which slot is live: the caller brings the numbers.
 */
#include "store/totals.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

struct totals {
	struct places places;
	char *boot;
	bool damaged;
	struct tally tally;
};

void tally_free(struct tally *tally)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		free(TAKE_PTR(tally->base[slot]));
	free(TAKE_PTR(tally->names));
	tally->count = 0;
}

static __u64 add_up(__u64 a, __u64 b)
{
	__u64 sum;

	return __builtin_add_overflow(a, b, &sum) ? ~0ull : sum;
}

/* Stays at the largest number instead of beginning again. */
static void hit_add(struct hit *hit, const struct hit *more)
{
	hit->packets = add_up(hit->packets, more->packets);
	hit->bytes = add_up(hit->bytes, more->bytes);
}

bool totals_name(const char *name, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	if (len > POLICY_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!name[i] || !strchr(allowed, name[i]))
			return false;
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const struct named_hit *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void tally_sort(struct tally *tally)
{
	struct named_hit *names = tally->names;
	size_t last = 0;

	if (!tally->count)
		return;
	qsort(names, tally->count, sizeof(*names), compare_names);
	for (size_t i = 1; i < tally->count; i++) {
		if (strcmp(names[last].name, names[i].name))
			names[++last] = names[i];
		else
			hit_add(&names[last].hit, &names[i].hit);
	}
	tally->count = last + 1;
}

const struct named_hit *tally_find(const struct tally *tally, const char *name)
{
	struct named_hit key;

	if (!tally->count || strlen(name) > POLICY_NAME_MAX)
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);
	return bsearch(&key, tally->names, tally->count, sizeof(key), compare_names);
}

int totals_load(const struct places *places, const char *boot, struct totals **ret)
{
	auto_totals struct totals *totals = calloc(1, sizeof(*totals));
	int err;

	if (!totals)
		return -ENOMEM;
	totals->places = *places;
	totals->boot = strdup(boot);
	if (!totals->boot)
		return -ENOMEM;
	err = tally_read(places, boot, &totals->tally);
	totals->damaged = err == -EBADMSG;
	if (err && err != -ENOENT && err != -EBADMSG)
		return err;
	*ret = TAKE_PTR(totals);
	return 0;
}

void totals_free(struct totals **totals)
{
	if (!*totals)
		return;
	tally_free(&(*totals)->tally);
	free((*totals)->boot);
	free(TAKE_PTR(*totals));
}

bool totals_damaged(const struct totals *totals)
{
	return totals->damaged;
}

/* Counters are never reset while the maps live: one below its base belongs to a stale base. */
static __u64 since(__u64 now, __u64 base)
{
	return now < base ? now : now - base;
}

/* Name of list @id, "" when it has none that we keep. @ret holds POLICY_NAME_MAX + 1 bytes. */
static void name_of(const struct image *image, uint32_t id, char *ret)
{
	const struct list_record *list = image ? image_list(image, id) : NULL;
	const char *text = list ? image_text(image, list->name) : NULL;
	size_t len = text && totals_name(text, list->name_len) ? list->name_len : 0;

	if (len)
		memcpy(ret, text, len);
	ret[len] = '\0';
}

/* The tally that comes next, while it is made out of the one that holds. */
struct fold {
	const struct tally *old;
	struct tally next;
	size_t fresh; /* names that @old does not have */
};

static void fold_free(struct fold *fold)
{
	tally_free(&fold->next);
}

/* Appends without order. Past TOTALS_NAMES a new name has none; one place is kept for that. */
static void fold_hit(struct fold *fold, const struct image *image, uint32_t id,
		     const struct hit *more)
{
	struct named_hit *named = &fold->next.names[fold->next.count++];

	named->hit = *more;
	name_of(image, id, named->name);
	if (tally_find(fold->old, named->name))
		return;
	if (fold->old->count + fold->fresh + 1 < TOTALS_NAMES)
		fold->fresh++;
	else
		*named->name = '\0';
}

static int fold_start(struct fold *fold, unsigned int slot, const struct hit *now, uint32_t entries)
{
	const struct tally *old = fold->old;
	struct tally *next = &fold->next;

	next->names = calloc(old->count + entries + 1, sizeof(*next->names));
	if (!next->names)
		return -ENOMEM;
	if (old->count)
		memcpy(next->names, old->names, old->count * sizeof(*next->names));
	next->count = old->count;
	for (unsigned int i = 0; i < SLOTS; i++) {
		const struct hit *base = i == slot ? now : old->base[i];
		uint32_t count = i == slot ? entries : old->entries[i];

		next->base[i] = calloc(count + 1, sizeof(*base));
		if (!next->base[i])
			return -ENOMEM;
		if (count)
			memcpy(next->base[i], base, count * sizeof(*base));
		next->entries[i] = count;
	}
	return 0;
}

int totals_retire(struct totals *totals, unsigned int slot, const struct image *image,
		  const struct hit *now, uint32_t entries)
{
	cleanup(fold_free) struct fold fold = { .old = &totals->tally };
	int err;

	if (slot >= SLOTS || entries > TOTALS_ENTRIES)
		return -EINVAL;
	err = fold_start(&fold, slot, now, entries);
	if (err)
		return err;
	for (uint32_t id = 1; id < entries; id++) {
		struct hit more;

		totals_base(totals, slot, id, &more);
		more.packets = since(now[id].packets, more.packets);
		more.bytes = since(now[id].bytes, more.bytes);
		if (more.packets || more.bytes)
			fold_hit(&fold, image, id, &more);
	}
	tally_sort(&fold.next);
	err = totals->damaged ? tally_keep_damaged(&totals->places) : 0;
	if (!err)
		err = tally_write(&totals->places, totals->boot, &fold.next);
	if (err)
		return err;
	totals->damaged = false;
	tally_free(&totals->tally);
	totals->tally = fold.next;
	fold.next = (struct tally){ 0 };
	return 0;
}

void totals_of(const struct totals *totals, const char *name, size_t name_len, struct hit *ret)
{
	char text[POLICY_NAME_MAX + 1];
	const struct named_hit *named;

	*ret = (struct hit){ 0, 0 };
	if (!totals_name(name, name_len))
		return;
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	named = tally_find(&totals->tally, text);
	if (named)
		*ret = named->hit;
}

void totals_base(const struct totals *totals, unsigned int slot, uint32_t id, struct hit *ret)
{
	const struct tally *tally = &totals->tally;
	bool known = slot < SLOTS && id < tally->entries[slot];

	*ret = known ? tally->base[slot][id] : (struct hit){ 0, 0 };
}
