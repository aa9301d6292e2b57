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

#include "base/buf.h"
#include "policy/compile.h"
#include "policy/settings.h"

/* What the two generations said about one packet. */
struct traffic_pair {
	bool reference_drops, candidate_drops;
	uint8_t reason; /* of the candidate */
	uint16_t list; /* of the candidate */
};

#define TRAFFIC_SOURCES 65536u /* remembered at a time */
#define TRAFFIC_REGULAR 4u /* samples that make a source a regular one */
#define TRAFFIC_PORT_UDP 0x10000u /* added to a port of UDP, none to one of TCP */
#define TRAFFIC_FRAME_MAX 65536u /* bytes of the longest frame that is judged here */

struct traffic; /* tally: bounded memory, whatever is added */
#define auto_traffic cleanup(traffic_free)

/*
 * traffic_new - @candidate (may be NULL, else outlives the tally) names lists. What lists drop whose
 * drops are expected does not count at all, except for packets of established connections.
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
 * sample's own outcome stands for it). Returns 0; -ENODATA, with @ret untouched, when headers lie
 * beyond the bytes that the sample holds; -ENOMEM.
 */
int traffic_judge_sample(const struct image *reference, const struct image *candidate,
			 const struct sample *sample, struct traffic_pair *ret);
/*
 * traffic_frame - the frame of a sample, zeroes for the bytes that were not kept: what both images
 * and the kernel can judge alike. Appends to @ret. Returns 0, -ENODATA or -ENOMEM as above.
 */
int traffic_frame(const struct sample *sample, struct buf *ret);

/* Packets here are estimates: each sample counts as often as its weight says. */
struct traffic_sums {
	uint64_t samples, samples_dropped; /* of these: how many were looked at, without weights */
	uint64_t packets; /* that the reference passes; of established connections twice */
	uint64_t newly_dropped; /* of these; of established connections twice */
	uint64_t established; /* newly dropped packets of established connections */
	uint64_t expected; /* newly dropped, but expected: not in newly_dropped */
	uint64_t newly_passed; /* packets that only the reference drops */
	/*
	 * Distinct, among the above; an IPv6 source is a /64. One that was forgotten for others
	 * (past TRAFFIC_SOURCES) and comes again counts again.
	 */
	uint32_t sources, sources_dropped;
	/*
	 * Sources seen at least TRAFFIC_REGULAR times, and those of them that were newly dropped as
	 * often: a share that no flood of sources seen once can dilute.
	 */
	uint32_t regular, regular_dropped;
	/* TCP and UDP destination ports seen; the one with most dropped times its share */
	uint32_t ports, worst_port;
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
 * traffic_judge - Evidence: a one-sided test of the proportion that was newly dropped against the
 * one that is allowed, for packets, sources and the worst port, each with a minimum count; any of
 * them is HARM by itself. Costs microseconds, however much was added. @ret_text (DIAG_TEXT bytes,
 * may be NULL) says which measure decided, with value and limit.
 */
enum traffic_verdict traffic_judge(const struct traffic *traffic,
				   const struct gate_settings *settings, char *ret_text);

#endif
