/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_parse(): YAML as text, the settings, and every refusal with its place. */
#include <time.h>

#include "base/file.h"
#include "parse_help.h"

static void the_smallest_policy_has_the_documented_defaults(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_accepted("version: 1\n", NULL, &result);
	assert_string_equal(result.policy.file, "p.yaml");
	assert_int_equal(result.policy.mode, MODE_MONITOR);
	assert_false(result.policy.inner);
	assert_true(result.policy.headers);
	assert_false(result.policy.sources);
	assert_int_equal(result.policy.mark_mask, 0);
	assert_int_equal(result.policy.list_count, 0);
	assert_int_equal(result.policy.prefix_count, 0);
	assert_int_equal(result.policy.port_count, 0);
}

static void the_built_in_limits_apply_when_none_are_given(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	parse_limited("version: 1\nlists: [{name: a, action: drop, entries: [10.0.0.0/8]}]\n", NULL,
		      NULL, &result);
	assert_int_equal(result.err, 0);
	assert_int_equal(result.policy.prefix_count, 1);
}

static void every_setting_is_read(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_accepted(
		"version: 1\nmode: enforce\ninner: true\nheaders: pass\nsources: true\n"
		"mark: {mask: 0xFF000000, value: 1526726656}\n"
		"protect: {prefixes: [192.0.2.0/24, '2001:db8::/32'], ports: [443, 22, 65535]}\n",
		NULL, &result);
	assert_int_equal(result.policy.mode, MODE_ENFORCE);
	assert_true(result.policy.inner);
	assert_false(result.policy.headers);
	assert_true(result.policy.sources);
	assert_int_equal(result.policy.mark_mask, 0xff000000);
	assert_int_equal(result.policy.mark_value, 0x5b000000);
	assert_int_equal(result.policy.protect_count, 2);
	assert_int_equal(result.policy.prefix_count, 2);
	assert_int_equal(result.policy.prefixes[1].list, 1);
	assert_int_equal(result.policy.prefixes[1].line, 7);
	assert_int_equal(result.policy.port_count, 3);
	assert_int_equal(result.policy.ports[0], 22);
	assert_int_equal(result.policy.ports[1], 443);
	assert_int_equal(result.policy.ports[2], 65535);
}

static void the_factory_policy_passes_everything(void **state)
{
	struct policy policy;

	(void)state;
	policy_factory(&policy);
	assert_int_equal(policy.mode, MODE_ENFORCE);
	assert_false(policy.headers);
	assert_int_equal(policy.list_count + policy.prefix_count + policy.port_count, 0);
	policy_free(&policy);
}

static void windows_line_ends_and_a_byte_order_mark_do_not_matter(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_accepted("\xef\xbb\xbfversion: 1\r\nmode: enforce # \xc3\xa9\r\n", NULL, &result);
	assert_int_equal(result.policy.mode, MODE_ENFORCE);
	assert_only("\xef\xbb\xbfversion: 1\r\n\r\n@mode: x\r\n", NULL, "p.yaml:3:1", "yaml", NULL);
	assert_only("\xef\xbb\xbfmode: x\r\nversion: 1\r\n", NULL, "p.yaml:1:7", "bad_value",
		    "mode is enforce or monitor, not 'x'");
}

static void an_empty_policy_is_refused(void **state)
{
	static const char *const empty[] = { "",      "\n\n",	      "# comment\n",
					     "---\n", "\xef\xbb\xbf", "---\n...\n" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(empty); i++)
		assert_only(empty[i], NULL, "p.yaml:1:1", "empty_policy", "empty policy");
}

static void what_is_not_text_is_refused_with_its_place(void **state)
{
	auto_result struct result result = { 0 };
	static const char nul[] = "version: 1\nmode\0: x\n";

	(void)state;
	assert_only("version: 1\nmode: \xff\n", NULL, "p.yaml:2:7", "not_utf8",
		    "byte 0xff is not UTF-8");
	assert_only("\xff\xfev", NULL, "p.yaml:1:1", "not_utf8",
		    "the text is UTF-16; save it as UTF-8");
	assert_only("\xfe\xff", NULL, "p.yaml:1:1", "not_utf8",
		    "the text is UTF-16; save it as UTF-8");
	assert_only("version: 1\rmode: x\n", NULL, "p.yaml:1:11", "control_character", NULL);
	assert_only("version: 1 # \xc3\xa9\x1b\n", NULL, "p.yaml:1:15", "control_character", NULL);
	assert_only("version: 1\xe2\x80\xa8\n", NULL, "p.yaml:1:11", "control_character", NULL);
	assert_only("version: 1\xc2\x85\n", NULL, "p.yaml:1:11", "control_character", NULL);
	result.err = policy_parse(&(struct named_text){ "p.yaml", nul, sizeof(nul) - 1 }, NULL,
				  &test_limits, &result.policy, &result.diag);
	assert_int_equal(result.err, -EINVAL);
	assert_problem(&result.diag, 0, "p.yaml:2:5", "nul_byte", NULL);
	assert_string_equal(result.diag.problems[0].excerpt, "mode?: x");
}

static void broken_yaml_is_refused_with_its_place(void **state)
{
	(void)state;
	assert_only("version: 1\nmode: a: b\n", NULL, "p.yaml:2:8", "yaml",
		    "mapping values are not allowed in this context");
	assert_only("version: 1\nlists: [\n  {name: x,\n", NULL, "p.yaml:4:1", "yaml", NULL);
	assert_only("a: \"x", NULL, "p.yaml:1:6", "yaml",
		    "found unexpected end of stream while scanning a quoted scalar");
	assert_only("a: \"x\n\n", NULL, "p.yaml:3:1", "yaml",
		    "found unexpected end of stream while scanning a quoted scalar from line 1");
	assert_only("%YAML 9.9\n---\na: b\n", NULL, "p.yaml:1:1", "yaml", NULL);
	assert_only("version: 1\n---\nversion: 1\n", NULL, "p.yaml:2:1", "multiple_documents",
		    NULL);
	assert_only("- version\n", NULL, "p.yaml:1:1", "wrong_kind",
		    "the policy is a mapping of keys, not a sequence");
	assert_only("version\n", NULL, "p.yaml:1:1", "wrong_kind", NULL);
}

static void yaml_that_refers_or_casts_is_refused(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_only("version: &v 1\n", NULL, "p.yaml:1:10", "anchor", NULL);
	assert_only("version: !!int 1\n", NULL, "p.yaml:1:10", "tag", NULL);
	assert_only("!x {version: 1}\n", NULL, "p.yaml:1:1", "tag", NULL);
	parse_with("version: 1\nprotect: &p {ports: &q [1]}\nlists: *p\nmark: *q\n", NULL, &result);
	assert_int_equal(result.diag.total, 4);
	assert_problem(&result.diag, 2, "p.yaml:3:8", "alias", "aliases are not used in a policy");
	assert_only("? *v\n: 1\nversion: 1\n", NULL, "p.yaml:1:3", "alias", NULL);
}

static void a_value_with_control_characters_is_refused(void **state)
{
	(void)state;
	assert_only("version: 1\nmode: \"enforce\\0\"\n", NULL, "p.yaml:2:7", "control_character",
		    NULL);
	assert_only("version: 1\nmode: |\n  enforce\n", NULL, "p.yaml:2:7", "control_character",
		    NULL);
}

static void keys_are_known_built_and_unique(void **state)
{
	static const char *const later[] = { "signatures", "features", "thresholds", "services" };
	auto_result struct result result = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(later); i++) {
		char text[64], message[80];

		snprintf(text, sizeof(text), "version: 1\n%s: {}\n", later[i]);
		snprintf(message, sizeof(message), "'%s' is not built in this version", later[i]);
		assert_only(text, NULL, "p.yaml:2:1", "not_built", message);
	}
	assert_only("version: 1\nmod: x\n", NULL, "p.yaml:2:1", "unknown_key",
		    "the policy has no key 'mod'; did you mean 'mode'?");
	assert_only("version: 1\nlsits: x\n", NULL, "p.yaml:2:1", "unknown_key",
		    "the policy has no key 'lsits'; did you mean 'lists'?");
	assert_only("version: 1\nzzz: x\n", NULL, "p.yaml:2:1", "unknown_key",
		    "the policy has no key 'zzz'");
	assert_only("version: 1\nan_endless_key_that_nobody_could_ever_mean: x\n", NULL,
		    "p.yaml:2:1", "unknown_key", NULL);
	assert_only("version: 1\nversion: 1\n", NULL, "p.yaml:2:1", "duplicate_key",
		    "the key 'version' is repeated, it stands on line 1 already");
	assert_only("mode: monitor\n", NULL, "p.yaml:1:1", "missing_key",
		    "the policy needs the key 'version'");
	parse_with("version: 1\n? [a]\n: b\n? {c: d}\n: e\n", NULL, &result);
	assert_int_equal(result.diag.total, 2);
	assert_problem(&result.diag, 0, "p.yaml:2:3", "wrong_kind",
		       "a key is one value, not a sequence");
}

static void settings_of_the_wrong_kind_or_range_are_refused(void **state)
{
	static const struct {
		const char *line, *place, *code;
	} rows[] = {
		{ "mode: bypass", "p.yaml:2:7", "bad_value" },
		{ "mode: [enforce]", "p.yaml:2:7", "wrong_kind" },
		{ "mode:", "p.yaml:2:6", "wrong_value" },
		{ "inner: yes", "p.yaml:2:8", "bad_value" },
		{ "inner: 'true'", "p.yaml:2:8", "bad_value" },
		{ "inner: []", "p.yaml:2:8", "wrong_kind" },
		{ "sources: 1", "p.yaml:2:10", "bad_value" },
		{ "headers: maybe", "p.yaml:2:10", "bad_value" },
		{ "mark: 1", "p.yaml:2:7", "wrong_kind" },
		{ "mark: {mask: 1}", "p.yaml:2:7", "missing_key" },
		{ "mark: {value: 0}", "p.yaml:2:7", "missing_key" },
		{ "mark: {mask: 0, value: 0}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: 0xff, value: 0x100}", "p.yaml:2:7", "mark_outside_mask" },
		{ "mark: {mask: 4294967296, value: 1}", "p.yaml:2:14", "out_of_range" },
		{ "mark: {mask: 99999999999999999999999, value: 1}", "p.yaml:2:14",
		  "out_of_range" },
		{ "mark: {mask: 0x, value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: 0xfg, value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: 1a, value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: 010, value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: -1, value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: '1', value: 1}", "p.yaml:2:14", "bad_value" },
		{ "mark: {mask: [], value: 1}", "p.yaml:2:14", "wrong_kind" },
		{ "protect: []", "p.yaml:2:10", "wrong_kind" },
		{ "protect: {prefixes: 10.0.0.0/8}", "p.yaml:2:21", "wrong_kind" },
		{ "protect: {prefixes: [10.0.0.1/8]}", "p.yaml:2:22", "host_bits" },
		{ "protect: {prefixes: [[]]}", "p.yaml:2:22", "wrong_kind" },
		{ "protect: {prefixes: ['::', '0::']}", "p.yaml:2:28", "duplicate_prefix" },
		{ "protect: {port: [1]}", "p.yaml:2:11", "unknown_key" },
		{ "protect: {ports: 22}", "p.yaml:2:18", "wrong_kind" },
		{ "protect: {ports: [0]}", "p.yaml:2:19", "out_of_range" },
		{ "protect: {ports: [65536]}", "p.yaml:2:19", "out_of_range" },
		{ "protect: {ports: [22, 22]}", "p.yaml:2:23", "duplicate_port" },
		{ "protect: {ports: [ssh]}", "p.yaml:2:19", "bad_value" },
	};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bool empty = !strcmp(rows[i].code, "wrong_value");

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].line);
		assert_only(text, NULL, rows[i].place, empty ? "bad_value" : rows[i].code, NULL);
	}
	assert_only("version: 2\n", NULL, "p.yaml:1:10", "bad_version",
		    "version 2 is not one this tool reads; it reads 1");
	assert_only("version:\n", NULL, "p.yaml:1:9", "bad_value",
		    "version is a whole number, not ''");
	assert_only("version: one\n", NULL, "p.yaml:1:10", "bad_value", NULL);
	assert_only("version: 1\nprotect:\n", NULL, "p.yaml:2:9", "wrong_kind",
		    "protect is a mapping of keys, not nothing");
}

static void all_problems_are_reported_at_once_in_order(void **state)
{
	static const struct memory_file files[] = { { "bad.txt", "::1\n300.1.2.3\n", 0 },
						    { NULL, NULL, 0 } };
	auto_result struct result result = { 0 };

	(void)state;
	parse_with("mode: x\nlists:\n"
		   "  - {name: a, action: drop, file: bad.txt}\n"
		   "  - {name: b, action: drop, file: none.txt}\n"
		   "inner: 7\nversion: 3\n",
		   files, &result);
	assert_int_equal(result.diag.total, 5);
	assert_problem(&result.diag, 0, "p.yaml:1:7", "bad_value", NULL);
	assert_problem(&result.diag, 1, "p.yaml:4:35", "unreadable_list", NULL);
	assert_problem(&result.diag, 2, "p.yaml:5:8", "bad_value", NULL);
	assert_problem(&result.diag, 3, "p.yaml:6:10", "bad_version", NULL);
	assert_problem(&result.diag, 4, "bad.txt:2:1", "bad_prefix", NULL);
	assert_string_equal(result.diag.problems[1].excerpt,
			    "  - {name: b, action: drop, file: none.txt}");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Fills 4 MiB after @front with @pattern; the one refusal must come soon and with this code. */
static void assert_cheap(const char *front, const char *pattern, const char *code)
{
	auto_result struct result result = { 0 };
	size_t len = 4 << 20, at, step = strlen(pattern);
	autofree char *text = malloc(len + 1);
	double start;

	assert_non_null(text);
	strcpy(text, front);
	for (at = strlen(front); at + step <= len; at += step)
		memcpy(text + at, pattern, step);
	text[at] = '\0';
	start = seconds();
	parse_with(text, NULL, &result);
	if (seconds() - start > 10)
		fail_msg("'%s' took %.1f s", pattern, seconds() - start);
	assert_string_equal(result.diag.problems[0].code, code);
}

static void hostile_yaml_is_refused_cheaply(void **state)
{
	(void)state;
	assert_cheap("a: ", "[", "too_deep");
	assert_cheap("a: ", "{a: ", "too_deep");
	assert_cheap("", "- ", "too_deep");
	assert_cheap("", "? ", "too_deep");
	assert_cheap("a: &a [b]\nb: [", "*a, ", "anchor");
	assert_cheap("a: [", "x,", "yaml");
	assert_cheap("a: ", "x", "unknown_key");
	assert_cheap("", "a: b\n", "unknown_key");
	assert_cheap("a: \"", "\\x41", "yaml");
	assert_cheap("# ", "#", "empty_policy");
	assert_cheap("a: '", "\n", "yaml");
	assert_cheap("version: 1\nprotect: {ports: [", "22,", "yaml");
}

static void too_many_values_are_refused_with_the_limit(void **state)
{
	auto_result struct result result = { 0 };
	size_t len = 6 << 20;
	autofree char *text = malloc(len + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 0, len + 1);
	memcpy(text, "a: [", 4);
	for (size_t at = 4; at + 2 <= len; at += 2)
		memcpy(text + at, "x,", 2);
	parse_with(text, NULL, &result);
	assert_int_equal(result.diag.total, 1);
	assert_string_equal(result.diag.problems[0].code, "too_many_values");
	assert_true(result.diag.problems[0].actual > result.diag.problems[0].limit);
}

static void a_text_longer_than_any_policy_is_not_even_read(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	result.err = policy_parse(&(struct named_text){ "p.yaml", "x", FILE_MAX_POLICY + 1 }, NULL,
				  NULL, &result.policy, &result.diag);
	assert_int_equal(result.err, -EINVAL);
	assert_problem(&result.diag, 0, "p.yaml:0:0", "policy_too_long", NULL);
	assert_int_equal(result.diag.problems[0].limit, FILE_MAX_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_policy_has_the_documented_defaults),
		cmocka_unit_test(the_built_in_limits_apply_when_none_are_given),
		cmocka_unit_test(every_setting_is_read),
		cmocka_unit_test(the_factory_policy_passes_everything),
		cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_do_not_matter),
		cmocka_unit_test(an_empty_policy_is_refused),
		cmocka_unit_test(what_is_not_text_is_refused_with_its_place),
		cmocka_unit_test(broken_yaml_is_refused_with_its_place),
		cmocka_unit_test(yaml_that_refers_or_casts_is_refused),
		cmocka_unit_test(a_value_with_control_characters_is_refused),
		cmocka_unit_test(keys_are_known_built_and_unique),
		cmocka_unit_test(settings_of_the_wrong_kind_or_range_are_refused),
		cmocka_unit_test(all_problems_are_reported_at_once_in_order),
		cmocka_unit_test(hostile_yaml_is_refused_cheaply),
		cmocka_unit_test(too_many_values_are_refused_with_the_limit),
		cmocka_unit_test(a_text_longer_than_any_policy_is_not_even_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
