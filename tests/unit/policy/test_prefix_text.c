/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prefixes as text: the strict grammar, the corrections offered, and canonical output. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/policy.h"
#include "policy/prefix_text.h"

static int parse(const char *text, struct prefix *ret)
{
	return prefix_parse(text, strlen(text), ret);
}

static void assert_canonical(const char *text, const char *expected)
{
	struct prefix prefix, again;
	char out[PREFIX_TEXT];

	if (parse(text, &prefix))
		fail_msg("%s was refused", text);
	assert_string_equal(prefix_format(&prefix, out), expected);
	assert_int_equal(parse(out, &again), 0);
	assert_memory_equal(&prefix, &again, sizeof(prefix));
}

static void accepted_texts_have_one_canonical_form(void **state)
{
	static const char *const pairs[][2] = {
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "255.255.255.255", "255.255.255.255/32" },
		{ "192.0.2.128/25", "192.0.2.128/25" },
		{ "0.0.0.0", "0.0.0.0/32" },
		{ "::", "::/128" },
		{ "::/0", "::/0" },
		{ "::1", "::1/128" },
		{ "1::", "1::/128" },
		{ "2001:DB8::/32", "2001:db8::/32" },
		{ "2001:0db8:0000:0000:0001:0000:0000:0000/80", "2001:db8:0:0:1::/80" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3/128" },
		{ "1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0/128" },
		{ "0:0:1:0:0:1:0:0", "::1:0:0:1:0:0/128" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8/128" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221/128" },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304/128" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
		{ "ff00::/8", "ff00::/8" },
		{ "2001:db8:0:1::/64", "2001:db8:0:1::/64" },
		{ "2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_canonical(pairs[i][0], pairs[i][1]);
}

static void addresses_land_in_the_upper_bits(void **state)
{
	struct prefix prefix;

	(void)state;
	assert_int_equal(parse("192.0.2.1", &prefix), 0);
	assert_int_equal(prefix.family, 4);
	assert_int_equal(prefix.len, 32);
	assert_true(prefix.hi == 0xc000020100000000ull && prefix.lo == 0);
	assert_int_equal(parse("2001:db8::1", &prefix), 0);
	assert_int_equal(prefix.family, 6);
	assert_true(prefix.hi == 0x20010db800000000ull && prefix.lo == 1);
}

static const char *const malformed[] = {
	"",
	" ",
	"1",
	"1.2.3",
	"1.2.3.4.5",
	"1.2.3.",
	".1.2.3",
	"1..2.3",
	"256.1.2.3",
	"300.1.2.3",
	"1.2.3.999",
	"1.2.3.0004",
	"010.1.1.1",
	"1.2.3.04",
	"00.0.0.0",
	"1.2.3.4/",
	"1.2.3.4/x",
	"1.2.3.4/8x",
	"1.2.3.4/08",
	"1.2.3.4/-1",
	"1.2.3.4/+8",
	"1.2.3.4 ",
	" 1.2.3.4",
	"1.2.3.4/ 8",
	"0x1.2.3.4",
	"1.2.3.a",
	"+1.2.3.4",
	"1.2.3.4/255.0.0.0",
	"-1.2.3.4",
	"a.b.c.d",
	"localhost",
	"/8",
	"/",
	":",
	":::",
	"1:",
	":1",
	"1:2",
	"1:2:3:4:5:6:7",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7:8:",
	"1:2:3:4:5:6:7:8::",
	"::1:2:3:4:5:6:7:8",
	"1::2::3",
	"12345::",
	"::12345",
	"g::",
	"::g",
	"fe80::1%eth0",
	"[::1]",
	"::1/",
	"::1/x",
	"::1/0128",
	"::1:",
	"1:2:3:4:5:6:7:1.2.3.4",
	"::1.2.3",
	"::1.2.3.4.5",
	"::1.2.3.400",
	"1.2.3.4::",
	"::1.2.3.4:5",
	"::ffff:1.2.3.4",
	"::ffff:0:0/96",
	"::ffff:a00:0/104",
	"0:0:0:0:0:ffff:1.2.3.4",
	"1.2.3.4:80",
	"1:2:3:4:5:6:7:8/64/64",
	"1.2.3x4",
	"1-2-3-4",
	"1.2.3.1000",
	"1.2.3.12345",
	"1.2.3.4/99999x",
	"1:::2",
	"1:2:3:4:5:6:7x8",
	"::1:2:3:4:5:6:7:1.2.3.4",
};

static void malformed_texts_are_refused_and_change_nothing(void **state)
{
	struct prefix prefix, before;
	size_t i;

	(void)state;
	memset(&prefix, 0x5a, sizeof(prefix));
	before = prefix;
	for (i = 0; i < ARRAY_SIZE(malformed); i++) {
		if (parse(malformed[i], &prefix) != -EINVAL)
			fail_msg("'%s' was not refused as malformed", malformed[i]);
		assert_memory_equal(&prefix, &before, sizeof(prefix));
	}
}

static void a_length_past_the_family_is_out_of_range(void **state)
{
	static const char *const bad[] = { "1.2.3.4/33",	 "0.0.0.0/128", "1.2.3.4/999",
					   "1.2.3.4/4294967304", "::/129",	"::/1000" };
	struct prefix prefix;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &prefix), -ERANGE);
	assert_int_equal(parse("::ffff:1.2.3.4/129", &prefix), -ERANGE);
}

static void host_bits_come_back_as_the_corrected_prefix(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "255.255.255.255/0", "0.0.0.0/0" },
		{ "192.0.2.1/31", "192.0.2.0/31" },
		{ "2001:db8::1/32", "2001:db8::/32" },
		{ "2001:db8::1/64", "2001:db8::/64" },
		{ "2001:db8::ffff/112", "2001:db8::/112" },
		{ "::1/127", "::/127" },
		{ "ffff::/0", "::/0" },
	};
	struct prefix prefix;
	char out[PREFIX_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_int_equal(parse(pairs[i][0], &prefix), -EDOM);
		assert_string_equal(prefix_format(&prefix, out), pairs[i][1]);
	}
}

static void every_v6_text_of_the_c_library_reads_the_same(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct prefix prefix = { .family = 6, .len = 128 }, read;
		unsigned char bytes[16] = { 0 };
		char text[64], mine[PREFIX_TEXT], theirs[96];

		for (j = 0; j < 16; j++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			bytes[j] = seed >> 62 ? 0 : (unsigned char)(seed >> 40);
		}
		for (j = 0; j < 8; j++) {
			prefix.hi = prefix.hi << 8 | bytes[j];
			prefix.lo = prefix.lo << 8 | bytes[8 + j];
		}
		inet_ntop(AF_INET6, bytes, text, sizeof(text));
		assert_int_equal(parse(text, &read), 0);
		assert_true(read.hi == prefix.hi && read.lo == prefix.lo);
		snprintf(theirs, sizeof(theirs), "%s/128", text);
		if (!strchr(text, '.'))
			assert_string_equal(prefix_format(&prefix, mine), theirs);
	}
}

static void a_refusal_says_why(void **state)
{
	static const char *const rows[][3] = {
		{ "10.1.2.3/8", "host_bits",
		  "'10.1.2.3/8' has bits set past its length; the prefix is 10.0.0.0/8" },
		{ "1.2.3.4/33", "prefix_length",
		  "'1.2.3.4/33' is too long: an IPv4 prefix has at most /32" },
		{ "::/129", "prefix_length",
		  "'::/129' is too long: an IPv6 prefix has at most /128" },
		{ "300.1.2.3", "bad_prefix", "'300.1.2.3' has a number above 255" },
		{ "010.1.1.1", "leading_zero",
		  "'010.1.1.1' has a leading zero, which some read as octal" },
		{ "1.2.3", "bad_prefix", "'1.2.3' has not exactly four numbers" },
		{ "1.2.3.4/08", "bad_prefix", "'1.2.3.4/08' is not an IPv4 prefix" },
		{ "fe80::1%eth0", "zone", "'fe80::1%eth0' has a zone; write the address alone" },
		{ "::ffff:10.1.2.3/104", "mapped_prefix",
		  "::ffff:a01:203/104 is IPv4 in IPv6 notation and would match nothing; "
		  "write 10.0.0.0/8" },
		{ "1::2::3", "bad_prefix", "'1::2::3' is not an IPv6 prefix" },
		{ "example.org", "bad_prefix", "'example.org' is not an IPv4 or IPv6 prefix" },
		{ "", "bad_prefix", "'' is empty, not a prefix" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_diag struct diag diag = { 0 };

		prefix_refuse(&diag, NULL, rows[i][0], strlen(rows[i][0]));
		assert_int_equal(diag.total, 1);
		assert_string_equal(diag.problems[0].code, rows[i][1]);
		assert_string_equal(diag.problems[0].message, rows[i][2]);
	}
}

static void a_huge_text_is_refused_with_its_beginning(void **state)
{
	auto_diag struct diag diag = { 0 };
	size_t len = 8 << 20;
	autofree char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	memset(text, '1', len);
	prefix_refuse(&diag, NULL, text, len);
	assert_non_null(strstr(diag.problems[0].message, "1111...'"));
	assert_true(strlen(diag.problems[0].message) < 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_texts_have_one_canonical_form),
		cmocka_unit_test(addresses_land_in_the_upper_bits),
		cmocka_unit_test(malformed_texts_are_refused_and_change_nothing),
		cmocka_unit_test(a_length_past_the_family_is_out_of_range),
		cmocka_unit_test(host_bits_come_back_as_the_corrected_prefix),
		cmocka_unit_test(every_v6_text_of_the_c_library_reads_the_same),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(a_huge_text_is_refused_with_its_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
