/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `stanch bench` measures with does what it is taken for, and ends with who used it. */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "dataplane/bench.h"
#include "policy/bench.h"
#include "rig.h"

#define TIMES 1000u

static struct yard *open_yard(void)
{
	auto_diag struct diag diag = { 0 };
	struct yard *yard = NULL;
	int r = yard_open(&yard, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
	return yard;
}

/* A twin to measure, that judges by the small policy. */
static struct twin *open_measured(struct image_file *image)
{
	auto_diag struct diag diag = { 0 };
	struct twin *twin = NULL;
	int r = bench_image(&limits_builtin, image, &diag);

	r = r ? r : twin_open_measured(&twin, &diag);
	r = r ? r : twin_stage(twin, image, 0, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
	assert_int_equal(twin_command(twin, 0, MODE_ENFORCE, 0), 0);
	return twin;
}

static uint64_t counted(const struct twin *twin, uint8_t reason, uint8_t verdict)
{
	int cpus = libbpf_num_possible_cpus();
	autofree struct counter *values = calloc((size_t)cpus, sizeof(*values));
	uint32_t key = reason; /* of slot 0 */
	uint64_t sum = 0;

	assert_non_null(values);
	assert_int_equal(bpf_map_lookup_elem(twin_map_fd(twin, "counters"), &key, values), 0);
	for (int i = 0; i < cpus; i++)
		sum += values[i].packets[verdict];
	return sum;
}

static bool run(int program, const struct frame *frame)
{
	bool dropped = false;
	double ns = -1;

	assert_int_equal(bench_run(program, frame, TIMES, &ns, &dropped), 0);
	assert_true(ns >= 0);
	return dropped;
}

static void yardsticks_do_what_they_are_called(void **state)
{
	auto_yard struct yard *yard = rig_of(state) ? open_yard() : NULL;
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct bench_packet packet;

	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), 0);
	assert_false(run(yard_program_fd(yard, YARD_EMPTY), &packet.frame));
	assert_int_equal(yard_counted(yard), 0);
	assert_true(run(yard_program_fd(yard, YARD_DROP), &packet.frame));
	assert_int_equal(yard_counted(yard), TIMES);
	assert_false(run(yard_program_fd(yard, YARD_PASS), &packet.frame));
	assert_int_equal(yard_counted(yard), 2 * TIMES);
	assert_false(run(yard_program_fd(yard, YARD_RESET), &packet.frame));
	assert_int_equal(yard_counted(yard), 2 * TIMES);
}

/* A chain that leads nowhere is no measurement. */
static void what_neither_drops_nor_passes_is_an_error(void **state)
{
	auto_yard struct yard *yard = rig_of(state) ? open_yard() : NULL;
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct bench_packet packet;
	bool dropped;
	double ns;

	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), 0);
	assert_int_equal(
		bench_run(yard_program_fd(yard, YARD_RESET_THEN), &packet.frame, 1, &ns, &dropped),
		-EBADMSG);
}

static void a_packet_is_flagged_each_time_only_when_the_last_flag_is_taken_off(void **state)
{
	auto_yard struct yard *yard = rig_of(state) ? open_yard() : NULL;
	auto_image struct image_file image = { 0 };
	auto_twin struct twin *twin = open_measured(&image);
	struct bench_packet packet;

	assert_int_equal(bench_packet(&image.image, BENCH_FLAG, &packet), 0);
	assert_int_equal(yard_then(yard, twin_program_fd(twin)), 0);
	assert_false(run(yard_program_fd(yard, YARD_RESET_THEN), &packet.frame));
	assert_int_equal(counted(twin, REASON_LIST_FLAG, VERDICT_FLAG), TIMES);
	assert_int_equal(counted(twin, REASON_META_FAILED, VERDICT_PASS), 0);
	assert_false(run(twin_program_fd(twin), &packet.frame));
	assert_true(counted(twin, REASON_META_FAILED, VERDICT_PASS) > 0);
}

static void every_class_gets_in_the_kernel_what_it_gets_natively(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_twin struct twin *twin = rig_of(state) ? open_measured(&image) : NULL;
	struct bench_packet packet;

	for (enum bench_class class = 0; class < BENCH_CLASSES; class ++) {
		assert_int_equal(bench_packet(&image.image, class, &packet), 0);
		assert_int_equal(run(twin_program_fd(twin), &packet.frame), packet.dropped);
	}
}

/* Else it would cost less than the live program does. */
static void a_measured_twin_takes_samples(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_twin struct twin *twin = rig_of(state) ? open_measured(&image) : NULL;
	struct bench_packet packet;
	uint64_t at = 0, sum = 0;

	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), 0);
	for (int i = 0; i < 100; i++)
		run(twin_program_fd(twin), &packet.frame);
	for (uint32_t i = 0; i < SAMPLE_KINDS * SAMPLE_AT_STRIDE; i++) {
		assert_int_equal(bpf_map_lookup_elem(twin_map_fd(twin, "reservoir_at"), &i, &at),
				 0);
		sum += at;
	}
	assert_true(sum > 0);
}

/* ---- swaps ---- */

/* The factory's generation and the small policy, by turns, and a packet of @class. */
static struct swapping begin(const struct rig *rig, struct instance *instance,
			     enum bench_class class, struct bench_packet *packet)
{
	struct swapping swapping = { .instance = instance, .slots = { 0, 1 } };
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	assert_int_equal(bench_packet(&image.image, class, packet), 0);
	assert_int_equal(slot_stage(instance, &image, 1, 1, &diag), 0);
	assert_int_equal(control_open(&rig->places, &swapping.control), 0);
	swapping.frame = &packet->frame;
	return swapping;
}

static void the_first_packet_of_each_swap_is_seen(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	struct bench_packet packet;
	struct swapping swapping = begin(rig, instance, BENCH_DROP_V4, &packet);
	double ns[20], store = 0;
	struct word word;

	assert_int_equal(swapping_first(&swapping, ARRAY_SIZE(ns), ns), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		assert_true(ns[i] > 0);
	assert_int_equal(swapping_store(&swapping, 3, &store), 0);
	assert_true(store > 0);
	word = word_unpack(control_load(swapping.control, CONTROL_WORD));
	assert_int_equal(word.live, 1);
	assert_int_equal(word.epoch, 23);
	control_close(&swapping.control);
}

static void a_swap_that_changes_no_verdict_is_waited_for_a_second(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	struct bench_packet packet;
	struct swapping swapping = begin(rig, instance, BENCH_PASS, &packet);
	double ns;

	assert_int_equal(swapping_first(&swapping, 1, &ns), -ETIMEDOUT);
	control_close(&swapping.control);
}

/* ---- the place ---- */

struct seen {
	struct yard *yard;
	struct frame frame;
	ino_t netns;
	bool wire, host; /* interfaces of the place, of the host */
	int made, sent, attached;
	struct wire_report report;
};

static ino_t netns(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static int look_around(void *context, const struct places *places)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	struct seen *seen = context;
	autoclose int link = -1;

	seen->netns = netns();
	seen->host = access("/run/netns", F_OK) == 0;
	seen->made = wire_make(&diag);
	seen->wire = if_nametoindex(WIRE_IN) && if_nametoindex(WIRE_OUT);
	seen->attached = wire_attach(seen->yard, YARD_DROP, &link);
	seen->sent = wire_send(seen->yard, &seen->frame, 1000000, &seen->report);
	return instance_create(places, &instance, &diag);
}

static void what_is_made_in_the_place_is_not_seen_outside(void **state)
{
	auto_yard struct yard *yard = rig_of(state) ? open_yard() : NULL;
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	struct seen seen = { .yard = yard };
	struct bench_packet packet;

	assert_int_equal(bench_image(&limits_builtin, &image, &diag), 0);
	assert_int_equal(bench_packet(&image.image, BENCH_PASS, &packet), 0);
	seen.frame = packet.frame;
	assert_int_equal(sandbox_run(look_around, &seen, &diag), 0);
	assert_true(seen.netns != netns());
	assert_false(seen.host);
	assert_int_equal(seen.made, 0);
	assert_true(seen.wire);
	assert_int_equal(seen.attached, 0);
	assert_int_equal(seen.sent, 0);
	assert_true(seen.report.sent > 0);
	assert_true(seen.report.rate > 0);
	assert_in_range(yard_counted(yard), seen.report.sent / 2, seen.report.sent + 100);
	assert_int_equal(if_nametoindex(WIRE_IN), 0);
	assert_int_not_equal(access("/run/stanch/bpf/bench", F_OK), 0);
}

static int give_up(void *context, const struct places *places)
{
	(void)context;
	(void)places;
	return -ECANCELED;
}

static void what_is_returned_in_the_place_is_returned_outside(void **state)
{
	auto_diag struct diag diag = { 0 };

	(void)rig_of(state);
	assert_int_equal(sandbox_run(give_up, NULL, &diag), -ECANCELED);
	assert_int_equal(diag.total, 0);
}

#define rig_test(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rig_test(yardsticks_do_what_they_are_called),
		rig_test(what_neither_drops_nor_passes_is_an_error),
		rig_test(a_packet_is_flagged_each_time_only_when_the_last_flag_is_taken_off),
		rig_test(every_class_gets_in_the_kernel_what_it_gets_natively),
		rig_test(a_measured_twin_takes_samples),
		rig_test(the_first_packet_of_each_swap_is_seen),
		rig_test(a_swap_that_changes_no_verdict_is_waited_for_a_second),
		rig_test(what_is_made_in_the_place_is_not_seen_outside),
		rig_test(what_is_returned_in_the_place_is_returned_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
