/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is learned about sources: lines of two entries, in which every source has one place by a
 * keyed hash. No locks: whoever loses a race goes on without. Knows no map and no verdict's reason.
 *
 * Exact: an entry counts every packet of its source once from the moment it is the source's on;
 * additions are atomic. Approximate: packets of a source that has no entry are counted nowhere; a
 * source that just got the entry of another may have, for every other CPU, one packet more than
 * it sent (of the source before it, whose CPU had looked at the key already); and for as long as an
 * entry changes hands (a few ns) other CPUs count nothing in its line that was not there before. A
 * packet adds to one entry of a table, so no race touches a third source. When two CPUs meet a new
 * source at once it may get both entries of its line: readers add those up.
 *
 * Who has to give way when both entries of a line are taken: one that was idle for more than
 * SOURCE_IDLE, else the one with fewer packets, with a probability of one in its packets and one
 * (a randomised admission policy: Ben Basat, Einziger, Friedman, Kassner, INFOCOM 2017). So what is
 * sent once from addresses at random, however much of it, takes turns in the place of whoever sent
 * least, and those who really talk stay.
 */
#ifndef STANCH_SOURCE_H
#define STANCH_SOURCE_H

#include "abi.h"
#include "portable.h"

_Static_assert(LIMIT_SOURCES && !(LIMIT_SOURCES % (SOURCE_WAYS * SOURCE_GROUP)),
	       "whole lines in both tables");

#define SOURCE_LINES (LIMIT_SOURCES / SOURCE_WAYS)
#define SOURCE_GROUP_LINES (SOURCE_LINES / SOURCE_GROUP)
#define SOURCE_TWIN_LINES 64u /* of both tables of a twin */
#define SOURCE_IDLE 4096u /* ticks: four and a half minutes */
#define SOURCE_MOST_PACKETS 0xffffffffull /* that the chance of giving way depends on */

/* One packet, as it is counted. */
struct source_packet {
	__u64 bytes;
	__u32 dropped; /* 0 or 1 */
	__u32 tick;
};

/* What a source is called: never SOURCE_KEY_NONE or _BUSY. @hi: of its struct address. */
static __always_inline __u64 source_key(__u8 family, __u64 hi)
{
	if (family == 4)
		return SOURCE_KEY_V4 | hi >> 32;
	return ((hi >> 48) + 1) & 0xfffe ? hi : SOURCE_KEY_RESERVED;
}

/* The /24 or /48 that the source of @key is in. */
static __always_inline __u64 source_group_key(__u64 key)
{
	if (key == SOURCE_KEY_RESERVED)
		return key;
	return key >> 48 ? key & ~0xffffull : key & ~0xffull;
}

/*
 * source_hash - where a key belongs, by its first bits. @seed: of this boot, three words. Whoever
 * does not know it cannot tell which keys share a line: see decision 0016 for what that rests on.
 */
static __always_inline __u64 source_hash(const __u64 seed[3], __u64 key)
{
	__u64 hash = (key ^ seed[0]) * (seed[1] | 1);

	hash ^= hash >> 32;
	return hash * (seed[2] | 1);
}

/* Which of @lines. */
static __always_inline __u32 source_place_of(__u64 hash, __u32 lines)
{
	return (hash >> 32) * lines >> 32;
}

static __always_inline __u32 source_tick(__u64 now_ns)
{
	return now_ns >> SOURCE_TICK_SHIFT;
}

static __always_inline __u64 source_packets(const struct source_entry *e)
{
	return (e->passed.word & SOURCE_COUNT_MASK) + (e->dropped.word & SOURCE_COUNT_MASK);
}

static __always_inline __u32 source_seen(const struct source_entry *e)
{
	const volatile __u16 *low = &e->passed.part[3], *high = &e->dropped.part[3];

	return *low | (__u32)*high << 16;
}

static __always_inline __u64 source_key_now(const struct source_entry *e)
{
	return *(const volatile __u64 *)&e->key;
}

/* The entry of @key, or NULL. */
static __always_inline struct source_entry *source_find(struct source_line *line, __u64 key)
{
	if (source_key_now(&line->way[0]) == key)
		return &line->way[0];
	if (source_key_now(&line->way[1]) == key)
		return &line->way[1];
	return (void *)0;
}

static __always_inline void source_set_seen(struct source_entry *e, __u32 tick)
{
	*(volatile __u16 *)&e->dropped.part[3] = tick >> 16;
	*(volatile __u16 *)&e->passed.part[3] = tick;
}

/* Counts the packet. The time is stored when it has changed; it stands beside the numbers. */
static __always_inline void source_add(struct source_entry *e, const struct source_packet *p)
{
	if (p->dropped)
		__sync_fetch_and_add(&e->dropped.word, 1);
	else
		__sync_fetch_and_add(&e->passed.word, 1);
	__sync_fetch_and_add(&e->bytes, p->bytes);
	if (source_seen(e) != p->tick)
		source_set_seen(e, p->tick);
}

/* Ticks since the entry was last written; 0 when that is in the future. */
static __always_inline __u32 source_idle(const struct source_entry *e, __u32 tick)
{
	__s32 idle = (__s32)(tick - source_seen(e));

	return idle > 0 ? (__u32)idle : 0;
}

/* Does the newcomer get the place of @e? @random is equally distributed over 32 bits. */
static __always_inline __u32 source_gives_way(const struct source_entry *e, __u32 random)
{
	__u64 packets = source_packets(e);

	if (packets > SOURCE_MOST_PACKETS)
		packets = SOURCE_MOST_PACKETS;
	return !((packets + 1) * random >> 32);
}

/* The entry that a newcomer may have, by the rule above; NULL: none. */
static __always_inline struct source_entry *source_victim(struct source_line *line, __u32 tick,
							  __u32 random)
{
	struct source_entry *a = &line->way[0], *b = &line->way[1], *least;

	if (source_key_now(a) == SOURCE_KEY_BUSY || source_key_now(b) == SOURCE_KEY_BUSY)
		return (void *)0;
	if (source_key_now(a) == SOURCE_KEY_NONE)
		return a;
	if (source_key_now(b) == SOURCE_KEY_NONE)
		return b;
	least = source_idle(a, tick) >= source_idle(b, tick) ? a : b;
	if (source_idle(least, tick) > SOURCE_IDLE)
		return least;
	least = source_packets(a) <= source_packets(b) ? a : b;
	return source_gives_way(least, random) ? least : (void *)0;
}

/*
 * source_claim - an entry for a key that has none. Returns NULL when it gets none. The exchange
 * that publishes the key is a full barrier: who finds the key finds the zeroes.
 */
static __always_inline struct source_entry *source_claim(struct source_line *line, __u64 key,
							 __u32 tick, __u32 random)
{
	struct source_entry *e = source_victim(line, tick, random);
	__u64 before, found;

	if (!e)
		return e;
	before = source_key_now(e);
	if (before == SOURCE_KEY_BUSY || before == key)
		return before == key ? e : (void *)0;
	found = __sync_val_compare_and_swap(&e->key, before, SOURCE_KEY_BUSY);
	if (found != before)
		return found == key ? e : (void *)0;
	*(volatile __u64 *)&e->passed.word = (__u64)(tick & 0xffff) << 48;
	*(volatile __u64 *)&e->dropped.word = (__u64)(tick >> 16) << 48;
	*(volatile __u64 *)&e->bytes = 0;
	__sync_lock_test_and_set(&e->key, key);
	return e;
}

/* source_count - the whole of it for one table. Returns 0 when the packet is counted nowhere. */
static __always_inline __u32 source_count(struct source_line *line, __u64 key,
					  const struct source_packet *p, __u32 random)
{
	struct source_entry *e = source_find(line, key);

	if (!e)
		e = source_claim(line, key, p->tick, random);
	if (e)
		source_add(e, p);
	return !!e;
}

#endif
