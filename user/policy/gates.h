/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates: what is asked of a sound image before it may judge anybody here. Each is a small pure
 * function of facts with a name, a measured value, a limit, and a sentence when it refuses.
 */
#ifndef STANCH_POLICY_GATES_H
#define STANCH_POLICY_GATES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/compile.h"
#include "policy/host.h"
#include "policy/settings.h"

enum gate {
	GATE_CAPACITY, /* against the loaded program; never forced */
	GATE_SCHEMA, /* image and program speak one version; never forced */
	GATE_COST, /* worst-case lines that one packet touches; never forced */
	GATE_GUARD, /* nothing that a host needs to stay reachable; built into the program: never forced */
	GATE_GROWTH, /* each table against last-known-good, above a floor of 64 rows */
	GATE_SHRINKAGE,
	GATE_COVERAGE, /* union of drop prefixes, per family and direction */
	GATE_HOST, /* drop lists against the addresses this host lives by */
	GATE_NEWLY_DROPPED, /* recent traffic, see traffic.h; run by the caller, named here */
	GATE_QUARANTINE, /* this digest was refused or taken back before; run by the caller */
	GATES,
};

struct gate_facts {
	const struct image *image; /* checked */
	const struct image *good; /* last-known-good; NULL: growth and shrinkage are not judged */
	const struct limits *limits; /* of the loaded program */
	const struct gate_settings *settings;
	const struct host *host; /* NULL: not known, the host gate passes */
	uint32_t forced; /* bits by enum gate */
};

/* What one gate found. Value and limit are in the unit that `text` names. */
struct gate_result {
	bool judged; /* false: nothing to compare with */
	bool refused; /* and not forced */
	bool forced; /* would have refused */
	uint64_t value, limit;
	char text
		[DIAG_TEXT]; /* "list `abusers` grows from 100 to 160 rows, x1.60; the limit is x1.50" */
};

extern const char
	*const gate_names[GATES]; /* "growth", as in --force growth and in audit records */
/* gate_find - by name; -ENOENT. */
int gate_find(const char *name);
/* gate_may_force - false for those that can never be forced. */
bool gate_may_force(enum gate gate);
/*
 * gates_run - every gate but the two that the caller runs, in the order above, all of them whatever
 * the others say. Each refusal becomes a problem in @diag with code "gate_NAME", value and limit.
 * Returns 0, -EINVAL when any refused, -ENOMEM.
 */
int gates_run(const struct gate_facts *facts, struct gate_result ret[GATES], struct diag *diag);

#endif
