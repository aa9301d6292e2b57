/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: the gates one by one. Each looks at the facts and fills a result: what it
 * measured, its limit, whether it refuses, and a sentence either way. Whether an operator forces it
 * is no concern of a gate. They return 0 or -ENOMEM.
 */
#ifndef STANCH_POLICY_GATE_PARTS_H
#define STANCH_POLICY_GATE_PARTS_H

#include "policy/gates.h"

#define GATE_FLOOR 64u /* what has at most so many rows before and after is not judged */
#define GATE_SHRINK 500u /* permille: nothing that keeps half of its rows is refused */

int gate_capacity(const struct gate_facts *facts, struct gate_result *ret);
int gate_schema(const struct gate_facts *facts, struct gate_result *ret);
int gate_cost(const struct gate_facts *facts, struct gate_result *ret);
int gate_guard(const struct gate_facts *facts, struct gate_result *ret);
int gate_growth(const struct gate_facts *facts, struct gate_result *ret);
int gate_shrinkage(const struct gate_facts *facts, struct gate_result *ret);
int gate_coverage(const struct gate_facts *facts, struct gate_result *ret);
int gate_host(const struct gate_facts *facts, struct gate_result *ret);

/* gate_says - fills @ret: refused when @value is not within what @refused says, and why. */
void gate_says(struct gate_result *ret, bool refused, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* gate_drop - the drop list that decides about this leaf; 0 where nothing is dropped. */
uint16_t gate_drop(const struct leaf *leaf);

/* What addresses a table is asked about: "IPv4 sources". */
extern const char *const gate_tables[TABLES];

#endif
