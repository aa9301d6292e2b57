/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events are sampled and lossy; what is held back or lost is counted to the last one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "frames.h"
#include "rig.h"

#define BAD 0xcb007101
#define GOOD 0x08080808
#define STOP 42

static const char policy[] = "version: 1\nmode: enforce\nlists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";

struct seen {
	unsigned int count, stop_at;
	struct event last;
};

static int see(void *context, const struct event *event)
{
	struct seen *seen = context;

	seen->last = *event;
	return ++seen->count == seen->stop_at ? STOP : 0;
}

static void judge_times(int program, uint32_t source, unsigned int times)
{
	struct frame frame;

	syn_from(source, &frame);
	for (unsigned int i = 0; i < times; i++)
		rig_judge(program, frame.bytes, frame.len);
}

static struct event_budget budget_of(const struct instance *instance, enum reason reason)
{
	struct event_budget budget[LIMIT_REASONS];

	assert_int_equal(budget_read(instance, budget), 0);
	return budget[reason];
}

static void an_event_says_what_happened(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int slot = rig_apply(rig, instance, policy, 0x1122334455667788);
	autoclose int program = rig_program(rig);
	struct seen seen = { 0 };

	judge_times(program, GOOD, 3); /* ordinary traffic makes none */
	judge_times(program, BAD, 1);
	assert_int_equal(events_follow(instance, 0, see, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.generation, 0x1122334455667788);
	assert_int_equal(seen.last.slot, slot);
	assert_int_equal(seen.last.verdict, VERDICT_DROP);
	assert_int_equal(seen.last.enforced, VERDICT_DROP);
	assert_int_equal(seen.last.reason, REASON_LIST_DROP);
	assert_int_equal(seen.last.list, 1);
	assert_int_equal(seen.last.family, 4);
	assert_int_equal(seen.last.proto, 6);
	assert_int_equal(seen.last.sport, 40000);
	assert_int_equal(seen.last.dport, 80);
	assert_int_equal(seen.last.flags, TCP_SYN);
	assert_memory_equal(seen.last.src, "\xcb\x00\x71\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_not_equal(seen.last.time_ns, 0);
}

static void following_ends_when_asked_and_when_time_is_up(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	autoclose int program = -1;
	struct seen seen = { .stop_at = 3 };
	struct timespec from, to;

	rig_apply(rig, instance, policy, 1);
	program = rig_program(rig);
	judge_times(program, BAD, 10);
	assert_int_equal(events_follow(instance, -1, see, &seen), STOP);
	assert_int_equal(seen.count, 3);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(events_follow(instance, 120, see, &seen), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(seen.count, 10);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >=
		    100);
}

/* A second may begin between two packets, and a packet may be judged on another CPU. */
static void a_flood_of_one_reason_is_held_back_and_counted(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int most = EVENTS_PER_SECOND * 3 * libbpf_num_possible_cpus();
	autoclose int program = -1;
	struct event_budget budget;
	struct seen seen = { 0 };

	rig_apply(rig, instance, policy, 1);
	program = rig_program(rig);
	judge_times(program, BAD, 5000);
	budget = budget_of(instance, REASON_LIST_DROP);
	assert_int_equal(budget.sent + budget.suppressed + budget.lost, 5000);
	assert_in_range(budget.sent, EVENTS_PER_SECOND, most);
	assert_int_equal(budget.lost, 0);
	assert_int_equal(events_follow(instance, 0, see, &seen), 0);
	assert_int_equal(seen.count, budget.sent);
}

/* Nobody reads (F23): the buffer is full after some 13,000 events, packets are judged on. */
static void what_nobody_reads_is_lost_and_counted(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	const unsigned int rounds = 260;
	autoclose int program = -1;
	struct event_budget budget;
	struct seen seen = { 0 };
	unsigned int slot;

	slot = rig_apply(rig, instance, policy, 1);
	program = rig_program(rig);
	for (unsigned int i = 0; i < rounds; i++) {
		rig_renew_budget(instance, REASON_LIST_DROP);
		judge_times(program, BAD, EVENTS_PER_SECOND);
	}
	budget = budget_of(instance, REASON_LIST_DROP);
	assert_int_equal(budget.sent + budget.suppressed + budget.lost, rounds * EVENTS_PER_SECOND);
	assert_true(budget.lost > 0);
	assert_int_equal(rig_counted(instance, slot, REASON_LIST_DROP, VERDICT_DROP),
			 rounds * EVENTS_PER_SECOND);
	assert_int_equal(events_follow(instance, 0, see, &seen), 0);
	assert_int_equal(seen.count, budget.sent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_event_says_what_happened),
		TEST(following_ends_when_asked_and_when_time_is_up),
		TEST(a_flood_of_one_reason_is_held_back_and_counted),
		TEST(what_nobody_reads_is_lost_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
