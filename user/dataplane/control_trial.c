/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trial of a generation, step by step: a deadline, then one store of the word. The clock is
 * looked at on both sides of every store that would prolong a trial, because this process may be
 * stopped between any two instructions. Takes no lock and needs the one pin.
 */
#include <errno.h>
#include <time.h>

#include "dataplane/inside.h"

/* What is to become of the word, if it still is the one that the caller knows. */
struct change {
	unsigned int slot, good;
	uint16_t share, epoch;
};

typedef int change_fn(struct word *word, void *context);

static bool passed(uint64_t deadline_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec >= deadline_ns;
}

static int change_canary(struct word *word, void *context)
{
	const struct change *change = context;

	if (word->epoch != change->epoch)
		return -ESTALE;
	if (word->provisional && (!word->share || word->candidate != change->slot))
		return -EBUSY;
	if (word->live == change->slot)
		return -EINVAL;
	word->candidate = change->slot;
	word->share = change->share;
	word->provisional = 1;
	word->epoch++;
	return 0;
}

static int change_provisional(struct word *word, void *context)
{
	const struct change *change = context;
	int r = change_canary(word, context);

	if (r)
		return r;
	word->good = word->live;
	word->live = change->slot;
	word->candidate = 0;
	word->share = 0;
	return 0;
}

/* A trial at this epoch. */
static int check_running(const struct word *word, const struct change *change)
{
	if (word->epoch != change->epoch)
		return -ESTALE;
	return word->provisional ? 0 : -EINVAL;
}

/* For a deadline alone: the word is looked at and left as it is. */
static int change_nothing(struct word *word, void *context)
{
	return check_running(word, context);
}

static int change_keep(struct word *word, void *context)
{
	int r = check_running(word, context);

	if (r)
		return r;
	if (word->share)
		return -EINVAL;
	word->provisional = 0;
	word->epoch++;
	return 0;
}

static int change_revert(struct word *word, void *context)
{
	const struct change *change = context;
	int r = check_running(word, change);

	if (r)
		return r;
	control_end_trial(word);
	word->good = change->good;
	return 0;
}

/* The trial at this epoch is over, whatever was stored meanwhile: back to what was trusted. */
static int change_end(struct word *word, void *context)
{
	const struct change *change = context;

	if (word->epoch != change->epoch)
		return -ESTALE;
	control_end_trial(word);
	return 0;
}

/* Nothing that has expired comes alive again: -ETIME, or what else happened to it meanwhile. */
static int end_trial(struct control *control, uint16_t epoch)
{
	struct change change = { .epoch = epoch };
	int r = control_update(control, change_end, &change, NULL, NULL);

	return r ? r : -ETIME;
}

/* Would @fn do to the word as it is? @ret_running: it belongs to a trial. */
static int ask(const struct control *control, change_fn *fn, struct change *change,
	       bool *ret_running)
{
	struct word word = word_unpack(control_load(control, CONTROL_WORD));

	*ret_running = word.provisional;
	return fn(&word, change);
}

/* The deadline of a step that @fn would make, before it is made. */
static int set_deadline(struct control *control, change_fn *fn, struct change *change,
			uint64_t deadline_ns)
{
	uint64_t before = control_load(control, CONTROL_LEASE);
	bool running;
	int r = ask(control, fn, change, &running);

	if (!r && running && passed(before))
		r = -ETIME;
	r = r ? r : control_set(control, CONTROL_LEASE, deadline_ns);
	if (r || !running)
		return r;
	return passed(before) ? end_trial(control, change->epoch) : 0;
}

static int step_to(struct control *control, change_fn *fn, const struct trial_step *step,
		   uint16_t *epoch)
{
	struct change change = { .slot = step->slot, .share = step->share, .epoch = *epoch };
	int r;

	if (step->slot >= SLOTS)
		return -EINVAL;
	r = set_deadline(control, fn, &change, step->deadline_ns);
	r = r ? r : control_update(control, fn, &change, NULL, NULL);
	if (!r)
		(*epoch)++;
	return r;
}

int control_canary(struct control *control, const struct trial_step *step, uint16_t *epoch)
{
	if (!step->share || step->share > 1000)
		return -EINVAL;
	return step_to(control, change_canary, step, epoch);
}

int control_provisional(struct control *control, const struct trial_step *step, uint16_t *epoch)
{
	return step_to(control, change_provisional, step, epoch);
}

int control_renew(struct control *control, uint64_t deadline_ns, uint16_t epoch)
{
	struct change change = { .epoch = epoch };
	bool running;
	int r = set_deadline(control, change_nothing, &change, deadline_ns);

	return r ? r : ask(control, change_nothing, &change, &running);
}

int control_keep(struct control *control, uint16_t *epoch)
{
	struct change change = { .epoch = *epoch };
	uint64_t deadline = control_load(control, CONTROL_LEASE);
	bool running;
	int r = ask(control, change_keep, &change, &running);

	if (!r && passed(deadline))
		r = -ETIME;
	r = r ? r : control_update(control, change_keep, &change, NULL, NULL);
	if (!r && passed(deadline)) /* it may have been too late: what fell back stays back */
		r = end_trial(control, *epoch + 1);
	if (!r)
		(*epoch)++;
	return r;
}

int control_revert(struct control *control, unsigned int good, uint16_t *epoch)
{
	struct change change = { .good = good, .epoch = *epoch };
	int r;

	if (good >= SLOTS)
		return -EINVAL;
	r = control_update(control, change_revert, &change, NULL, NULL);
	if (!r)
		(*epoch)++;
	return r;
}
