/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reservoir: how many samples are taken of floods, bursts and silence, what is in them, and
 * what a reader sees while they are written. Everything is sent on one CPU, which takes its share
 * of the rate.
 */
#include <pthread.h>
#include <sched.h>

#include <bpf/libbpf.h>

#include "trial_rig.h"

#define RING (LIMIT_SAMPLES / SAMPLE_KINDS)
#define BAD 0xcb007101
#define ANYBODY 0x0a000001

static const char policy[] = "version: 1\nmode: enforce\nlists:\n"
			     "  - {name: bad, action: drop, entries: [203.0.113.0/24]}\n";

/* An instance with the policy, this thread on one CPU, and what was sampled so far. */
struct pool {
	struct bed bed;
	struct reservoir *reservoir;
	uint64_t share; /* samples per second of a kind on this CPU */
};

static void pool_close(struct pool *pool)
{
	reservoir_close(&pool->reservoir);
	bed_close(&pool->bed);
}
#define auto_pool cleanup(pool_close)

static struct pool pool_of(void **state)
{
	struct pool pool = { .bed = bed_of(state) };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	pool.share = SAMPLES_PER_SECOND / (uint64_t)libbpf_num_possible_cpus();
	rig_apply(pool.bed.rig, pool.bed.instance, policy, 1);
	assert_int_equal(reservoir_open(pool.bed.instance, &pool.reservoir), 0);
	return pool;
}

static uint64_t taken(const struct pool *pool, enum sample_kind kind)
{
	uint64_t at[SAMPLE_KINDS];

	reservoir_at(pool->reservoir, at);
	return at[kind];
}

/* As fast as it goes. Returns how many there were. */
static uint64_t flood(const struct pool *pool, uint32_t source, uint64_t ns)
{
	uint64_t end = monotonic_ns() + ns, sent = 0;

	for (; monotonic_ns() < end; sent += 1000)
		send_many(&pool->bed, source, 1000);
	return sent;
}

/* Two clocks: of a busy machine a test gets a part only, and sends nothing in the other. */
struct stretch {
	uint64_t wall_ns, own_ns;
};

static struct stretch stretch_since(const struct stretch *start)
{
	struct timespec own;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
	return (struct stretch){
		.wall_ns = monotonic_ns() - start->wall_ns,
		.own_ns = own.tv_sec * 1000 * MS + own.tv_nsec - start->own_ns,
	};
}

/*
 * @share samples per second over the time since @start. On a busy machine the flood stops and goes,
 * and every time it goes on it looks slow at first: many times the share, still one in hundreds.
 */
static void assert_rate(uint64_t samples, uint64_t share, const struct stretch *start)
{
	struct stretch took = stretch_since(start);

	assert_in_range(samples, share * (took.own_ns / MS) / 4000,
			share * (took.wall_ns / MS) / 50 + 2000);
}

static void a_flood_is_sampled_at_the_rate(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	struct stretch start = { 0 };
	uint64_t before;

	flood(&pool, ANYBODY, 300 * MS); /* the interval finds its place */
	before = taken(&pool, SAMPLE_PASSED);
	start = stretch_since(&start);
	flood(&pool, ANYBODY, 1500 * MS);
	assert_rate(taken(&pool, SAMPLE_PASSED) - before, pool.share, &start);
	assert_int_equal(taken(&pool, SAMPLE_DROPPED), 0);
}

/* Ten times as much that is dropped takes nothing from what passes. */
static void each_kind_has_its_own_rate(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	struct stretch start = { 0 };
	uint64_t end = monotonic_ns() + 1500 * MS;

	start = stretch_since(&start);
	while (monotonic_ns() < end) {
		send_many(&pool.bed, BAD, 1000);
		send_many(&pool.bed, ANYBODY, 100);
	}
	assert_rate(taken(&pool, SAMPLE_PASSED), pool.share, &start);
	assert_rate(taken(&pool, SAMPLE_DROPPED), pool.share, &start);
}

/* Forty at once, a hundred times a second. */
static void bursts_do_not_thin_sampling_out(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	uint64_t start = monotonic_ns(), at = start, ms;

	for (uint32_t i = 0; i < 250; i++) {
		send_many(&pool.bed, ANYBODY, 40);
		at += 10 * MS;
		rest_until(at);
	}
	ms = (monotonic_ns() - start) / MS;
	assert_in_range(taken(&pool, SAMPLE_PASSED), pool.share * ms / 3000,
			pool.share * ms / 250 + 200);
}

static void what_is_slow_is_sampled_whole(void **state)
{
	auto_pool struct pool pool = pool_of(state);

	for (uint32_t i = 0; i < 100; i++) {
		send_many(&pool.bed, ANYBODY, 1);
		rest(1000 * MS / pool.share);
	}
	assert_in_range(taken(&pool, SAMPLE_PASSED), 80, 100);
}

static int keep_last(void *context, const struct sample *sample)
{
	*(struct sample *)context = *sample;
	return 0;
}

/* The last sample of its kind. */
static struct sample last(const struct pool *pool, enum sample_kind kind)
{
	struct reservoir_reader reader = { .kind = kind };
	struct sample sample = { 0 };

	assert_int_equal(reservoir_read(pool->reservoir, &reader, keep_last, &sample), 0);
	assert_int_equal(reader.at, taken(pool, kind));
	return sample;
}

/* At a million a second one in thousands is taken: not for long once it is over. */
static void after_a_flood_sampling_recovers_within_64_packets(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	uint64_t before, end = monotonic_ns() + 10000 * MS;

	do
		send_many(&pool.bed, ANYBODY, 50000);
	while (last(&pool, SAMPLE_PASSED).weight < 8 && monotonic_ns() < end);
	assert_in_range(last(&pool, SAMPLE_PASSED).weight, 8, 20); /* or what is to recover? */
	before = taken(&pool, SAMPLE_PASSED);
	rest(150 * MS);
	for (uint32_t i = 0; i < 64; i++)
		send_many(&pool.bed, ANYBODY, 1);
	assert_true(taken(&pool, SAMPLE_PASSED) > before);
	before = taken(&pool, SAMPLE_PASSED);
	for (uint32_t i = 0; i < 100; i++) {
		send_many(&pool.bed, ANYBODY, 1);
		rest(1000 * MS / pool.share);
	}
	assert_in_range(taken(&pool, SAMPLE_PASSED) - before, 60, 100);
}

static void a_trial_is_sampled_sixteen_times_as_often(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	const struct trial_step step = { 3, 1, monotonic_ns() + FOREVER };
	uint16_t epoch = word_unpack(control_load(pool.bed.control, CONTROL_WORD)).epoch;
	struct stretch start = { 0 };
	uint64_t before;

	stage_text(&pool.bed, policy, 3);
	flood(&pool, ANYBODY, 300 * MS);
	assert_int_equal(control_canary(pool.bed.control, &step, &epoch), 0);
	flood(&pool, ANYBODY, 200 * MS);
	before = taken(&pool, SAMPLE_PASSED);
	start = stretch_since(&start);
	flood(&pool, ANYBODY, 1000 * MS);
	assert_rate(taken(&pool, SAMPLE_PASSED) - before,
		    pool.share * SAMPLES_PER_SECOND_TRIAL / SAMPLES_PER_SECOND, &start);
}

/* ---- what is in a sample ---- */

static int stop_at_once(void *context, const struct sample *sample)
{
	(void)sample;
	return ++*(int *)context;
}

static void a_sample_is_the_head_of_its_packet_and_what_it_got(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	uint64_t now = monotonic_ns();
	struct frame frame;
	struct sample sample;

	syn_from(BAD, &frame);
	send_frame(&pool.bed, &frame, 1); /* the first of all is taken */
	sample = last(&pool, SAMPLE_DROPPED);
	assert_in_range(sample.time_ns, now - 20 * MS, monotonic_ns());
	assert_int_equal(sample.length, frame.len);
	assert_int_equal(sample.captured, frame.len);
	assert_int_equal(sample.weight, 0);
	assert_int_equal(sample.verdict, VERDICT_DROP);
	assert_int_equal(sample.enforced, VERDICT_DROP);
	assert_int_equal(sample.reason, REASON_LIST_DROP);
	assert_int_equal(sample.list, 1);
	assert_int_equal(sample.flags, SAMPLE_DROPS);
	assert_memory_equal(sample.head, frame.bytes, frame.len);
	for (uint32_t i = frame.len; i < SAMPLE_HEAD; i++)
		assert_int_equal(sample.head[i], 0);
}

static void of_a_long_packet_the_first_bytes_are_kept(void **state)
{
	static const struct frame_step steps[] = {
		{ FRAME_IPV4, 0 }, { FRAME_UDP, 0 }, { FRAME_PAYLOAD, 1000 }, { 0 }
	};
	const struct frame_ends ends = { .src4 = { 0x0a00000100000000, 0 }, .dport = 80 };
	auto_pool struct pool pool = pool_of(state);
	struct frame frame;
	struct sample sample;

	assert_int_equal(frame_build(steps, &ends, &frame), 0);
	for (uint32_t i = 60; i < frame.len; i++)
		frame.bytes[i] = (uint8_t)i;
	send_frame(&pool.bed, &frame, 1);
	sample = last(&pool, SAMPLE_PASSED);
	assert_int_equal(sample.length, frame.len);
	assert_int_equal(sample.captured, SAMPLE_HEAD);
	assert_memory_equal(sample.head, frame.bytes, SAMPLE_HEAD);
}

static int sum_weights(void *context, const struct sample *sample)
{
	*(uint64_t *)context += 1ull << sample->weight;
	return 0;
}

static void weights_say_how_many_packets_there_were(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	struct reservoir_reader reader = { .kind = SAMPLE_PASSED };
	uint64_t stood_for = 0, sent = flood(&pool, ANYBODY, 1000 * MS);

	assert_int_equal(reservoir_read(pool.reservoir, &reader, sum_weights, &stood_for), 0);
	assert_in_range(stood_for, sent / 2, sent * 2);
}

/* ---- reading ---- */

static void a_reader_stops_where_it_is_told_and_goes_on_there(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	struct reservoir_reader reader = { .kind = SAMPLE_PASSED };
	int calls = 0;

	for (uint32_t i = 0; i < 5; i++)
		send_many(&pool.bed, ANYBODY, 1);
	assert_int_equal(reservoir_read(pool.reservoir, &reader, stop_at_once, &calls), 1);
	assert_int_equal(reader.at, 1);
	assert_int_equal(reservoir_read(pool.reservoir, &reader, stop_at_once, &calls), 2);
	assert_int_equal(reader.at, 2);
}

static int open_as_reader(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	auto_reservoir struct reservoir *reservoir = NULL;
	auto_diag struct diag diag = { 0 };

	if (instance_open(&rig->places, &instance, &diag))
		return 1;
	return reservoir_open(instance, &reservoir) == -EACCES ? 0 : 2;
}

static void only_the_owner_reads_heads_of_packets(void **state)
{
	auto_bed struct bed bed = bed_of(state);

	assert_int_equal(rig_as_reader(bed.rig, open_as_reader), 0);
}

static void a_twin_takes_no_samples(void **state)
{
	auto_pool struct pool pool = pool_of(state);
	auto_diag struct diag diag = { 0 };
	auto_twin struct twin *twin = NULL;
	struct judged judged;
	struct frame frame;

	syn_from(ANYBODY, &frame);
	assert_int_equal(twin_open(pool.bed.instance, &twin, &diag), 0);
	assert_int_equal(twin_command(twin, 1, MODE_ENFORCE, 0), 0);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(twin_run(twin, frame.bytes, frame.len, &judged, NULL), 0);
	for (uint32_t key = 0; key < SAMPLE_KINDS * SAMPLE_AT_STRIDE; key++) {
		uint64_t value = 1;

		assert_int_equal(
			bpf_map_lookup_elem(twin_map_fd(twin, "reservoir_at"), &key, &value), 0);
		assert_int_equal(value, 0);
	}
	assert_int_equal(taken(&pool, SAMPLE_PASSED) + taken(&pool, SAMPLE_DROPPED), 0);
}

/* Samples overwritten while they are read: each is either whole and in order, or counted lost. */
struct checked {
	uint64_t read, time_ns;
	uint32_t torn;
};

/* Length, source and last bytes of the head say the same number. */
static int check_sample(void *context, const struct sample *sample)
{
	struct checked *checked = context;
	uint32_t source = sampled_source(sample);
	bool whole = source >= ANYBODY && source < ANYBODY + 16 &&
		     sample->length == 100 + (source - ANYBODY) && sample->captured == SAMPLE_HEAD;

	for (uint32_t i = 60; i < SAMPLE_HEAD && whole; i++)
		whole = sample->head[i] == (uint8_t)source;
	checked->torn += !whole;
	checked->torn += sample->time_ns + 50 * MS < checked->time_ns;
	checked->time_ns = sample->time_ns;
	checked->read++;
	return 0;
}

struct sender {
	struct bed *bed;
	bool stop;
	uint64_t sent;
};

static void *send_without_end(void *context)
{
	struct sender *sender = context;
	struct frame frame;

	for (uint32_t i = 0; !__atomic_load_n(&sender->stop, __ATOMIC_RELAXED); i++) {
		syn_from(ANYBODY + i % 16, &frame);
		frame.len = 100 + i % 16;
		memset(frame.bytes + 60, (uint8_t)(ANYBODY + i % 16), frame.len - 60);
		frame.bytes[16] = 0;
		frame.bytes[17] = (uint8_t)(frame.len - 14);
		send_frame(sender->bed, &frame, 50);
		sender->sent += 50;
	}
	return NULL;
}

static void a_reader_beside_a_writer_loses_nothing_uncounted(void **state)
{
	auto_bed struct bed bed = { .program = -1 };
	auto_reservoir struct reservoir *reservoir = NULL;
	struct sender sender = { .bed = &bed };
	struct reservoir_reader reader = { .kind = SAMPLE_PASSED };
	struct checked checked = { 0 };
	uint64_t at[SAMPLE_KINDS], end;
	pthread_t thread;

	rig_of(state);
	rig_variant("eager.bpf.o");
	bed = bed_of(state);
	assert_int_equal(reservoir_open(bed.instance, &reservoir), 0);
	assert_int_equal(pthread_create(&thread, NULL, send_without_end, &sender), 0);
	for (end = monotonic_ns() + 3000 * MS; monotonic_ns() < end;) {
		assert_int_equal(reservoir_read(reservoir, &reader, check_sample, &checked), 0);
		rest(checked.read / 100000 % 3 * 20 * MS); /* now and then it falls behind */
	}
	__atomic_store_n(&sender.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reservoir_read(reservoir, &reader, check_sample, &checked), 0);
	reservoir_at(reservoir, at);
	assert_int_equal(checked.torn, 0);
	assert_int_equal(at[SAMPLE_PASSED], sender.sent);
	assert_int_equal(reader.at, at[SAMPLE_PASSED]);
	assert_int_equal(checked.read + reader.lost, at[SAMPLE_PASSED]);
	assert_true(at[SAMPLE_PASSED] > RING); /* it went round */
}

static void a_late_reader_begins_with_the_oldest_that_is_there(void **state)
{
	auto_bed struct bed bed = { .program = -1 };
	auto_reservoir struct reservoir *reservoir = NULL;
	struct reservoir_reader reader = { .kind = SAMPLE_PASSED };
	int calls = 0;

	rig_of(state);
	rig_variant("eager.bpf.o");
	bed = bed_of(state);
	assert_int_equal(reservoir_open(bed.instance, &reservoir), 0);
	send_many(&bed, ANYBODY, 2 * RING + 100);
	assert_int_equal(reservoir_read(reservoir, &reader, stop_at_once, &calls), 1);
	assert_int_equal(reader.at, RING + 101);
	assert_int_equal(reader.lost, 0); /* it came later */
	send_many(&bed, ANYBODY, RING);
	assert_int_equal(reservoir_read(reservoir, &reader, stop_at_once, &calls), 2);
	assert_int_equal(reader.at, 2 * RING + 101);
	assert_int_equal(reader.lost, RING - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BED_TEST(a_flood_is_sampled_at_the_rate),
		BED_TEST(each_kind_has_its_own_rate),
		BED_TEST(bursts_do_not_thin_sampling_out),
		BED_TEST(what_is_slow_is_sampled_whole),
		BED_TEST(after_a_flood_sampling_recovers_within_64_packets),
		BED_TEST(a_trial_is_sampled_sixteen_times_as_often),
		BED_TEST(a_sample_is_the_head_of_its_packet_and_what_it_got),
		BED_TEST(of_a_long_packet_the_first_bytes_are_kept),
		BED_TEST(weights_say_how_many_packets_there_were),
		BED_TEST(a_reader_stops_where_it_is_told_and_goes_on_there),
		BED_TEST(only_the_owner_reads_heads_of_packets),
		BED_TEST(a_twin_takes_no_samples),
		BED_TEST(a_reader_beside_a_writer_loses_nothing_uncounted),
		BED_TEST(a_late_reader_begins_with_the_oldest_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
