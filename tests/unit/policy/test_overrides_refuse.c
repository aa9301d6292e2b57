/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must not be blocked: what the live policy lets pass anyway, and what this host lives by. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"
#include "policy/overrides.h"

static struct override override_of(const char *prefix, bool block, uint64_t expires)
{
	struct override ret = { .block = block, .expires = expires };

	assert_int_equal(prefix_parse(prefix, strlen(prefix), &ret.prefix), 0);
	return ret;
}

/* ---- the live policy ---- */

static void add(struct made *made, uint16_t list, const char *prefix)
{
	struct prefix parsed;

	assert_int_equal(prefix_parse(prefix, strlen(prefix), &parsed), 0);
	make_prefix(made, list, parsed.family, (unsigned __int128)parsed.hi << 64 | parsed.lo,
		    parsed.len);
}

static void make_policy(struct image_file *ret)
{
	auto_made struct made made = { 0 };
	uint16_t allow = make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	uint16_t to = make_list(&made, ACTION_ALLOW, MATCH_DESTINATION, NULL, 0);
	uint16_t drop = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);

	add(&made, allow, "192.0.2.64/26");
	add(&made, allow, "2001:db8:1::/48");
	add(&made, to, "198.51.100.0/24");
	add(&made, drop, "203.0.113.0/24");
	make_protect(&made, 4, (unsigned __int128)0x0a010000 << 96, 16);
	made_compile(&made, ret);
}

static void a_block_is_refused_for_all_that_the_policy_lets_pass(void **state)
{
	static const struct {
		const char *prefix, *words; /* NULL: not refused */
	} rows[] = {
		{ "192.0.2.64/26", "allows some of 192.0.2.64/26" },
		{ "192.0.2.100/32", "allows some" },
		{ "192.0.2.64/32", "allows some" },
		{ "192.0.2.127/32", "allows some" },
		{ "192.0.0.0/16", "allows some" },
		{ "0.0.0.0/0", "some of 0.0.0.0/0" },
		{ "192.0.2.0/26", NULL },
		{ "192.0.2.128/25", NULL },
		{ "192.0.2.63/32", NULL },
		{ "192.0.2.128/32", NULL },
		{ "198.51.100.0/24", NULL }, /* allowed as a destination */
		{ "203.0.113.7/32", NULL },
		{ "10.1.255.255/32", "protects some of 10.1.255.255/32 (list `protect`)" },
		{ "10.0.0.0/8", "protects some" },
		{ "10.2.0.0/32", NULL },
		{ "2001:db8:1:ffff::/64", "allows some" },
		{ "2001:db8::/32", "allows some" },
		{ "2001:db8:2::/48", NULL },
		{ "::/128", NULL },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", NULL },
	};
	auto_image struct image_file live = { 0 };

	(void)state;
	make_policy(&live);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct override item = override_of(rows[i].prefix, true, 0);
		auto_diag struct diag diag = { 0 };
		bool refused = override_allowed(&live.image, &item, &diag);
		const char *said = refused ? diag.problems[0].message : "";

		if (refused != !!rows[i].words || (refused && !strstr(said, rows[i].words)))
			fail_msg("%s: %d, %s", rows[i].prefix, refused, said);
	}
}

static void nothing_is_refused_under_the_factory_policy(void **state)
{
	const struct override item = override_of("0.0.0.0/0", true, 0);
	auto_image struct image_file live = { 0 };
	auto_made struct made made = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	made_compile(&made, &live);
	assert_false(override_allowed(&live.image, &item, &diag));
	assert_int_equal(diag.total, 0);
}

/* ---- the host ---- */

static void know(struct host *host, const char *address, enum host_kind kind)
{
	const struct override at = override_of(address, true, 0);
	const struct host_address item = { .address = { at.prefix.hi, at.prefix.lo },
					   .family = at.prefix.family,
					   .kind = (uint8_t)kind };

	assert_int_equal(host_add(host, &item), 0);
}

static void a_block_is_refused_for_what_the_host_lives_by(void **state)
{
	static const struct {
		const char *prefix, *words;
	} rows[] = {
		{ "192.0.2.1/32", "192.0.2.1/32 would block 192.0.2.1 (gateway of this host)" },
		{ "192.0.2.0/24", "would block 192.0.2.1" },
		{ "2001:db8::/64", "would block 2001:db8::53 (resolver" },
		{ "2000::/3", "(resolver of this host), and 1 more addresses" },
		{ "192.0.2.0/32", NULL },
		{ "2001:db8:1::/64", NULL },
	};
	auto_host struct host host = { 0 };

	(void)state;
	know(&host, "192.0.2.1", HOST_GATEWAY);
	know(&host, "2001:db8::53", HOST_RESOLVER);
	know(&host, "2001:db8:8::1", HOST_NEIGHBOUR);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct override item = override_of(rows[i].prefix, true, 0);
		const struct override_set all = { &item, 1 };
		auto_diag struct diag diag = { 0 };
		bool refused = override_hits_host(&all, &item, &host, &diag);
		const char *said = refused ? diag.problems[0].message : "";

		if (refused != !!rows[i].words || (refused && !strstr(said, rows[i].words)))
			fail_msg("%s: %d, %s", rows[i].prefix, refused, said);
	}
}

/* Does the block of 192.0.2.0/24 stand beside this allow? */
static bool is_refused_beside(const char *allowed, uint64_t allow_end, uint64_t block_end)
{
	const struct override items[] = { override_of("192.0.2.0/24", true, block_end),
					  override_of(allowed, false, allow_end) };
	const struct override_set all = { items, 2 };
	auto_host struct host host = { 0 };
	auto_diag struct diag diag = { 0 };

	know(&host, "192.0.2.1", HOST_OWN);
	return override_hits_host(&all, &items[0], &host, &diag);
}

static void an_address_that_stays_allowed_to_the_end_is_no_reason_to_refuse(void **state)
{
	(void)state;
	assert_false(is_refused_beside("192.0.2.1", 0, 0));
	assert_false(is_refused_beside("192.0.2.0/28", 0, 500));
	assert_false(is_refused_beside("192.0.2.1", 500, 500));
	assert_true(is_refused_beside("192.0.2.1", 499, 500));
	assert_true(is_refused_beside("192.0.2.1", 500, 0));
	assert_true(is_refused_beside("192.0.2.2", 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_refused_for_all_that_the_policy_lets_pass),
		cmocka_unit_test(nothing_is_refused_under_the_factory_policy),
		cmocka_unit_test(a_block_is_refused_for_what_the_host_lives_by),
		cmocka_unit_test(an_address_that_stays_allowed_to_the_end_is_no_reason_to_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
