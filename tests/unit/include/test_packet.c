/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser by itself: what it reads out of odd frames, what it must not read, and that it stays
 * inside whatever part of a frame it is shown. Frames live in heap blocks of their exact size, so
 * that a sanitised build sees one byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policy/conformance.h"

static const struct frame_ends ends = {
	.src4 = { 0xc000020a00000000, 0 },
	.dst4 = { 0xc633640100000000, 0 },
	.src6 = { 0x20010db8600d0000, 0x10 },
	.dst6 = { 0x20010db800010000, 1 },
	.inner_src4 = { 0xcb00714200000000, 0 },
	.inner_src6 = { 0x20010db80bad0000, 0x66 },
	.sport = 40000,
	.dport = 443,
};

static struct frame build(const struct frame_step *steps)
{
	struct frame frame;

	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	return frame;
}

/* Parse @len bytes as a frame of which the first @seen are visible. */
static struct packet parse_seen(const void *bytes, uint32_t len, uint32_t seen)
{
	autofree uint8_t *copy = malloc(seen ? seen : 1);
	struct packet packet;

	assert_non_null(copy);
	memcpy(copy, bytes, seen);
	memset(&packet, 0xff, sizeof(packet));
	packet_parse(copy, copy + seen, len, &packet);
	return packet;
}

static struct packet parse_steps(const struct frame_step *steps)
{
	struct frame frame = build(steps);

	return parse_seen(frame.bytes, frame.len, frame.len);
}

#define STEPS(...) ((const struct frame_step[FRAME_STEPS]){ __VA_ARGS__ })
#define PARSE(...) parse_steps(STEPS(__VA_ARGS__))

static void an_ipv4_packet_is_read_in_full(void **state)
{
	struct packet p =
		PARSE({ FRAME_VLAN, 0x8100 }, { FRAME_IPV4, 2 }, { FRAME_TCP, 1 << 8 | TCP_SYN });

	(void)state;
	assert_int_equal(p.family, 4);
	assert_int_equal(p.ethertype, 0x0800);
	assert_int_equal(p.vlan, 100);
	assert_true(p.src.hi == ends.src4.hi && !p.src.lo);
	assert_true(p.dst.hi == ends.dst4.hi && !p.dst.lo);
	assert_int_equal(p.proto, 6);
	assert_int_equal(p.hops, 64);
	assert_int_equal(p.sport, 40000);
	assert_int_equal(p.dport, 443);
	assert_int_equal(p.tcp_flags, TCP_SYN);
	assert_int_equal(p.shape, SHAPE_PORTS);
	assert_int_equal(p.anomaly, 0);
	assert_int_equal(p.note, 0);
}

static void an_ipv6_packet_is_read_behind_its_chain(void **state)
{
	struct packet p = PARSE({ FRAME_IPV6, 0 }, { FRAME_HOP_OPTIONS, 3 }, { FRAME_ROUTING, 2 },
				{ FRAME_AH, 2 }, { FRAME_UDP, 0 }, { FRAME_PAYLOAD, 9 });

	(void)state;
	assert_int_equal(p.family, 6);
	assert_true(p.src.hi == ends.src6.hi && p.src.lo == ends.src6.lo);
	assert_true(p.dst.hi == ends.dst6.hi && p.dst.lo == ends.dst6.lo);
	assert_int_equal(p.proto, 17);
	assert_int_equal(p.dport, 443);
	assert_int_equal(p.anomaly, 0);
}

static void a_chain_is_walked_to_its_end_whatever_its_size(void **state)
{
	(void)state;
	for (uint16_t units = 0; units < 200; units++) {
		struct packet p = PARSE({ FRAME_IPV6, 0 }, { FRAME_DEST_OPTIONS, units },
					{ FRAME_TCP, TCP_SYN });

		assert_int_equal(p.anomaly, 0);
		assert_int_equal(p.proto, 6);
		assert_int_equal(p.dport, 443);
	}
}

/* Eight headers of 2,048 bytes end where a walk that wraps at 16 KiB would start again. */
static void the_longest_chain_does_not_wrap(void **state)
{
	const uint32_t headers = 8, size = 2048, len = 14 + 40 + headers * size + 20;
	autofree uint8_t *frame = calloc(1, len);
	struct packet p;

	(void)state;
	assert_non_null(frame);
	memcpy(frame + 12, "\x86\xdd\x60", 3);
	frame[18] = (len - 54) >> 8;
	frame[19] = (len - 54) & 0xff;
	frame[20] = 60;
	for (uint32_t i = 0; i < headers; i++) {
		frame[54 + i * size] = i + 1 < headers ? 60 : 6;
		frame[54 + i * size + 1] = 255;
	}
	frame[54 + headers * size + 3] = 99;
	frame[54 + headers * size + 12] = 0x50;
	frame[54 + headers * size + 13] = TCP_ACK;
	p = parse_seen(frame, len, len);
	assert_int_equal(p.anomaly, 0);
	assert_int_equal(p.proto, 6);
	assert_int_equal(p.dport, 99);
}

static void ports_of_later_fragments_are_never_read(void **state)
{
	struct packet four = PARSE({ FRAME_IPV4, 0 }, { FRAME_FRAGMENT, 1 }, { FRAME_PROTO, 6 },
				   { FRAME_WORD, 22 }, { FRAME_WORD, 22 }, { FRAME_PAYLOAD, 40 });
	struct packet six = PARSE({ FRAME_IPV6, 0 }, { FRAME_FRAGMENT, 1 }, { FRAME_PROTO, 17 },
				  { FRAME_WORD, 22 }, { FRAME_WORD, 22 }, { FRAME_PAYLOAD, 40 });

	(void)state;
	assert_int_equal(four.shape, SHAPE_FRAGMENT);
	assert_int_equal(four.dport, 0);
	assert_int_equal(six.shape, SHAPE_FRAGMENT);
	assert_int_equal(six.dport, 0);
	assert_int_equal(six.proto, 17);
}

static void a_later_fragment_is_not_walked_further(void **state)
{
	struct packet p = PARSE({ FRAME_IPV6, 0 }, { FRAME_FRAGMENT, 1 }, { FRAME_DEST_OPTIONS, 0 },
				{ FRAME_TCP, TCP_SYN });

	(void)state;
	assert_int_equal(p.shape, SHAPE_FRAGMENT);
	assert_int_equal(p.proto, 60);
	assert_int_equal(p.note, REASON_FRAGMENT);
}

static void ports_need_four_bytes_that_ip_vouches_for(void **state)
{
	struct packet three = PARSE({ FRAME_IPV4, 0 }, { FRAME_PROTO, 17 }, { FRAME_PAYLOAD, 3 },
				    { FRAME_LENGTH, 60 });
	struct packet four = PARSE({ FRAME_IPV4, 0 }, { FRAME_PROTO, 17 }, { FRAME_PAYLOAD, 4 },
				   { FRAME_LENGTH, 60 });

	(void)state;
	assert_false(three.shape & SHAPE_PORTS);
	assert_int_equal(three.anomaly, REASON_TRUNCATED_L4);
	assert_true(four.shape & SHAPE_PORTS);
	assert_int_equal(four.dport, 0x7878);
	assert_int_equal(four.anomaly, REASON_TRUNCATED_L4);
}

static void all_tcp_header_lengths_are_judged(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < 16; offset++) {
		struct packet p =
			PARSE({ FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK },
			      { FRAME_SET, 12 << 8 | offset << 4 }, { FRAME_PAYLOAD, 20 });
		bool fits = offset >= 5 && offset <= 10;

		/* the payload is no valid option list, so only a header without options is fine */
		assert_int_equal(p.anomaly, offset == 5 ? 0
					    : fits	? REASON_BAD_TCP_OPTIONS
							: REASON_BAD_TCP_OFFSET);
	}
}

static void a_frame_is_as_long_as_its_packet_needs_it_to_be(void **state)
{
	const struct frame f =
		build(STEPS({ FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK }, { FRAME_PAYLOAD, 100 }));
	const struct frame arp = build(STEPS({ FRAME_ARP, 0 }));

	(void)state;
	assert_int_equal(parse_seen(f.bytes, f.len, f.len).length, f.len);
	/* padding that can be seen counts, and what the packet itself hides in fragments */
	assert_int_equal(parse_seen(f.bytes, f.len, 60).length, f.len);
	assert_int_equal(parse_seen(f.bytes, f.len, 20).length, f.len);
	assert_int_equal(parse_seen(arp.bytes, arp.len + 99, arp.len).length, arp.len + 99);
	/* what fragments hold behind the packet does not */
	assert_int_equal(parse_seen(f.bytes, f.len + 999, f.len).length, f.len);
}

static uint8_t options_verdict(const char *options, uint8_t length)
{
	struct frame f =
		build(STEPS({ FRAME_IPV4, 0 }, { FRAME_TCP, TCP_SYN }, { FRAME_PAYLOAD, 8 }));

	memcpy(f.bytes + 54, options, length);
	f.len = 54 + length;
	f.bytes[17] = 40 + length;
	f.bytes[46] = (5 + length / 4) << 4;
	return parse_seen(f.bytes, f.len, f.len).anomaly;
}

#define VALUES "\xff\xff\xff\xff\xff\xff\xff\xff"

static void options_are_checked_to_the_last_byte(void **state)
{
	(void)state;
	assert_int_equal(options_verdict("\x01\x01\x01\x01", 4), 0);
	assert_int_equal(options_verdict("\x01\x01\x01\x00", 4), 0);
	assert_int_equal(options_verdict("\x00\xff\xff\xff", 4), 0); /* nothing behind the end */
	assert_int_equal(options_verdict("\x02\x04\x05\xb4", 4), 0);
	assert_int_equal(options_verdict("\x01\x01\x04\x02", 4), 0);
	assert_int_equal(options_verdict("\x02\x05\x05\xb4", 4), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x02\x01\x05\xb4", 4), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x02\x00\x05\xb4", 4), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x01\x01\x01\x02", 4), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x01\x01\x02\x03", 4), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x08\x06\x01\x01\x01\x01\x01\x08", 8),
			 REASON_BAD_TCP_OPTIONS);
	/* the usual timestamp is not walked; what nearly is one is */
	assert_int_equal(options_verdict("\x01\x01\x08\x0a" VALUES, 12), 0);
	assert_int_equal(options_verdict("\x01\x01\x08\x0b" VALUES, 12), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x01\x01\x08\x0a" VALUES, 8), REASON_BAD_TCP_OPTIONS);
	assert_int_equal(options_verdict("\x01\x01\x08\x0a" VALUES "\x02\x01\x01\x01", 16),
			 REASON_BAD_TCP_OPTIONS);
}

static void forty_bytes_of_padding_options_are_fine(void **state)
{
	struct frame f = build(STEPS({ FRAME_IPV4, 10 }, { FRAME_TCP, 10 << 8 | TCP_SYN }));

	(void)state;
	memset(f.bytes + 34, 1, 40);
	memset(f.bytes + 94, 1, 40);
	assert_int_equal(parse_seen(f.bytes, f.len, f.len).anomaly, 0);
}

static void the_first_fault_is_the_one_reported(void **state)
{
	struct packet p = PARSE({ FRAME_IPV4, 1 }, { FRAME_SET, 21 << 8 },
				{ FRAME_TCP, TCP_SYN | TCP_FIN }, { FRAME_SET, 12 << 8 | 0x40 });

	(void)state;
	assert_int_equal(p.anomaly, REASON_BAD_IP_OPTIONS);
	assert_int_equal(p.dport, 443);
}

/* Lengths over 64 KiB do not fit IPv4's field; segmentation offload leaves it zero. */
static void big_tcp_is_no_fault(void **state)
{
	struct frame four = build(STEPS({ FRAME_IPV4, 0 }, { FRAME_SET, 2 << 8 },
					{ FRAME_SET, 3 << 8 }, { FRAME_TCP, TCP_ACK }));
	struct frame six = build(STEPS({ FRAME_IPV6, 0 }, { FRAME_SET, 4 << 8 },
				       { FRAME_SET, 5 << 8 }, { FRAME_TCP, TCP_ACK }));
	struct packet p = parse_seen(four.bytes, 70000, four.len);

	(void)state;
	assert_int_equal(p.anomaly, 0);
	assert_int_equal(p.note, REASON_JUMBOGRAM);
	assert_int_equal(p.dport, 443);
	p = parse_seen(six.bytes, 70000, six.len);
	assert_int_equal(p.anomaly, 0);
	assert_int_equal(p.note, REASON_JUMBOGRAM);
	assert_int_equal(p.dport, 443);
}

static void all_rows(void (*check)(const struct frame *frame))
{
	for (uint32_t i = 0; i < conformance_row_count; i++) {
		struct frame frame;

		assert_int_equal(conformance_frame(&conformance_rows[i], SIDE_BLOCKED, &frame), 0);
		check(&frame);
	}
}

static void cut_everywhere(const struct frame *frame)
{
	for (uint32_t len = 0; len < frame->len; len++)
		parse_seen(frame->bytes, len, len);
}

/* Bytes that cannot be seen are no fault of the packet. */
static void hide_everywhere(const struct frame *frame)
{
	struct packet whole = parse_seen(frame->bytes, frame->len, frame->len);

	for (uint32_t seen = 0; seen < frame->len; seen++) {
		struct packet p = parse_seen(frame->bytes, frame->len, seen);

		if (p.anomaly)
			assert_int_equal(p.anomaly, whole.anomaly);
		if (p.family)
			assert_memory_equal(&p.src, &whole.src, sizeof(p.src));
		if (p.shape & SHAPE_PORTS)
			assert_int_equal(p.dport, whole.dport);
	}
}

static void spoil_each_byte(const struct frame *frame)
{
	struct frame copy = *frame;

	for (uint32_t i = 0; i < copy.len; i++) {
		for (uint32_t bit = 0; bit < 8; bit++) {
			copy.bytes[i] = frame->bytes[i] ^ 1 << bit;
			parse_seen(copy.bytes, copy.len, copy.len);
		}
		copy.bytes[i] = frame->bytes[i];
	}
}

static void frames_may_end_anywhere(void **state)
{
	(void)state;
	all_rows(cut_everywhere);
}

static void hidden_bytes_are_no_fault(void **state)
{
	(void)state;
	all_rows(hide_everywhere);
}

static void any_bit_may_be_wrong(void **state)
{
	(void)state;
	all_rows(spoil_each_byte);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_packet_is_read_in_full),
		cmocka_unit_test(an_ipv6_packet_is_read_behind_its_chain),
		cmocka_unit_test(a_chain_is_walked_to_its_end_whatever_its_size),
		cmocka_unit_test(the_longest_chain_does_not_wrap),
		cmocka_unit_test(ports_of_later_fragments_are_never_read),
		cmocka_unit_test(a_later_fragment_is_not_walked_further),
		cmocka_unit_test(ports_need_four_bytes_that_ip_vouches_for),
		cmocka_unit_test(all_tcp_header_lengths_are_judged),
		cmocka_unit_test(options_are_checked_to_the_last_byte),
		cmocka_unit_test(a_frame_is_as_long_as_its_packet_needs_it_to_be),
		cmocka_unit_test(forty_bytes_of_padding_options_are_fine),
		cmocka_unit_test(the_first_fault_is_the_one_reported),
		cmocka_unit_test(big_tcp_is_no_fault),
		cmocka_unit_test(frames_may_end_anywhere),
		cmocka_unit_test(hidden_bytes_are_no_fault),
		cmocka_unit_test(any_bit_may_be_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
