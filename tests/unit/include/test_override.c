/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operator overrides: what an image of them orders at what time, and where those orders stand among
 * everything else that is said about a packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stanch/override.h>

#include "base/cleanup.h"
#include "made_image.h"
#include "policies.h"

#define V4(a) ((unsigned __int128)(a) << 96)
#define V6(hi) ((unsigned __int128)(hi) << 64)

enum { ALLOWED = 1, BLOCKED, BOTH_ALLOWED, BOTH_BLOCKED, ENTRIES = BOTH_BLOCKED };

/* Ten addresses each side; both actions meet in 10.3.0.0/16; each entry ends at its id * 100. */
static void overrides(struct image_file *ret)
{
	static const uint64_t expiry[ENTRIES + 1] = { 0, 100, 200, 300, 0 };
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };
	auto_diag struct diag diag = { 0 };

	make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_prefix(&made, ALLOWED, 4, V4(0x0a010000), 16);
	make_prefix(&made, BLOCKED, 4, V4(0x0a020000), 16);
	make_prefix(&made, BOTH_ALLOWED, 4, V4(0x0a030000), 16);
	make_prefix(&made, BOTH_BLOCKED, 4, V4(0x0a030000), 16);
	make_prefix(&made, BLOCKED, 6, V6(0x20010db8ull << 32), 32);
	assert_int_equal(
		policy_compile_overrides(&made.policy, &limits_builtin, expiry, ret, &diag), 0);
	assert_int_equal(image_check("overrides", ret->bytes, (size_t)ret->image.lines * LINE_SIZE,
				     &limits_builtin, &diag),
			 0);
}

static struct packet from_v4(uint32_t source)
{
	return (struct packet){ .family = 4, .src.hi = (uint64_t)source << 32 };
}

static void an_override_holds_until_it_expires(void **state)
{
	const struct {
		uint32_t source;
		uint64_t now;
		uint32_t orders;
	} rows[] = {
		{ 0x0a010203, 0, ORDER_ALLOW },
		{ 0x0a010203, 99, ORDER_ALLOW },
		{ 0x0a010203, 100, 0 },
		{ 0x0a020203, 199, ORDER_BLOCK },
		{ 0x0a020203, 200, 0 },
		{ 0x0a030203, 299, ORDER_ALLOW | ORDER_BLOCK },
		{ 0x0a030203, 300, ORDER_BLOCK },
		{ 0x0a030203, UINT64_MAX, ORDER_BLOCK },
		{ 0x0a040203, 0, 0 },
	};
	auto_image struct image_file image = { 0 };

	(void)state;
	overrides(&image);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct packet p = from_v4(rows[i].source);

		assert_int_equal(override_orders(&image.image, &p, rows[i].now), rows[i].orders);
	}
}

static void families_are_told_apart(void **state)
{
	struct packet p = { .family = 6, .src = { 0x20010db8ull << 32 | 7, 9 } };
	auto_image struct image_file image = { 0 };

	(void)state;
	overrides(&image);
	assert_int_equal(override_orders(&image.image, &p, 0), ORDER_BLOCK);
	p.family = 0; /* not IP: nobody spoke about it */
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
	p = from_v4(0x20010db8);
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
}

static void without_expiries_everything_holds_for_good(void **state)
{
	const struct packet p = from_v4(0x0a000001);
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };
	auto_image struct image_file image = { 0 };

	(void)state;
	make_prefix(&made, make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0), 4, V4(0x0a000000),
		    8);
	made_compile(&made, &image);
	assert_int_equal(override_orders(&image.image, &p, UINT64_MAX), ORDER_BLOCK);
}

/* Cut off at every line, and with each number of line 1 damaged. */
static void any_trouble_is_no_order(void **state)
{
	const struct packet p = from_v4(0x0a020203);
	auto_image struct image_file image = { 0 };
	struct image_hot *hot, whole;
	struct image cut;

	(void)state;
	overrides(&image);
	hot = (struct image_hot *)(image.bytes + IMAGE_HOT_LINE * LINE_SIZE);
	whole = *hot;
	cut = image.image;
	for (cut.lines = 0; cut.lines <= (whole.root[TABLE_V4_SRC] & NODE_LINE_MASK); cut.lines++)
		assert_int_equal(override_orders(&cut, &p, 0), 0);
	cut.lines = whole.expiry_line;
	assert_int_equal(override_orders(&cut, &p, 0), 0);
	hot->magic++;
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
	*hot = whole;
	hot->lists = 1; /* the leaf names list 2 */
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
	*hot = whole;
	hot->leaves_line = 0xffffff;
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
	*hot = whole;
	hot->root[TABLE_V4_SRC] = made_direct(8, 0xfffff0);
	assert_int_equal(override_orders(&image.image, &p, 0), 0);
	*hot = whole;
	assert_int_equal(override_orders(&image.image, &p, 0), ORDER_BLOCK);
}

/* ---- precedence ---- */

static void policy_of(struct image_file *ret)
{
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE, .headers = true } };

	make_list(&made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_prefix(&made, 1, 4, V4(0x0a010000), 16);
	make_prefix(&made, 2, 4, V4(0x0a020000), 16);
	make_protect(&made, 4, V4(0x0a090000), 16);
	make_protected_port(&made, 22);
	made_compile(&made, ret);
}

static void orders_stand_where_operators_read_that_they_do(void **state)
{
	const uint32_t both = ORDER_ALLOW | ORDER_BLOCK;
	const struct {
		uint32_t source, orders;
		uint16_t dport;
		uint8_t anomaly, verdict, reason;
	} rows[] = {
		{ 0x0a090001, ORDER_BLOCK, 80, 0, VERDICT_PASS, REASON_PROTECT_PREFIX },
		{ 0x0a000001, ORDER_BLOCK, 22, 0, VERDICT_PASS, REASON_PROTECT_PORT },
		{ 0x0a010001, both, 80, 0, VERDICT_PASS, REASON_OVERRIDE_ALLOW },
		{ 0x0a020001, ORDER_ALLOW, 80, 0, VERDICT_PASS, REASON_OVERRIDE_ALLOW },
		{ 0x0a000001, ORDER_ALLOW, 80, REASON_TCP_NULL, VERDICT_PASS,
		  REASON_OVERRIDE_ALLOW },
		{ 0x0a010001, ORDER_BLOCK, 80, 0, VERDICT_PASS, REASON_LIST_ALLOW },
		{ 0x0a020001, ORDER_BLOCK, 80, 0, VERDICT_DROP, REASON_OVERRIDE_BLOCK },
		{ 0x0a000001, ORDER_BLOCK, 80, 0, VERDICT_DROP, REASON_OVERRIDE_BLOCK },
		{ 0x0a000001, ORDER_BLOCK | 1u << STAGE_DROP, 80, 0, VERDICT_PASS, REASON_KILLED },
		{ 0x0a020001, ORDER_ALLOW | 1u << STAGE_DROP, 80, 0, VERDICT_PASS,
		  REASON_OVERRIDE_ALLOW },
		{ 0x0a000001, ORDER_BLOCK | ORDER_KILLS << 20, 80, 0, VERDICT_DROP,
		  REASON_OVERRIDE_BLOCK },
	};
	auto_image struct image_file image = { 0 };
	struct judgement j;

	(void)state;
	policy_of(&image);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet p = from_v4(rows[i].source);

		p.proto = PROTO_TCP;
		p.shape = SHAPE_PORTS;
		p.dport = rows[i].dport;
		p.anomaly = rows[i].anomaly;
		judge_packet(&image.image, &p, rows[i].orders, &j);
		assert_int_equal(j.reason, rows[i].reason);
		assert_int_equal(j.verdict, rows[i].verdict);
		assert_true(!j.list ==
			    (j.reason != REASON_PROTECT_PREFIX && j.reason != REASON_LIST_ALLOW));
	}
}

static void the_guard_stands_above_all_orders(void **state)
{
	struct packet p = from_v4(0x0a000001);
	auto_image struct image_file image = { 0 };
	struct judgement j;

	(void)state;
	policy_of(&image);
	p.proto = PROTO_UDP;
	p.shape = SHAPE_PORTS;
	p.sport = 68;
	p.dport = 67;
	judge_packet(&image.image, &p, ORDER_BLOCK, &j);
	assert_int_equal(j.verdict, VERDICT_PASS);
	assert_int_equal(j.reason, REASON_GUARD_DHCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_override_holds_until_it_expires),
		cmocka_unit_test(families_are_told_apart),
		cmocka_unit_test(without_expiries_everything_holds_for_good),
		cmocka_unit_test(any_trouble_is_no_order),
		cmocka_unit_test(orders_stand_where_operators_read_that_they_do),
		cmocka_unit_test(the_guard_stands_above_all_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
