/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames made to order: the bytes are those of the RFCs, lengths are right, lies are told last. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "policy/frame.h"

static const struct frame_ends ends = {
	.src4 = { 0xc000020a00000000, 0 },
	.dst4 = { 0xc633640100000000, 0 },
	.src6 = { 0x20010db8600d0000, 0x10 },
	.dst6 = { 0x20010db800010000, 1 },
	.inner_src4 = { 0xcb00714200000000, 0 },
	.inner_dst4 = { 0xc633640200000000, 0 },
	.inner_src6 = { 0x20010db80bad0000, 0x66 },
	.inner_dst6 = { 0x20010db800010000, 2 },
	.sport = 40000,
	.dport = 80,
};

static struct frame build(const struct frame_step *steps)
{
	struct frame frame;

	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	return frame;
}

#define FRAME(...) build((const struct frame_step[FRAME_STEPS]){ __VA_ARGS__ })

static uint32_t word(const struct frame *frame, uint32_t at)
{
	return (uint32_t)frame->bytes[at] << 8 | frame->bytes[at + 1];
}

static void a_syn_is_what_rfc_791_and_9293_draw(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 0 }, { FRAME_TCP, TCP_SYN });

	(void)state;
	assert_int_equal(f.len, 14 + 20 + 20);
	assert_int_equal(word(&f, 12), 0x0800);
	assert_int_equal(f.bytes[14], 0x45);
	assert_int_equal(word(&f, 16), 40);
	assert_int_equal(f.bytes[23], 6);
	assert_memory_equal(f.bytes + 26, "\xc0\x00\x02\x0a\xc6\x33\x64\x01", 8);
	assert_int_equal(word(&f, 34), 40000);
	assert_int_equal(word(&f, 36), 80);
	assert_int_equal(f.bytes[46], 0x50);
	assert_int_equal(f.bytes[47], 0x02);
}

static void lengths_count_everything_behind_them(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 2 }, { FRAME_IPV6, 0 }, { FRAME_DEST_OPTIONS, 1 },
			       { FRAME_UDP, 0 }, { FRAME_PAYLOAD, 5 });

	(void)state;
	assert_int_equal(f.len, 14 + 28 + 40 + 16 + 8 + 5);
	assert_int_equal(word(&f, 16), 28 + 40 + 16 + 8 + 5); /* IPv4 counts its header */
	assert_int_equal(word(&f, 14 + 28 + 4), 16 + 8 + 5); /* IPv6 does not */
	assert_int_equal(word(&f, 14 + 28 + 40 + 16 + 4), 8 + 5); /* UDP does */
}

static void every_header_announces_the_next(void **state)
{
	struct frame f = FRAME({ FRAME_VLAN, 0x88a8 }, { FRAME_VLAN, 0x8100 }, { FRAME_IPV6, 0 },
			       { FRAME_HOP_OPTIONS, 0 }, { FRAME_AH, 2 }, { FRAME_FRAGMENT, 0 },
			       { FRAME_GRE, 0x2000 }, { FRAME_IPV4, 0 }, { FRAME_ICMP, 8 << 8 });

	(void)state;
	assert_int_equal(word(&f, 12), 0x88a8);
	assert_int_equal(word(&f, 16), 0x8100);
	assert_int_equal(word(&f, 20), 0x86dd);
	assert_int_equal(f.bytes[22 + 6], 0);
	assert_int_equal(f.bytes[62], 51);
	assert_int_equal(f.bytes[70], 44);
	assert_int_equal(f.bytes[71], 4); /* 24 bytes are six words, less two */
	assert_int_equal(f.bytes[94], 47);
	assert_int_equal(word(&f, 104), 0x0800);
	assert_int_equal(f.bytes[110 + 9], 1);
}

static void the_second_ip_header_is_the_inner_one(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 0 }, { FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK });

	(void)state;
	assert_int_equal(f.bytes[23], 4);
	assert_memory_equal(f.bytes + 26, "\xc0\x00\x02\x0a", 4);
	assert_memory_equal(f.bytes + 46, "\xcb\x00\x71\x42", 4);
}

static void fragments_carry_offset_and_more_in_both_families(void **state)
{
	struct frame four = FRAME({ FRAME_IPV4, 0 }, { FRAME_FRAGMENT, 0x2000 | 185 },
				  { FRAME_PROTO, 17 }, { FRAME_PAYLOAD, 8 });
	struct frame six = FRAME({ FRAME_IPV6, 0 }, { FRAME_FRAGMENT, 0x2000 | 185 },
				 { FRAME_PROTO, 17 }, { FRAME_PAYLOAD, 8 });

	(void)state;
	assert_int_equal(word(&four, 20), 0x2000 | 185);
	assert_int_equal(four.bytes[23], 17);
	assert_int_equal(word(&six, 56), 185 << 3 | 1);
	assert_int_equal(six.bytes[54], 17);
}

static void lies_change_bytes_and_not_lengths(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 0 }, { FRAME_SET, 3 << 8 | 99 }, { FRAME_TCP, 0 },
			       { FRAME_LENGTH, 30 });

	(void)state;
	assert_int_equal(f.len, 30);
	assert_int_equal(word(&f, 16), 99);
}

static void a_lengthened_frame_is_padded_with_zeroes(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 0 }, { FRAME_LENGTH, 60 });

	(void)state;
	assert_int_equal(f.len, 60);
	assert_int_equal(word(&f, 16), 20);
	for (uint32_t i = 34; i < 60; i++)
		assert_int_equal(f.bytes[i], 0);
}

static void sources_can_be_dressed_up(void **state)
{
	struct frame mapped =
		FRAME({ FRAME_SRC_BYTE, 77 }, { FRAME_SRC_MAPPED, 0 }, { FRAME_IPV6, 0 });
	struct frame sixtofour = FRAME({ FRAME_SRC_6TO4, 0 }, { FRAME_IPV6, 0 });

	(void)state;
	assert_memory_equal(mapped.bytes + 22, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x4d", 16);
	assert_memory_equal(sixtofour.bytes + 22, "\x20\x02\xc0\x00\x02\x0a\0\0\0\0\0\0\0\0\0\x01",
			    16);
}

static void what_does_not_fit_is_refused_and_nothing_is_written(void **state)
{
	static const struct frame_step bad[][FRAME_STEPS] = {
		{ { FRAME_IPV4, 0 }, { FRAME_PAYLOAD, FRAME_MAX } },
		{ { FRAME_IPV4, 0 }, { FRAME_PAYLOAD, FRAME_MAX - 34 }, { FRAME_TCP, 0 } },
		{ { FRAME_IPV6, 0 }, { FRAME_HOP_OPTIONS, 255 }, { FRAME_DEST_OPTIONS, 255 } },
		{ { FRAME_IPV4, 11 } },
		{ { FRAME_IPV4, 0 }, { FRAME_TCP, 11 << 8 } },
		{ { FRAME_LENGTH, FRAME_MAX + 1 } },
		{ { FRAME_IPV4, 0 }, { FRAME_SET, 20 << 8 } },
		{ { FRAME_LENGTH + 1, 0 } },
		{ { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 },
		  { FRAME_IPV4, 0 } },
		{ { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 },
		  { FRAME_SET, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame frame = { .len = 12345 };

		assert_int_equal(frame_build(bad[i], &ends, &frame), -EINVAL);
		assert_int_equal(frame.len, 12345);
	}
}

static void the_largest_frame_fits(void **state)
{
	struct frame f = FRAME({ FRAME_IPV4, 0 }, { FRAME_PAYLOAD, FRAME_MAX - 34 });

	(void)state;
	assert_int_equal(f.len, FRAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_is_what_rfc_791_and_9293_draw),
		cmocka_unit_test(lengths_count_everything_behind_them),
		cmocka_unit_test(every_header_announces_the_next),
		cmocka_unit_test(the_second_ip_header_is_the_inner_one),
		cmocka_unit_test(fragments_carry_offset_and_more_in_both_families),
		cmocka_unit_test(lies_change_bytes_and_not_lengths),
		cmocka_unit_test(a_lengthened_frame_is_padded_with_zeroes),
		cmocka_unit_test(sources_can_be_dressed_up),
		cmocka_unit_test(what_does_not_fit_is_refused_and_nothing_is_written),
		cmocka_unit_test(the_largest_frame_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
