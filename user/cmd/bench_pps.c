/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets per second with live frames, from one CPU, through a pair of joined interfaces: stanch as
 * it is attached anywhere, beside programs that count and do nothing else. What counts is what
 * arrived and was judged. The four ways take turns.
 */
#include <errno.h>
#include <time.h>

#include "cmd/bench.h"
#include "cmd/look.h"

#define ROUNDS 7u
#define BUDGET_MS 5000u
#define BUDGET_QUICK_MS 1000u

struct way {
	bool bare;
	enum yard_program program; /* when it is */
	enum bench_class classes[2]; /* of the packet: the first that the policy has */
	unsigned int class_count;
};

static const struct way ways[PPS_WAYS] = {
	[PPS_BARE_DROP] = { true, YARD_DROP, { BENCH_DROP_V4, BENCH_DROP_V6 }, 2 },
	[PPS_DROP] = { false, 0, { BENCH_DROP_V4, BENCH_DROP_V6 }, 2 },
	[PPS_BARE_PASS] = { true, YARD_PASS, { BENCH_PASS }, 1 },
	[PPS_PASS] = { false, 0, { BENCH_PASS }, 1 },
};

struct sending {
	struct bench_place *place;
	struct yard *yard;
	struct counter *counters;
	struct bench_packet packets[PPS_WAYS];
	unsigned int counts[PPS_WAYS];
	double rates[PPS_WAYS][PPS_SAMPLES];
};

static void sending_free(struct sending *sending)
{
	yard_close(&sending->yard);
	free(sending->counters);
}

/* A packet that the policy does not stop is none to measure a drop with. */
static int find_packets(struct sending *s)
{
	const struct bench *bench = s->place->bench;

	for (unsigned int i = 0; i < PPS_WAYS; i++) {
		int r = -ENOENT;

		for (unsigned int n = 0; n < ways[i].class_count && r == -ENOENT; n++)
			r = bench_packet(&bench->image.image, ways[i].classes[n], &s->packets[i]);
		if (r && r != -ENOENT)
			return r;
		s->place->bench->pps.rows[i].there =
			!r && s->packets[i].dropped == (ways[i].classes[0] == BENCH_DROP_V4);
	}
	return 0;
}

/* Packets that the instance has judged so far. */
static int judged(struct sending *s, uint64_t *ret)
{
	int r = counters_read(s->place->instance, s->counters);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < COUNTERS && !r; i++)
		for (unsigned int verdict = 0; verdict < VERDICTS; verdict++)
			sum += s->counters[i].packets[verdict];
	*ret = sum;
	return r;
}

static int arrived(struct sending *s, bool bare, uint64_t *ret)
{
	if (!bare)
		return judged(s, ret);
	*ret = yard_counted(s->yard);
	return 0;
}

/* What is on the receiving interface is there already. */
static int send_frames(struct sending *s, unsigned int i)
{
	struct bench_pps *pps = &s->place->bench->pps;
	struct wire_report report = { 0 };
	uint64_t before = 0, after = 0;
	int r = arrived(s, ways[i].bare, &before);

	if (!r)
		r = wire_send(s->yard, &s->packets[i].frame, pps->ms * 1000000ull, &report);
	if (!r)
		r = arrived(s, ways[i].bare, &after);
	if (r)
		return r;
	pps->rows[i].packets += after - before;
	s->rates[i][s->counts[i]++] = report.rate * (double)(after - before) / (double)report.sent;
	return 0;
}

static int run_bare(struct sending *s, unsigned int i)
{
	autoclose int link = -1;
	int r = wire_attach(s->yard, ways[i].program, &link);

	return r ? r : send_frames(s, i);
}

static int run_stanch(struct sending *s, unsigned int i)
{
	struct bench_place *place = s->place;
	int r = attach_interface(place->instance, WIRE_IN, ATTACH_NATIVE, place->diag);

	if (r)
		return r;
	r = send_frames(s, i);
	if (r)
		return r;
	return detach_interface(place->instance, WIRE_IN, place->diag);
}

static int run_round(struct sending *s)
{
	int r = 0;

	for (unsigned int i = 0; i < PPS_WAYS && !r; i++) {
		if (s->place->bench->pps.rows[i].there)
			r = ways[i].bare ? run_bare(s, i) : run_stanch(s, i);
	}
	return r;
}

static int run_rounds(struct sending *s)
{
	struct bench *bench = s->place->bench;
	unsigned int budget = bench->quick ? BUDGET_QUICK_MS : BUDGET_MS;
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int r = 0;

	while (!r && bench_goes_on(bench->pps.rounds, ROUNDS, start, budget)) {
		bench->pps.rounds++;
		bench_progress(bench, "packets per second: round %u", bench->pps.rounds);
		r = run_round(s);
	}
	return r;
}

/* Each way beside the bare program that does the same to packets. */
static void sum_up(struct sending *s)
{
	struct pps_row *rows = s->place->bench->pps.rows;

	for (unsigned int i = 0; i < PPS_WAYS; i++) {
		unsigned int yard = i < PPS_BARE_PASS ? PPS_BARE_DROP : PPS_BARE_PASS;
		double ratios[PPS_SAMPLES], bare[PPS_SAMPLES];

		for (unsigned int n = 0; n < s->counts[i]; n++) {
			ratios[n] = s->rates[i][n];
			bare[n] = s->rates[yard][n];
		}
		rows[i].ratio = spread_ratios(ratios, bare, s->counts[i]);
	}
	for (unsigned int i = 0; i < PPS_WAYS; i++)
		rows[i].rate = spread_of(s->rates[i], s->counts[i]);
}

int bench_pps(struct bench_place *place)
{
	struct bench *bench = place->bench;
	cleanup(sending_free) struct sending s = {
		.place = place,
		.counters = calloc((size_t)COUNTERS, sizeof(*s.counters)),
	};
	int r = s.counters ? 0 : -ENOMEM;

	bench->pps.ms = bench->quick ? 20 : 100;
	r = r ? r : yard_open(&s.yard, place->diag);
	r = r ? r : wire_make(place->diag);
	r = r ? r : bench_live(place, &bench->image, NULL);
	r = r ? r : find_packets(&s);
	r = r ? r : run_rounds(&s);
	if (!r)
		sum_up(&s);
	return r;
}
