/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes frames, through parser and judge, by one of a few policies. The first byte picks the
 * policy and what the operator says about the source, two more the kill bits, two more how many
 * bytes of the frame the program can see (more than there are: all of them). Nothing outside those
 * bytes is read, and the verdict keeps its promises. Whoever sent the frame is counted in a table of
 * a few lines, in which sources push each other out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <stanch/source.h>

#include "base/cleanup.h"
#include "fuzz_judge.h"
#include "policy/conformance.h"
#include "policy/policy.h"

#define HEADER 5u
#define IMAGES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Addresses are those of the conformance table and of golden packets, so that they are met. */
static const char *const policies[] = {
	"version: 1\nmode: enforce\ninner: true\n"
	"protect: {prefixes: [192.0.2.0/28, '2001:db8:600d::/48'], ports: [22, 53]}\n"
	"lists:\n"
	"  - {name: a, action: allow, entries: [192.0.2.0/25, '2001:db8::/40']}\n"
	"  - {name: d, action: drop, entries: [0.0.0.0/1, 203.0.113.0/24, '2001:db8:bad::/48']}\n"
	"  - {name: t, action: drop, match: destination, entries: [198.51.100.2/32, '::/1']}\n"
	"  - {name: f, action: flag, entries: [128.0.0.0/1]}\n"
	"  - {name: s, action: score, family: x, points: 9, entries: [0.0.0.0/0, '::/0']}\n",
	"version: 1\nmode: monitor\ninner: true\nheaders: pass\n"
	"lists:\n"
	"  - {name: f, action: flag, entries: [203.0.113.0/24, '2001:db8:bad::/48']}\n"
	"  - {name: g, action: flag, match: destination, entries: [198.51.100.0/24]}\n"
	"  - {name: s, action: score, match: destination, family: x, points: 9,\n"
	"     entries: [0.0.0.0/0, '::/0']}\n",
};

static struct image_file images[IMAGES];

static void compile(const char *text, struct image_file *ret)
{
	struct named_text named = { "policy", text, strlen(text) };
	auto_policy struct policy policy = { 0 };
	struct diag diag = { 0 };

	assert(!policy_parse(&named, NULL, NULL, &policy, &diag));
	assert(!policy_compile(&policy, &limits_builtin, ret, &diag));
}

static void make_images(void)
{
	auto_policy struct policy factory = { 0 };
	struct diag diag = { 0 };

	assert(!conformance_image(SETTING_PLAIN, &images[0], &diag));
	assert(!conformance_image(SETTING_INNER, &images[1], &diag));
	policy_factory(&factory);
	assert(!policy_compile(&factory, &limits_builtin, &images[2], &diag));
	compile(policies[0], &images[3]);
	compile(policies[1], &images[4]);
	for (uint32_t i = 0; i < IMAGES; i++)
		assert(!image_check("fuzz", images[i].bytes,
				    (size_t)images[i].image.lines * LINE_SIZE, &limits_builtin,
				    &diag));
}

/* The frame as the program sees it: @linear bytes of @length, in memory of their own. */
static void see(const uint8_t *frame, uint32_t linear, uint32_t length, struct packet *ret)
{
	autofree uint8_t *bytes = malloc(linear ? linear : 1);

	assert(bytes);
	memcpy(bytes, frame, linear);
	packet_parse(bytes, bytes + linear, length, ret);
}

static void check_packet(const struct packet *p, uint32_t linear, uint32_t length)
{
	/* of the whole frame, or of what can be seen when that holds all of an IP packet */
	assert(p->length == length || (p->family && p->length == linear));
	assert(p->family == 0 || p->family == 4 || p->family == 6);
	assert(!(p->shape & SHAPE_INNER) == !p->inner_family);
	assert(!(p->shape & SHAPE_INNER) || (p->shape & SHAPE_TUNNEL));
	assert((p->shape & SHAPE_PORTS) || (!p->sport && !p->dport));
	assert(!(p->shape & SHAPE_FRAGMENT) || !(p->shape & (SHAPE_PORTS | SHAPE_ICMP)));
	assert(!p->anomaly || fuzz_is_anomaly(p->anomaly));
	assert(!(p->shape & SHAPE_ARP) || !p->family);
}

/* What must pass whatever any policy says, told apart without the guard's own code. */
static bool must_pass(const struct packet *p)
{
	if (p->shape & SHAPE_ARP)
		return true;
	if (p->anomaly || (p->shape & (SHAPE_FRAGMENT | SHAPE_FIRST_FRAGMENT)))
		return false;
	if (p->family == 6 && p->proto == PROTO_ICMPV6 && p->hops == 255)
		return p->icmp_type >= 133 && p->icmp_type <= 137;
	return p->family == 4 && p->proto == PROTO_UDP && p->sport == 68 && p->dport == 67;
}

static void check_judgement(const struct image *image, const struct packet *p, uint32_t kills)
{
	struct judgement all, some;

	judge_packet((struct image *)image, p, 0, &all);
	judge_packet((struct image *)image, p, kills, &some);
	fuzz_check_checked(image, &all);
	fuzz_check_checked(image, &some);
	if (must_pass(p))
		assert(all.verdict == VERDICT_PASS);
	/* a killed stage can only turn a verdict into a pass */
	if (some.verdict == VERDICT_PASS)
		return;
	assert(some.verdict == all.verdict && some.reason == all.reason && some.list == all.list);
}

/* What the operator says stands above every policy, but for what protects, and drops no ARP. */
static void check_orders(const struct image *image, const struct packet *p, uint32_t orders)
{
	struct judgement plain, ordered;

	judge_packet((struct image *)image, p, orders & ORDER_KILLS, &plain);
	judge_packet((struct image *)image, p, orders, &ordered);
	fuzz_check_checked(image, &ordered);
	if (must_pass(p) || !p->family || (orders & ORDER_ALLOW))
		assert(ordered.verdict == VERDICT_PASS || (!p->family && p->anomaly));
	if (orders == (orders & ORDER_KILLS))
		assert(!memcmp(&plain, &ordered, sizeof(plain)));
	if (ordered.reason == REASON_OVERRIDE_BLOCK)
		assert((orders & (ORDER_ALLOW | ORDER_BLOCK)) == ORDER_BLOCK && p->family);
	else if (plain.verdict == VERDICT_DROP && (orders & ORDER_BLOCK) && p->family)
		assert(orders & (ORDER_ALLOW | 1u << STAGE_DROP));
}

#define LINES 4u

/* Counted once or not at all, under a key of its own family, and beside nobody else's numbers. */
static void check_source(const struct packet *p, uint32_t random)
{
	static struct source_line lines[LINES], before;
	static const __u64 seed[3] = { 0x0123456789abcdef, 0xfedcba9876543211, 0x3141592653589793 };
	const struct source_packet counted = { p->length, random & 1, random >> 1 };
	uint64_t key = source_key(p->family, p->src.hi), packets = 0;
	struct source_line *line = &lines[source_place_of(source_hash(seed, key), LINES)];
	struct source_entry *known = source_find(line, key);

	assert(key != SOURCE_KEY_NONE && key != SOURCE_KEY_BUSY);
	assert((p->family == 4) == (key >> 32 == SOURCE_KEY_V4 >> 32));
	assert(source_group_key(source_group_key(key)) == source_group_key(key));
	before = *line;
	if (known)
		packets = source_packets(known);
	if (!source_count(line, key, &counted, random * 0x9e3779b1u)) {
		assert(!known && !memcmp(&before, line, sizeof(before)));
		return;
	}
	assert(!known || known == source_find(line, key));
	known = source_find(line, key);
	assert(known && source_packets(known) == packets + 1);
	assert(source_seen(known) == counted.tick && source_idle(known, counted.tick) == 0);
	for (uint32_t way = 0; way < SOURCE_WAYS; way++)
		assert(known == &line->way[way] ||
		       !memcmp(&before.way[way], &line->way[way], sizeof(*known)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *frame = data + HEADER;
	struct packet whole, seen, again;
	const struct image *image;
	uint32_t length, linear;

	if (!images[0].bytes)
		make_images();
	if (size < HEADER)
		return 0;
	image = &images[data[0] % IMAGES].image;
	length = (uint32_t)(size - HEADER);
	linear = data[3] | (uint32_t)data[4] << 8;
	if (linear > length)
		linear = length;
	see(frame, linear, length, &seen);
	see(frame, linear, length, &again);
	see(frame, length, length, &whole);
	assert(!memcmp(&seen, &again, sizeof(seen)));
	check_packet(&seen, linear, length);
	check_packet(&whole, length, length);
	/* what the program cannot see is no reason to call a header impossible */
	assert(!seen.anomaly || whole.anomaly);
	check_judgement(image, &seen, data[1] | (uint32_t)data[2] << 8);
	check_judgement(image, &whole, data[1] | (uint32_t)data[2] << 8);
	check_orders(image, &seen, data[1] | (uint32_t)data[2] << 8 | (data[0] >> 6) << 16);
	if (seen.family)
		check_source(&seen, data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[0] << 24);
	return 0;
}
