/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program does when something is wrong: with the word, with a slot, with an image, with
 * the packet (F09, F10). It passes, and says why by a counter of its own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <stanch/reasons.h>

#include "base/cleanup.h"
#include "force.h"
#include "frames.h"
#include "policies.h"

#define BAD 0xcb007101 /* 203.0.113.1 */
#define GREY 0xc6336401 /* 198.51.100.1 */
#define LINES 16u
#define AT(line) ((size_t)(line)*LINE_SIZE)

static const char policy[] = "version: 1\n"
			     "mode: enforce\n"
			     "lists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
			     "  - {name: grey, action: flag, entries: [198.51.100.0/24]}\n"
			     "  - {name: poor, action: score, family: rep, points: 5, entries: "
			     "[192.0.2.0/24]}\n"
			     "  - {name: fine, action: allow, entries: [203.0.113.64/26]}\n";

struct bed {
	struct rig *rig;
	struct instance *instance;
	int program;
};

static void bed_close(struct bed *bed)
{
	instance_close(&bed->instance);
	close_fd(&bed->program);
}
#define auto_bed cleanup(bed_close)

static struct bed bed_of(void **state)
{
	struct rig *rig = rig_of(state);
	struct bed bed = { .rig = rig, .instance = rig_create(rig) };

	bed.program = rig_program(rig);
	return bed;
}

static uint32_t send_from(const struct bed *bed, uint32_t source)
{
	struct frame frame;

	syn_from(source, &frame);
	return rig_judge(bed->program, frame.bytes, frame.len);
}

/* One packet of a listed source passes, counted as @reason of @slot and nowhere else. */
static void passes_as(const struct bed *bed, unsigned int slot, enum reason reason)
{
	uint64_t before = rig_counted(bed->instance, slot, reason, VERDICT_PASS);
	uint64_t total = rig_total(bed->instance);

	assert_int_equal(send_from(bed, BAD), XDP_PASS);
	assert_int_equal(rig_counted(bed->instance, slot, reason, VERDICT_PASS), before + 1);
	assert_int_equal(rig_total(bed->instance), total + 1);
}

static void force_image(const struct bed *bed, unsigned int slot, const void *bytes)
{
	const struct word word = { .live = slot, .good = 0, .mode = MODE_ENFORCE };

	force_slot(instance_map_fd(bed->instance, "slots"), slot, bytes, LINES);
	force_word(bed->rig, &word);
}

/* ---- F09: every reason that means trouble ---- */

static void slot_empty(const struct bed *bed)
{
	const struct word word = { .live = 3, .good = 0, .mode = MODE_ENFORCE };

	force_word(bed->rig, &word);
	passes_as(bed, 3, REASON_SLOT_EMPTY);
}

static void lease_no_slot(const struct bed *bed)
{
	const struct word word = { .live = 0, .good = 3, .mode = MODE_ENFORCE, .provisional = 1 };

	force_lease(bed->instance, 1);
	force_word(bed->rig, &word);
	passes_as(bed, 3, REASON_LEASE_NO_SLOT);
}

static void image_magic(const struct bed *bed)
{
	static const unsigned char zeroes[LINES * LINE_SIZE];

	force_image(bed, 1, zeroes);
	passes_as(bed, 1, REASON_IMAGE_MAGIC);
}

static void image_reference(const struct bed *bed)
{
	const uint32_t roots[] = {
		NODE_SKIP << NODE_KIND_SHIFT | LINES, /* a line past the end */
		NODE_RANGE32 << NODE_KIND_SHIFT | NODE_LINE_MASK,
		NODE_DIRECT << NODE_KIND_SHIFT | 20u << NODE_STRIDE_SHIFT | 8,
		NODE_LEAF_MASK + 1, /* no leaf id */
		5, /* a leaf that there are too few of */
	};
	unsigned char bytes[LINES * LINE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		force_root(bytes, LINES, roots[i]);
		force_image(bed, 1, bytes);
		passes_as(bed, 1, REASON_IMAGE_REFERENCE);
	}
}

/* A leaf that names a list which is not there: what it says is not believed. */
static void image_wrong_list(const struct bed *bed)
{
	unsigned char bytes[LINES * LINE_SIZE];
	struct image_hot *hot = (struct image_hot *)(bytes + AT(IMAGE_HOT_LINE));
	struct leaf *leaf = (struct leaf *)(bytes + AT(8)) + 1;

	force_root(bytes, LINES, 1);
	hot->leaves = 2;
	hot->leaves_line = 8;
	hot->lists = 3;
	leaf->drop = 4;
	force_image(bed, 1, bytes);
	passes_as(bed, 1, REASON_IMAGE_REFERENCE);
	leaf->drop = 3;
	force_image(bed, 1, bytes);
	assert_int_equal(send_from(bed, BAD), XDP_DROP); /* so the test is one */
}

static void image_steps(const struct bed *bed)
{
	const uint32_t round = NODE_DIRECT << NODE_KIND_SHIFT | 1u << NODE_STRIDE_SHIFT | 8;
	unsigned char bytes[LINES * LINE_SIZE];

	force_root(bytes, LINES, round);
	for (uint32_t i = 0; i < ENTRIES_PER_LINE; i++)
		((uint32_t *)(bytes + AT(8)))[i] = round;
	force_image(bed, 1, bytes);
	passes_as(bed, 1, REASON_IMAGE_STEPS);
}

/* Drivers without room for metadata exist; this program believes to be on one. */
static void meta_failed(const struct bed *bed)
{
	struct bed other = { .rig = bed->rig };
	unsigned int slot;

	assert_int_equal(instance_destroy(&bed->rig->places), 0);
	rig_variant("no_meta.bpf.o");
	other.instance = rig_create(bed->rig);
	other.program = rig_program(bed->rig);
	slot = rig_apply(bed->rig, other.instance, policy, 1);
	assert_int_equal(send_from(&other, GREY), XDP_PASS);
	assert_int_equal(rig_counted(other.instance, slot, REASON_META_FAILED, VERDICT_PASS), 1);
	assert_int_equal(send_from(&other, BAD), XDP_DROP); /* a drop needs none */
	bed_close(&other);
}

static void every_trouble_passes_under_a_reason_of_its_own(void **state)
{
	static const struct {
		void (*provoke)(const struct bed *bed);
		enum reason reason;
	} troubles[] = {
		{ slot_empty, REASON_SLOT_EMPTY },
		{ lease_no_slot, REASON_LEASE_NO_SLOT },
		{ image_magic, REASON_IMAGE_MAGIC },
		{ image_reference, REASON_IMAGE_REFERENCE },
		{ image_wrong_list, REASON_IMAGE_REFERENCE },
		{ image_steps, REASON_IMAGE_STEPS },
		{ meta_failed, REASON_META_FAILED },
	};
	auto_bed struct bed bed = bed_of(state);
	uint64_t provoked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		force_word(bed.rig, &(struct word){ .mode = MODE_ENFORCE });
		troubles[i].provoke(&bed);
		provoked |= 1ull << troubles[i].reason;
	}
	for (unsigned int reason = 0; reason < REASONS; reason++) {
		if (reason_is_trouble(reason) && !(provoked >> reason & 1))
			fail_msg("no test provokes %s", reason_texts[reason].name);
	}
}

/* ---- F10: images that no checker would let through ---- */

struct forced {
	struct twin *twin;
	struct image image;
};

static void same_as_native(void *context, const char *name, const struct frame *frame)
{
	const struct forced *forced = context;
	struct judgement native;
	struct judged kernel;
	uint32_t action;

	frame_judge(&forced->image, frame->bytes, frame->len, 0, &native);
	assert_int_equal(twin_run(forced->twin, frame->bytes, frame->len, &kernel, &action), 0);
	if (native.verdict != kernel.verdict || native.reason != kernel.reason ||
	    native.list != kernel.list)
		fail_msg("%s: native %u for %u, kernel %u for %u", name, native.verdict,
			 native.reason, kernel.verdict, kernel.reason);
	assert_int_equal(action, kernel.enforced == VERDICT_DROP ? XDP_DROP : XDP_PASS);
}

static void force_and_compare(struct twin *twin, const struct image *golden, unsigned char *bytes)
{
	struct forced forced = { .twin = twin, .image = { .bytes = bytes, .lines = LINES } };

	force_slot(twin_map_fd(twin, "slots"), 1, bytes, LINES);
	frame_each(golden, same_as_native, &forced);
}

static void random_bytes(unsigned char *bytes, uint64_t *seed)
{
	struct image_hot *hot = (struct image_hot *)(bytes + AT(IMAGE_HOT_LINE));

	for (uint32_t i = 0; i < LINES * LINE_SIZE; i += 8) {
		uint64_t number = random_next(seed);

		memcpy(bytes + i, &number, 8);
	}
	hot->magic = IMAGE_HOT_MAGIC;
	hot->mode = MODE_ENFORCE;
	/* half of them point inside, so that walks go on */
	for (unsigned int i = 0; i < TABLES && random_next(seed) & 1; i++)
		hot->root[i] &= ~(NODE_LINE_MASK & ~(LINES - 1));
	if (random_next(seed) & 1)
		hot->leaves_line &= LINES - 1;
}

static void no_image_makes_the_program_abort(void **state)
{
	_Alignas(64) unsigned char bytes[LINES * LINE_SIZE];
	auto_image struct image_file golden = { 0 };
	auto_twin struct twin *twin = NULL;
	auto_diag struct diag diag = { 0 };
	uint64_t seed = 20251118;

	rig_of(state);
	rig_image(policy, &golden);
	assert_int_equal(twin_open(NULL, &twin, &diag), 0);
	assert_int_equal(twin_command(twin, 1, MODE_ENFORCE, 0), 0);
	memset(bytes, 0, sizeof(bytes));
	force_and_compare(twin, &golden.image, bytes);
	memset(bytes, 0xff, sizeof(bytes));
	force_and_compare(twin, &golden.image, bytes);
	((struct image_hot *)(bytes + AT(IMAGE_HOT_LINE)))->magic = IMAGE_HOT_MAGIC;
	force_and_compare(twin, &golden.image, bytes);
	for (int i = 0; i < 64; i++) {
		random_bytes(bytes, &seed);
		force_and_compare(twin, &golden.image, bytes);
	}
}

/* ---- leases ---- */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void the_program_itself_ends_a_lease(void **state)
{
	auto_bed struct bed bed = bed_of(state);
	unsigned int slot = rig_apply(bed.rig, bed.instance, policy, 1);
	struct word word = { .live = slot, .good = 0, .mode = MODE_ENFORCE, .provisional = 1 };
	const struct timespec rest = { .tv_nsec = 60000000 };

	force_lease(bed.instance, monotonic_ns() + 50000000);
	force_word(bed.rig, &word);
	assert_int_equal(send_from(&bed, BAD), XDP_DROP);
	nanosleep(&rest, NULL);
	passes_as(&bed, 0, REASON_NO_MATCH);
	force_lease(bed.instance, 0); /* a word that is not provisional has no lease */
	word.provisional = 0;
	force_word(bed.rig, &word);
	assert_int_equal(send_from(&bed, BAD), XDP_DROP);
}

/* ---- switches ---- */

static void break_glass_passes_everything(void **state)
{
	auto_bed struct bed bed = bed_of(state);
	auto_control struct control *control = NULL;

	rig_apply(bed.rig, bed.instance, policy, 1);
	assert_int_equal(send_from(&bed, BAD), XDP_DROP);
	assert_int_equal(control_open(&bed.rig->places, &control), 0);
	assert_int_equal(control_set_break_glass(control, true), 0);
	passes_as(&bed, SLOT_NONE, REASON_BREAK_GLASS);
	assert_int_equal(control_set_break_glass(control, false), 0);
	assert_int_equal(send_from(&bed, BAD), XDP_DROP);
}

static void each_mode_does_what_it_says(void **state)
{
	auto_bed struct bed bed = bed_of(state);
	auto_control struct control *control = NULL;
	unsigned int slot = rig_apply(bed.rig, bed.instance, policy, 1);
	struct counter counters[COUNTERS];
	const struct counter *drops = &counters[slot * LIMIT_REASONS + REASON_LIST_DROP];

	assert_int_equal(control_open(&bed.rig->places, &control), 0);
	assert_int_equal(control_set_mode(control, MODE_MONITOR), 0);
	passes_as(&bed, slot, REASON_LIST_DROP);
	assert_int_equal(counters_read(bed.instance, counters), 0);
	assert_int_equal(drops->monitored, 1);
	assert_int_equal(control_set_mode(control, MODE_BYPASS), 0);
	passes_as(&bed, SLOT_NONE, REASON_BYPASS);
	assert_int_equal(control_set_mode(control, 3), 0); /* reads as bypass */
	passes_as(&bed, SLOT_NONE, REASON_BYPASS);
	assert_int_equal(control_set_mode(control, MODE_ENFORCE), 0);
	assert_int_equal(send_from(&bed, BAD), XDP_DROP);
	assert_int_equal(counters_read(bed.instance, counters), 0);
	assert_int_equal(drops->packets[VERDICT_DROP], 1);
	assert_int_equal(drops->monitored, 1);
}

static void a_policy_that_monitors_is_not_enforced(void **state)
{
	static const char watching[] = "version: 1\nmode: monitor\nlists:\n"
				       "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";
	auto_bed struct bed bed = bed_of(state);
	unsigned int slot = rig_apply(bed.rig, bed.instance, watching, 1);

	passes_as(&bed, slot, REASON_LIST_DROP);
}

/* ---- counting ---- */

struct tally {
	const struct bed *bed;
	uint64_t packets, bytes;
};

static void count_one(void *context, const char *name, const struct frame *frame)
{
	struct tally *tally = context;

	(void)name;
	rig_judge(tally->bed->program, frame->bytes, frame->len);
	tally->packets++;
	tally->bytes += frame->len;
}

static void counters_add_up_to_the_packets_seen(void **state)
{
	auto_bed struct bed bed = bed_of(state);
	auto_control struct control *control = NULL;
	auto_image struct image_file image = { 0 };
	struct tally tally = { .bed = &bed };
	struct counter counters[COUNTERS];
	uint64_t bytes = 0;

	rig_image(policy, &image);
	assert_int_equal(control_open(&bed.rig->places, &control), 0);
	frame_each(&image.image, count_one, &tally);
	rig_apply(bed.rig, bed.instance, policy, 1);
	for (int mode = 3; mode >= MODE_BYPASS; mode--) {
		assert_int_equal(control_set_mode(control, mode), 0);
		frame_each(&image.image, count_one, &tally);
	}
	assert_int_equal(control_set_mode(control, MODE_ENFORCE), 0);
	frame_each(&image.image, count_one, &tally);
	assert_int_equal(rig_total(bed.instance), tally.packets);
	assert_int_equal(counters_read(bed.instance, counters), 0);
	for (uint32_t i = 0; i < COUNTERS; i++)
		bytes += counters[i].bytes;
	assert_int_equal(bytes, tally.bytes);
}

static void hits_belong_to_the_list_that_decided(void **state)
{
	auto_bed struct bed bed = bed_of(state);
	unsigned int slot = rig_apply(bed.rig, bed.instance, policy, 1);
	autofree struct hit *hits = calloc(instance_limits(bed.instance)->lists + 2, sizeof(*hits));
	const uint32_t sources[] = { BAD, BAD, GREY, 0xc0000201, 0xcb007141, 0x08080808 };
	const uint64_t expected[] = { 0, 2, 1, 1, 1, 0 };
	struct frame frame;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		send_from(&bed, sources[i]);
	assert_int_equal(hits_read(bed.instance, slot, hits), 0);
	syn_from(BAD, &frame);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(hits[i].packets, expected[i]);
		assert_int_equal(hits[i].bytes, expected[i] * frame.len);
	}
	assert_int_equal(hits_read(bed.instance, SLOTS, hits), -EINVAL);
	assert_int_equal(hits_read(bed.instance, 0, hits), 0);
	assert_int_equal(hits[1].packets, 0);
}

/* ---- F43 ---- */

struct killing {
	struct twin *twin;
	unsigned int slot;
	uint64_t changed;
};

static void kill_all_subsets(void *context, const char *name, const struct frame *frame)
{
	struct killing *killing = context;
	struct judged whole, less;

	assert_int_equal(twin_command(killing->twin, killing->slot, MODE_ENFORCE, 0), 0);
	assert_int_equal(twin_run(killing->twin, frame->bytes, frame->len, &whole, NULL), 0);
	for (unsigned int kills = 1; kills < 1u << STAGES; kills++) {
		assert_int_equal(twin_command(killing->twin, killing->slot, MODE_ENFORCE, kills),
				 0);
		assert_int_equal(twin_run(killing->twin, frame->bytes, frame->len, &less, NULL), 0);
		killing->changed += less.verdict != whole.verdict;
		if (less.verdict != VERDICT_PASS && less.verdict != whole.verdict)
			fail_msg("%s: verdict %u becomes %u when %#x are killed", name,
				 whole.verdict, less.verdict, kills);
	}
}

static void killing_stages_only_ever_passes_more(void **state)
{
	static const char mixed[] = "version: 1\nmode: enforce\ninner: true\nlists:\n"
				    "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
				    "  - {name: grey, action: flag, entries: [203.0.113.64/28, "
				    "192.0.2.0/24, '2001:db8:600d::/48']}\n"
				    "  - {name: fine, action: allow, entries: [203.0.113.66/32], "
				    "match: destination}\n";
	struct killing killing = { 0 };
	auto_diag struct diag diag = { 0 };
	struct image_file images[3] = { 0 };

	rig_of(state);
	assert_int_equal(twin_open(NULL, &killing.twin, &diag), 0);
	assert_int_equal(conformance_image(SETTING_PLAIN, &images[0], &diag), 0);
	assert_int_equal(conformance_image(SETTING_INNER, &images[1], &diag), 0);
	rig_image(mixed, &images[2]);
	for (killing.slot = 0; killing.slot < ARRAY_SIZE(images); killing.slot++) {
		killing.changed = 0;
		assert_int_equal(
			twin_stage(killing.twin, &images[killing.slot], killing.slot, &diag), 0);
		frame_each(&images[killing.slot].image, kill_all_subsets, &killing);
		assert_true(killing.changed > 100); /* the switches do something */
		image_free(&images[killing.slot]);
	}
	twin_close(&killing.twin);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_trouble_passes_under_a_reason_of_its_own),
		TEST(no_image_makes_the_program_abort),
		TEST(the_program_itself_ends_a_lease),
		TEST(break_glass_passes_everything),
		TEST(each_mode_does_what_it_says),
		TEST(a_policy_that_monitors_is_not_enforced),
		TEST(counters_add_up_to_the_packets_seen),
		TEST(hits_belong_to_the_list_that_decided),
		TEST(killing_stages_only_ever_passes_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
