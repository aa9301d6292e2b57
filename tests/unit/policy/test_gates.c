/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gates as a table: names, what may be forced, and those that the loaded program decides. */
#include "gates_help.h"
#include "policies.h"

static void every_gate_has_a_name_that_finds_it(void **state)
{
	static const char *const names[GATES] = { "capacity",	   "schema",	"cost",	    "guard",
						  "growth",	   "shrinkage", "coverage", "host",
						  "newly_dropped", "quarantine" };

	(void)state;
	for (enum gate gate = 0; gate < GATES; gate++) {
		assert_string_equal(gate_names[gate], names[gate]);
		assert_int_equal(gate_find(names[gate]), gate);
	}
	assert_int_equal(gate_find("Growth"), -ENOENT);
	assert_int_equal(gate_find(""), -ENOENT);
	assert_int_equal(gate_find("all"), -ENOENT);
}

static void what_the_program_decides_cannot_be_forced(void **state)
{
	(void)state;
	for (enum gate gate = 0; gate < GATES; gate++)
		assert_int_equal(gate_may_force(gate), gate >= GATE_GROWTH);
	assert_false(gate_may_force(GATES));
}

static void a_small_policy_passes_every_gate(void **state)
{
	auto_image struct image_file image = { 0 };
	struct gate_facts facts;
	struct gate_result results[GATES];
	auto_diag struct diag diag = { 0 };

	(void)state;
	image_of_many((const struct many[]){ { "a", 10 }, { 0 } }, &image);
	facts = facts_of(&image);
	memset(results, 0xee, sizeof(results));
	assert_int_equal(gates_run(&facts, results, &diag), 0);
	assert_int_equal(diag.total, 0);
	for (enum gate gate = 0; gate <= GATE_COVERAGE; gate++) {
		assert_false(results[gate].refused);
		assert_int_equal(results[gate].judged,
				 gate != GATE_GROWTH && gate != GATE_SHRINKAGE);
		assert_int_equal(!!*results[gate].text, results[gate].judged);
	}
	assert_false(results[GATE_HOST].judged);
	/* What the caller runs is left alone. */
	assert_int_equal((unsigned char)results[GATE_NEWLY_DROPPED].text[0], 0xee);
	assert_int_equal((unsigned char)results[GATE_QUARANTINE].text[0], 0xee);
}

static void every_gate_is_asked_whatever_the_others_say(void **state)
{
	auto_image struct image_file image = { 0 }, good = { 0 };
	struct limits limits = limits_builtin;
	struct gate_result results[GATES] = { 0 };
	auto_diag struct diag diag = { 0 };
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\nlists: [{name: a, action: drop, entries: [0.0.0.0/0]}]\n", &image);
	image_of_many((const struct many[]){ { "a", 100 }, { 0 } }, &good);
	limits.prefixes = 0;
	limits.image_version = IMAGE_VERSION + 1;
	limits.steps = 0;
	facts = facts_of(&image);
	facts.good = &good.image;
	facts.limits = &limits;
	assert_int_equal(gates_run(&facts, results, &diag), -EINVAL);
	assert_int_equal(diag.total, 5);
	assert_string_equal(diag.problems[0].code, "gate_capacity");
	assert_string_equal(diag.problems[1].code, "gate_schema");
	assert_string_equal(diag.problems[2].code, "gate_cost");
	assert_string_equal(diag.problems[3].code, "gate_shrinkage");
	assert_string_equal(diag.problems[4].code, "gate_coverage");
}

static void a_forced_gate_says_that_it_would_have_refused(void **state)
{
	auto_image struct image_file image = { 0 };
	struct gate_result result;
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\nlists: [{name: a, action: drop, entries: [0.0.0.0/0]}]\n", &image);
	facts = facts_of(&image);
	assert_refuses(&facts, GATE_COVERAGE, NULL);
	facts.forced = ~(1u << GATE_COVERAGE);
	assert_refuses(&facts, GATE_COVERAGE, NULL);
	facts.forced = 1u << GATE_COVERAGE;
	result = run_gate(&facts, GATE_COVERAGE);
	assert_true(result.judged);
	assert_false(result.refused);
	assert_true(result.forced);
	assert_int_equal(result.value, 1000000);
	facts.forced |= 1u << GATE_HOST | 1u << GATE_GROWTH;
	assert_false(run_gate(&facts, GATE_GROWTH).forced);
}

static void forcing_everything_does_not_force_what_the_program_decides(void **state)
{
	auto_image struct image_file image = { 0 };
	struct limits limits = limits_builtin;
	struct gate_facts facts;

	(void)state;
	image_of_many((const struct many[]){ { "a", 10 }, { 0 } }, &image);
	facts = facts_of(&image);
	facts.limits = &limits;
	facts.forced = UINT32_MAX;
	limits.prefixes = 9;
	assert_refuses(&facts, GATE_CAPACITY, "10 prefixes, the loaded program holds 9");
	limits = limits_builtin;
	limits.abi = ABI_VERSION + 1;
	assert_refuses(&facts, GATE_SCHEMA, NULL);
}

static void a_monitored_policy_is_held_to_the_same_limits(void **state)
{
	static const char *const modes[] = { "monitor", "enforce" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		auto_image struct image_file image = { 0 };
		struct gate_facts facts;
		char text[128];

		snprintf(text, sizeof(text),
			 "version: 1\nmode: %s\nlists: [{name: a, action: drop, "
			 "entries: [0.0.0.0/0]}]\n",
			 modes[i]);
		image_of(text, &image);
		facts = facts_of(&image);
		assert_refuses(&facts, GATE_COVERAGE, NULL);
	}
}

static void capacity_is_the_loaded_programs_and_names_what_is_fullest(void **state)
{
	auto_image struct image_file image = { 0 };
	struct limits limits;
	struct gate_facts facts;
	static const struct {
		size_t member;
		const char *what;
	} rows[] = {
		{ offsetof(struct limits, prefixes), "prefixes" },
		{ offsetof(struct limits, lists), "lists" },
		{ offsetof(struct limits, leaves), "leaves" },
		{ offsetof(struct limits, lines), "lines" },
		{ offsetof(struct limits, families), "families" },
	};

	(void)state;
	image_of_many((const struct many[]){ { "a", 100 },
					     { "b", 10, "score, family: f, points: 3" },
					     { "c", 10, "allow", true },
					     { 0 } },
		      &image);
	facts = facts_of(&image);
	facts.limits = &limits;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t *limit = (uint32_t *)((char *)&limits + rows[i].member);
		struct gate_result result;
		char text[80];

		limits = limits_builtin;
		*limit = 1;
		result = run_gate(&facts, GATE_CAPACITY);
		*limit = (uint32_t)result.value;
		snprintf(text, sizeof(text), "%" PRIu64 " %s, the loaded program holds %" PRIu64,
			 result.value, rows[i].what, result.value);
		assert_passes(&facts, GATE_CAPACITY, text);
		*limit = (uint32_t)result.value - 1;
		snprintf(text, sizeof(text), "%" PRIu64 " %s, the loaded program holds %" PRIu64,
			 result.value, rows[i].what, result.value - 1);
		assert_refuses(&facts, GATE_CAPACITY, text);
	}
}

static void capacity_counts_steps_too(void **state)
{
	auto_image struct image_file image = { 0 };
	struct gate_result results[GATES] = { 0 };
	struct limits limits = limits_builtin;
	auto_diag struct diag diag = { 0 };
	struct gate_facts facts;
	char text[80];

	(void)state;
	image_of_many((const struct many[]){ { "a", 100 }, { 0 } }, &image);
	facts = facts_of(&image);
	facts.limits = &limits;
	limits.steps = 0;
	snprintf(text, sizeof(text), "%" PRIu32 " steps, the loaded program holds 0",
		 image_counts(&image.image)->steps);
	assert_int_equal(gates_run(&facts, results, &diag), -EINVAL);
	assert_true(results[GATE_CAPACITY].refused);
	assert_string_equal(results[GATE_CAPACITY].text, text);
}

static void versions_are_one_or_the_image_is_refused(void **state)
{
	auto_image struct image_file image = { 0 };
	struct limits limits = limits_builtin;
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\n", &image);
	facts = facts_of(&image);
	facts.limits = &limits;
	assert_passes(&facts, GATE_SCHEMA,
		      "image version 2; this tool reads 2, the loaded program 2 "
		      "(maps: version 1 here, 1 there)");
	limits.image_version = IMAGE_VERSION + 1;
	assert_refuses(&facts, GATE_SCHEMA,
		       "image version 2; this tool reads 2, the loaded program 3 "
		       "(maps: version 1 here, 1 there)");
	limits.image_version = IMAGE_VERSION;
	limits.abi = ABI_VERSION - 1;
	assert_refuses(&facts, GATE_SCHEMA, NULL);
	limits.abi = ABI_VERSION;
	/* An image of the program's version that this tool does not know. */
	((struct image_id *)image.bytes)->version = IMAGE_VERSION + 1;
	limits.image_version = IMAGE_VERSION + 1;
	assert_refuses(&facts, GATE_SCHEMA, NULL);
}

static void no_policy_can_touch_the_guard(void **state)
{
	auto_image struct image_file image = { 0 };
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\n", &image);
	facts = facts_of(&image);
	assert_passes(&facts, GATE_GUARD,
		      "ARP, neighbour discovery, path-MTU messages and DHCP pass: "
		      "built into the program");
}

/* Nests: two drop lists take turns at every length, so that each length is a step. */
static void make_nest(struct made *made, enum match match, unsigned __int128 address, uint8_t least)
{
	uint16_t one = make_list(made, ACTION_DROP, match, NULL, 0);
	uint16_t other = make_list(made, ACTION_DROP, match, NULL, 0);

	for (uint8_t len = least; len <= 128; len++)
		make_prefix(made, len % 2 ? one : other, 6, address, len);
}

#define NESTED ((unsigned __int128)0x20010db8fedcba98ull << 64 | 0x76543210aaaa5555ull)

static void the_most_expensive_policy_is_refused(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file image = { 0 }, inside = { 0 }, counted = { 0 };
	struct limits limits = limits_builtin;
	struct gate_facts facts;
	struct gate_result plain, inner;

	(void)state;
	make_nest(&made, MATCH_SOURCE, NESTED, 10);
	make_nest(&made, MATCH_DESTINATION, NESTED, 10);
	make_protected_port(&made, 22);
	made_compile(&made, &image);
	facts = facts_of(&image);
	plain = run_gate(&facts, GATE_COST);
	assert_false(plain.refused);
	assert_int_equal(plain.value, 2 + 2 * (image_counts(&image.image)->steps + 1));
	assert_int_equal(plain.limit, 2 * LIMIT_STEPS);
	made.policy.sources = true;
	made_compile(&made, &counted);
	facts = facts_of(&counted);
	assert_int_equal(run_gate(&facts, GATE_COST).value, plain.value + 2);
	made.policy.sources = false;
	limits.steps =
		(uint32_t)plain.value / 2; /* no nest costs what the built-in limit forbids */
	made.policy.inner = true;
	made_compile(&made, &inside);
	facts = facts_of(&inside);
	facts.limits = &limits;
	inner = run_gate(&facts, GATE_COST);
	assert_true(inner.refused);
	assert_int_equal(inner.value, plain.value * 2 - 2);
	print_message("%s\n", inner.text);
}

static void cost_is_that_of_the_costlier_family(void **state)
{
	auto_image struct image_file none = { 0 }, all = { 0 }, four = { 0 }, six = { 0 };
	uint32_t steps;
	struct gate_facts facts = facts_of(&none);

	(void)state;
	image_of("version: 1\n", &none);
	facts.image = &none.image;
	assert_passes(&facts, GATE_COST, "the costliest packet touches 1 lines; the limit is 32");
	/* All addresses on one list: no walk, only the leaf. */
	image_of("version: 1\nlists: [{name: a, action: flag, entries: [0.0.0.0/0]},\n"
		 "  {name: b, action: flag, match: destination, entries: [0.0.0.0/0]},\n"
		 "  {name: c, action: flag, entries: ['::/0']}]\n",
		 &all);
	facts.image = &all.image;
	assert_int_equal(run_gate(&facts, GATE_COST).value, 3);
	image_of_many((const struct many[]){ { "a", 100 }, { "b", 1, "flag", true }, { 0 } },
		      &four);
	facts.image = &four.image;
	steps = image_counts(&four.image)->steps;
	assert_in_range(steps, 2, 8);
	assert_int_equal(run_gate(&facts, GATE_COST).value, 1 + steps + 1);
	image_of_many((const struct many[]){ { "a", 1 }, { "b", 100, "flag", true }, { 0 } }, &six);
	facts.image = &six.image;
	steps = image_counts(&six.image)->steps;
	assert_in_range(steps, 2, 8);
	assert_int_equal(run_gate(&facts, GATE_COST).value, 1 + steps + 1);
}

/* Cost is bounded by what the loaded program walks, not by what this tool was built with. */
static void the_bound_of_cost_follows_the_loaded_program(void **state)
{
	auto_image struct image_file image = { 0 };
	struct gate_result results[GATES] = { 0 };
	struct limits limits = limits_builtin;
	struct gate_facts facts;
	auto_diag struct diag diag = { 0 };

	(void)state;
	image_of(
		"version: 1\nprotect: {ports: [22]}\nlists: [{name: a, action: flag, entries: "
		"[0.0.0.0/0]},\n  {name: b, action: flag, match: destination, entries: [0.0.0.0/0]}]",
		&image);
	facts = facts_of(&image);
	facts.limits = &limits;
	limits.steps = 2;
	assert_passes(&facts, GATE_COST, "the costliest packet touches 4 lines; the limit is 4");
	limits.steps = 1;
	assert_refuses(&facts, GATE_COST, "the costliest packet touches 4 lines; the limit is 2");
	facts.forced = UINT32_MAX;
	assert_int_equal(gates_run(&facts, results, &diag), -EINVAL);
	assert_true(results[GATE_COST].refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_gate_has_a_name_that_finds_it),
		cmocka_unit_test(what_the_program_decides_cannot_be_forced),
		cmocka_unit_test(a_small_policy_passes_every_gate),
		cmocka_unit_test(every_gate_is_asked_whatever_the_others_say),
		cmocka_unit_test(a_forced_gate_says_that_it_would_have_refused),
		cmocka_unit_test(forcing_everything_does_not_force_what_the_program_decides),
		cmocka_unit_test(a_monitored_policy_is_held_to_the_same_limits),
		cmocka_unit_test(capacity_is_the_loaded_programs_and_names_what_is_fullest),
		cmocka_unit_test(capacity_counts_steps_too),
		cmocka_unit_test(versions_are_one_or_the_image_is_refused),
		cmocka_unit_test(no_policy_can_touch_the_guard),
		cmocka_unit_test(the_most_expensive_policy_is_refused),
		cmocka_unit_test(cost_is_that_of_the_costlier_family),
		cmocka_unit_test(the_bound_of_cost_follows_the_loaded_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
