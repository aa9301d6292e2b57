/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control word: one aligned store through the mapping of one array. Needs its pin and nothing
 * else, so that the switches work when everything else is broken. Takes no lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/inside.h"

#define CONTROL_BYTES (CONTROL_ENTRIES * sizeof(uint64_t))

struct control {
	uint64_t *entries; /* NULL for a reader: a read-only map cannot be mapped */
	int fd; /* for a reader, else -1 */
};

int control_map(int fd, struct control **ret)
{
	autofree struct control *control = malloc(sizeof(*control));
	void *entries;

	if (!control)
		return -ENOMEM;
	*control = (struct control){ .fd = -1 };
	entries = mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries != MAP_FAILED) {
		control->entries = entries;
	} else if (errno == EPERM || errno == EACCES) {
		control->fd = dup(fd);
		if (control->fd < 0)
			return last_error();
	} else {
		return last_error();
	}
	*ret = TAKE_PTR(control);
	return 0;
}

int control_open(const struct places *places, struct control **ret)
{
	autoclose int fd = bpffs_get(places->pins, pin_kinds[PIN_CONTROL].name);

	return fd < 0 ? fd : control_map(fd, ret);
}

void control_close(struct control **control)
{
	if (!*control)
		return;
	if ((*control)->entries)
		munmap((*control)->entries, CONTROL_BYTES);
	close_fd(&(*control)->fd);
	free(*control);
	*control = NULL;
}

uint64_t control_load(const struct control *control, enum control_entry entry)
{
	uint32_t key = entry;
	uint64_t value = 0; /* when it cannot be read: bypass, the state that claims least */

	if (control->entries)
		return __atomic_load_n(&control->entries[entry], __ATOMIC_SEQ_CST);
	bpf_map_lookup_elem(control->fd, &key, &value);
	return value;
}

int control_set(struct control *control, enum control_entry entry, uint64_t value)
{
	if (!control->entries)
		return -EACCES;
	__atomic_store_n(&control->entries[entry], value, __ATOMIC_SEQ_CST);
	return 0;
}

int control_update(struct control *control, int (*change)(struct word *word, void *context),
		   void *context, uint64_t *ret_before, uint64_t *ret_after)
{
	uint64_t before, after;
	int r;

	if (!control->entries)
		return -EACCES;
	before = control_load(control, CONTROL_WORD);
	do {
		struct word word = word_unpack(before);

		r = change(&word, context);
		if (r)
			return r;
		after = word_pack(&word);
	} while (!__atomic_compare_exchange_n(&control->entries[CONTROL_WORD], &before, after,
					      false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	if (ret_before)
		*ret_before = before;
	if (ret_after)
		*ret_after = after;
	return 0;
}

static int change_mode(struct word *word, void *context)
{
	word->mode = *(const enum mode *)context;
	return 0;
}

int control_set_mode(struct control *control, enum mode mode)
{
	return control_update(control, change_mode, &mode, NULL, NULL);
}

struct kill_change {
	uint16_t set, clear;
};

static int change_kills(struct word *word, void *context)
{
	const struct kill_change *change = context;

	word->kills = (word->kills | change->set) & ~change->clear;
	return 0;
}

int control_set_kills(struct control *control, uint16_t set, uint16_t clear)
{
	struct kill_change change = { set, clear };

	return control_update(control, change_kills, &change, NULL, NULL);
}

int control_set_break_glass(struct control *control, bool on)
{
	return control_set(control, CONTROL_BREAK_GLASS, on);
}

struct swap_change {
	unsigned int slot;
	uint16_t epoch;
};

static void make_live(struct word *word, unsigned int slot)
{
	word->live = slot;
	word->candidate = 0;
	word->share = 0;
	word->provisional = 0;
	word->epoch++;
}

static int change_swap(struct word *word, void *context)
{
	const struct swap_change *change = context;

	if (word->epoch != change->epoch)
		return -ESTALE;
	word->good = word->live;
	make_live(word, change->slot);
	return 0;
}

int control_swap(struct control *control, unsigned int slot, uint16_t epoch)
{
	struct swap_change change = { slot, epoch };

	if (slot >= SLOTS)
		return -EINVAL;
	return control_update(control, change_swap, &change, NULL, NULL);
}

void control_end_trial(struct word *word)
{
	make_live(word, word->share ? word->live : word->good);
}

static int change_rollback(struct word *word, void *context)
{
	(void)context;
	control_end_trial(word);
	return 0;
}

int control_rollback(struct control *control, struct word *ret_before)
{
	uint64_t before;
	int r = control_update(control, change_rollback, NULL, &before, NULL);

	if (!r && ret_before)
		*ret_before = word_unpack(before);
	return r;
}
