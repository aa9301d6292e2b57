/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden packets out of an image. The must-pass set comes from a neutral host and again from the
 * first source that a drop list names, because being listed must not matter there.
 */
#include "policy/golden.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/compile.h"

#define PROTO_EXPERIMENT 253 /* RFC 3692: nothing behind it is a header */

struct golden_walk {
	const struct image *image;
	int (*fn)(void *context, const struct golden *golden);
	void *context;
	struct frame_ends ends; /* neutral hosts; dport is not protected */
	bool port_free; /* is there such a port? */
};

struct must_pass {
	const char *name;
	uint8_t reason;
	struct frame_step steps[8];
};

static const struct must_pass must_pass[] = {
	{ "ARP", REASON_GUARD_ARP, { { FRAME_ARP, 0 } } },
	{ "ARP behind a VLAN tag", REASON_GUARD_ARP, { { FRAME_VLAN, 0x8100 }, { FRAME_ARP, 0 } } },
	{ "router solicitation",
	  REASON_GUARD_ND,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 133 << 8 }, { FRAME_PAYLOAD, 8 } } },
	{ "router advertisement",
	  REASON_GUARD_ND,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 134 << 8 }, { FRAME_PAYLOAD, 24 } } },
	{ "neighbour solicitation",
	  REASON_GUARD_ND,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 135 << 8 }, { FRAME_PAYLOAD, 24 } } },
	{ "neighbour advertisement",
	  REASON_GUARD_ND,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 136 << 8 }, { FRAME_PAYLOAD, 24 } } },
	{ "redirect",
	  REASON_GUARD_ND,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 137 << 8 }, { FRAME_PAYLOAD, 32 } } },
	{ "neighbour solicitation behind a VLAN tag",
	  REASON_GUARD_ND,
	  { { FRAME_VLAN, 0x8100 },
	    { FRAME_IPV6, 0 },
	    { FRAME_ICMPV6, 135 << 8 },
	    { FRAME_PAYLOAD, 24 } } },
	{ "ICMP fragmentation needed",
	  REASON_GUARD_PMTU,
	  { { FRAME_IPV4, 0 }, { FRAME_ICMP, 3 << 8 | 4 }, { FRAME_PAYLOAD, 28 } } },
	{ "ICMPv6 packet too big",
	  REASON_GUARD_PMTU,
	  { { FRAME_IPV6, 0 }, { FRAME_ICMPV6, 2 << 8 }, { FRAME_PAYLOAD, 48 } } },
	{ "DHCP request",
	  REASON_GUARD_DHCP,
	  { { FRAME_SPORT, 68 },
	    { FRAME_DPORT, 67 },
	    { FRAME_IPV4, 0 },
	    { FRAME_UDP, 0 },
	    { FRAME_PAYLOAD, 240 } } },
	{ "DHCP reply",
	  REASON_GUARD_DHCP,
	  { { FRAME_SPORT, 67 },
	    { FRAME_DPORT, 68 },
	    { FRAME_IPV4, 0 },
	    { FRAME_UDP, 0 },
	    { FRAME_PAYLOAD, 240 } } },
	{ "DHCPv6 request",
	  REASON_GUARD_DHCP,
	  { { FRAME_SPORT, 546 },
	    { FRAME_DPORT, 547 },
	    { FRAME_IPV6, 0 },
	    { FRAME_UDP, 0 },
	    { FRAME_PAYLOAD, 60 } } },
	{ "DHCPv6 reply",
	  REASON_GUARD_DHCP,
	  { { FRAME_SPORT, 547 },
	    { FRAME_DPORT, 546 },
	    { FRAME_IPV6, 0 },
	    { FRAME_UDP, 0 },
	    { FRAME_PAYLOAD, 60 } } },
};

/* ---- reading the image ---- */

static struct address address_from(const uint8_t bytes[16], uint8_t family)
{
	struct address ret = { 0 };

	for (uint32_t i = 0; i < (family == 4 ? 4 : 16); i++) {
		if (i < 8)
			ret.hi |= (uint64_t)bytes[i] << (56 - 8 * i);
		else
			ret.lo |= (uint64_t)bytes[i] << (120 - 8 * i);
	}
	return ret;
}

static bool address_before(const struct address *a, const struct address *b)
{
	return a->hi < b->hi || (a->hi == b->hi && a->lo < b->lo);
}

static bool on_no_list(const struct image *image, enum table table, const struct address *address)
{
	uint32_t root = image_hot(image)->root[table];

	return !root || !table_lookup((struct image *)image, root, address->hi, address->lo);
}

/* The first candidate that no list names; when all are named, the first. */
static struct address neutral(const struct image *image, enum table table)
{
	static const struct address hosts[2][4] = {
		{ { 0xc000020100000000, 0 }, /* 192.0.2.1 */
		  { 0xc633640100000000, 0 }, /* 198.51.100.1 */
		  { 0xcb00710100000000, 0 }, /* 203.0.113.1 */
		  { 0xc612000100000000, 0 } }, /* 198.18.0.1 */
		{ { 0x20010db800000000, 1 }, /* 2001:db8::1 */
		  { 0x20010db8ffff0000, 1 },
		  { 0xfd00000000000000, 1 },
		  { 0xfe80000000000000, 1 } },
	};
	const struct address *set = hosts[table == TABLE_V6_SRC || table == TABLE_V6_DST];

	for (size_t i = 0; i < ARRAY_SIZE(hosts[0]); i++) {
		if (on_no_list(image, table, &set[i]))
			return set[i];
	}
	return set[0];
}

static bool port_is_protected(const struct image *image, uint32_t port)
{
	const uint64_t *bits;

	if (!image_hot(image)->ports_line)
		return false;
	bits = image_line((struct image *)image, image_hot(image)->ports_line + port / 512);
	return bits && bits[port / 64 % 8] >> (port % 64) & 1;
}

static void choose_ends(struct golden_walk *walk)
{
	uint32_t port = 80;

	walk->ends = (struct frame_ends){
		.src4 = neutral(walk->image, TABLE_V4_SRC),
		.dst4 = neutral(walk->image, TABLE_V4_DST),
		.src6 = neutral(walk->image, TABLE_V6_SRC),
		.dst6 = neutral(walk->image, TABLE_V6_DST),
		.sport = 40000,
	};
	while (port < 65536 && port_is_protected(walk->image, port))
		port++;
	walk->port_free = port < 65536;
	walk->ends.dport = walk->port_free ? port : 80;
}

static int emit(const struct golden_walk *walk, const struct frame_step *steps,
		const struct frame_ends *ends, struct golden *golden)
{
	int r = frame_build(steps, ends, &golden->frame);

	return r ? r : walk->fn(walk->context, golden);
}

/* ---- must-pass set ---- */

/* The first source that some drop list names, per family; false when there is none. */
static bool dropped_sources(const struct image *image, struct frame_ends *ends)
{
	bool found = false;

	for (uint32_t id = image_hot(image)->lists; id; id--) {
		const struct list_record *list = image_list(image, id);

		if (list->action != ACTION_DROP || list->match != MATCH_SOURCE)
			continue;
		if (list->first_family == 4)
			ends->src4 = address_from(list->first, 4);
		else if (list->first_family == 6)
			ends->src6 = address_from(list->first, 6);
		found |= list->first_family != 0;
	}
	return found;
}

static int each_guarded(const struct golden_walk *walk, const struct frame_ends *ends,
			const char *source)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(must_pass) && !r; i++) {
		struct golden golden = { .verdict = VERDICT_PASS, .reason = must_pass[i].reason };

		snprintf(golden.name, sizeof(golden.name), "%s%s", must_pass[i].name, source);
		r = emit(walk, must_pass[i].steps, ends, &golden);
	}
	return r;
}

/* One SYN to each protected port. */
static int each_port(const struct golden_walk *walk, const struct frame_ends *hosts)
{
	static const struct frame_step steps[] = { { FRAME_IPV4, 0 },
						   { FRAME_TCP, TCP_SYN },
						   { FRAME_END, 0 } };
	struct frame_ends ends = *hosts;
	int r = 0;

	for (uint32_t port = 0; port < 65536 && !r; port++) {
		struct golden golden = {
			.verdict = VERDICT_PASS,
			.reason = REASON_PROTECT_PORT,
			.family = 4,
			.src = ends.src4,
			.dst = ends.dst4,
		};

		if (!port_is_protected(walk->image, port))
			continue;
		ends.dport = port;
		snprintf(golden.name, sizeof(golden.name), "protected port %" PRIu32, port);
		r = emit(walk, steps, &ends, &golden);
	}
	return r;
}

/* ---- lists ---- */

static const struct {
	uint8_t verdict, reason;
} outcomes[] = {
	[ACTION_ALLOW] = { VERDICT_PASS, REASON_LIST_ALLOW },
	[ACTION_DROP] = { VERDICT_DROP, REASON_LIST_DROP },
	[ACTION_FLAG] = { VERDICT_FLAG, REASON_LIST_FLAG },
	[ACTION_SCORE] = { VERDICT_PASS, REASON_LIST_SCORE },
	[ACTION_PROTECT] = { VERDICT_PASS, REASON_PROTECT_PREFIX },
};
_Static_assert(ARRAY_SIZE(outcomes) == ACTIONS, "every action has an outcome");

/* The highest address of a prefix. */
static struct address address_last(struct address first, uint8_t len)
{
	if (len < 64) {
		first.hi |= ~0ull >> len;
		first.lo = ~0ull;
	} else if (len < 128) {
		first.lo |= ~0ull >> (len - 64);
	}
	return first;
}

static int emit_entry(const struct golden_walk *walk, struct golden *golden, enum match match,
		      const struct address *address)
{
	const struct frame_step steps[] = {
		{ golden->family == 4 ? FRAME_IPV4 : FRAME_IPV6, 0 },
		{ walk->port_free ? FRAME_TCP : FRAME_PROTO,
		  walk->port_free ? TCP_SYN : PROTO_EXPERIMENT },
		{ FRAME_END, 0 },
	};
	struct frame_ends ends = walk->ends;

	if (golden->family == 4)
		*(match == MATCH_SOURCE ? &ends.src4 : &ends.dst4) = *address;
	else
		*(match == MATCH_SOURCE ? &ends.src6 : &ends.dst6) = *address;
	golden->src = golden->family == 4 ? ends.src4 : ends.src6;
	golden->dst = golden->family == 4 ? ends.dst4 : ends.dst6;
	return emit(walk, steps, &ends, golden);
}

static int list_entry(const struct golden_walk *walk, uint32_t id, bool last)
{
	const struct list_record *list = image_list(walk->image, id);
	uint8_t family = last ? list->last_family : list->first_family;
	struct address address = address_from(last ? list->last : list->first, family);
	struct golden golden = {
		.verdict = outcomes[list->action].verdict,
		.reason = outcomes[list->action].reason,
		.list = list->action == ACTION_SCORE ? 0 : id,
		.family = family,
	};

	if (!family)
		return 0;
	if (last)
		address = address_last(address, list->last_len);
	if (family == 4) {
		address.hi &= 0xffffffffull << 32;
		address.lo = 0;
	}
	snprintf(golden.name, sizeof(golden.name), "list %" PRIu32 " `%.*s`, %s entry", id,
		 (int)list->name_len, image_text(walk->image, list->name), last ? "last" : "first");
	return emit_entry(walk, &golden, list->match, &address);
}

static int each_list(const struct golden_walk *walk)
{
	int r = 0;

	for (uint32_t id = 1; id <= image_hot(walk->image)->lists && !r; id++) {
		r = list_entry(walk, id, false);
		if (!r)
			r = list_entry(walk, id, true);
	}
	return r;
}

int golden_each(const struct image *image, int (*fn)(void *context, const struct golden *golden),
		void *context)
{
	struct golden_walk walk = { .image = image, .fn = fn, .context = context };
	struct frame_ends listed;
	int r;

	choose_ends(&walk);
	listed = walk.ends;
	r = each_guarded(&walk, &walk.ends, "");
	if (!r && dropped_sources(image, &listed))
		r = each_guarded(&walk, &listed, " from a listed source");
	if (!r)
		r = each_port(&walk, &listed);
	return r ? r : each_list(&walk);
}

/* ---- judging an outcome ---- */

/* Precedence, the strongest first; -1 for what no golden packet may get. */
static int rank(uint8_t reason)
{
	static const uint8_t order[] = { REASON_PROTECT_PREFIX, REASON_PROTECT_PORT,
					 REASON_LIST_ALLOW,	REASON_LIST_DROP,
					 REASON_LIST_FLAG,	REASON_LIST_SCORE };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (order[i] == reason)
			return (int)i;
	}
	return -1;
}

/* By its record, can this list hold the address? Its lowest entry is known, not its reach. */
static bool may_hold(const struct list_record *list, uint8_t family, const struct address *address)
{
	struct address first = address_from(list->first, list->first_family);

	if (!(family == 4 ? list->prefixes_v4 : list->prefixes_v6))
		return false;
	return list->first_family != family || !address_before(address, &first);
}

static bool outranks(const struct image *image, const struct golden *golden, uint8_t verdict,
		     uint8_t reason, uint16_t list)
{
	const struct list_record *other = image_list(image, list);
	const struct list_record *own = golden->list ? image_list(image, golden->list) : NULL;

	if (!other || outcomes[other->action].verdict != verdict ||
	    outcomes[other->action].reason != reason || rank(reason) > rank(golden->reason))
		return false;
	if (!may_hold(other, golden->family,
		      other->match == MATCH_SOURCE ? &golden->src : &golden->dst))
		return false;
	/* of two lists of one action the one on the source decides */
	return rank(reason) < rank(golden->reason) || !own || own->match != MATCH_SOURCE ||
	       other->match == MATCH_SOURCE;
}

bool golden_accepts(const struct image *image, const struct golden *golden, uint8_t verdict,
		    uint8_t reason, uint16_t list)
{
	if (verdict == golden->verdict && reason == golden->reason && list == golden->list)
		return true;
	return golden->family && outranks(image, golden, verdict, reason, list);
}
