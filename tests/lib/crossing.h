/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One or two filtered interfaces under load, and a program behind them that keeps the order in
 * which generations judged. It sees that by the metadata of flagged packets, so every generation
 * has to flag all of them, as CROSSING_POLICY does. Ranks are the test's own numbers for what a
 * slot holds: rising, and given before the slot becomes live.
 */
#ifndef TESTS_LIB_CROSSING_H
#define TESTS_LIB_CROSSING_H

#include "../bpf/order.h"
#include "swap_rig.h"

#define CROSSING_POLICY               \
	"version: 1\nmode: enforce\n" \
	"lists: [{name: all, action: flag, entries: [198.18.0.0/15]}]\n"
#define CROSSING_IN_FLIGHT 64u /* packets that one poll of an interface takes before they go on */

struct crossing_side {
	struct traffic_sender *sender;
	struct traffic_pace pace;
	struct traffic_report report;
	pthread_t thread;
	int error;
	bool started;
};

struct crossing {
	struct rig *rig;
	struct swap_rig at;
	unsigned int client, server, count;
	struct bpf_object *behind;
	struct order *order; /* mapped */
	struct crossing_side sides[ORDER_SIDES];
	volatile sig_atomic_t stop;
};

/* crossing_open - @count interfaces, none attached, nothing sent. The test is at the server. */
void crossing_open(void **state, unsigned int count, struct crossing *ret);
/* crossing_attach - @instance onto interface @side. */
void crossing_attach(struct instance *instance, unsigned int side);
/* crossing_go - @rate packets per second at each from now on, until crossing_stop(). */
void crossing_go(struct crossing *crossing, uint64_t rate);
/* crossing_stop - and until all have arrived. */
void crossing_stop(struct crossing *crossing);
void crossing_close(struct crossing *crossing);
#define auto_crossing cleanup(crossing_close)

/* crossing_rank - from now on packets by @slot on @side (of the same instance: all) have @rank. */
void crossing_rank(struct crossing *crossing, unsigned int side, unsigned int slot, uint64_t rank);
/* crossing_wait - until every interface has seen @rank, and none of lower rank is under way. */
void crossing_wait(const struct crossing *crossing, uint64_t rank);
/* crossing_behind - packets so far that came behind one of a higher rank, anywhere. */
uint64_t crossing_behind(const struct crossing *crossing);
/* crossing_orderly - after crossing_stop(): nothing lost, all marked, no interface went back. */
void crossing_orderly(const struct crossing *crossing);

#endif
