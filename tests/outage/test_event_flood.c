/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F17: a million reportable packets per second and a reader that has stopped. What is not reported
 * is counted to the last one, and a good flow beside it loses at most 2 % more than under the same
 * flood through a program that reports nothing, which is the control. The veth brings some of the
 * packets, test runs of the live program on another CPU bring the rest. On a busy machine the best
 * of three runs counts.
 * test-timeout: 600
 */
#include <signal.h>
#include <sys/wait.h>

#include "frames.h"
#include "street.h"

#define RATE 40000u /* packets of all flows over the veth; two in five are reportable */
#define FLOOD_RATE 1000000u
#define BATCH 10000u
#define TRIES 3u

/* Share of the good flows that was lost, in parts per million. */
static uint64_t loss_without_events = UINT64_MAX;

struct flood {
	const struct street *street;
	uint64_t packets; /* wanted */
	uint64_t ns; /* how long they took */
};

/* The frame of a source on the drop list, and never more than a million per second. */
static void *keep_flooding(void *context)
{
	struct flood *flood = context;
	uint64_t begun = traffic_now(), sent = 0;
	struct frame frame;

	stay_on_cpu(1);
	syn_from(0xc612001e, &frame);
	while (sent < flood->packets) {
		uint64_t due = (traffic_now() - begun) * FLOOD_RATE / SECOND_NS;

		if (sent > due) {
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			continue;
		}
		run_program(flood->street->at.program, &frame, BATCH);
		sent += BATCH;
	}
	flood->ns = traffic_now() - begun;
	return NULL;
}

/* ---- a reader that stops at its first event ---- */

static int stop_reading(void *context, const struct event *event)
{
	(void)context;
	(void)event;
	return raise(SIGSTOP);
}

static pid_t stopped_reader(const struct instance *instance)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(events_follow(instance, 20000, stop_reading, NULL) ? 1 : 0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void end_reader(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The buffer is as full as it gets, while nothing else is judged. */
static void fill_buffer(const struct street *street)
{
	struct event_budget budget[LIMIT_REASONS];
	struct frame frame;

	syn_from(0xc612001e, &frame);
	for (uint32_t i = 0; i < 1000; i++) {
		rig_renew_budget(street->at.instance, REASON_LIST_DROP);
		run_program(street->at.program, &frame, EVENTS_PER_SECOND);
		assert_int_equal(budget_read(street->at.instance, budget), 0);
		if (budget[REASON_LIST_DROP].lost)
			return;
	}
	fail_msg("the buffer of events is never full");
}

/* ---- the sums ---- */

struct told {
	uint64_t sent, suppressed, lost, dropped;
};

static struct told read_told(const struct street *street)
{
	static struct counter counters[COUNTERS];
	struct event_budget budget[LIMIT_REASONS];
	struct told ret = { 0 };

	assert_int_equal(budget_read(street->at.instance, budget), 0);
	for (uint32_t i = 0; i < LIMIT_REASONS; i++) {
		ret.sent += budget[i].sent;
		ret.suppressed += budget[i].suppressed;
		ret.lost += budget[i].lost;
	}
	assert_int_equal(counters_read(street->at.instance, counters), 0);
	for (uint32_t i = 0; i < COUNTERS; i++)
		ret.dropped += counters[i].packets[VERDICT_DROP];
	return ret;
}

static uint64_t good_sent(const struct street *street)
{
	return street_sent(street, FLOW_P) + street_sent(street, FLOW_G);
}

static uint64_t good_through(const struct street *street)
{
	return street_through(street, FLOW_P) + street_through(street, FLOW_G);
}

/* One flood beside the flows; the share of the good ones that was lost, in parts per million. */
static uint64_t flood_once(struct street *street, struct flood *flood)
{
	pthread_t thread;
	uint64_t sent, through;

	sent = good_sent(street);
	through = good_through(street);
	street->stop = 0;
	street_go(street, RATE);
	assert_int_equal(pthread_create(&thread, NULL, keep_flooding, flood), 0);
	pthread_join(thread, NULL);
	street_stop(street);
	assert_int_equal(street->error, 0);
	sent = good_sent(street) - sent;
	through = good_through(street) - through;
	assert_true(sent > 1000 && through <= sent);
	print_message("%llu packets in %llu ms; good: %llu sent, %llu lost\n",
		      (unsigned long long)flood->packets, (unsigned long long)flood->ns / 1000000,
		      (unsigned long long)sent, (unsigned long long)(sent - through));
	return (sent - through) * 1000000 / sent;
}

/* The least of three runs. */
static uint64_t flood_loss(struct street *street)
{
	struct flood flood = { .street = street, .packets = times(2000000, 20000000) };
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < TRIES && least; i++) {
		uint64_t loss = flood_once(street, &flood);

		least = loss < least ? loss : least;
	}
	return least;
}

static void without_events_a_flood_costs_what_it_costs(void **state)
{
	auto_street struct street street = { 0 };
	struct told told;

	rig_of(state);
	need_two_cpus();
	rig_variant("quiet.bpf.o");
	street_open(state, &street);
	loss_without_events = flood_loss(&street);
	told = read_told(&street);
	assert_true(told.dropped > times(2000000, 20000000));
	assert_int_equal(told.sent + told.suppressed + told.lost, 0);
}

static void with_events_what_is_not_told_is_counted_and_forwarding_goes_on(void **state)
{
	auto_street struct street street = { 0 };
	struct told before, told;
	struct frame frame;
	uint64_t loss;
	pid_t reader;

	rig_of(state);
	need_two_cpus();
	street_open(state, &street);
	syn_from(0xc612001e, &frame);
	run_program(street.at.program, &frame, 1);
	reader = stopped_reader(street.at.instance);
	fill_buffer(&street);
	before = read_told(&street);
	loss = flood_loss(&street);
	told = read_told(&street);
	end_reader(reader);
	print_message("%llu reportable: %llu sent, %llu held back, %llu lost; good flow: %llu ppm "
		      "lost, without events %llu\n",
		      (unsigned long long)told.dropped, (unsigned long long)told.sent,
		      (unsigned long long)told.suppressed, (unsigned long long)told.lost,
		      (unsigned long long)loss, (unsigned long long)loss_without_events);
	assert_true(told.dropped - before.dropped > times(2000000, 20000000));
	assert_int_equal(told.sent + told.suppressed + told.lost, told.dropped);
	assert_true(told.lost > before.lost);
	assert_true(loss_without_events <= 1000000);
	assert_true(loss <= loss_without_events + 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_events_a_flood_costs_what_it_costs,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			with_events_what_is_not_told_is_counted_and_forwarding_goes_on, rig_setup,
			rig_teardown),
	};

	return cmocka_run_group_tests_name("F17 event flood", tests, NULL, NULL);
}
