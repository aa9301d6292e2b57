/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of the address space drop lists cover together. */
#include "gates_help.h"
#include "policies.h"

/* What the gate says of these lists when @coverage ppm may be covered. */
static void judge(const char *lists, uint32_t coverage, struct gate_result *ret)
{
	auto_image struct image_file image = { 0 };
	struct gate_settings settings;
	struct gate_facts facts;
	char text[2048];

	snprintf(text, sizeof(text), "version: 1\n%s\n", lists);
	image_of(text, &image);
	facts = facts_of(&image);
	settings = *facts.settings;
	settings.coverage = coverage;
	facts.settings = &settings;
	*ret = run_gate(&facts, GATE_COVERAGE);
	assert_true(ret->judged);
	assert_int_equal(ret->limit, coverage);
}

static void assert_covers(const char *lists, uint32_t ppm)
{
	struct gate_result result;

	judge(lists, ppm ? ppm : 1, &result);
	if (result.refused || result.value != ppm)
		fail_msg("%s: %s", lists, result.text);
	if (ppm < 2)
		return;
	judge(lists, ppm - 1, &result);
	if (!result.refused)
		fail_msg("%s: %s", lists, result.text);
}

#define DROP(entries) "lists: [{name: a, action: drop, entries: [" entries "]}]"
#define DROP_TO(entries) \
	"lists: [{name: a, action: drop, match: destination, entries: [" entries "]}]"

static void shares_are_of_all_ipv4_and_of_global_ipv6(void **state)
{
	(void)state;
	assert_covers("lists: []", 0);
	assert_covers(DROP("0.0.0.0/0"), 1000000);
	assert_covers(DROP("128.0.0.0/1"), 500000);
	assert_covers(DROP("10.0.0.0/8"), 3907); /* 1/256 */
	assert_covers(DROP("10.0.0.0/8, 12.0.0.0/8"), 7813);
	assert_covers(DROP("255.255.255.255"), 1);
	assert_covers(DROP("0.0.0.0"), 1);
	assert_covers(DROP("'::/0'"), 1000000);
	assert_covers(DROP("'2000::/3'"), 1000000);
	assert_covers(DROP("'2000::/4'"), 500000);
	assert_covers(DROP("'3000::/4'"), 500000);
	assert_covers(DROP("'2001:db8::/32'"), 1);
	assert_covers(DROP("'2001::/16'"), 123); /* 1/8192 */
	assert_covers(DROP("'2001:db8::1'"), 1);
}

static void ipv6_that_is_not_handed_out_does_not_count(void **state)
{
	(void)state;
	assert_covers(DROP("'fe80::/10'"), 0);
	assert_covers(DROP("'::/3'"), 0);
	assert_covers(DROP("'4000::/2', '8000::/1'"), 0);
	assert_covers(DROP("'::/2'"), 1000000); /* ends where 2000::/3 does */
	assert_covers(DROP("'3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'"), 1);
}

static void every_family_and_direction_is_measured(void **state)
{
	static const struct {
		const char *lists, *text;
	} rows[] = {
		{ DROP("128.0.0.0/1"),
		  "drop lists cover 50% of the IPv4 sources; the limit is 1%" },
		{ DROP_TO("64.0.0.0/2"),
		  "drop lists cover 25% of the IPv4 destinations; the limit is 1%" },
		{ DROP("'2000::/6'"),
		  "drop lists cover 12.5% of the IPv6 sources in 2000::/3; the limit is 1%" },
		{ DROP_TO("'2000::/10'"),
		  "drop lists cover 0.7813% of the IPv6 destinations in 2000::/3; the limit is 1%" },
	};
	struct gate_result result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		judge(rows[i].lists, 10000, &result);
		assert_string_equal(result.text, rows[i].text);
		assert_int_equal(result.refused, i < 3);
	}
	judge(DROP("10.0.0.0/8"), 5, &result);
	assert_string_equal(result.text,
			    "drop lists cover 0.3907% of the IPv4 sources; the limit is 0.0005%");
}

static void lists_are_taken_together_and_counted_once(void **state)
{
	(void)state;
	assert_covers("lists: [{name: a, action: drop, entries: [10.0.0.0/9]},\n"
		      "  {name: b, action: drop, entries: [10.128.0.0/9]}]",
		      3907);
	assert_covers("lists: [{name: a, action: drop, entries: [10.0.0.0/8]},\n"
		      "  {name: b, action: drop, entries: [10.0.0.0/8, 10.1.0.0/16]}]",
		      3907);
	/* Each direction for itself. */
	assert_covers("lists: [{name: a, action: drop, entries: [10.0.0.0/8]},\n"
		      "  {name: b, action: drop, match: destination, entries: [12.0.0.0/8]}]",
		      3907);
}

static void only_what_is_dropped_counts(void **state)
{
	(void)state;
	assert_covers("lists: [{name: a, action: flag, entries: [0.0.0.0/0]},\n"
		      "  {name: b, action: score, family: f, points: 50, entries: [0.0.0.0/0]},\n"
		      "  {name: c, action: allow, entries: [0.0.0.0/0]}]",
		      0);
	assert_covers("lists: [{name: a, action: drop, entries: [10.0.0.0/8]},\n"
		      "  {name: c, action: allow, entries: [10.0.0.0/9]}]",
		      1954);
	assert_covers("protect: {prefixes: [10.0.0.0/9]}\n" DROP("10.0.0.0/8"), 1954);
	assert_covers(
		"lists: [{name: a, action: drop, match: destination, entries: [10.0.0.0/8]},\n"
		"  {name: c, action: allow, match: destination, entries: [10.0.0.0/9]}]",
		1954);
	/* What is protected as a source is no excuse for a destination. */
	assert_covers("protect: {prefixes: [10.0.0.0/9]}\n" DROP_TO("10.0.0.0/8"), 3907);
}

/* The sum over random prefixes is that of a map with one mark per /16. */
static void random_prefixes_are_summed_exactly(void **state)
{
	uint64_t random = 0x7e57;

	(void)state;
	for (uint32_t round = 0; round < 50; round++) {
		auto_made struct made made = { 0 };
		auto_image struct image_file image = { 0 };
		uint16_t drop = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
		uint16_t allow = make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
		static uint8_t map[65536];
		uint64_t count = 0;
		struct gate_settings settings = { .growth = 1500, .coverage = 1000000 };
		struct gate_facts facts;

		memset(map, 0, sizeof(map));
		for (uint32_t i = 0; i < 40; i++) {
			unsigned __int128 address = random_address(&random, 4);
			uint8_t len = (uint8_t)(4 + random_next(&random) % 13);
			uint32_t first = (uint32_t)(address >> 112) & 0xffffu << (16 - len);

			first &= 0xffff;
			make_prefix(&made, i % 3 ? drop : allow, 4, address, len);
			for (uint32_t j = first; j < first + (1u << (16 - len)); j++)
				map[j] |= i % 3 ? 1 : 2;
		}
		for (uint32_t i = 0; i < 65536; i++)
			count += map[i] == 1;
		made_compile(&made, &image);
		facts = facts_of(&image);
		facts.settings = &settings;
		assert_int_equal(run_gate(&facts, GATE_COVERAGE).value,
				 (count * 1000000 + 65535) / 65536);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_of_all_ipv4_and_of_global_ipv6),
		cmocka_unit_test(ipv6_that_is_not_handed_out_does_not_count),
		cmocka_unit_test(every_family_and_direction_is_measured),
		cmocka_unit_test(lists_are_taken_together_and_counted_once),
		cmocka_unit_test(only_what_is_dropped_counts),
		cmocka_unit_test(random_prefixes_are_summed_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
