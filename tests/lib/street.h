/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rig N: a veth with the program on it in native mode, five flows of numbered packets, and an exact
 * count behind the filter. Two policies take turns; they differ in which of x and y they drop, and
 * both let the other one in by a list, so that every packet of x and y is accounted for:
 * what came through must have been let in, and the rest must have been dropped.
 */
#ifndef TESTS_LIB_STREET_H
#define TESTS_LIB_STREET_H

#include "swap_rig.h"

#define STREET_DEV "st0"
#define GAP_MAX_NS 50000000ull

enum street_flow { FLOW_P, FLOW_G, FLOW_B, FLOW_X, FLOW_Y, FLOWS };

/* List ids in both policies; what a list is not used for, it is empty. */
enum street_list {
	LIST_GOOD = 1,
	LIST_BAD,
	LIST_DROP_X,
	LIST_DROP_Y,
	LIST_PASS_X,
	LIST_PASS_Y,
	STREET_LISTS,
};

struct street {
	struct rig *rig;
	struct swap_rig at;
	unsigned int client, server;
	struct traffic_counter *behind;
	struct traffic_sender *sender;
	pthread_t thread;
	struct traffic_pace pace;
	struct traffic_report report;
	volatile sig_atomic_t stop;
	int error;
};

/* street_policy - the text that drops x (or y). */
const char *street_policy(bool drop_x);
/* street_open - all of it, the first policy applied, nothing sent yet. The test is at the server. */
void street_open(void **state, struct street *ret);
/* street_go - packets at @rate from now on, until street_stop(). */
void street_go(struct street *street, uint64_t rate);
/* street_stop - stops them and waits until all have arrived. */
void street_stop(struct street *street);
void street_close(struct street *street);
#define auto_street cleanup(street_close)

/* street_through - packets of a flow that came through the filter. */
uint64_t street_through(const struct street *street, enum street_flow flow);
uint64_t street_sent(const struct street *street, enum street_flow flow);
/* street_hits - packets that a list has decided, over all slots. */
uint64_t street_hits(const struct street *street, enum street_list list);
/*
 * street_settled - after street_stop(): no packet of p or g lost, none of b let in, all of x and y
 * where they belong, nothing else counted, and p never silent for longer than the sender was.
 */
void street_settled(const struct street *street);

#endif
