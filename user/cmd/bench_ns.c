/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nanoseconds per packet, by class, beside programs that do nothing and next to nothing. Rows take
 * turns, so that whatever disturbs the machine disturbs all of them; stanch is loaded anew several
 * times, since where the kernel happens to put a program is worth some nanoseconds, too.
 */
#include <errno.h>
#include <time.h>

#include "cmd/bench.h"
#include "cmd/look.h"

#define REPEAT 20000u /* more would hold up grace periods of the host */
#define REPEAT_QUICK 10000u
#define LOADS 3u
#define ROUNDS 11u /* of each load */
#define BUDGET_MS 2500u /* for them */
#define BUDGET_QUICK_MS 1000u
#define WARM 2000u /* each run costs the kernel some 20 ms to set up */

struct row {
	int program;
	bool dropped; /* what the packet must get */
	struct frame frame;
	unsigned int count;
	double ns[NS_SAMPLES];
};

struct measuring {
	struct bench *bench;
	struct diag diag;
	struct yard *yard;
	struct twin *twin;
	uint32_t repeat;
	struct row rows[NS_ROWS];
};

static void measuring_free(struct measuring *measuring)
{
	twin_close(&measuring->twin);
	yard_close(&measuring->yard);
	diag_free(&measuring->diag);
}

/* Of all rows: which packet, and what it must get. Yardsticks get what passes. */
static int find_packets(struct measuring *m)
{
	struct ns_row *shown = m->bench->ns.rows;
	struct bench_packet packet;

	shown[0] = (struct ns_row){ .name = "empty program", .there = true };
	shown[1] = (struct ns_row){ .name = "counting drop", .there = true };
	m->rows[1].dropped = true;
	for (unsigned int class = 0; class < BENCH_CLASSES; class ++) {
		struct row *row = &m->rows[NS_YARDS + class];
		int r = bench_packet(&m->bench->image.image, class, &packet);

		if (r && r != -ENOENT)
			return r;
		shown[NS_YARDS + class].name = bench_class_names[class];
		shown[NS_YARDS + class].there = !r;
		if (r)
			continue;
		row->frame = packet.frame;
		row->dropped = packet.dropped;
		for (unsigned int yard = 0; yard < NS_YARDS && !m->rows[yard].frame.len; yard++)
			m->rows[yard].frame = packet.frame;
	}
	return 0;
}

static int open_yard(struct measuring *m)
{
	int r = yard_open(&m->yard, &m->diag);

	if (r)
		return r;
	m->rows[0].program = yard_program_fd(m->yard, YARD_EMPTY);
	m->rows[1].program = yard_program_fd(m->yard, YARD_DROP);
	return 0;
}

static int load(struct measuring *m)
{
	int r;

	twin_close(&m->twin);
	r = twin_open_measured(&m->twin, &m->diag);
	if (!r)
		r = twin_stage(m->twin, &m->bench->image, 0, &m->diag);
	if (!r)
		r = twin_command(m->twin, 0, MODE_ENFORCE, 0);
	if (!r)
		r = yard_then(m->yard, twin_program_fd(m->twin));
	for (unsigned int i = NS_YARDS; i < NS_ROWS && !r; i++)
		m->rows[i].program = i == NS_YARDS + BENCH_FLAG
					     ? yard_program_fd(m->yard, YARD_RESET_THEN)
					     : twin_program_fd(m->twin);
	return r;
}

/* A wrong answer makes the figure worthless. */
static int run_row(struct measuring *m, unsigned int i, uint32_t repeat, double *ret)
{
	struct row *row = &m->rows[i];
	bool dropped = false;
	int r = bench_run(row->program, &row->frame, repeat, ret, &dropped);

	if (r && r != -EBADMSG)
		return r;
	if (!r && dropped == row->dropped)
		return 0;
	diag_add(&m->diag, NULL, "judged_otherwise", "%s: the packet was %s",
		 m->bench->ns.rows[i].name,
		 r	   ? "neither dropped nor passed"
		 : dropped ? "dropped"
			   : "passed");
	return -EBADMSG;
}

/*
 * A flagged packet goes through a program that takes the last flag off before. What that costs by
 * itself is measured in the same round, and is not stanch's.
 */
static int run_flagged(struct measuring *m, unsigned int i, uint32_t repeat, double *ret)
{
	struct row *row = &m->rows[i];
	double with = 0, alone = 0, empty = 0;
	bool dropped;
	int r = run_row(m, i, repeat, &with);

	if (!r)
		r = bench_run(yard_program_fd(m->yard, YARD_RESET), &row->frame, repeat, &alone,
			      &dropped);
	if (!r)
		r = bench_run(yard_program_fd(m->yard, YARD_EMPTY), &row->frame, repeat, &empty,
			      &dropped);
	*ret = with - alone + empty;
	return r;
}

static int run_round(struct measuring *m, uint32_t repeat, bool keep)
{
	for (unsigned int i = 0; i < NS_ROWS; i++) {
		struct row *row = &m->rows[i];
		double ns = 0;
		int r;

		if (!m->bench->ns.rows[i].there)
			continue;
		r = i == NS_YARDS + BENCH_FLAG ? run_flagged(m, i, repeat, &ns)
					       : run_row(m, i, repeat, &ns);
		if (r)
			return r;
		if (keep)
			row->ns[row->count++] = ns;
	}
	return 0;
}

static int run_rounds(struct measuring *m)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	unsigned int budget = m->bench->quick ? BUDGET_QUICK_MS : BUDGET_MS, done = 0;
	int r = run_round(m, WARM, false);

	while (!r && bench_goes_on(done, ROUNDS, start, budget)) {
		r = run_round(m, m->repeat, true);
		done++;
	}
	m->bench->ns.rounds += done;
	return r;
}

static int run_loads(struct measuring *m)
{
	unsigned int loads = m->bench->quick ? 1 : LOADS;
	int r = 0;

	while (m->bench->ns.loads < loads && !r) {
		m->bench->ns.loads++;
		bench_progress(m->bench, "nanoseconds per packet: load %u of %u",
			       m->bench->ns.loads, loads);
		r = load(m);
		r = r ? r : run_rounds(m);
	}
	return r;
}

static void sum_up(struct measuring *m)
{
	double yard[NS_SAMPLES];

	for (unsigned int i = 0; i < m->rows[1].count; i++)
		yard[i] = m->rows[1].ns[i];
	for (unsigned int i = 0; i < NS_ROWS; i++) {
		struct row *row = &m->rows[i];
		double ratios[NS_SAMPLES];

		for (unsigned int n = 0; n < row->count; n++)
			ratios[n] = row->ns[n];
		m->bench->ns.rows[i].ratio = spread_ratios(ratios, yard, row->count);
		m->bench->ns.rows[i].ns = spread_of(row->ns, row->count);
	}
}

int bench_ns(struct bench *bench)
{
	cleanup(measuring_free) struct measuring m = { .bench = bench };
	int r;

	m.repeat = bench->quick ? REPEAT_QUICK : REPEAT;
	r = find_packets(&m);
	if (!r && !m.rows[0].frame.len)
		return say_error(bench->options, EXIT_FAILED,
				 "there is no packet whose verdict under this policy is known");
	r = r ? r : open_yard(&m);
	r = r ? r : run_loads(&m);
	if (r)
		return bench_failed(bench, r, &m.diag);
	sum_up(&m);
	return EXIT_DONE;
}
