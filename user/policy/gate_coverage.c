/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of the address space the drop lists of one family and direction cover together, less
 * what an allow list or `protect` takes out again. Of IPv4 that is a share of all addresses, of
 * IPv6 a share of 2000::/3, which is what is handed out (RFC 4291 section 2.4, IANA).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "policy/gate_parts.h"

typedef unsigned __int128 u128;

/* What one table covers, as its ranges come by. */
struct coverage {
	const struct image *image;
	uint32_t shift; /* IPv4 addresses stand in the upper 32 of 128 bits */
	u128 first, last; /* the space that counts, ends included */
	u128 covered;
	u128 at; /* where the open range starts */
	bool open, drops; /* the open range: is there one, and is it dropped? */
};

static u128 larger(u128 a, u128 b)
{
	return a > b ? a : b;
}

/* Counts the open range, which ends at @last. */
static void close_range(struct coverage *coverage, u128 last)
{
	u128 from = larger(coverage->at, coverage->first);
	u128 to = last < coverage->last ? last : coverage->last;

	if (coverage->open && coverage->drops && from <= to)
		coverage->covered += to - from + 1;
}

static int take_range(void *context, uint64_t hi, uint64_t lo, uint32_t id)
{
	struct coverage *coverage = context;
	u128 at = ((u128)hi << 64 | lo) >> coverage->shift;
	const struct leaf *leaf = image_leaf(coverage->image, id);

	if (coverage->open)
		close_range(coverage, at - 1);
	coverage->at = at;
	coverage->open = true;
	coverage->drops = leaf && gate_drop(leaf);
	return 0;
}

/* Parts per million of a space of 2^@bits, of which @covered is in units of 2^@unit. */
static uint64_t ppm_of(u128 covered, uint32_t bits, uint32_t unit)
{
	u128 units = (covered >> unit) + !!(covered & (((u128)1 << unit) - 1));
	u128 space = (u128)1 << (bits - unit);

	return (uint64_t)((units * 1000000 + space - 1) / space);
}

static uint64_t table_ppm(const struct image *image, enum table table)
{
	bool six = table == TABLE_V6_SRC || table == TABLE_V6_DST;
	struct coverage coverage = { .image = image, .shift = six ? 0 : 96 };
	u128 end = ~(u128)0 >> coverage.shift;

	coverage.first = six ? (u128)1 << 125 : 0;
	coverage.last = six ? ((u128)1 << 126) - 1 : end;
	if (image_each_range(image, table, take_range, &coverage))
		return 1000000; /* no image that was checked */
	close_range(&coverage, end);
	return six ? ppm_of(coverage.covered, 125, 64) : ppm_of(coverage.covered, 32, 0);
}

#define SHARE_TEXT 24

/* "1.5%", as policies write it. */
static const char *share_text(uint64_t ppm, char *out)
{
	uint64_t rest = ppm % 10000;
	int digits = 4;

	for (; digits && rest % 10 == 0; digits--)
		rest /= 10;
	if (digits)
		snprintf(out, SHARE_TEXT, "%" PRIu64 ".%0*" PRIu64 "%%", ppm / 10000, digits, rest);
	else
		snprintf(out, SHARE_TEXT, "%" PRIu64 "%%", ppm / 10000);
	return out;
}

int gate_coverage(const struct gate_facts *facts, struct gate_result *ret)
{
	char value[SHARE_TEXT], limit[SHARE_TEXT];
	enum table worst = 0;

	for (enum table table = 0; table < TABLES; table++) {
		uint64_t ppm = table_ppm(facts->image, table);

		if (ppm <= ret->value)
			continue;
		ret->value = ppm;
		worst = table;
	}
	ret->limit = facts->settings->coverage;
	gate_says(ret, ret->value > ret->limit, "drop lists cover %s of the %s%s; the limit is %s",
		  share_text(ret->value, value), gate_tables[worst],
		  worst == TABLE_V6_SRC || worst == TABLE_V6_DST ? " in 2000::/3" : "",
		  share_text(ret->limit, limit));
	return 0;
}
