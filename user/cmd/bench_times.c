/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a change takes: one swap, from the store to the first packet that the other generation
 * judges, and the steps of an apply for lists made to order. Nothing is stored on a disk and no
 * gate is asked: what depends on the kernel is measured.
 */
#include <errno.h>
#include <time.h>

#include "cmd/bench.h"
#include "cmd/look.h"

#define LIST_USUAL 1000u
#define LIST_LONG 100000u /* longer ones are applied once */
#define STORES 1000u /* swaps in a row whose time is taken together */
#define STORE_ROUNDS 21u
#define SWAPS 200u
#define SWAPS_QUICK 50u

static double now_ms(void)
{
	return (double)now_ns(CLOCK_MONOTONIC) / 1e6;
}

static struct word word_now(const struct bench_place *place)
{
	return word_unpack(control_load(place->control, CONTROL_WORD));
}

/* Into a slot that no packet is judged by. */
static int stage(struct bench_place *place, const struct image_file *image, unsigned int *ret)
{
	const struct word word = word_now(place);
	int slot = slot_free(place->instance, &word);

	if (slot < 0)
		return slot;
	*ret = (unsigned int)slot;
	return slot_stage(place->instance, image, word.epoch + 1u, *ret, place->diag);
}

int bench_live(struct bench_place *place, const struct image_file *image, unsigned int *ret_slot)
{
	unsigned int slot = 0;
	int r = stage(place, image, &slot);

	if (ret_slot)
		*ret_slot = slot;
	return r ? r : control_swap(place->control, slot, word_now(place).epoch);
}

/* ---- swaps ---- */

static int time_swaps(struct bench_place *place, const struct swapping *swapping)
{
	struct bench_times *times = &place->bench->times;
	double stores[STORE_ROUNDS], first[SWAPS];
	int r = 0;

	for (unsigned int i = 0; i < STORE_ROUNDS && !r; i++)
		r = swapping_store(swapping, STORES, &stores[i]);
	times->swaps = place->bench->quick ? SWAPS_QUICK : SWAPS;
	r = r ? r : swapping_first(swapping, times->swaps, first);
	if (r)
		return r;
	for (unsigned int i = 0; i < times->swaps; i++)
		first[i] /= 1000;
	times->store_ns = spread_of(stores, STORE_ROUNDS);
	times->first_us = spread_of(first, times->swaps);
	times->first_worst_us = first[times->swaps - 1]; /* they are in order now */
	return 0;
}

/* Between a generation that drops a packet, and the factory's, which passes everything. */
static int measure_swaps(struct bench_place *place)
{
	auto_image struct image_file drops = { 0 }, passes = { 0 };
	const struct limits *limits = instance_limits(place->instance);
	struct swapping swapping = { place->instance, place->control };
	auto_policy struct policy factory = { 0 };
	struct bench_packet packet;
	int r = bench_image(limits, &drops, place->diag);

	bench_progress(place->bench, "times: swaps");
	policy_factory(&factory);
	r = r ? r : policy_compile(&factory, limits, &passes, place->diag);
	r = r ? r : bench_packet(&drops.image, BENCH_DROP_V4, &packet);
	r = r ? r : bench_live(place, &drops, &swapping.slots[0]);
	r = r ? r : bench_live(place, &passes, &swapping.slots[1]);
	swapping.frame = &packet.frame;
	return r ? r : time_swaps(place, &swapping);
}

/* ---- applies ---- */

/* One apply on its way. */
struct applying {
	struct bench_place *place;
	const struct buf *list;
	struct policy policy;
	struct image_file image;
	unsigned int slot;
	struct proof proof;
};

static void applying_free(struct applying *applying)
{
	policy_free(&applying->policy);
	image_free(&applying->image);
}

static int step_read(struct applying *a)
{
	return bench_list_parse(a->list, instance_limits(a->place->instance), &a->policy,
				a->place->diag);
}

static int step_compile(struct applying *a)
{
	return policy_compile(&a->policy, instance_limits(a->place->instance), &a->image,
			      a->place->diag);
}

static int step_stage(struct applying *a)
{
	return stage(a->place, &a->image, &a->slot);
}

static int step_prove(struct applying *a)
{
	auto_twin struct twin *twin = NULL;
	int r = twin_open(a->place->instance, &twin, a->place->diag);

	return r ? r : prove_slot(twin, &a->image.image, a->slot, &a->proof, a->place->diag);
}

static int step_swap(struct applying *a)
{
	return control_swap(a->place->control, a->slot, word_now(a->place).epoch);
}

static int apply_once(struct applying *a, double ms[APPLY_PARTS])
{
	static int (*const steps[APPLY_PARTS])(struct applying *) = {
		[APPLY_READ] = step_read,   [APPLY_COMPILE] = step_compile,
		[APPLY_STAGE] = step_stage, [APPLY_PROVE] = step_prove,
		[APPLY_SWAP] = step_swap,
	};
	int r = 0;

	for (unsigned int i = 0; i < APPLY_PARTS && !r; i++) {
		double start = now_ms();

		r = steps[i](a);
		ms[i] = now_ms() - start;
	}
	return r;
}

static int apply_rounds(struct bench_place *place, const struct buf *list, struct apply_row *row)
{
	double ms[APPLY_PARTS][APPLY_SAMPLES], total[APPLY_SAMPLES], once[APPLY_PARTS];

	for (unsigned int round = 0; round < row->rounds; round++) {
		cleanup(applying_free) struct applying a = { .place = place, .list = list };
		int r = apply_once(&a, once);

		if (r)
			return r;
		row->lines = a.image.image.lines;
		row->packets = a.proof.packets;
		total[round] = 0;
		for (unsigned int i = 0; i < APPLY_PARTS; i++) {
			ms[i][round] = once[i];
			total[round] += once[i];
		}
	}
	for (unsigned int i = 0; i < APPLY_PARTS; i++)
		row->ms[i] = spread_of(ms[i], row->rounds);
	row->total_ms = spread_of(total, row->rounds);
	return 0;
}

static int measure_applies(struct bench_place *place, uint32_t prefixes)
{
	struct bench_times *times = &place->bench->times;
	struct apply_row *row = &times->rows[times->sizes];
	auto_buf struct buf list = { 0 };
	int r = bench_list(prefixes, &list);

	bench_progress(place->bench, "times: applying %u prefixes", prefixes);
	row->prefixes = prefixes;
	row->rounds = prefixes > LIST_LONG ? 1 : place->bench->quick ? 2 : APPLY_SAMPLES;
	r = r ? r : apply_rounds(place, &list, row);
	if (!r)
		times->sizes++;
	return r;
}

int bench_times(struct bench_place *place)
{
	int r = measure_swaps(place);

	if (!r)
		r = measure_applies(place, LIST_USUAL);
	if (!r && place->bench->size)
		r = measure_applies(place, place->bench->size);
	return r;
}
