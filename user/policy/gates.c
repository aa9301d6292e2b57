/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gates as a table, and what forcing one means. A policy in monitor mode is held to the same
 * limits: enforcing it is one word later, and nobody would look again.
 */
#include "policy/gates.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/gate_parts.h"

struct gate_kind {
	int (*judge)(const struct gate_facts *facts, struct gate_result *ret); /* NULL: elsewhere */
	bool may_force;
};

static const struct gate_kind kinds[GATES] = {
	[GATE_CAPACITY] = { gate_capacity, false }, [GATE_SCHEMA] = { gate_schema, false },
	[GATE_COST] = { gate_cost, false },	    [GATE_GUARD] = { gate_guard, false },
	[GATE_GROWTH] = { gate_growth, true },	    [GATE_SHRINKAGE] = { gate_shrinkage, true },
	[GATE_COVERAGE] = { gate_coverage, true },  [GATE_HOST] = { gate_host, true },
	[GATE_NEWLY_DROPPED] = { NULL, true },	    [GATE_QUARANTINE] = { NULL, true },
};

const char *const gate_names[GATES] = {
	[GATE_CAPACITY] = "capacity",
	[GATE_SCHEMA] = "schema",
	[GATE_COST] = "cost",
	[GATE_GUARD] = "guard",
	[GATE_GROWTH] = "growth",
	[GATE_SHRINKAGE] = "shrinkage",
	[GATE_COVERAGE] = "coverage",
	[GATE_HOST] = "host",
	[GATE_NEWLY_DROPPED] = "newly_dropped",
	[GATE_QUARANTINE] = "quarantine",
};

const char *const gate_tables[TABLES] = {
	[TABLE_V4_SRC] = "IPv4 sources",
	[TABLE_V4_DST] = "IPv4 destinations",
	[TABLE_V6_SRC] = "IPv6 sources",
	[TABLE_V6_DST] = "IPv6 destinations",
};

int gate_find(const char *name)
{
	for (int gate = 0; gate < GATES; gate++) {
		if (!strcmp(gate_names[gate], name))
			return gate;
	}
	return -ENOENT;
}

bool gate_may_force(enum gate gate)
{
	return gate < GATES && kinds[gate].may_force;
}

void gate_says(struct gate_result *ret, bool refused, const char *fmt, ...)
{
	va_list args;
	int len;

	ret->judged = true;
	ret->refused = refused;
	va_start(args, fmt);
	len = vsnprintf(ret->text, sizeof(ret->text), fmt, args);
	va_end(args);
	if (len >= (int)sizeof(ret->text))
		memcpy(ret->text + sizeof(ret->text) - 4, "...", 4);
}

/* Allowed and protected addresses pass whatever drops them. */
uint16_t gate_drop(const struct leaf *leaf)
{
	return leaf->protect || leaf->allow ? 0 : leaf->drop;
}

static void report(struct diag *diag, enum gate gate, const struct gate_result *result)
{
	char code[sizeof(diag->problems[0].code)];

	snprintf(code, sizeof(code), "gate_%s", gate_names[gate]);
	diag_add_limit(diag, &(struct diag_place){ 0 }, code,
		       (struct diag_limit){ result->value, result->limit }, "%s", result->text);
}

int gates_run(const struct gate_facts *facts, struct gate_result ret[GATES], struct diag *diag)
{
	int refused = 0;

	for (enum gate gate = 0; gate < GATES; gate++) {
		struct gate_result result = { 0 };
		int r;

		if (!kinds[gate].judge)
			continue;
		r = kinds[gate].judge(facts, &result);
		if (r)
			return r;
		if (result.refused && gate_may_force(gate) && facts->forced >> gate & 1) {
			result.forced = true;
			result.refused = false;
		}
		if (result.refused) {
			report(diag, gate, &result);
			refused = -EINVAL;
		}
		ret[gate] = result;
	}
	return refused;
}
