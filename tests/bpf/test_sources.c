/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program learns about sources: the same as the native code learns, exactly when nobody is
 * pushed out and within what source.h promises when two CPUs fight for a line; through swaps, and
 * through a flood from ten million addresses.
 * test-timeout: 600
 */
#include <sys/mman.h>

#include "swap_rig.h"

#include <stanch/source.h>

#include "dataplane/inside.h"
#include "policies.h"
#include "../bpf/spoofed.h"

#define KEYS 100000u
#define FLOOD 10000000u
#define AT_ONCE 100000u /* packets; every run waits for a grace period first */
#define TALKED 300u /* packets of each */
#define HAMMERED 0x0a000001u

static const char counting[] = "version: 1\nmode: enforce\nsources: true\nlists:\n"
			       "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";
static const char silent[] = "version: 1\nmode: enforce\n";

/* The tables as the program writes them. */
struct tables {
	struct swap_rig rig;
	const struct source_line *lines[2]; /* by enum learned */
	uint64_t seed[4];
};

static const uint32_t sizes[2] = { SOURCE_LINES, SOURCE_GROUP_LINES };

static void tables_close(struct tables *tables)
{
	for (enum learned i = 0; i < 2; i++)
		if (tables->lines[i])
			munmap((void *)tables->lines[i], sizes[i] * sizeof(struct source_line));
	swap_rig_close(&tables->rig);
}
#define auto_tables cleanup(tables_close)

static void tables_open(struct rig *rig, const char *variant, struct tables *ret)
{
	static const enum pin pins[] = { PIN_SOURCES, PIN_SOURCE_GROUPS };
	uint32_t zero = 0;

	swap_rig_open(rig, variant, &ret->rig);
	for (enum learned i = 0; i < 2; i++) {
		const void *bytes;

		assert_int_equal(pin_map(ret->rig.instance, pins[i],
					 sizes[i] * sizeof(struct source_line), &bytes),
				 0);
		ret->lines[i] = bytes;
	}
	assert_int_equal(bpf_map_lookup_elem(ret->rig.instance->maps[PIN_SEED], &zero, ret->seed),
			 0);
	rig_apply(rig, ret->rig.instance, counting, 1);
}

static uint32_t place_of(const struct tables *tables, uint64_t key, enum learned what)
{
	return source_place_of(source_hash((const __u64 *)tables->seed + 1, key), sizes[what]);
}

/* The entry of a source or a network now, or NULL. */
static const struct source_entry *entry_of(const struct tables *tables, uint64_t key,
					   enum learned what)
{
	return source_find((struct source_line *)&tables->lines[what][place_of(tables, key, what)],
			   key);
}

static void frame_from(uint8_t family, struct address src, uint16_t dport, struct frame *ret)
{
	const struct frame_step steps[] = {
		{ family == 4 ? FRAME_IPV4 : FRAME_IPV6, 0 },
		{ FRAME_UDP, 0 },
		{ FRAME_PAYLOAD, 18 },
		{ FRAME_END, 0 },
	};
	const struct frame_ends ends = {
		.src4 = src,
		.src6 = src,
		.dst4 = address_v4(0xc0000201),
		.dst6 = address_v6(0x20010db800010000, 1),
		.sport = 40000,
		.dport = dport,
	};

	assert_int_equal(frame_build(steps, &ends, ret), 0);
}

static void send_v4(const struct tables *tables, uint32_t source, uint32_t count)
{
	struct frame frame;

	frame_from(4, address_v4(source), 80, &frame);
	run_program(tables->rig.program, &frame, count);
}

/* ---- kernel and native ---- */

struct sent {
	uint32_t place;
	uint64_t key;
	uint64_t packets, bytes;
};

static int by_place(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* Sorted, one element per key, with sums. Returns how many are left. */
static uint32_t sum_keys(struct sent *sent, uint32_t count)
{
	uint32_t kept = 0;

	qsort(sent, count, sizeof(*sent), by_place);
	for (uint32_t i = 1; i < count; i++) {
		if (sent[i].key != sent[kept].key) {
			sent[++kept] = sent[i];
			continue;
		}
		sent[kept].packets += sent[i].packets;
		sent[kept].bytes += sent[i].bytes;
	}
	return kept + 1;
}

static uint32_t count_used(const struct source_line *line)
{
	return !!line->way[0].key + !!line->way[1].key;
}

/* @sent: all keys of one line. Where both fit, all is exact; else no more is known than was sent. */
static void compare_line(const struct tables *tables, enum learned what, const struct sent *sent,
			 uint32_t count)
{
	const struct source_line *line = &tables->lines[what][sent->place];

	assert_int_equal(count_used(line), count < SOURCE_WAYS ? count : SOURCE_WAYS);
	for (uint32_t i = 0, found = 0; i < count; i++) {
		const struct source_entry *e = entry_of(tables, sent[i].key, what);

		found += !!e;
		assert_true(e || count > SOURCE_WAYS);
		assert_true(i + 1 < count || found == count_used(line));
		if (e && count <= SOURCE_WAYS) {
			assert_int_equal(source_packets(e), sent[i].packets);
			assert_int_equal(e->bytes, sent[i].bytes);
		} else if (e) {
			assert_in_range(source_packets(e), 1, sent[i].packets);
			assert_in_range(e->bytes, 1, sent[i].bytes);
		}
	}
}

/* Every line of a table: those that were sent to, and all others are empty. */
static void compare_table(const struct tables *tables, enum learned what, struct sent *sent,
			  uint32_t count)
{
	uint32_t kept = sum_keys(sent, count), lines = 0, used = 0, crowded = 0;

	for (uint32_t i = 0, next; i < kept; i = next) {
		for (next = i + 1; next < kept && sent[next].place == sent[i].place; next++)
			;
		compare_line(tables, what, &sent[i], next - i);
		crowded += next - i > SOURCE_WAYS;
		lines++;
	}
	for (uint32_t i = 0; i < sizes[what]; i++)
		used += !!count_used(&tables->lines[what][i]);
	assert_int_equal(used, lines);
	print_message("%u keys in %u lines, %u of them crowded\n", kept, lines, crowded);
}

static void the_kernel_counts_what_the_native_code_counts(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	autofree struct sent *single = calloc(KEYS, sizeof(*single));
	autofree struct sent *network = calloc(KEYS, sizeof(*network));
	uint64_t random = 20251118;

	assert_non_null(single);
	assert_non_null(network);
	tables_open(rig_of(state), NULL, &tables);
	for (uint32_t i = 0; i < KEYS; i++) {
		uint8_t family = random_next(&random) % 2 ? 4 : 6;
		uint64_t hi = random_next(&random);
		uint64_t key = source_key(family, hi);
		struct frame frame;

		frame_from(family, (struct address){ .hi = hi, .lo = hi }, 80, &frame);
		run_program(tables.rig.program, &frame, 1);
		single[i] =
			(struct sent){ place_of(&tables, key, LEARNED_SOURCES), key, 1, frame.len };
		key = source_group_key(key);
		network[i] = (struct sent){ place_of(&tables, key, LEARNED_NETWORKS), key, 1,
					    frame.len };
	}
	compare_table(&tables, LEARNED_SOURCES, single, KEYS);
	compare_table(&tables, LEARNED_NETWORKS, network, KEYS);
}

/* ---- what is counted, and when ---- */

static void drops_and_passes_are_told_apart(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	const struct source_entry *e;
	struct frame frame;

	tables_open(rig_of(state), NULL, &tables);
	send_v4(&tables, 0xcb007107, 5);
	send_v4(&tables, 0x0a000001, 3);
	frame_from(6, address_v6(0x20010db8000100ff, 7), 80, &frame);
	run_program(tables.rig.program, &frame, 4);
	e = entry_of(&tables, SOURCE_KEY_V4 | 0xcb007107, LEARNED_SOURCES);
	assert_non_null(e);
	assert_int_equal(e->dropped.word & SOURCE_COUNT_MASK, 5);
	assert_int_equal(source_packets(e), 5);
	e = entry_of(&tables, SOURCE_KEY_V4 | 0x0a000000, LEARNED_NETWORKS);
	assert_non_null(e);
	assert_int_equal(e->passed.word & SOURCE_COUNT_MASK, 3);
	assert_int_equal(e->dropped.word & SOURCE_COUNT_MASK, 0);
	e = entry_of(&tables, 0x20010db800010000, LEARNED_NETWORKS);
	assert_non_null(e);
	assert_int_equal(source_packets(e), 4);
	assert_int_equal(e->bytes, 4ull * frame.len);
	assert_in_range(source_seen(e), 1, source_tick(traffic_now()));
	assert_in_range(source_idle(e, source_tick(traffic_now())), 0, 600);
}

static void what_is_learned_survives_swaps_and_stops_growing_with_the_policy(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	struct rig *rig = rig_of(state);
	const struct source_entry *e;

	tables_open(rig, NULL, &tables);
	send_v4(&tables, 0x0a000001, 7);
	rig_apply(rig, tables.rig.instance, silent, 2);
	send_v4(&tables, 0x0a000001, 100);
	e = entry_of(&tables, SOURCE_KEY_V4 | 0x0a000001, LEARNED_SOURCES);
	assert_non_null(e);
	assert_int_equal(source_packets(e), 7);
	rig_apply(rig, tables.rig.instance, counting, 3);
	send_v4(&tables, 0x0a000001, 2);
	assert_int_equal(source_packets(e), 9);
	assert_int_equal(control_set_mode(tables.rig.control, MODE_BYPASS), 0);
	send_v4(&tables, 0x0a000001, 2);
	assert_int_equal(source_packets(e), 9); /* nothing was judged */
}

/* ---- two CPUs ---- */

struct hammer {
	const struct tables *tables;
	uint16_t port;
	uint32_t runs;
	int cpu;
};

static void *keep_sending(void *context)
{
	const struct hammer *hammer = context;
	struct frame frame;

	stay_on_cpu(hammer->cpu);
	frame_from(4, address_v4(HAMMERED), hammer->port, &frame);
	for (uint32_t run = 0; run < hammer->runs; run++)
		run_program(hammer->tables->rig.program, &frame, AT_ONCE);
	return NULL;
}

/* Both send the same number of packets from the same sources at the same time. */
static void hammer_with_two(struct hammer hammer)
{
	struct hammer other = hammer;
	pthread_t thread;

	other.cpu = 1;
	assert_int_equal(pthread_create(&thread, NULL, keep_sending, &other), 0);
	keep_sending(&hammer);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void two_cpus_lose_no_packet_of_one_source(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	const struct source_entry *e;

	need_two_cpus();
	tables_open(rig_of(state), NULL, &tables);
	hammer_with_two((struct hammer){ &tables, 80, 20, 0 });
	e = entry_of(&tables, SOURCE_KEY_V4 | HAMMERED, LEARNED_SOURCES);
	assert_non_null(e);
	assert_int_equal(source_packets(e), 2 * 20 * AT_ONCE);
	assert_int_equal(e->bytes, 2ull * 20 * AT_ONCE * 60);
	e = entry_of(&tables, SOURCE_KEY_V4 | (HAMMERED & ~0xffu), LEARNED_NETWORKS);
	assert_non_null(e);
	assert_int_equal(source_packets(e), 2 * 20 * AT_ONCE);
}

static void without_atomic_additions_they_do(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	const struct source_entry *e;
	uint32_t round = 0;

	need_two_cpus();
	tables_open(rig_of(state), "plain_counts.bpf.o", &tables);
	do { /* on a busy machine the two may hardly meet */
		hammer_with_two((struct hammer){ &tables, 80, 20, 0 });
		e = entry_of(&tables, SOURCE_KEY_V4 | HAMMERED, LEARNED_SOURCES);
		assert_non_null(e);
	} while (++round < 20 && source_packets(e) == 2ull * 20 * AT_ONCE * round);
	print_message("%.2f %% of the packets were lost\n",
		      100 - 100.0 * (double)source_packets(e) / (2.0 * 20 * AT_ONCE * round));
	assert_true(source_packets(e) < 2ull * 20 * AT_ONCE * round);
}

/* Under this seed every IPv4 source has its place in the same line. */
static void crowd_one_line(const struct tables *tables, uint64_t seed[4])
{
	uint32_t zero = 0;

	memset(seed, 0, 4 * sizeof(*seed));
	assert_int_equal(bpf_map_update_elem(tables->rig.instance->maps[PIN_SEED], &zero, seed, 0),
			 0);
}

/* One of the rivals has the entry, and at most one packet that it did not send. */
static void check_rival(const struct source_entry *e, uint64_t sent)
{
	uint64_t packets = source_packets(e);

	assert_in_range(e->key, SOURCE_KEY_V4 | FIRST_RIVAL,
			SOURCE_KEY_V4 | (FIRST_RIVAL + RIVALS - 1));
	assert_in_range(packets, 1, sent + 1);
	assert_in_range(e->bytes, 60 * (packets - 1), 60 * (packets + 1));
}

/*
 * Of a source that pushed another one out, at most one packet too many for each other CPU is
 * counted; nothing is left half done; and nobody in another line has a packet more or less.
 */
static void who_fights_for_a_line_touches_nobody_else(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	autofree struct source_line *before = calloc(SOURCE_LINES, sizeof(*before));
	const struct source_line *line, *lines;
	uint32_t changed = 0, runs = 20;
	uint64_t random = 1;
	struct frame frame;

	need_two_cpus();
	assert_non_null(before);
	tables_open(rig_of(state), "spoofed.bpf.o", &tables);
	crowd_one_line(&tables, tables.seed);
	lines = tables.lines[LEARNED_SOURCES];
	for (uint32_t i = 0; i < 2000; i++) {
		frame_from(6, address_v6(random_next(&random), 1), 80, &frame);
		run_program(tables.rig.program, &frame, 1);
	}
	memcpy(before, lines, SOURCE_LINES * sizeof(*before));
	hammer_with_two((struct hammer){ &tables, RIVAL_PORT, runs, 0 });
	line = &lines[place_of(&tables, SOURCE_KEY_V4 | FIRST_RIVAL, LEARNED_SOURCES)];
	for (uint32_t way = 0; way < SOURCE_WAYS; way++)
		check_rival(&line->way[way], 2ull * runs * AT_ONCE / RIVALS + 1);
	for (uint32_t i = 0; i < SOURCE_LINES; i++)
		changed += &lines[i] != line && memcmp(&before[i], &lines[i], sizeof(*before));
	assert_int_equal(changed, 0);
}

/* ---- a flood ---- */

/* The program makes up the sources. */
static void run_from(const struct tables *tables, uint16_t port, uint32_t packets)
{
	struct frame frame;

	frame_from(4, address_v4(1), port, &frame);
	for (uint32_t sent = 0; sent < packets; sent += AT_ONCE)
		run_program(tables->rig.program, &frame, AT_ONCE);
}

/* How many of those who talked are still known, with all that they sent. */
static uint32_t still_known(const struct tables *tables)
{
	uint32_t known = 0;

	for (uint32_t i = 0; i < TALKERS; i++) {
		const struct source_entry *e =
			entry_of(tables, SOURCE_KEY_V4 | talker(i), LEARNED_SOURCES);

		known += e && source_packets(e) >= TALKED;
	}
	return known;
}

static uint32_t known_after_flood(struct rig *rig, const char *variant)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	struct map_shape before, after;
	uint32_t known;

	tables_open(rig, variant, &tables);
	run_from(&tables, TALKER_PORT, TALKERS * TALKED);
	assert_true(still_known(&tables) > TALKERS * 9 / 10);
	assert_int_equal(map_shape(tables.rig.instance->maps[PIN_SOURCES], &before), 0);
	run_from(&tables, FLOOD_PORT, FLOOD);
	assert_int_equal(map_shape(tables.rig.instance->maps[PIN_SOURCES], &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	known = still_known(&tables);
	print_message("%u of %u who talked are known after %u packets from anywhere\n", known,
		      TALKERS, FLOOD);
	return known;
}

static void a_flood_from_anywhere_does_not_wash_out_who_talks(void **state)
{
	struct rig *rig = rig_of(state);
	uint32_t known = known_after_flood(rig, "spoofed.bpf.o");

	assert_true(known >= TALKERS - TALKERS / 100);
}

static void without_the_rule_it_does(void **state)
{
	struct rig *rig = rig_of(state);
	uint32_t known = known_after_flood(rig, "spoofed_naive.bpf.o");

	assert_true(known < TALKERS / 10);
}

/* ---- readers ---- */

static int sum_up(void *context, const struct learned_source *source)
{
	*(uint64_t *)context += source->packets;
	return 0;
}

static int read_as_member(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	uint64_t packets = 0;

	if (instance_open(&rig->places, &instance, &diag))
		return 1;
	if (learned_each(instance, LEARNED_SOURCES, sum_up, &packets))
		return 2;
	return packets == 12 ? 0 : 3;
}

static void members_of_the_group_read_what_was_learned(void **state)
{
	auto_tables struct tables tables = { .rig.program = -1 };
	struct rig *rig = rig_of(state);
	uint64_t packets = 0;

	tables_open(rig, NULL, &tables);
	send_v4(&tables, 0x0a000001, 5);
	send_v4(&tables, 0x0a000002, 7);
	assert_int_equal(rig_as_reader(rig, read_as_member), 0);
	assert_int_equal(learned_each(tables.rig.instance, LEARNED_NETWORKS, sum_up, &packets), 0);
	assert_int_equal(packets, 12);
}

#define SOURCE_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(the_kernel_counts_what_the_native_code_counts),
		SOURCE_TEST(drops_and_passes_are_told_apart),
		SOURCE_TEST(what_is_learned_survives_swaps_and_stops_growing_with_the_policy),
		SOURCE_TEST(two_cpus_lose_no_packet_of_one_source),
		SOURCE_TEST(without_atomic_additions_they_do),
		SOURCE_TEST(who_fights_for_a_line_touches_nobody_else),
		SOURCE_TEST(a_flood_from_anywhere_does_not_wash_out_who_talks),
		SOURCE_TEST(without_the_rule_it_does),
		SOURCE_TEST(members_of_the_group_read_what_was_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
