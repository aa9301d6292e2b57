/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_parse(): lists, their files, duplicates, conflicts and limits. */
#include "parse_help.h"

#define ONE(keys) "version: 1\nlists:\n  - {" keys "}\n"

static void every_key_of_a_list_is_read(void **state)
{
	static const struct memory_file files[] = {
		{ "lists/a.txt", "# bots\n10.0.0.0/8\n2001:db8::/32\n", 0 }, { NULL, NULL, 0 }
	};
	auto_result struct result result = { 0 };
	const struct list *lists;

	(void)state;
	assert_accepted(
		"version: 1\n"
		"protect: {prefixes: [192.0.2.0/24]}\n"
		"lists:\n"
		"  - name: bots\n"
		"    action: allow\n"
		"    file: lists/a.txt\n"
		"    duplicates: merge\n"
		"  - {name: to.the_host-1, action: drop, match: destination,\n"
		"     entries: [198.51.100.7]}\n"
		"  - {name: grey, action: flag, match: source, entries: [], allow_empty: true,\n"
		"     duplicates: refuse}\n"
		"  - {name: dc, action: score, family: reputation, points: 50, entries: ['::/0']}\n",
		files, &result);
	assert_int_equal(result.policy.list_count, 4);
	assert_int_equal(result.policy.prefix_count, 5);
	assert_int_equal(result.policy.protect_count, 1);
	lists = result.policy.lists;
	assert_string_equal(lists[0].name, "bots");
	assert_string_equal(lists[0].file, "lists/a.txt");
	assert_int_equal(lists[0].action, ACTION_ALLOW);
	assert_int_equal(lists[0].match, MATCH_SOURCE);
	assert_int_equal(lists[0].prefixes, 2);
	assert_true(lists[0].merge && !lists[0].allow_empty);
	assert_int_equal(lists[0].line, 4);
	assert_int_equal(lists[0].col, 5);
	assert_int_equal(lists[1].action, ACTION_DROP);
	assert_int_equal(lists[1].match, MATCH_DESTINATION);
	assert_null(lists[1].file);
	assert_int_equal(lists[2].action, ACTION_FLAG);
	assert_true(lists[2].allow_empty && !lists[2].merge);
	assert_int_equal(lists[2].prefixes, 0);
	assert_int_equal(lists[3].action, ACTION_SCORE);
	assert_string_equal(lists[3].family, "reputation");
	assert_int_equal(lists[3].points, 50);
}

static void prefixes_know_their_list_and_line(void **state)
{
	static const struct memory_file files[] = {
		{ "a", "# bots\n10.0.0.0/8\n\n2001:db8::/32\n", 0 }, { NULL, NULL, 0 }
	};
	static const uint32_t expected[][2] = { { 1, 2 }, { 1, 4 }, { 2, 4 }, { 2, 6 }, { 3, 7 } };
	auto_result struct result result = { 0 };
	uint32_t i;

	(void)state;
	assert_accepted("version: 1\nlists:\n"
			"  - {name: a, action: drop, file: a}\n"
			"  - {name: b, action: drop, entries: [1.0.0.0/8,\n\n     2.0.0.0/8]}\n"
			"protect: {prefixes: [3.0.0.0/8]}\n",
			files, &result);
	assert_int_equal(result.policy.prefix_count, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(result.policy.prefixes[i].list, expected[i][0]);
		assert_int_equal(result.policy.prefixes[i].line, expected[i][1]);
	}
}

static void a_list_that_breaks_a_rule_is_refused(void **state)
{
	static const struct {
		const char *keys, *place, *code;
	} rows[] = {
		{ "action: drop, entries: [1.1.1.1]", "p.yaml:3:5", "missing_key" },
		{ "name: a, entries: [1.1.1.1]", "p.yaml:3:5", "missing_key" },
		{ "name: a, action: drop", "p.yaml:3:5", "missing_key" },
		{ "name: A, action: drop, entries: [1.1.1.1]", "p.yaml:3:12", "bad_value" },
		{ "name: -a, action: drop, entries: [1.1.1.1]", "p.yaml:3:12", "bad_value" },
		{ "name: '', action: drop, entries: [1.1.1.1]", "p.yaml:3:12", "bad_value" },
		{ "name: a b, action: drop, entries: [1.1.1.1]", "p.yaml:3:12", "bad_value" },
		{ "name: [], action: drop, entries: [1.1.1.1]", "p.yaml:3:12", "wrong_kind" },
		{ "name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, action: drop, "
		  "entries: [1.1.1.1]",
		  "p.yaml:3:12", "bad_name" },
		{ "name: protect, action: drop, entries: [1.1.1.1]", "p.yaml:3:12",
		  "reserved_name" },
		{ "name: a, action: block, entries: [1.1.1.1]", "p.yaml:3:23", "bad_value" },
		{ "name: a, action: drop, match: both, entries: [1.1.1.1]", "p.yaml:3:36",
		  "bad_value" },
		{ "name: a, action: drop, fiel: x, entries: [1.1.1.1]", "p.yaml:3:29",
		  "unknown_key" },
		{ "name: a, action: drop, entries: 1.1.1.1", "p.yaml:3:38", "wrong_kind" },
		{ "name: a, action: drop, file: []", "p.yaml:3:35", "wrong_kind" },
		{ "name: a, action: drop, file: ''", "p.yaml:3:35", "bad_value" },
		{ "name: a, action: drop, entries: []", "p.yaml:3:38", "empty_list" },
		{ "name: a, action: drop, entries: [1.1.1.1], allow_empty: 1", "p.yaml:3:62",
		  "bad_value" },
		{ "name: a, action: drop, entries: [1.1.1.1], duplicates: drop", "p.yaml:3:61",
		  "bad_value" },
		{ "name: a, action: drop, points: 1, entries: [1.1.1.1]", "p.yaml:3:37",
		  "key_needs_score" },
		{ "name: a, action: drop, family: f, entries: [1.1.1.1]", "p.yaml:3:37",
		  "key_needs_score" },
		{ "name: a, action: score, points: 1, entries: [1.1.1.1]", "p.yaml:3:5",
		  "missing_key" },
		{ "name: a, action: score, family: f, entries: [1.1.1.1]", "p.yaml:3:5",
		  "missing_key" },
		{ "name: a, action: score, family: F, points: 1, entries: [1.1.1.1]", "p.yaml:3:38",
		  "bad_value" },
		{ "name: a, action: score, family: f, points: 0, entries: [1.1.1.1]", "p.yaml:3:49",
		  "out_of_range" },
		{ "name: a, action: score, family: f, points: 51, entries: [1.1.1.1]",
		  "p.yaml:3:49", "out_of_range" },
		{ "name: a, action: drop, entries: [1.1.1.1/33]", "p.yaml:3:39", "prefix_length" },
		{ "name: a, action: drop, entries: ['']", "p.yaml:3:39", "bad_prefix" },
		{ "name: a, action: drop, entries: [{}]", "p.yaml:3:39", "wrong_kind" },
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "version: 1\nlists:\n  - {%s}\n", rows[i].keys);
		assert_only(text, NULL, rows[i].place, rows[i].code, NULL);
	}
	assert_only("version: 1\nlists: {}\n", NULL, "p.yaml:2:8", "wrong_kind", NULL);
	assert_only("version: 1\nlists: [x]\n", NULL, "p.yaml:2:9", "wrong_kind", NULL);
}

static void an_unnamed_list_is_still_shown(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	parse_with(ONE("action: drop, file: [], entries: []"), NULL, &result);
	assert_int_equal(result.diag.total, 3);
	parse_with(ONE("action: score, entries: [1.1.1.1, 1.1.1.1]"), NULL, &result);
	assert_int_equal(result.diag.total, 3 + 4);
	assert_problem(&result.diag, 6, "p.yaml:3:40", "duplicate_prefix",
		       "1.1.1.1/32 is twice in list '?': p.yaml:3 and p.yaml:3");
}

static void a_list_has_a_file_or_entries(void **state)
{
	static const struct memory_file files[] = { { "f", "::1\n", 0 }, { NULL, NULL, 0 } };

	(void)state;
	assert_only(ONE("name: a, action: drop, file: f, entries: [1.1.1.1]"), files, "p.yaml:3:47",
		    "two_contents", "list 'a' has both file and entries; write one of them");
}

static void two_lists_never_share_a_name(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	parse_with("version: 1\nlists:\n"
		   "  - {name: a, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: b, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: a, action: flag, entries: [1.1.1.1]}\n"
		   "  - {name: a, action: flag, entries: [1.1.1.1]}\n",
		   NULL, &result);
	assert_int_equal(result.diag.total, 2);
	assert_problem(&result.diag, 0, "p.yaml:5:12", "duplicate_name",
		       "a list 'a' is on line 3 already");
	assert_problem(&result.diag, 1, "p.yaml:6:12", "duplicate_name", NULL);
}

static void an_unreadable_file_is_refused_where_it_is_named(void **state)
{
	static const struct {
		int err;
		const char *message;
	} rows[] = {
		{ -ENOENT, "cannot read f: there is no such file" },
		{ -EISDIR, "cannot read f: it is a directory" },
		{ -EINVAL, "cannot read f: it is not a regular file" },
		{ -EFBIG, "cannot read f: it is too long" },
		{ -EACCES, "cannot read f: permission denied" },
		{ -EPERM, "cannot read f: permission denied" },
		{ -EIO, "cannot read f: Input/output error" },
		{ -9999, "cannot read f: unknown error" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct memory_file files[] = { { "f", NULL, rows[i].err }, { NULL, NULL, 0 } };

		assert_only(ONE("name: a, action: drop, file: f"), files, "p.yaml:3:35",
			    "unreadable_list", rows[i].message);
	}
	assert_only(ONE("name: a, action: drop, file: f"), NULL, "p.yaml:3:35", "unreadable_list",
		    "list files cannot be read here; write the prefixes as entries");
}

static void running_out_of_memory_for_a_file_is_no_refusal(void **state)
{
	static const char text[] = ONE("name: a, action: drop, file: f");
	struct memory_file files[] = { { "f", NULL, -ENOMEM }, { NULL, NULL, 0 } };
	struct policy_source source = { memory_read, files };
	auto_result struct result result = { 0 };

	(void)state;
	assert_int_equal(policy_parse(&(struct named_text){ "p", text, strlen(text) }, &source,
				      NULL, &result.policy, &result.diag),
			 -ENOMEM);
	assert_int_equal(result.diag.total, 0);
	assert_null(result.policy.file);
}

static void an_empty_file_must_be_asked_for(void **state)
{
	static const struct memory_file files[] = {
		{ "f", "# nothing\n\n", 0 }, { "z", "", 0 }, { "b", "bad\n", 0 }, { NULL, NULL, 0 }
	};
	auto_result struct result result = { 0 };

	(void)state;
	assert_only(ONE("name: a, action: drop, file: f"), files, "p.yaml:3:35", "empty_list",
		    "list 'a' has no prefix in it; allow_empty: true permits that");
	assert_only(ONE("name: a, action: drop, file: z"), files, "p.yaml:3:35", "empty_list",
		    NULL);
	assert_only(ONE("name: a, action: drop, file: b"), files, "b:1:1", "bad_prefix", NULL);
	assert_accepted(ONE("name: a, action: drop, allow_empty: true, file: f"), files, &result);
}

static void problems_of_a_file_are_placed_in_it(void **state)
{
	static const struct memory_file files[] = { { "d/f", "::1\n  10.1.1.1/8 # x\n", 0 },
						    { NULL, NULL, 0 } };
	auto_result struct result result = { 0 };

	(void)state;
	parse_with(ONE("name: a, action: drop, file: d/f"), files, &result);
	assert_int_equal(result.diag.total, 1);
	assert_problem(&result.diag, 0, "d/f:2:3", "host_bits",
		       "'10.1.1.1/8' has bits set past its length; the prefix is 10.0.0.0/8");
	assert_string_equal(result.diag.problems[0].excerpt, "  10.1.1.1/8 # x");
}

static void a_duplicate_is_refused_with_both_lines(void **state)
{
	static const struct memory_file files[] = {
		{ "f", "10.0.0.0/8\n::1\n  10.0.0.0/8 # again\n0::1\n10.0.0.0/9\n10.0.0.0/8", 0 },
		{ "j",
		  "{\"prefixes\":[\n{\"ipv4Prefix\":\"1.1.1.1\"},\n"
		  " {\"ipv4Prefix\":\"1.1.1.1/32\"}]}",
		  0 },
		{ NULL, NULL, 0 }
	};
	auto_result struct result result = { 0 };

	(void)state;
	parse_with(ONE("name: a, action: drop, file: f"), files, &result);
	assert_int_equal(result.diag.total, 3);
	assert_problem(&result.diag, 0, "f:3:3", "duplicate_prefix",
		       "10.0.0.0/8 is twice in list 'a': f:1 and f:3");
	assert_string_equal(result.diag.problems[0].excerpt, "  10.0.0.0/8 # again");
	assert_problem(&result.diag, 1, "f:4:1", "duplicate_prefix",
		       "::1/128 is twice in list 'a': f:2 and f:4");
	assert_problem(&result.diag, 2, "f:6:1", "duplicate_prefix",
		       "10.0.0.0/8 is twice in list 'a': f:1 and f:6");
	assert_only(ONE("name: a, action: drop, file: j"), files, "j:3:2", "duplicate_prefix",
		    "1.1.1.1/32 is twice in list 'a': j:2 and j:3");
	assert_only(ONE("name: a, action: drop, entries: [1.1.1.1,\n 1.1.1.1]"), NULL, "p.yaml:4:2",
		    "duplicate_prefix", "1.1.1.1/32 is twice in list 'a': p.yaml:3 and p.yaml:4");
	assert_only(ONE("name: a, action: drop, entries: ['::2', '::1', '::2']"), NULL,
		    "p.yaml:3:53", "duplicate_prefix", NULL);
}

static void the_same_prefix_in_two_lists_is_legal(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_accepted("version: 1\nlists:\n"
			"  - {name: a, action: drop, entries: [1.1.1.1, '::/0', 0.0.0.0/0]}\n"
			"  - {name: b, action: drop, entries: [1.1.1.1]}\n"
			"  - {name: c, action: allow, entries: [1.1.1.1]}\n"
			"protect: {prefixes: [1.1.1.1]}\n",
			NULL, &result);
	assert_int_equal(result.policy.prefix_count, 6);
}

static void the_first_five_duplicates_are_named_and_the_rest_counted(void **state)
{
	auto_result struct result result = { 0 };
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	char text[1000] = "", row[32];
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(row, sizeof(row), "10.0.0.%d\n", (i % 10) * 7 % 10);
		strcat(text, row);
	}
	files[0].text = text;
	parse_with(ONE("name: a, action: drop, file: f"), files, &result);
	assert_int_equal(result.diag.total, 6);
	for (i = 0; i < 5; i++)
		assert_int_equal(result.diag.problems[i].line, 11 + i);
	assert_problem(&result.diag, 4, "f:15:1", "duplicate_prefix",
		       "10.0.0.8/32 is twice in list 'a': f:5 and f:15");
	assert_problem(&result.diag, 5, "f:16:1", "duplicate_prefix",
		       "... and 5 more duplicates in list 'a', 10 in all");
}

/* @rows lines in one file, of which the last @again repeat the first ones. */
static void fill(char *text, int rows, int again)
{
	int i;

	text[0] = '\0';
	for (i = 0; i < rows; i++)
		sprintf(text + strlen(text), "10.0.%d.0/24\n",
			i < rows - again ? i : i - rows + again);
}

static void merging_takes_five_percent_and_says_how_many(void **state)
{
	static const char policy[] = ONE("name: a, action: drop, file: f, duplicates: merge");
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	auto_result struct result result = { 0 }, other = { 0 };
	char text[1000];
	uint32_t i;

	(void)state;
	files[0].text = text;
	fill(text, 40, 2);
	assert_accepted(policy, files, &result);
	assert_int_equal(result.policy.lists[0].merged, 2);
	assert_int_equal(result.policy.lists[0].prefixes, 38);
	assert_int_equal(result.policy.prefix_count, 38);
	for (i = 0; i < 38; i++)
		assert_int_equal(result.policy.prefixes[i].line, i + 1);
	fill(text, 40, 3);
	parse_with(policy, files, &other);
	assert_int_equal(other.diag.total, 1);
	assert_problem(&other.diag, 0, "p.yaml:3:50", "too_many_duplicates",
		       "list 'a' has 3 duplicates in 40 rows; merge takes at most 5 %, 2");
	assert_int_equal(other.diag.problems[0].actual, 3);
	assert_int_equal(other.diag.problems[0].limit, 2);
}

static void other_lists_keep_their_prefixes_when_one_is_merged(void **state)
{
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	auto_result struct result result = { 0 };
	char text[1000];

	(void)state;
	files[0].text = text;
	fill(text, 20, 1);
	assert_accepted("version: 1\nlists:\n"
			"  - {name: a, action: drop, entries: [9.0.0.0/8]}\n"
			"  - {name: b, action: drop, file: f, duplicates: merge}\n"
			"  - {name: c, action: drop, entries: [8.0.0.0/8]}\n",
			files, &result);
	assert_int_equal(result.policy.prefix_count, 21);
	assert_int_equal(result.policy.prefixes[0].list, 1);
	assert_int_equal(result.policy.prefixes[19].list, 2);
	assert_int_equal(result.policy.prefixes[20].list, 3);
	assert_true(result.policy.prefixes[20].hi == 8ull << 56);
	assert_int_equal(result.policy.prefixes[20].line, 5);
}

static void one_prefix_has_one_score_in_a_family(void **state)
{
	static const struct memory_file files[] = { { "f", "::/0\n9.9.9.0/24\n", 0 },
						    { NULL, NULL, 0 } };
	auto_result struct result result = { 0 }, other = { 0 };

	(void)state;
	parse_with(
		"version: 1\nlists:\n"
		"  - {name: a, action: score, family: f, points: 5, entries: [9.9.9.0/24, 8.0.0.0/8]}\n"
		"  - {name: b, action: score, family: f, points: 7, file: f}\n"
		"  - {name: c, action: score, family: f, points: 5, entries: [9.9.9.0/24]}\n"
		"  - {name: d, action: score, family: f, points: 6, entries: [8.0.0.0/8]}\n",
		files, &result);
	assert_int_equal(result.diag.total, 2);
	assert_problem(&result.diag, 0, "f:2:0", "conflict",
		       "9.9.9.0/24 has 5 points at p.yaml:3 and 7 points at f:2, "
		       "both of family 'f'");
	assert_problem(&result.diag, 1, "p.yaml:6:62", "conflict",
		       "8.0.0.0/8 has 5 points at p.yaml:3 and 6 points at p.yaml:6, "
		       "both of family 'f'");
	assert_accepted(
		"version: 1\nlists:\n"
		"  - {name: a, action: score, family: f, points: 5, entries: [9.9.9.0/24]}\n"
		"  - {name: b, action: score, family: g, points: 6, entries: [9.9.9.0/24]}\n"
		"  - {name: c, action: score, family: f, points: 6, match: destination,\n"
		"     entries: [9.9.9.0/24]}\n"
		"  - {name: d, action: score, family: f, points: 5, entries: [9.9.9.0/24]}\n",
		NULL, &other);
}

static void many_conflicts_are_counted(void **state)
{
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	auto_result struct result result = { 0 };
	char text[1000];

	(void)state;
	files[0].text = text;
	fill(text, 9, 0);
	parse_with("version: 1\nlists:\n"
		   "  - {name: a, action: score, family: f, points: 5, file: f}\n"
		   "  - {name: b, action: score, family: f, points: 7, file: f}\n",
		   files, &result);
	assert_int_equal(result.diag.total, 6);
	assert_problem(&result.diag, 5, "f:6:0", "conflict", "... and 4 more conflicts, 9 in all");
}

static void the_limit_is_met_and_one_more_is_refused(void **state)
{
	static const char policy[] = "version: 1\nlists:\n"
				     "  - {name: a, action: drop, entries: [9.0.0.0/8]}\n"
				     "  - {name: b, action: drop, file: f, duplicates: merge}\n"
				     "  - {name: c, action: flag, entries: [7.0.0.0/8]}\n"
				     "protect: {prefixes: [9.9.9.9]}\n";
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	auto_result struct result full = { 0 }, over = { 0 }, far = { 0 };
	char text[4000];

	(void)state;
	files[0].text = text;
	fill(text, 40, 2); /* 38 after merging, 40 with the others' */
	assert_accepted(policy, files, &full);
	assert_int_equal(full.policy.prefix_count, 41);
	fill(text, 41, 2);
	parse_with(policy, files, &over);
	assert_int_equal(over.diag.total, 1);
	assert_problem(&over.diag, 0, "p.yaml:5:5", "too_many_prefixes",
		       "41 prefixes, the loaded program holds 40");
	assert_int_equal(over.diag.problems[0].actual, 41);
	assert_int_equal(over.diag.problems[0].limit, 40);
	fill(text, 200, 0);
	parse_with(policy, files, &far);
	assert_int_equal(far.diag.total, 1);
	assert_problem(&far.diag, 0, "p.yaml:4:5", "too_many_prefixes",
		       "202 prefixes, the loaded program holds 40");
}

static void duplicates_past_the_limit_are_at_least_so_many(void **state)
{
	struct memory_file files[] = { { "f", NULL, 0 }, { NULL, NULL, 0 } };
	auto_result struct result result = { 0 };
	char text[4000];

	(void)state;
	files[0].text = text;
	fill(text, 60, 30);
	parse_with(ONE("name: a, action: drop, file: f"), files, &result);
	assert_int_equal(result.diag.total, 7);
	assert_problem(&result.diag, 5, "f:36:1", "duplicate_prefix",
		       "... and 8 more duplicates in list 'a', at least 13 in all");
	assert_problem(&result.diag, 6, "p.yaml:3:5", "too_many_prefixes", NULL);
}

static void protected_prefixes_have_a_limit_too(void **state)
{
	static const struct limits two = { .prefixes = 2, .lists = 1, .families = 1 };
	auto_result struct result result = { 0 };

	(void)state;
	parse_limited("version: 1\nprotect: {prefixes: [1.1.1.1, 1.1.1.2, 1.1.1.3]}\n", NULL, &two,
		      &result);
	assert_int_equal(result.diag.total, 1);
	assert_problem(&result.diag, 0, "p.yaml:2:21", "too_many_prefixes",
		       "3 protected prefixes, the loaded program holds 2");
}

static void lists_and_families_are_counted_against_their_limits(void **state)
{
	static const struct limits two = { .prefixes = 9, .lists = 9, .families = 2 };
	auto_result struct result lists = { 0 }, families = { 0 };

	(void)state;
	parse_with("version: 1\nlists:\n"
		   "  - {name: a, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: b, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: c, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: d, action: drop, entries: [1.1.1.1]}\n"
		   "  - {name: e, action: drop, entries: [1.1.1.1]}\n"
		   "  - anything\n",
		   NULL, &lists);
	assert_int_equal(lists.diag.total, 1);
	assert_problem(&lists.diag, 0, "p.yaml:7:5", "too_many_lists",
		       "6 lists, the loaded program holds 4");
	parse_limited("version: 1\nlists:\n"
		      "  - {name: a, action: score, family: f, points: 1, entries: [1.1.1.1]}\n"
		      "  - {name: b, action: score, family: g, points: 1, entries: [1.1.1.1]}\n"
		      "  - {name: c, action: score, family: f, points: 1, entries: [1.1.1.1]}\n"
		      "  - {name: d, action: score, family: h, points: 1, entries: [1.1.1.1]}\n",
		      NULL, &two, &families);
	assert_int_equal(families.diag.total, 1);
	assert_problem(&families.diag, 0, "p.yaml:6:38", "too_many_families",
		       "'h' is family 3 of score lists, the loaded program holds 2");
}

/* Answers every path with 200 MiB of newlines, which cost nothing but their length. */
static int read_much(void *context, const char *path, struct buf *ret)
{
	(void)context;
	(void)path;
	if (buf_reserve(ret, (size_t)200 << 20))
		return -ENOMEM;
	memset(ret->data, '\n', (size_t)200 << 20);
	ret->len = (size_t)200 << 20;
	return 0;
}

static void list_files_together_are_bounded(void **state)
{
	static const char text[] = "version: 1\nlists:\n"
				   "  - {name: a, action: drop, file: a, allow_empty: true}\n"
				   "  - {name: b, action: drop, file: b, allow_empty: true}\n";
	struct policy_source source = { read_much, NULL };
	auto_result struct result result = { 0 };

	(void)state;
	result.err = policy_parse(&(struct named_text){ "p.yaml", text, strlen(text) }, &source,
				  NULL, &result.policy, &result.diag);
	assert_int_equal(result.err, -EINVAL);
	assert_int_equal(result.diag.total, 1);
	assert_problem(&result.diag, 0, "p.yaml:4:35", "lists_too_long", NULL);
	assert_int_equal(result.diag.problems[0].limit, 256 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_list_is_read),
		cmocka_unit_test(prefixes_know_their_list_and_line),
		cmocka_unit_test(a_list_that_breaks_a_rule_is_refused),
		cmocka_unit_test(an_unnamed_list_is_still_shown),
		cmocka_unit_test(a_list_has_a_file_or_entries),
		cmocka_unit_test(two_lists_never_share_a_name),
		cmocka_unit_test(an_unreadable_file_is_refused_where_it_is_named),
		cmocka_unit_test(running_out_of_memory_for_a_file_is_no_refusal),
		cmocka_unit_test(an_empty_file_must_be_asked_for),
		cmocka_unit_test(problems_of_a_file_are_placed_in_it),
		cmocka_unit_test(a_duplicate_is_refused_with_both_lines),
		cmocka_unit_test(the_same_prefix_in_two_lists_is_legal),
		cmocka_unit_test(the_first_five_duplicates_are_named_and_the_rest_counted),
		cmocka_unit_test(merging_takes_five_percent_and_says_how_many),
		cmocka_unit_test(other_lists_keep_their_prefixes_when_one_is_merged),
		cmocka_unit_test(one_prefix_has_one_score_in_a_family),
		cmocka_unit_test(many_conflicts_are_counted),
		cmocka_unit_test(the_limit_is_met_and_one_more_is_refused),
		cmocka_unit_test(duplicates_past_the_limit_are_at_least_so_many),
		cmocka_unit_test(protected_prefixes_have_a_limit_too),
		cmocka_unit_test(lists_and_families_are_counted_against_their_limits),
		cmocka_unit_test(list_files_together_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
