/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operator overrides in the kernel: asked beside every generation, until they expire or are taken
 * away; neither lost nor revived by a swap; and no trouble in them touches a packet.
 */
#include "trial_rig.h"

#define ALLOWED 0xcb007101 /* on the policy's drop list */
#define BLOCKED 0x0a000001 /* on none */
#define FINE 0xcb007141 /* on the policy's allow list */
#define BAD 0xcb007102
#define NEVER 0ull

static const char policy[] = "version: 1\nmode: enforce\n"
			     "protect: {prefixes: [192.0.2.7/32], ports: [22]}\n"
			     "lists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n"
			     "  - {name: fine, action: allow, entries: [203.0.113.64/26]}\n";

struct order {
	uint32_t source;
	enum action action;
	uint64_t expiry;
};

static void compile_orders(const struct order *orders, uint32_t count, struct image_file *ret)
{
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };
	auto_diag struct diag diag = { 0 };
	uint64_t expiry[16] = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		uint16_t id = make_list(&made, orders[i].action, MATCH_SOURCE, NULL, 0);

		expiry[id] = orders[i].expiry;
		make_prefix(&made, id, 4, (unsigned __int128)orders[i].source << 96, 32);
	}
	assert_int_equal(
		policy_compile_overrides(&made.policy, &limits_builtin, expiry, ret, &diag), 0);
}

static void publish(const struct bed *bed, const struct order *orders, uint32_t count)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	int r;

	compile_orders(orders, count, &image);
	r = overrides_publish(bed->instance, &image, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
}

static const struct order usual[] = {
	{ ALLOWED, ACTION_ALLOW, NEVER },
	{ BLOCKED, ACTION_DROP, NEVER },
	{ FINE, ACTION_DROP, NEVER },
	{ 0xc0000207, ACTION_DROP, NEVER }, /* protected */
};

static struct bed policy_bed(void **state)
{
	struct bed bed = bed_of(state);

	rig_apply(bed.rig, bed.instance, policy, 1);
	return bed;
}

static void orders_stand_above_the_policy_but_not_above_protection(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	unsigned int live = word_unpack(control_load(bed.control, CONTROL_WORD)).live;

	assert_true(dropped(&bed, ALLOWED));
	assert_false(dropped(&bed, BLOCKED));
	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_false(dropped(&bed, ALLOWED));
	assert_int_equal(rig_counted(bed.instance, live, REASON_OVERRIDE_ALLOW, VERDICT_PASS), 1);
	assert_true(dropped(&bed, BLOCKED));
	assert_int_equal(rig_counted(bed.instance, live, REASON_OVERRIDE_BLOCK, VERDICT_DROP), 1);
	assert_false(dropped(&bed, FINE)); /* the policy's allow stands above a block */
	assert_false(dropped(&bed, 0xc0000207));
	assert_true(dropped(&bed, BAD));
	assert_false(dropped(&bed, 0x0a000002));
}

static void modes_and_kill_bits_hold_for_a_block_too(void **state)
{
	auto_bed struct bed bed = policy_bed(state);

	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(control_set_kills(bed.control, 1 << STAGE_DROP, 0), 0);
	assert_false(dropped(&bed, BLOCKED));
	assert_int_equal(control_set_kills(bed.control, 0, 1 << STAGE_DROP), 0);
	assert_true(dropped(&bed, BLOCKED));
	assert_int_equal(control_set_mode(bed.control, MODE_MONITOR), 0);
	assert_false(dropped(&bed, BLOCKED));
}

static void the_program_itself_ends_an_override(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	uint64_t end = monotonic_ns() + 400 * MS;
	const struct order orders[] = {
		{ ALLOWED, ACTION_ALLOW, end },
		{ BLOCKED, ACTION_DROP, end },
		{ 0x0a000003, ACTION_DROP, NEVER },
	};

	publish(&bed, orders, ARRAY_SIZE(orders));
	assert_true(dropped(&bed, BLOCKED) || monotonic_ns() >= end);
	assert_true(!dropped(&bed, ALLOWED) || monotonic_ns() >= end);
	rest_until(end + 20 * MS); /* the coarse clock is behind by a tick */
	assert_false(dropped(&bed, BLOCKED));
	assert_true(dropped(&bed, ALLOWED));
	assert_true(dropped(&bed, 0x0a000003));
}

static void swaps_and_rollbacks_neither_lose_nor_revive_them(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	auto_diag struct diag diag = { 0 };

	publish(&bed, usual, ARRAY_SIZE(usual));
	rig_apply(bed.rig, bed.instance, policy, 2);
	assert_true(dropped(&bed, BLOCKED));
	assert_int_equal(control_rollback(bed.control, NULL), 0);
	assert_true(dropped(&bed, BLOCKED));
	assert_int_equal(overrides_publish(bed.instance, NULL, &diag), 0);
	assert_false(dropped(&bed, BLOCKED));
	assert_int_equal(control_rollback(bed.control, NULL), 0);
	rig_apply(bed.rig, bed.instance, policy, 3);
	assert_false(dropped(&bed, BLOCKED));
}

static void a_new_image_replaces_the_old_one_whole(void **state)
{
	const struct order other = { 0x0a000009, ACTION_DROP, NEVER };
	auto_bed struct bed bed = policy_bed(state);
	auto_image struct image_file compiled = { 0 }, copy = { 0 };

	publish(&bed, usual, ARRAY_SIZE(usual));
	publish(&bed, &other, 1);
	assert_false(dropped(&bed, BLOCKED));
	assert_true(dropped(&bed, other.source));
	compile_orders(&other, 1, &compiled);
	assert_int_equal(overrides_copy(bed.instance, &copy), 0);
	assert_int_equal(copy.image.lines, compiled.image.lines);
	assert_memory_equal(copy.bytes, compiled.bytes, (size_t)copy.image.lines * LINE_SIZE);
	assert_int_equal(rig_pins(bed.rig), RIG_WHOLE + 2); /* a generation and these */
}

static void what_was_taken_away_leaves_nothing(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	auto_image struct image_file copy = { 0 };
	auto_diag struct diag diag = { 0 };
	unsigned int pins = rig_pins(bed.rig);

	assert_int_equal(overrides_copy(bed.instance, &copy), -ENOENT);
	assert_int_equal(overrides_publish(bed.instance, NULL, &diag), 0); /* nothing there */
	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(overrides_publish(bed.instance, NULL, &diag), 0);
	assert_int_equal(overrides_copy(bed.instance, &copy), -ENOENT);
	assert_int_equal(rig_pins(bed.rig), pins);
	assert_int_equal(control_load(bed.control, CONTROL_OVERRIDES), 0);
}

/* Whoever is killed between pin and outer map leaves the old ones in force, and it is seen. */
static void a_publisher_that_was_killed_is_seen(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	auto_image struct image_file copy = { 0 };
	uint32_t zero = 0;

	publish(&bed, usual, ARRAY_SIZE(usual));
	force_slot(instance_map_fd(bed.instance, "overrides"), 0, (char[LINE_SIZE * 8]){ 0 }, 8);
	assert_int_equal(overrides_copy(bed.instance, &copy), -EBADMSG);
	assert_int_equal(bpf_map_delete_elem(instance_map_fd(bed.instance, "overrides"), &zero), 0);
	assert_int_equal(overrides_copy(bed.instance, &copy), -EBADMSG);
	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(overrides_copy(bed.instance, &copy), 0);
	assert_true(dropped(&bed, BLOCKED));
}

static void trouble_in_the_image_is_no_override(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	_Alignas(64) unsigned char bytes[16 * LINE_SIZE];
	int overrides = instance_map_fd(bed.instance, "overrides");
	const uint32_t roots[] = {
		NODE_SKIP << NODE_KIND_SHIFT | NODE_LINE_MASK, 5, NODE_LEAF_MASK + 1,
		NODE_DIRECT << NODE_KIND_SHIFT | 1u << NODE_STRIDE_SHIFT | 8, /* into zeroes */
	};
	uint32_t zero = 0;

	publish(&bed, usual, ARRAY_SIZE(usual));
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		force_root(bytes, 16, roots[i]);
		force_slot(overrides, 0, bytes, 16);
		assert_false(dropped(&bed, BLOCKED));
		assert_true(dropped(&bed, ALLOWED)); /* the policy speaks */
	}
	memset(bytes, 0xff, sizeof(bytes));
	force_slot(overrides, 0, bytes, 16);
	assert_false(dropped(&bed, BLOCKED));
	assert_true(dropped(&bed, ALLOWED));
	assert_int_equal(bpf_map_delete_elem(overrides, &zero), 0);
	assert_false(dropped(&bed, BLOCKED));
	assert_true(dropped(&bed, ALLOWED));
}

static int same_orders(void *context, const struct sample *sample)
{
	const uint8_t drops = SAMPLE_DROPS | SAMPLE_OTHER_DROPS;

	assert_int_equal(sample->reason, REASON_OVERRIDE_BLOCK);
	assert_int_equal(sample->other_reason, REASON_OVERRIDE_BLOCK);
	assert_int_equal(sample->flags & drops, drops);
	++*(uint32_t *)context;
	return 0;
}

static void both_generations_of_a_trial_get_the_same_orders(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	const struct trial_step step = { 3, 1000, monotonic_ns() + FOREVER };
	auto_reservoir struct reservoir *reservoir = NULL;
	struct reservoir_reader reader = { .kind = SAMPLE_DROPPED };
	uint16_t epoch = word_unpack(control_load(bed.control, CONTROL_WORD)).epoch;
	uint32_t count = 0;

	stage_text(&bed, "version: 1\nmode: enforce\n", 3);
	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(control_canary(bed.control, &step, &epoch), 0);
	send_many(&bed, BLOCKED, 300);
	assert_int_equal(reservoir_open(bed.instance, &reservoir), 0);
	assert_int_equal(reservoir_read(reservoir, &reader, same_orders, &count), 0);
	assert_in_range(count, 1, 300);
}

static uint8_t twin_reason(struct twin *twin, uint32_t source)
{
	struct judged judged = { 0 };
	struct frame frame;

	syn_from(source, &frame);
	assert_int_equal(twin_run(twin, frame.bytes, frame.len, &judged, NULL), 0);
	return judged.reason;
}

/* Proofs of a policy do not know them; explaining what happens to a packet needs them. */
static void a_twin_asks_them_only_when_told(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = NULL;
	unsigned int live = word_unpack(control_load(bed.control, CONTROL_WORD)).live;

	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(twin_open(bed.instance, &twin, &diag), 0);
	assert_int_equal(twin_command(twin, live, MODE_ENFORCE, 0), 0);
	assert_int_equal(twin_reason(twin, BLOCKED), REASON_NO_MATCH);
	assert_int_equal(twin_overrides(twin, true), 0);
	assert_int_equal(twin_reason(twin, BLOCKED), REASON_OVERRIDE_BLOCK);
	assert_int_equal(overrides_publish(bed.instance, NULL, &diag), 0);
	assert_int_equal(twin_reason(twin, BLOCKED), REASON_NO_MATCH);
	publish(&bed, usual, ARRAY_SIZE(usual));
	assert_int_equal(twin_reason(twin, BLOCKED), REASON_OVERRIDE_BLOCK);
	assert_int_equal(twin_overrides(twin, false), 0);
	assert_int_equal(twin_reason(twin, BLOCKED), REASON_NO_MATCH);
	assert_int_equal(rig_total(bed.instance), 0);
}

static void an_image_that_does_not_fit_is_refused(void **state)
{
	auto_bed struct bed bed = policy_bed(state);
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	publish(&bed, usual, ARRAY_SIZE(usual));
	compile_orders(usual, 1, &image);
	((struct image_id *)image.bytes)->lines++;
	assert_int_equal(overrides_publish(bed.instance, &image, &diag), -EINVAL);
	assert_true(rig_has(&diag, "image"));
	assert_true(dropped(&bed, BLOCKED)); /* those before are in force */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(orders_stand_above_the_policy_but_not_above_protection),
		BED_TEST(modes_and_kill_bits_hold_for_a_block_too),
		BED_TEST(the_program_itself_ends_an_override),
		BED_TEST(swaps_and_rollbacks_neither_lose_nor_revive_them),
		BED_TEST(a_new_image_replaces_the_old_one_whole),
		BED_TEST(what_was_taken_away_leaves_nothing),
		BED_TEST(a_publisher_that_was_killed_is_seen),
		BED_TEST(trouble_in_the_image_is_no_override),
		BED_TEST(both_generations_of_a_trial_get_the_same_orders),
		BED_TEST(a_twin_asks_them_only_when_told),
		BED_TEST(an_image_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
