/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside `stanch stats`: rows of numbers under names. */
#ifndef STANCH_CMD_STATS_H
#define STANCH_CMD_STATS_H

#include "cmd.h"
#include "look.h"

struct stats_row {
	char name[POLICY_NAME_MAX + 1];
	uint64_t packets, bytes, dropped, flagged, monitored;
	uint64_t idle_ns; /* sources: since the last packet */
};

struct stats {
	struct stats_row *rows;
	uint32_t count, cap;
	uint32_t limit; /* sources: at most so many rows */
	uint32_t left_out; /* sources: known beyond that */
};

/* stats_reserve - room for @more rows. Returns 0 or -ENOMEM. */
int stats_reserve(struct stats *stats, uint32_t more);
/* stats_add - a row of zeroes, for which there must be room. */
struct stats_row *stats_add(struct stats *stats, const char *name);
void stats_free(struct stats *stats);

/*
 * stats_by_list - packets and bytes of every list that a slot holds or the store remembers: what
 * retired generations counted for the name, and what the slots have counted since.
 */
int stats_by_list(const struct look *look, const struct places *places, struct stats *ret);

/* stats_by_source, stats_by_network - the ret->limit with most packets. */
int stats_by_source(const struct look *look, const struct places *places, struct stats *ret);
int stats_by_network(const struct look *look, const struct places *places, struct stats *ret);

#endif
