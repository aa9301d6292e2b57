/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is measured with: packets that are of their class, lists that no parser refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/bench.h"

static void compile(const char *text, struct image_file *ret)
{
	const struct named_text named = { "p", text, strlen(text) };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };

	assert_int_equal(policy_parse(&named, NULL, NULL, &policy, &diag), 0);
	assert_int_equal(policy_compile(&policy, &limits_builtin, ret, &diag), 0);
}

#define POLICY(mode, lists) "version: 1\nmode: " mode "\nlists:\n" lists

/* What the judge says to the packet of a class. */
static struct judgement judge(const struct image_file *image, enum bench_class class)
{
	struct judgement judgement;
	struct bench_packet packet;

	assert_int_equal(bench_packet(&image->image, class, &packet), 0);
	assert_in_range(packet.frame.len, 60, 200);
	frame_judge(&image->image, packet.frame.bytes, packet.frame.len, 0, &judgement);
	assert_int_equal(judgement.verdict, packet.verdict);
	return judgement;
}

static void every_class_has_a_packet_under_the_small_policy(void **state)
{
	static const uint8_t reasons[BENCH_CLASSES] = {
		[BENCH_PASS] = REASON_NO_MATCH,	    [BENCH_DROP_V4] = REASON_LIST_DROP,
		[BENCH_DROP_V6] = REASON_LIST_DROP, [BENCH_SYN] = REASON_NO_MATCH,
		[BENCH_CHAIN] = REASON_NO_MATCH,    [BENCH_FLAG] = REASON_LIST_FLAG,
		[BENCH_TUNNEL] = REASON_TUNNEL,
	};
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	for (enum bench_class class = 0; class < BENCH_CLASSES; class ++) {
		assert_int_equal(judge(&image, class).reason, reasons[class]);
		assert_non_null(bench_class_names[class]);
	}
}

static void a_class_has_the_headers_of_its_name(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct bench_packet packet;
	const uint8_t *bytes = packet.frame.bytes;

	(void)state;
	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	assert_int_equal(bench_packet(&image.image, BENCH_CHAIN, &packet), 0);
	assert_memory_equal(bytes + 12, "\x81\x00", 2);
	assert_memory_equal(bytes + 16, "\x86\xdd", 2);
	assert_int_equal(bytes[18 + 6], 0); /* hop-by-hop options come next */
	assert_int_equal(bench_packet(&image.image, BENCH_SYN, &packet), 0);
	assert_int_equal(bytes[34 + 12] >> 4, 10); /* words of the TCP header */
	assert_int_equal(bytes[34 + 13], TCP_SYN);
	assert_int_equal(bench_packet(&image.image, BENCH_TUNNEL, &packet), 0);
	assert_int_equal(bytes[14 + 9], PROTO_IPIP);
}

static void sources_come_from_the_lists_of_the_policy(void **state)
{
	auto_image struct image_file image = { 0 };
	struct bench_packet packet;

	(void)state;
	compile(POLICY("enforce",
		       "  - {name: a, action: drop, entries: [10.1.2.3, '2001:db8:5::7']}\n"
		       "  - {name: f, action: flag, entries: ['2001:db8:6::7']}\n"),
		&image);
	assert_int_equal(bench_packet(&image.image, BENCH_DROP_V4, &packet), 0);
	assert_memory_equal(packet.frame.bytes + 14 + 12, "\x0a\x01\x02\x03", 4);
	assert_true(packet.dropped);
	assert_int_equal(bench_packet(&image.image, BENCH_DROP_V6, &packet), 0);
	assert_memory_equal(packet.frame.bytes + 14 + 8, "\x20\x01\x0d\xb8\0\x05", 6);
	assert_int_equal(bench_packet(&image.image, BENCH_FLAG, &packet), 0);
	assert_memory_equal(packet.frame.bytes + 14 + 8, "\x20\x01\x0d\xb8\0\x06", 6);
	assert_false(packet.dropped);
}

static void a_list_on_destinations_will_do(void **state)
{
	auto_image struct image_file image = { 0 };

	(void)state;
	compile(POLICY("enforce", "  - {name: a, action: drop, match: destination,"
				  " entries: [10.1.2.3]}\n"),
		&image);
	assert_int_equal(judge(&image, BENCH_DROP_V4).reason, REASON_LIST_DROP);
}

static void a_policy_without_such_a_list_has_no_such_packet(void **state)
{
	auto_image struct image_file image = { 0 };
	struct bench_packet packet;

	(void)state;
	compile(POLICY("enforce", "  - {name: a, action: drop, entries: [10.1.2.3]}\n"), &image);
	assert_int_equal(bench_packet(&image.image, BENCH_DROP_V4, &packet), 0);
	assert_int_equal(bench_packet(&image.image, BENCH_DROP_V6, &packet), -ENOENT);
	assert_int_equal(bench_packet(&image.image, BENCH_FLAG, &packet), -ENOENT);
}

static void monitoring_drops_nothing(void **state)
{
	auto_image struct image_file image = { 0 };
	struct bench_packet packet;

	(void)state;
	compile(POLICY("monitor", "  - {name: a, action: drop, entries: [10.1.2.3]}\n"), &image);
	assert_int_equal(bench_packet(&image.image, BENCH_DROP_V4, &packet), 0);
	assert_int_equal(packet.verdict, VERDICT_DROP);
	assert_false(packet.dropped);
}

static void a_passing_packet_keeps_off_lists_and_protected_ports(void **state)
{
	auto_image struct image_file image = { 0 };
	struct bench_packet packet;

	(void)state;
	compile("version: 1\nmode: enforce\nprotect: {ports: [80, 443]}\nlists:\n"
		"  - {name: a, action: drop, entries: [198.18.0.0/15, 192.0.2.0/24]}\n",
		&image);
	assert_int_equal(judge(&image, BENCH_PASS).reason, REASON_NO_MATCH);
	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), 0);
	assert_memory_equal(packet.frame.bytes + 14 + 12, "\xc6\x33\x64", 3);
	assert_memory_equal(packet.frame.bytes + 34 + 2, "\x1f\x90", 2); /* port 8080 */
}

static void who_lists_every_address_has_no_passing_packet(void **state)
{
	auto_image struct image_file image = { 0 };
	struct bench_packet packet;

	(void)state;
	compile(POLICY("enforce", "  - {name: a, action: drop, entries: [0.0.0.0/0]}\n"), &image);
	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), -ENOENT);
	assert_int_equal(bench_packet(&image.image, BENCH_CHAIN, &packet), 0);
}

static uint32_t lines_of(const struct buf *text)
{
	uint32_t lines = 0;

	for (size_t i = 0; i < text->len; i++)
		lines += text->data[i] == '\n';
	return lines;
}

/* The parser refuses a prefix that is there twice, so what it accepts is all different. */
static void a_list_has_as_many_different_prefixes_as_asked_for(void **state)
{
	static const uint32_t counts[] = { 1, 1000, 300000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		auto_policy struct policy policy = { 0 };
		auto_diag struct diag diag = { 0 };
		auto_buf struct buf list = { 0 };

		assert_int_equal(bench_list(counts[i], &list), 0);
		assert_int_equal(lines_of(&list), counts[i]);
		assert_int_equal(bench_list_parse(&list, &limits_builtin, &policy, &diag), 0);
		assert_int_equal(policy.prefix_count, counts[i]);
		assert_int_equal(policy.lists[0].action, ACTION_DROP);
	}
}

static void the_same_list_comes_each_time_and_in_no_order(void **state)
{
	auto_buf struct buf one = { 0 }, two = { 0 };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };
	uint32_t descents = 0, nets = 0;

	(void)state;
	assert_int_equal(bench_list(4000, &one), 0);
	assert_int_equal(bench_list(4000, &two), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	assert_int_equal(bench_list_parse(&one, &limits_builtin, &policy, &diag), 0);
	for (uint32_t i = 1; i < policy.prefix_count; i++) {
		descents += policy.prefixes[i].hi < policy.prefixes[i - 1].hi;
		nets += policy.prefixes[i].len == 24;
	}
	assert_in_range(descents, 1000, 3000);
	assert_in_range(nets, 990, 1000);
}

static void a_list_past_the_limits_is_refused(void **state)
{
	struct limits limits = limits_builtin;
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };
	auto_buf struct buf list = { 0 };

	(void)state;
	assert_int_equal(bench_list(BENCH_LIST_MAX + 1, &list), -EINVAL);
	assert_int_equal(bench_list(11, &list), 0);
	limits.prefixes = 10;
	assert_int_equal(bench_list_parse(&list, &limits, &policy, &diag), -EINVAL);
	assert_true(diag.total > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class_has_a_packet_under_the_small_policy),
		cmocka_unit_test(a_class_has_the_headers_of_its_name),
		cmocka_unit_test(sources_come_from_the_lists_of_the_policy),
		cmocka_unit_test(a_list_on_destinations_will_do),
		cmocka_unit_test(a_policy_without_such_a_list_has_no_such_packet),
		cmocka_unit_test(monitoring_drops_nothing),
		cmocka_unit_test(a_passing_packet_keeps_off_lists_and_protected_ports),
		cmocka_unit_test(who_lists_every_address_has_no_passing_packet),
		cmocka_unit_test(a_list_has_as_many_different_prefixes_as_asked_for),
		cmocka_unit_test(the_same_list_comes_each_time_and_in_no_order),
		cmocka_unit_test(a_list_past_the_limits_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
