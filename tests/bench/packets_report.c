/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was measured as a document: every cell, and the ratios that goals and the regression guard
 * are about. A ratio is the median over the rounds of what stood in one round.
 */
#include "packets.h"

#define K1 1 /* indices of sizes */
#define M1 3

struct place {
	const char *class;
	enum by by;
	int size;
	enum mix mix;
};

/* A packet compared with a packet, or a lookup (what is beyond reading the source) with one. */
static const struct {
	struct metric metric;
	bool lookup;
	struct place of, to;
} asked[METRICS] = {
	{ { "lookup.v4.1M.uniform.table_to_trie", 0.1,
	    "lookup in 1 M mixed IPv4 prefixes, uniform random addresses, to LPM_TRIE's" },
	  true,
	  { "pass4", BY_TABLE, M1, MIX_UNLISTED },
	  { "pass4", BY_TRIE, M1, MIX_UNLISTED } },
	{ { "lookup.v4.1M.spread.table_to_trie", 0, "the same, sources spread over the list" },
	  true,
	  { "drop4", BY_TABLE, M1, MIX_SPREAD },
	  { "drop4", BY_TRIE, M1, MIX_SPREAD } },
	{ { "lookup.v4.1M.spread.table_to_hash", 0, "the same, to HASH's" },
	  true,
	  { "drop4", BY_TABLE, M1, MIX_SPREAD },
	  { "drop4", BY_HASH, M1, MIX_SPREAD } },
	{ { "lookup.1M.spread.v6_to_v4", 3, "lookup in 1 M IPv6 prefixes to 1 M of IPv4" },
	  true,
	  { "drop6", BY_TABLE, M1, MIX_SPREAD },
	  { "drop4", BY_TABLE, M1, MIX_SPREAD } },
	{ { "packet.1M.spread.v6_to_v4", 3, "packet dropped by 1 M IPv6 prefixes to 1 M of IPv4" },
	  false,
	  { "drop6", BY_STANCH, M1, MIX_SPREAD },
	  { "drop4", BY_STANCH, M1, MIX_SPREAD } },
	{ { "packet.v4.1M.spread.stanch_to_trie", 1,
	    "packet dropped by stanch, 1 M IPv4, to a program that only asks an LPM_TRIE" },
	  false,
	  { "drop4", BY_STANCH, M1, MIX_SPREAD },
	  { "drop4", BY_TRIE, M1, MIX_SPREAD } },
	{ { "packet.v6.1M.spread.stanch_to_trie", 1, "the same, IPv6" },
	  false,
	  { "drop6", BY_STANCH, M1, MIX_SPREAD },
	  { "drop6", BY_TRIE, M1, MIX_SPREAD } },
	{ { "packet.v4.active.1M_to_1k", 0, "stanch, 10 k active sources, 1 M entries to 1 k" },
	  false,
	  { "drop4", BY_STANCH, M1, MIX_ACTIVE },
	  { "drop4", BY_STANCH, K1, MIX_ACTIVE } },
#define TIMES_DROP(class, size, mix, name)                                               \
	{                                                                                \
		{ "times_drop." name, 0, NULL }, false, { class, BY_STANCH, size, mix }, \
		{                                                                        \
			class, BY_DROP, size, mix                                        \
		}                                                                        \
	}
	TIMES_DROP("pass4", K1, MIX_UNLISTED, "pass4.1k"),
	TIMES_DROP("drop4", 0, MIX_SPREAD, "drop4.1"),
	TIMES_DROP("drop4", K1, MIX_SPREAD, "drop4.1k.spread"),
	TIMES_DROP("drop4", M1, MIX_ACTIVE, "drop4.1M.active"),
	TIMES_DROP("drop4", M1, MIX_SPREAD, "drop4.1M.spread"),
	TIMES_DROP("drop6", M1, MIX_SPREAD, "drop6.1M.spread"),
	TIMES_DROP("syn", K1, MIX_UNLISTED, "syn.1k"),
	TIMES_DROP("flag", K1, MIX_FLAGGED, "flag.1k"),
	TIMES_DROP("tunnel", K1, MIX_UNLISTED, "tunnel.1k"),
	TIMES_DROP("chain", K1, MIX_UNLISTED, "chain.1k"),
};

/* Which cells a place needs: itself, and for a lookup what a packet costs without one. */
static void watch(struct matrix *matrix, const struct place *place)
{
	const enum by needed[] = { place->by, BY_NOTHING };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		struct cell *cell =
			matrix_cell(matrix, place->class, needed[i], place->size, place->mix);

		if (cell)
			cell->watched = true;
	}
}

void metrics_watch(struct matrix *matrix)
{
	for (size_t i = 0; i < METRICS; i++) {
		watch(matrix, &asked[i].of);
		watch(matrix, &asked[i].to);
	}
}

static double share_of(struct matrix *matrix, const struct place *place, bool lookup, int round)
{
	const struct cell *cell =
		matrix_cell(matrix, place->class, place->by, place->size, place->mix);
	const struct cell *none =
		matrix_cell(matrix, place->class, BY_NOTHING, place->size, place->mix);

	return cell->ns[round] - (lookup && none ? none->ns[round] : 0);
}

/* Rounds in which a difference vanished in the noise say nothing. */
void metrics_find(struct matrix *matrix, struct metric ret[METRICS])
{
	for (size_t i = 0; i < METRICS; i++) {
		double ratios[ROUNDS];
		int count = 0;

		for (int round = 0; round < matrix->rounds; round++) {
			double of = share_of(matrix, &asked[i].of, asked[i].lookup, round);
			double to = share_of(matrix, &asked[i].to, asked[i].lookup, round);

			if (of > 0 && to > 0)
				ratios[count++] = of / to;
		}
		ret[i] = asked[i].metric;
		ret[i].value = spread_of(ratios, (size_t)count).median;
	}
}

/* ---- the document ---- */

static json_t *describe_spread(double *values, int count)
{
	struct spread spread = spread_of(values, (size_t)count);

	return json_pack("{s:f,s:f,s:f}", "median", spread.median, "p10", spread.low, "p90",
			 spread.high);
}

/* Nanoseconds without the prologue: beyond a counting drop behind it, plus one without it. */
static json_t *describe_cell(const struct matrix *matrix, const struct cell *cell)
{
	const double *base = matrix->cells[cell->base].ns;
	double ratios[ROUNDS], own[ROUNDS];

	for (int i = 0; i < matrix->rounds; i++) {
		ratios[i] = cell->ns[i] / base[i];
		own[i] = cell->ns[i] - base[i] + matrix->drop[i];
	}
	return json_pack("{s:s,s:s,s:s,s:I,s:s,s:o,s:o}", "class", cell->class->key, "name",
			 cell->class->name, "by", by_names[cell->by], "entries",
			 (json_int_t)sizes[cell->size], "sources", mix_names[cell->mix],
			 "times_drop", describe_spread(ratios, matrix->rounds), "ns",
			 describe_spread(own, matrix->rounds));
}

static json_t *describe_metrics(const struct metric *metrics)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < METRICS; i++) {
		json_t *row = json_pack("{s:s,s:f}", "name", metrics[i].name, "measured",
					metrics[i].value);

		if (metrics[i].what)
			json_object_set_new(row, "what", json_string(metrics[i].what));
		if (metrics[i].goal > 0)
			json_object_set_new(row, "goal", json_real(metrics[i].goal));
		json_array_append_new(rows, row);
	}
	return rows;
}

/* What the prologue adds to a packet, with sources spread over a million. */
static json_t *describe_prologue(struct matrix *matrix, const char *class)
{
	const struct cell *cell = matrix_cell(matrix, class, BY_DROP, M1, MIX_SPREAD);
	double added[ROUNDS];

	for (int i = 0; i < matrix->rounds; i++)
		added[i] = cell->ns[i] - matrix->drop[i];
	return describe_spread(added, matrix->rounds);
}

json_t *report(struct matrix *matrix, const struct metric *metrics)
{
	json_t *cells = json_array();
	double empty[ROUNDS], drop[ROUNDS];

	memcpy(empty, matrix->empty, sizeof(empty));
	memcpy(drop, matrix->drop, sizeof(drop));
	for (size_t i = 0; i < matrix->count; i++)
		json_array_append_new(cells, describe_cell(matrix, &matrix->cells[i]));
	return json_pack("{s:s,s:i,s:i,s:s,s:{s:o,s:o,s:o,s:o},s:o,s:o}", "schema",
			 "stanch.bench.packets/2", "rounds", matrix->rounds, "packets", REPEAT,
			 "compiler", __VERSION__, "bare_ns", "empty",
			 describe_spread(empty, matrix->rounds), "counting_drop",
			 describe_spread(drop, matrix->rounds), "prologue_v4",
			 describe_prologue(matrix, "drop4"), "prologue_v6",
			 describe_prologue(matrix, "drop6"), "metrics", describe_metrics(metrics),
			 "cells", cells);
}
