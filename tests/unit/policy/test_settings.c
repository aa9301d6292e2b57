/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gates:` and `canary:`: what is usual, how shares and times are written, what is refused. */
#include "parse_help.h"

static void a_policy_that_says_nothing_has_the_usual_settings(void **state)
{
	struct policy_settings usual;
	auto_result struct result result = { 0 };
	struct policy factory;

	(void)state;
	settings_default(&usual);
	assert_int_equal(usual.gates.growth, 1500);
	assert_int_equal(usual.gates.coverage, 10000);
	assert_int_equal(usual.gates.newly_dropped, 1000);
	assert_int_equal(usual.gates.newly_dropped_sources, 5000);
	assert_int_equal(usual.gates.newly_dropped_port, 50000);
	assert_int_equal(usual.canary.step_count, 3);
	assert_int_equal(usual.canary.steps[0], 10);
	assert_int_equal(usual.canary.steps[1], 100);
	assert_int_equal(usual.canary.steps[2], 500);
	assert_int_equal(usual.canary.step_ms, 10000);
	assert_int_equal(usual.canary.soak_ms, 600000);
	assert_accepted("version: 1\n", NULL, &result);
	assert_memory_equal(&result.policy.settings, &usual, sizeof(usual));
	policy_factory(&factory);
	assert_memory_equal(&factory.settings, &usual, sizeof(usual));
	policy_free(&factory);
}

static void what_the_documentation_shows_is_what_is_usual(void **state)
{
	auto_result struct result result = { 0 };
	struct policy_settings usual;

	(void)state;
	settings_default(&usual);
	assert_accepted("version: 1\n"
			"gates: {growth: 1.5, coverage: 1%, newly_dropped: 0.1%}\n"
			"canary: {steps: [1%, 10%, 50%], step: 10s, soak: 10m}\n",
			NULL, &result);
	assert_memory_equal(&result.policy.settings, &usual, sizeof(usual));
}

static void every_gate_setting_is_read(void **state)
{
	auto_result struct result result = { 0 };
	const struct gate_settings *gates = &result.policy.settings.gates;

	(void)state;
	assert_accepted("version: 1\n"
			"gates: {growth: 2.125, coverage: 12.5%, newly_dropped: 0.0001%,\n"
			"  newly_dropped_sources: 100%, newly_dropped_port: '0.75%'}\n",
			NULL, &result);
	assert_int_equal(gates->growth, 2125);
	assert_int_equal(gates->coverage, 125000);
	assert_int_equal(gates->newly_dropped, 1);
	assert_int_equal(gates->newly_dropped_sources, 1000000);
	assert_int_equal(gates->newly_dropped_port, 7500);
	assert_int_equal(result.policy.settings.canary.step_count, 3);
}

static void times_have_units(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} rows[] = {
		{ "500ms", 500 },	{ "10s", 10000 },    { "1.5s", 1500 },
		{ "0.001000s", 1 },	{ "5m", 300000 },    { "0.5m", 30000 },
		{ "24h", 86400000u },	{ "0.25h", 900000 }, { "86400s", 86400000u },
		{ "1440m", 86400000u }, { "100ms", 100 },    { "86400000ms", 86400000u },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_result struct result result = { 0 };
		char text[64];

		snprintf(text, sizeof(text), "version: 1\ncanary: {soak: %s}\n", rows[i].text);
		parse_with(text, NULL, &result);
		if (rows[i].ms < 100) {
			assert_problem(&result.diag, 0, "p.yaml:2:16", "out_of_range",
				       "soak is at least 100ms, not 0.001000s");
			continue;
		}
		assert_int_equal(result.err, 0);
		assert_int_equal(result.policy.settings.canary.soak_ms, rows[i].ms);
	}
}

static void steps_rise_and_may_be_left_out(void **state)
{
	auto_result struct result all = { 0 }, none = { 0 };
	const struct canary_settings *canary = &all.policy.settings.canary;

	(void)state;
	assert_accepted("version: 1\ncanary: {steps: [0.1%, 0.2%, 1%, 2%, 5%, 10%, 50%, 99.9%],\n"
			"  step: 10ms, soak: 24h}\n",
			NULL, &all);
	assert_int_equal(canary->step_count, CANARY_STEPS);
	assert_int_equal(canary->steps[0], 1);
	assert_int_equal(canary->steps[1], 2);
	assert_int_equal(canary->steps[7], 999);
	assert_int_equal(canary->step_ms, 10);
	assert_accepted("version: 1\ncanary: {steps: []}\n", NULL, &none);
	assert_int_equal(none.policy.settings.canary.step_count, 0);
	assert_int_equal(none.policy.settings.canary.step_ms, 10000);
}

static void steps_that_do_not_rise_are_refused(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_only("version: 1\ncanary: {steps: [1%, 1.0%]}\n", NULL, "p.yaml:2:22",
		    "steps_not_rising",
		    "each step is larger than the one before it: 1.0% after 1.0%");
	assert_only("version: 1\ncanary: {steps: [10%, 0.5%, 20%]}\n", NULL, "p.yaml:2:23",
		    "steps_not_rising",
		    "each step is larger than the one before it: 0.5% after 10.0%");
	/* What is refused for itself is compared with nothing. */
	assert_only("version: 1\ncanary: {steps: [50%, 100%, 60%]}\n", NULL, "p.yaml:2:23",
		    "out_of_range", NULL);
	parse_with("version: 1\ncanary: {steps: [1%,2%,3%,4%,5%,6%,7%,8%,9%]}\n", NULL, &result);
	assert_int_equal(result.diag.total, 1);
	assert_problem(&result.diag, 0, "p.yaml:2:17", "too_many_steps",
		       "9 steps, a canary has at most 8");
	assert_int_equal(result.diag.problems[0].actual, 9);
	assert_int_equal(result.diag.problems[0].limit, CANARY_STEPS);
}

struct refusal {
	const char *line; /* the second one */
	const char *place, *code, *message;
};

static void assert_refusals(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[128];

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].line);
		assert_only(text, NULL, rows[i].place, rows[i].code, rows[i].message);
	}
}

static void numbers_out_of_range_are_refused_with_the_limit(void **state)
{
	static const struct refusal rows[] = {
		{ "gates: {growth: 1}", "p.yaml:2:17", "out_of_range",
		  "growth is at least 1.001, not 1" },
		{ "gates: {growth: 0.5}", "p.yaml:2:17", "out_of_range",
		  "growth is at least 1.001, not 0.5" },
		{ "gates: {growth: 1000.001}", "p.yaml:2:17", "out_of_range",
		  "growth is at most 1000, not 1000.001" },
		{ "gates: {coverage: 0%}", "p.yaml:2:19", "out_of_range",
		  "coverage is at least 0.0001%, not 0%" },
		{ "gates: {newly_dropped: 100.0001%}", "p.yaml:2:24", "out_of_range",
		  "newly_dropped is at most 100%, not 100.0001%" },
		{ "gates: {newly_dropped_sources: 999999999.999999999%}", "p.yaml:2:32",
		  "bad_value", NULL },
		{ "gates: {newly_dropped_port: 999999999%}", "p.yaml:2:29", "out_of_range",
		  "newly_dropped_port is at most 100%, not 999999999%" },
		{ "canary: {steps: [0%]}", "p.yaml:2:18", "out_of_range",
		  "a step is at least 0.1%, not 0%" },
		{ "canary: {steps: [50%, 100%]}", "p.yaml:2:23", "out_of_range",
		  "a step is at most 99.9% (everybody comes after the last step), not 100%" },
		{ "canary: {step: 9ms}", "p.yaml:2:16", "out_of_range",
		  "step is at least 10ms, not 9ms" },
		{ "canary: {step: 3600001ms}", "p.yaml:2:16", "out_of_range",
		  "step is at most 1h, not 3600001ms" },
		{ "canary: {soak: 86400001ms}", "p.yaml:2:16", "out_of_range",
		  "soak is at most 24h, not 86400001ms" },
		{ "canary: {soak: 999999999h}", "p.yaml:2:16", "out_of_range",
		  "soak is at most 24h, not 999999999h" },
	};
	auto_result struct result result = { 0 };

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
	parse_with("version: 1\ngates: {growth: 1}\n", NULL, &result);
	assert_true(result.diag.problems[0].has_limit);
	assert_int_equal(result.diag.problems[0].actual, 1000);
	assert_int_equal(result.diag.problems[0].limit, 1001);
}

static void what_is_finer_than_can_be_kept_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{ "gates: {growth: 1.5001}", "p.yaml:2:17", "bad_value",
		  "growth goes by steps of 0.001; 1.5001 is between two of them" },
		{ "gates: {coverage: 0.00001%}", "p.yaml:2:19", "bad_value",
		  "coverage goes by steps of 0.0001%; 0.00001% is between two of them" },
		{ "canary: {steps: [0.15%]}", "p.yaml:2:18", "bad_value",
		  "a step goes by steps of 0.1%; 0.15% is between two of them" },
		{ "canary: {step: 10.5ms}", "p.yaml:2:16", "bad_value",
		  "step goes by steps of 1ms; 10.5ms is between two of them" },
		{ "canary: {soak: 1.0001s}", "p.yaml:2:16", "bad_value", NULL },
	};

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
}

static void what_is_no_number_with_its_unit_is_refused(void **state)
{
	static const char *const shares[] = {
		"1",   "%",    ".5%", "1.%",	      "1..5%",	     "1.5.1%",	     "1 %",
		"-1%", "+1%",  "01%", "1e1%",	      "0x1%",	     "1%%",	     "1s",
		"~",   "1,5%", "1.5", "12345678901%", "1234567890%", "0.1234567890%"
	};
	static const struct refusal rows[] = {
		{ "gates: {growth: 150%}", "p.yaml:2:17", "bad_value",
		  "growth is a factor such as 1.5, not '150%'" },
		{ "gates: {growth: [1.5]}", "p.yaml:2:17", "wrong_kind", NULL },
		{ "gates: {growth: }", "p.yaml:2:17", "bad_value", NULL },
		{ "gates: [growth]", "p.yaml:2:8", "wrong_kind",
		  "gates is a mapping of keys, not a sequence" },
		{ "gates: {grwoth: 1.5}", "p.yaml:2:9", "unknown_key",
		  "gates has no key 'grwoth'; did you mean 'growth'?" },
		{ "canary: {soak: 10}", "p.yaml:2:16", "bad_value",
		  "soak is a time such as 500ms, 10s, 5m or 1h, not '10'" },
		{ "canary: {soak: 10d}", "p.yaml:2:16", "bad_value", NULL },
		{ "canary: {soak: 10 s}", "p.yaml:2:16", "bad_value", NULL },
		{ "canary: {soak: 10S}", "p.yaml:2:16", "bad_value", NULL },
		{ "canary: {step: {}}", "p.yaml:2:16", "wrong_kind", NULL },
		{ "canary: {steps: 1%}", "p.yaml:2:17", "wrong_kind",
		  "steps is a sequence, not one value" },
		{ "canary: {steps: [[1%]]}", "p.yaml:2:18", "wrong_kind", NULL },
		{ "canary: 10s", "p.yaml:2:9", "wrong_kind", NULL },
		{ "canary: {soak: 1m, soak: 2m}", "p.yaml:2:20", "duplicate_key", NULL },
	};

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		char text[64], message[100];

		snprintf(text, sizeof(text), "version: 1\ngates: {coverage: '%s'}\n", shares[i]);
		snprintf(message, sizeof(message),
			 "coverage is a percentage such as 0.5%%, not '%s'", shares[i]);
		assert_only(text, NULL, "p.yaml:2:19", "bad_value", message);
	}
}

static void a_refused_setting_shows_its_line(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	parse_with("version: 1\ngates:\n  growth: 1\n  coverage: 2\n", NULL, &result);
	assert_int_equal(result.diag.total, 2);
	assert_problem(&result.diag, 0, "p.yaml:3:11", "out_of_range", NULL);
	assert_string_equal(result.diag.problems[0].excerpt, "  growth: 1");
	assert_problem(&result.diag, 1, "p.yaml:4:13", "bad_value", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_that_says_nothing_has_the_usual_settings),
		cmocka_unit_test(what_the_documentation_shows_is_what_is_usual),
		cmocka_unit_test(every_gate_setting_is_read),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(steps_rise_and_may_be_left_out),
		cmocka_unit_test(steps_that_do_not_rise_are_refused),
		cmocka_unit_test(numbers_out_of_range_are_refused_with_the_limit),
		cmocka_unit_test(what_is_finer_than_can_be_kept_is_refused),
		cmocka_unit_test(what_is_no_number_with_its_unit_is_refused),
		cmocka_unit_test(a_refused_setting_shows_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
