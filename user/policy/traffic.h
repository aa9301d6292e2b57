/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recent or present traffic, judged by two generations: the reference, which is trusted, and the
 * candidate. What counts is the newly-dropped share: among the packets that the reference passes,
 * those that the candidate would drop. Pure; a sample is struct sample of abi.h.
 */
#ifndef STANCH_POLICY_TRAFFIC_H
#define STANCH_POLICY_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/compile.h"
#include "policy/settings.h"

/* What the two generations said about one packet. */
struct traffic_pair {
	bool reference_drops, candidate_drops;
	uint8_t reason; /* of the candidate */
	uint16_t list; /* of the candidate */
};

struct traffic; /* tally: bounded memory, whatever is added */
#define auto_traffic cleanup(traffic_free)

/*
 * traffic_new - @candidate (may be NULL) names lists. Lists whose drops are expected do not count
 * against the candidate, except for packets of established connections.
 */
int traffic_new(const struct image *candidate, struct traffic **ret);
void traffic_free(struct traffic **traffic);
/* traffic_expect - a list of the candidate by name; -ENOENT when it has none of that name. */
int traffic_expect(struct traffic *traffic, const char *list);
/* traffic_clear - forget every packet, keep what is expected. */
void traffic_clear(struct traffic *traffic);
/* traffic_add - one sampled packet. Returns 0 or -ENOMEM. */
int traffic_add(struct traffic *traffic, const struct sample *sample,
		const struct traffic_pair *pair);
/*
 * traffic_pair_of - what a sample of a trial says (SAMPLE_TRIAL, both judged); false when it does
 * not belong to a trial.
 */
bool traffic_pair_of(const struct sample *sample, struct traffic_pair *ret);
/*
 * traffic_judge_sample - judge a sample by both images natively (@reference may be NULL: then the
 * sample's own outcome stands for it).
 */
void traffic_judge_sample(const struct image *reference, const struct image *candidate,
			  const struct sample *sample, struct traffic_pair *ret);

struct traffic_sums {
	uint64_t packets; /* that the reference passes; of established connections twice */
	uint64_t newly_dropped; /* of these; of established connections twice */
	uint64_t established; /* newly dropped packets of established connections */
	uint64_t expected; /* newly dropped, but expected: not in newly_dropped */
	uint64_t newly_passed; /* packets that only the reference drops */
	uint32_t sources, sources_dropped; /* distinct, among the above (to a bound) */
	uint32_t ports, worst_port; /* destination ports seen; the one with the highest share */
	uint64_t port_packets, port_dropped; /* of the worst port */
	uint16_t worst_list; /* list id with most newly dropped packets, 0: none */
	uint64_t worst_list_dropped;
};
void traffic_sums(const struct traffic *traffic, struct traffic_sums *ret);

enum traffic_verdict {
	TRAFFIC_TOO_LITTLE, /* nothing can be said yet */
	TRAFFIC_GOOD, /* the shares are under their limits, with enough evidence */
	TRAFFIC_HARM, /* one of them is over its limit, with enough evidence */
};
/*
 * traffic_judge - Evidence: a one-sided two-proportion test of what was newly dropped against the
 * limit, for packets, sources and the worst port, each with a minimum count. @ret_text (DIAG_TEXT
 * bytes, may be NULL) says which measure decided, with value and limit.
 */
enum traffic_verdict traffic_judge(const struct traffic *traffic,
				   const struct gate_settings *settings, char *ret_text);

#endif
