/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets to measure with. Sources on a list come from the image itself, all others from addresses
 * that are for documentation and for measuring (RFC 5737, 2544, 3849, 5180); the native judge says
 * whether a packet is of the class that is wanted.
 */
#include "policy/bench.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/golden.h"

#define FRAME_SHORTEST 60u

const char *const bench_class_names[BENCH_CLASSES] = {
	[BENCH_PASS] = "pass, on no list",	   [BENCH_DROP_V4] = "drop by list, IPv4",
	[BENCH_DROP_V6] = "drop by list, IPv6",	   [BENCH_SYN] = "SYN with options, pass",
	[BENCH_CHAIN] = "VLAN + IPv6 chain, pass", [BENCH_FLAG] = "flag by list",
	[BENCH_TUNNEL] = "IPv4 in IPv4, pass",
};

static const struct recipe {
	uint8_t verdict;
	uint8_t family; /* of the source, which must be on a list; 0: either, or no list */
	bool listed;
	struct frame_step steps[8];
} recipes[BENCH_CLASSES] = {
	[BENCH_PASS] = { VERDICT_PASS, 0, false, { { FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK } } },
	[BENCH_DROP_V4] = { VERDICT_DROP, 4, true, { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	[BENCH_DROP_V6] = { VERDICT_DROP, 6, true, { { FRAME_IPV6, 0 }, { FRAME_UDP, 0 } } },
	[BENCH_SYN] = { VERDICT_PASS,
			0,
			false,
			{ { FRAME_IPV4, 0 }, { FRAME_TCP, 5 << 8 | TCP_SYN } } },
	[BENCH_CHAIN] = { VERDICT_PASS,
			  0,
			  false,
			  { { FRAME_VLAN, ETHERTYPE_VLAN },
			    { FRAME_IPV6, 0 },
			    { FRAME_HOP_OPTIONS, 0 },
			    { FRAME_DEST_OPTIONS, 0 },
			    { FRAME_TCP, TCP_ACK } } },
	[BENCH_FLAG] = { VERDICT_FLAG, 0, true, { { FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK } } },
	[BENCH_TUNNEL] = { VERDICT_PASS,
			   0,
			   false,
			   { { FRAME_IPV4, 0 }, { FRAME_IPV4, 0 }, { FRAME_TCP, TCP_ACK } } },
};

/* Hosts that talk to each other, until a pair is found that no list knows. */
static const struct frame_ends neutral[] = {
	{ .src4 = { 0xc612000a00000000, 0 }, /* 198.18.0.10 */
	  .dst4 = { 0xc612000100000000, 0 },
	  .src6 = { 0x2001000200000000, 0x10 }, /* 2001:2::10 */
	  .dst6 = { 0x2001000200000000, 1 } },
	{ .src4 = { 0xc000020a00000000, 0 }, /* 192.0.2.10 */
	  .dst4 = { 0xc000020100000000, 0 },
	  .src6 = { 0x20010db8600d0000, 0x10 },
	  .dst6 = { 0x20010db800010000, 1 } },
	{ .src4 = { 0xc633640a00000000, 0 }, /* 198.51.100.10 */
	  .dst4 = { 0xc633640100000000, 0 },
	  .src6 = { 0x20010db8fff00000, 0x10 },
	  .dst6 = { 0x20010db8fff00000, 1 } },
	{ .src4 = { 0xcb00710a00000000, 0 }, /* 203.0.113.10 */
	  .dst4 = { 0xcb00710100000000, 0 },
	  .src6 = { 0x20010db8abcd0000, 0x10 },
	  .dst6 = { 0x20010db8abcd0000, 1 } },
};
static const uint16_t ports[] = { 80, 443, 8080, 40001 }; /* some may be protected */

struct search {
	const struct image *image;
	const struct recipe *recipe;
	struct bench_packet *found; /* filled when a packet was */
};

static bool wanted(const struct recipe *recipe, const struct judgement *judgement)
{
	if (judgement->verdict != recipe->verdict)
		return false;
	return recipe->listed || judgement->reason == REASON_NO_MATCH ||
	       judgement->reason == REASON_TUNNEL;
}

/* A list of the other family: the same packet with IPv6 addresses. */
static void take_steps(const struct recipe *recipe, uint8_t family, struct frame_step ret[])
{
	memcpy(ret, recipe->steps, sizeof(recipe->steps));
	if (family == 6 && ret[0].op == FRAME_IPV4)
		ret[0].op = FRAME_IPV6;
}

/* Zeroes behind the packet, as a card has to send them. */
static void pad(struct frame *frame)
{
	if (frame->len >= FRAME_SHORTEST)
		return;
	memset(frame->bytes + frame->len, 0, FRAME_SHORTEST - frame->len);
	frame->len = FRAME_SHORTEST;
}

/* 1: of the class, and in @found; 0: not; -errno: no such packet can be built. */
static int try_steps(const struct search *search, const struct frame_step *steps,
		     const struct frame_ends *ends)
{
	struct judgement judgement = { 0 };
	struct frame frame;
	int r = frame_build(steps, ends, &frame);

	if (!r) {
		pad(&frame);
		frame_judge(search->image, frame.bytes, frame.len, 0, &judgement);
	}
	if (r || !wanted(search->recipe, &judgement))
		return r;
	search->found->frame = frame;
	search->found->verdict = judgement.verdict;
	search->found->dropped =
		judgement.verdict == VERDICT_DROP && image_hot(search->image)->mode == MODE_ENFORCE;
	return 1;
}

/* The same, with each of the ports. */
static int try(const struct search *search, const struct frame_ends *between, uint8_t family)
{
	struct frame_step steps[FRAME_STEPS] = { 0 };
	struct frame_ends ends = *between;
	int r = 0;

	take_steps(search->recipe, family, steps);
	ends.sport = 40000;
	ends.inner_src4 = ends.src4;
	ends.inner_dst4 = ends.dst4;
	for (size_t i = 0; i < ARRAY_SIZE(ports) && !r; i++) {
		ends.dport = ports[i];
		r = try_steps(search, steps, &ends);
	}
	return r;
}

static int try_golden(void *context, const struct golden *golden)
{
	const struct search *search = context;
	struct frame_ends ends = neutral[0];

	if (golden->verdict != search->recipe->verdict || !golden->list ||
	    (search->recipe->family && golden->family != search->recipe->family))
		return 0;
	if (golden->family == 4) {
		ends.src4 = golden->src;
		ends.dst4 = golden->dst;
	} else {
		ends.src6 = golden->src;
		ends.dst6 = golden->dst;
	}
	return try(search, &ends, golden->family);
}

int bench_packet(const struct image *image, enum bench_class class, struct bench_packet *ret)
{
	const struct search search = { image, &recipes[class], ret };
	int r = 0;

	if (search.recipe->listed)
		r = golden_each(image, try_golden, (void *)&search);
	else
		for (size_t i = 0; i < ARRAY_SIZE(neutral) && !r; i++)
			r = try(&search, &neutral[i], 0);
	return r > 0 ? 0 : r ? r : -ENOENT;
}

int bench_image(const struct limits *limits, struct image_file *ret, struct diag *diag)
{
	static const char text[] =
		"version: 1\n"
		"mode: enforce\n"
		"inner: true\n"
		"lists:\n"
		"  - {name: abusers, action: drop, entries: [203.0.113.0/24, '2001:db8:bad::/48']}\n"
		"  - {name: partners, action: allow, entries: [198.51.100.0/24]}\n"
		"  - {name: grey, action: flag, entries: [192.0.2.0/25]}\n";
	const struct named_text named = { "bench", text, sizeof(text) - 1 };
	auto_policy struct policy policy = { 0 };
	int r = policy_parse(&named, NULL, limits, &policy, diag);

	return r ? r : policy_compile(&policy, limits, ret, diag);
}

/* Multiplying by odd numbers and folding high bits down: no two numbers become the same one. */
static uint32_t scatter(uint32_t number, unsigned int bits)
{
	uint32_t mask = bits < 32 ? (1u << bits) - 1 : UINT32_MAX;

	number = number * 2654435761u & mask;
	number ^= number >> (bits / 2);
	return number * 2246822519u & mask;
}

int bench_list(uint32_t count, struct buf *ret)
{
	auto_buf struct buf text = { 0 };
	int r = 0;

	if (count > BENCH_LIST_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < count && !r; i++) {
		uint32_t at = i % 4 ? scatter(i, 32) : scatter(i / 4, 24) << 8;

		r = buf_printf(&text, "%u.%u.%u.%u%s\n", at >> 24, at >> 16 & 255, at >> 8 & 255,
			       at & 255, i % 4 ? "" : "/24");
	}
	if (!r) {
		*ret = text;
		text = (struct buf){ 0 };
	}
	return r;
}

static int read_list(void *context, const char *path, struct buf *ret)
{
	const struct buf *list = context;

	(void)path;
	return buf_append(ret, list->data, list->len);
}

int bench_list_parse(const struct buf *list, const struct limits *limits, struct policy *ret,
		     struct diag *diag)
{
	static const char text[] = "version: 1\n"
				   "mode: enforce\n"
				   "lists:\n"
				   "  - {name: generated, action: drop, file: generated}\n";
	const struct named_text named = { "generated", text, sizeof(text) - 1 };
	const struct policy_source files = { read_list, (void *)list };

	return policy_parse(&named, &files, limits, ret, diag);
}
