/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody who was killed left in the kernel: half-made slots, pins on their way, a trial
 * that nobody watches any more. What judges packets now goes on judging them. Callers hold the lock.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/slots.h"

struct repair {
	struct instance *instance;
	void (*fn)(void *context, const char *text);
	void *context;
	int error; /* the first */
};

static void failed(struct repair *repair, int error)
{
	if (error && !repair->error)
		repair->error = error;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct repair *repair, const char *fmt,
						       ...)
{
	char text[DIAG_TEXT];
	va_list list;

	va_start(list, fmt);
	vsnprintf(text, sizeof(text), fmt, list);
	va_end(list);
	repair->fn(repair->context, text);
}

static uint64_t generation_in(const struct repair *repair, unsigned int slot)
{
	struct slot_info info = { 0 };

	return slot_read(repair->instance, slot, &info) ? 0 : info.generation;
}

/* ---- slots ---- */

/* Is there a pin of this slot, or a map in it? */
static bool has_traces(const struct instance *instance, unsigned int slot)
{
	autoclose int pin = slot_map(instance, slot);
	uint32_t key = slot, id;

	return pin >= 0 || !bpf_map_lookup_elem(instance->maps[PIN_SLOTS], &key, &id);
}

/* Map, pin and description agree, or there is nothing of either. */
static int check_slot(const struct instance *instance, unsigned int slot)
{
	int r = slot_check(instance, slot);

	if (r == -ENOENT)
		return has_traces(instance, slot) ? -EBADMSG : 0;
	return r;
}

static void repair_slot(struct repair *repair, unsigned int slot)
{
	int r = check_slot(repair->instance, slot);

	if (r != -EBADMSG) {
		failed(repair, r);
		return;
	}
	r = slot_withdraw(repair->instance, slot);
	if (!r)
		tell(repair, "slot %u was half staged and has been emptied", slot);
	else if (r != -EBUSY) /* the word names it: it may judge, whatever it is */
		failed(repair, r);
}

/* ---- a trial ---- */

static bool has_passed(const struct control *control)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec >= control_load(control, CONTROL_LEASE);
}

/* The word says what is so already, and the slot of the generation on trial becomes free. */
static int end_trial(struct repair *repair, struct control *control)
{
	struct word word = word_unpack(control_load(control, CONTROL_WORD));
	unsigned int tried = word.share ? word.candidate : word.live;
	unsigned int judging = word.share ? word.live : word.good;
	uint64_t generation = generation_in(repair, tried);
	uint16_t epoch = word.epoch;
	int r;

	if (!word.provisional || !has_passed(control))
		return 0;
	r = control_revert(control, word.good, &epoch);
	if (r)
		return r == -ESTALE ? 0 : r;
	tell(repair,
	     "the trial of generation %llu was never ended and its lease has passed; generation "
	     "%llu is live",
	     (unsigned long long)generation, (unsigned long long)generation_in(repair, judging));
	r = slot_withdraw(repair->instance, tried);
	return r == -EBUSY ? 0 : r;
}

static void repair_trial(struct repair *repair)
{
	auto_control struct control *control = NULL;
	int r = control_map(repair->instance->maps[PIN_CONTROL], &control);

	failed(repair, r ? r : end_trial(repair, control));
}

/* ---- pins ---- */

static int sweep_pin(void *context, const char *name)
{
	struct repair *repair = context;
	size_t len = strlen(name), end = strlen(PIN_ASIDE);
	int r;

	if (len <= end || strcmp(name + len - end, PIN_ASIDE))
		return 0;
	r = bpffs_unpin(repair->instance->places.pins, name);
	if (r)
		failed(repair, r);
	else
		tell(repair, "removed the pin `%s`, which was being made", name);
	return 0;
}

int slots_repair(struct instance *instance, void (*fn)(void *context, const char *text),
		 void *context)
{
	struct repair repair = { instance, fn, context, 0 };

	repair_trial(&repair);
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		repair_slot(&repair, slot);
	failed(&repair, bpffs_each(instance->places.pins, sweep_pin, &repair));
	return repair.error;
}
