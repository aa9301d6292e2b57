/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside store/: what the list totals are made of, and their file. */
#ifndef STANCH_STORE_TOTALS_H
#define STANCH_STORE_TOTALS_H

#include "store/store.h"

#include "policy/policy.h"

#define TOTALS_ENTRIES 65538u /* list ids have 16 bits, and `protect` is one more */

struct named_hit {
	char name[POLICY_NAME_MAX + 1];
	struct hit hit;
};

/* Names in order, each once. */
struct tally {
	struct named_hit *names;
	size_t count;
	struct hit *base[SLOTS]; /* NULL: all zero */
	uint32_t entries[SLOTS];
};

#define auto_tally cleanup(tally_free)
void tally_free(struct tally *tally);
/* tally_sort - put the names in order, equal ones together into one. */
void tally_sort(struct tally *tally);
const struct named_hit *tally_find(const struct tally *tally, const char *name);
/* totals_name - is this the name of a list, or the empty one? */
bool totals_name(const char *name, size_t len);

/* tally_read - the file. -ENOENT; -EBADMSG when it is damaged. Bases only when @boot is its own. */
int tally_read(const struct places *places, const char *boot, struct tally *ret);
int tally_write(const struct places *places, const char *boot, const struct tally *tally);
/* tally_keep_damaged - the file as totals.bad. */
int tally_keep_damaged(const struct places *places);

#endif
