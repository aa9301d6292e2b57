/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside `stanch bench`: what was asked for, what judges, and what was measured. Each part measures
 * into its own struct; bench_show.c puts all of them into words.
 */
#ifndef STANCH_CMD_BENCH_H
#define STANCH_CMD_BENCH_H

#include "base/machine.h"
#include "base/spread.h"
#include "cmd/cmd.h"
#include "dataplane/bench.h"
#include "policy/bench.h"

enum bench_part { PART_NS, PART_PPS, PART_TIMES, PARTS };

/* ---- nanoseconds per packet ---- */
#define NS_YARDS 2u /* the empty program, and the one that all are compared with */
#define NS_ROWS (NS_YARDS + BENCH_CLASSES)
#define NS_SAMPLES 96u
struct bench_ns {
	unsigned int loads, rounds; /* stanch was loaded so often; each row was measured so often */
	struct ns_row {
		const char *name;
		bool there; /* the policy has such a packet */
		struct spread ns, ratio;
	} rows[NS_ROWS];
};

/* ---- packets per second ---- */
enum pps_way { PPS_BARE_DROP, PPS_DROP, PPS_BARE_PASS, PPS_PASS, PPS_WAYS };
#define PPS_SAMPLES 8u
struct bench_pps {
	unsigned int rounds, ms; /* how often each way was measured, and how long each time */
	struct pps_row {
		bool there;
		uint64_t packets; /* in all */
		struct spread rate, ratio; /* packets per second; share of the bare program's */
	} rows[PPS_WAYS];
};

/* ---- swaps and applies ---- */
enum apply_part { APPLY_READ, APPLY_COMPILE, APPLY_STAGE, APPLY_PROVE, APPLY_SWAP, APPLY_PARTS };
#define APPLY_SIZES 2u
#define APPLY_SAMPLES 5u
struct bench_times {
	uint32_t swaps; /* of which the first packet was awaited */
	struct spread store_ns, first_us;
	double first_worst_us;
	uint32_t sizes;
	struct apply_row {
		uint32_t prefixes, lines, packets; /* golden packets that were run */
		unsigned int rounds;
		struct spread ms[APPLY_PARTS], total_ms;
	} rows[APPLY_SIZES];
};

struct bench {
	const struct options *options;
	bool quick, wanted[PARTS];
	uint32_t size; /* of a longer list to apply, 0: none */
	const char *policy; /* given, or NULL */
	bool live; /* judged by what is live; else by @policy or the small one */
	uint64_t generation; /* when it is live */
	struct image_file image; /* what judges */
	struct machine machine;
	struct bench_ns ns;
	struct bench_pps pps;
	struct bench_times times;
};

/*
 * bench_goes_on - shall there be another round? So many at most, no more when @budget_ms have passed
 * since @start_ns (CLOCK_MONOTONIC), but three in any case: a busy machine must not take for ever.
 */
bool bench_goes_on(unsigned int done, unsigned int most, uint64_t start_ns, uint64_t budget_ms);

/* bench_progress - a line on stderr when that is a terminal. */
void bench_progress(const struct bench *bench, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* bench_failed - say why something could not be measured; returns the exit code. */
int bench_failed(const struct bench *bench, int error, struct diag *diag);

/* Each returns EXIT_DONE or the exit code of what it said. */
int bench_ns(struct bench *bench);

/* A place of their own in which packets per second and times are measured. */
struct bench_place {
	struct bench *bench;
	struct diag *diag;
	struct instance *instance;
	struct control *control;
};
/* These return 0 or -errno, with a problem in place->diag where there are words for it. */
int bench_pps(struct bench_place *place);
int bench_times(struct bench_place *place);
/* bench_live - put @image into a free slot and make it live. @ret_slot may be NULL. */
int bench_live(struct bench_place *place, const struct image_file *image, unsigned int *ret_slot);

/* ---- bench_show.c ---- */
void bench_print(const struct bench *bench);
json_t *bench_json(const struct bench *bench);

#endif
