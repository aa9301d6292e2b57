/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of gates share: images from policies with many rows, and one gate's result. */
#ifndef TESTS_UNIT_POLICY_GATES_HELP_H
#define TESTS_UNIT_POLICY_GATES_HELP_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "policy/compile.h"
#include "policy/gates.h"
#include "policy/policy.h"

/* A list with rows to make up; the members left out are a drop list of IPv4 sources. */
struct many {
	const char *name; /* NULL ends an array of them */
	uint32_t rows;
	const char *action; /* and what else stands in the list */
	bool six;
};

static inline void image_of(const char *text, struct image_file *ret)
{
	struct policy_source none = { 0 };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = policy_parse(&(struct named_text){ "p.yaml", text, strlen(text) }, &none, NULL,
			     &policy, &diag);

	if (!r)
		r = policy_compile(&policy, &limits_builtin, ret, &diag);
	if (r)
		fail_msg("%s\n%s", diag.stored ? diag.problems[0].message : "no memory", text);
}

/* Every other address, so that no two rows are one range. */
static inline void write_rows(struct buf *text, uint32_t rows, bool six)
{
	for (uint32_t i = 0; i < rows; i++) {
		int r = six ? buf_printf(text, "%s'2001:db8::%x:0'", i ? ", " : "", i * 2 + 1)
			    : buf_printf(text, "%s10.%u.%u.0/25", i ? ", " : "", i >> 8, i & 255);

		assert_int_equal(r, 0);
	}
}

static inline void image_of_many(const struct many *lists, struct image_file *ret)
{
	struct buf text = { 0 };

	assert_int_equal(buf_printf(&text, "version: 1\nlists:\n"), 0);
	for (; lists->name; lists++) {
		assert_int_equal(buf_printf(&text,
					    "  - {name: %s, action: %s, allow_empty: true, "
					    "entries: [",
					    lists->name, lists->action ? lists->action : "drop"),
				 0);
		write_rows(&text, lists->rows, lists->six);
		assert_int_equal(buf_printf(&text, "]}\n"), 0);
	}
	image_of(text.data, ret);
	buf_free(&text);
}

/* Everything that a gate wants to know about @image, with nothing against it. */
static inline struct gate_facts facts_of(const struct image_file *image)
{
	static struct policy_settings settings;

	settings_default(&settings);
	return (struct gate_facts){
		.image = &image->image,
		.limits = &limits_builtin,
		.settings = &settings.gates,
	};
}

/* What @gate said; no other gate may have refused. */
static inline struct gate_result run_gate(const struct gate_facts *facts, enum gate gate)
{
	struct gate_result results[GATES] = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = gates_run(facts, results, &diag);

	for (enum gate other = 0; other < GATES; other++) {
		if (other != gate && results[other].refused)
			fail_msg("%s refused: %s", gate_names[other], results[other].text);
	}
	assert_int_equal(r, results[gate].refused ? -EINVAL : 0);
	assert_int_equal(diag.total, results[gate].refused);
	if (results[gate].refused) {
		char code[40];

		snprintf(code, sizeof(code), "gate_%s", gate_names[gate]);
		assert_string_equal(diag.problems[0].code, code);
		assert_string_equal(diag.problems[0].message, results[gate].text);
		assert_true(diag.problems[0].has_limit);
		assert_int_equal(diag.problems[0].actual, results[gate].value);
		assert_int_equal(diag.problems[0].limit, results[gate].limit);
	}
	return results[gate];
}

static inline void assert_passes(const struct gate_facts *facts, enum gate gate, const char *text)
{
	struct gate_result result = run_gate(facts, gate);

	if (!result.judged || result.refused || result.forced)
		fail_msg("%s: %d %d %d %s", gate_names[gate], result.judged, result.refused,
			 result.forced, result.text);
	if (text)
		assert_string_equal(result.text, text);
}

static inline void assert_refuses(const struct gate_facts *facts, enum gate gate, const char *text)
{
	struct gate_result result = run_gate(facts, gate);

	if (!result.refused)
		fail_msg("%s passed: %s", gate_names[gate], result.text);
	assert_true(result.judged);
	assert_false(result.forced);
	if (text)
		assert_string_equal(result.text, text);
}

#endif
