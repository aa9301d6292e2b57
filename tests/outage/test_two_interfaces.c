/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F67: two interfaces under load switch at the same store. Every generation flags every packet, so
 * that each carries the slot that judged it; a program behind both filters keeps the order. On one
 * interface no packet of the old generation may come after one of the new; between the two, only
 * those that were in flight. Control: an instance for each interface, applied one after the other.
 * test-timeout: 600
 */
#include <net/if.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>

#include "../bpf/order.h"
#include "swap_rig.h"

#define SIDES ORDER_SIDES
#define RATE 60000u
#define IN_FLIGHT 64u /* packets that one poll of an interface takes, judged before they go on */
#define FIRST_SLOT 1u
#define GENERATIONS 3u /* by turns, so that the slot of the one before is never named anew */

static const char *const names[SIDES] = { "tw0", "tw1" };
static const char everybody[] = "version: 1\nmode: enforce\n"
				"lists: [{name: all, action: flag, entries: [198.18.0.0/15]}]\n";

struct sending {
	struct traffic_sender *sender;
	struct traffic_pace pace;
	struct traffic_report report;
	pthread_t thread;
	int error;
	bool started;
};

struct crossing {
	struct rig *rig;
	struct swap_rig at;
	struct places second; /* of the control's other instance */
	struct instance *other;
	unsigned int client, server;
	struct bpf_object *behind;
	struct order *order; /* mapped */
	struct sending sides[SIDES];
	volatile sig_atomic_t stop;
};

static void *keep_sending(void *context)
{
	struct sending *sending = context;

	sending->error = traffic_send(sending->sender, &sending->pace, &sending->report);
	return NULL;
}

static void crossing_stop(struct crossing *crossing)
{
	crossing->stop = 1;
	for (uint32_t i = 0; i < SIDES; i++) {
		if (crossing->sides[i].started)
			pthread_join(crossing->sides[i].thread, NULL);
		crossing->sides[i].started = false;
	}
}

static void crossing_close(struct crossing *crossing)
{
	crossing_stop(crossing);
	for (uint32_t i = 0; i < SIDES; i++)
		traffic_sender_close(&crossing->sides[i].sender);
	if (crossing->order)
		munmap(crossing->order, sizeof(*crossing->order));
	bpf_object__close(crossing->behind);
	instance_close(&crossing->other);
	swap_rig_close(&crossing->at);
}
#define auto_crossing cleanup(crossing_close)

/* ---- making it ---- */

static void attach_behind(struct crossing *crossing, const char *name)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(name),
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter);
	struct bpf_program *program = bpf_object__find_program_by_name(crossing->behind, "behind");

	assert_non_null(program);
	filter.prog_fd = bpf_program__fd(program);
	bpf_tc_hook_create(&hook);
	assert_int_equal(bpf_tc_attach(&hook, &filter), 0);
}

static void open_behind(struct crossing *crossing)
{
	const char *build = getenv("BUILD");
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/tests/bpf/order.bpf.o", build ? build : "build");
	crossing->behind = bpf_object__open_file(path, NULL);
	assert_non_null(crossing->behind);
	assert_int_equal(bpf_object__load(crossing->behind), 0);
	fd = bpf_object__find_map_fd_by_name(crossing->behind, "order");
	crossing->order =
		mmap(NULL, sizeof(*crossing->order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(crossing->order, MAP_FAILED);
	crossing->order->ifindex = if_nametoindex(names[0]);
}

static void open_sender(struct crossing *crossing, uint32_t side)
{
	struct sending *sending = &crossing->sides[side];
	struct traffic_spec spec;
	uint8_t mac[6];

	assert_int_equal(traffic_mac(names[side], mac), 0);
	traffic_spec_default(&spec);
	assert_int_equal(traffic_spec_parse("x:src=198.18.0.41,dst=198.18.0.2", &spec), 0);
	rig_enter(crossing->rig, crossing->client);
	assert_int_equal(traffic_sender_open(names[side], mac, &spec, 1, &sending->sender), 0);
	rig_enter(crossing->rig, crossing->server);
}

static void attach_to(struct instance *instance, const char *name)
{
	auto_diag struct diag diag = { 0 };
	int r = attach_interface(instance, name, ATTACH_NATIVE, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
}

/* Both interfaces, the first attached, nothing sent yet. The test is at the server. */
static void crossing_open(void **state, struct crossing *ret)
{
	struct rig *rig = rig_of(state);

	*ret = (struct crossing){ .rig = rig, .at.program = -1 };
	ret->client = rig_namespace(rig);
	ret->server = rig_namespace(rig);
	for (uint32_t i = 0; i < SIDES; i++)
		rig_veth(rig, ret->client, ret->server, names[i]);
	rig_enter(rig, ret->server);
	swap_rig_open(rig, NULL, &ret->at);
	open_behind(ret);
	for (uint32_t i = 0; i < SIDES; i++)
		attach_behind(ret, names[i]);
	attach_to(ret->at.instance, names[0]);
	for (uint32_t i = 0; i < SIDES; i++)
		open_sender(ret, i);
}

static void crossing_go(struct crossing *crossing)
{
	rig_enter(crossing->rig, crossing->client);
	for (uint32_t i = 0; i < SIDES; i++) {
		struct sending *sending = &crossing->sides[i];

		sending->pace = (struct traffic_pace){ .rate = RATE,
						       .ns = 900 * SECOND_NS,
						       .stop = &crossing->stop };
		sending->started = !pthread_create(&sending->thread, NULL, keep_sending, sending);
		assert_true(sending->started);
	}
	rig_enter(crossing->rig, crossing->server);
}

/* ---- what is seen ---- */

static uint64_t seen(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t seen_behind(const struct crossing *crossing)
{
	return seen(&crossing->order->sides[0].behind) + seen(&crossing->order->sides[1].behind);
}

/* Both have judged by the generation of this rank, and none of the one before is under way. */
static void wait_for(const struct crossing *crossing, uint64_t rank)
{
	uint64_t end = traffic_now() + 20 * SECOND_NS;

	for (uint32_t i = 0; i < SIDES; i++) {
		while (seen(&crossing->order->sides[i].rank) < rank && traffic_now() < end)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		assert_int_equal(seen(&crossing->order->sides[i].rank), rank);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* Nothing lost, everything judged and marked, and each interface went forward only. */
static void assert_orderly(const struct crossing *crossing)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	for (uint32_t i = 0; i < SIDES; i++) {
		const struct order_side *side = &crossing->order->sides[i];

		assert_int_equal(crossing->sides[i].error, 0);
		assert_true(side->packets > 1000);
		assert_int_equal(side->packets, traffic_sent(crossing->sides[i].sender, 0));
		assert_int_equal(side->unmarked, 0);
		assert_int_equal(side->back, 0);
	}
}

static void print_worst(const struct crossing *crossing, const char *what, uint64_t times_done,
			uint64_t worst)
{
	const struct order_side *sides = crossing->order->sides;
	uint64_t ns = sides[sides[1].behind_ns > sides[0].behind_ns].behind_ns;

	print_message("%llu %s, %llu packets: at most %llu behind the newest generation, by at "
		      "most %llu us\n",
		      (unsigned long long)times_done, what,
		      (unsigned long long)(sides[0].packets + sides[1].packets),
		      (unsigned long long)worst, (unsigned long long)ns / 1000);
}

static void one_store_switches_both_interfaces(void **state)
{
	auto_crossing struct crossing crossing;
	auto_image struct image_file image = { 0 };
	uint64_t swaps = times(300, 3000), worst = 0, before;

	need_two_cpus();
	crossing_open(state, &crossing);
	attach_to(crossing.at.instance, names[1]);
	rig_image(everybody, &image);
	for (uint32_t i = 0; i < GENERATIONS; i++)
		stage(&crossing.at, &image, i + 1, FIRST_SLOT + i);
	swap_to(&crossing.at, FIRST_SLOT);
	crossing_go(&crossing);
	for (uint64_t rank = 1; rank <= swaps; rank++) {
		unsigned int slot = FIRST_SLOT + rank % GENERATIONS;

		for (uint32_t i = 0; i < SIDES; i++)
			crossing.order->ranks[i][slot] = rank;
		before = seen_behind(&crossing);
		swap_to(&crossing.at, slot);
		wait_for(&crossing, rank);
		if (seen_behind(&crossing) - before > worst)
			worst = seen_behind(&crossing) - before;
	}
	crossing_stop(&crossing);
	print_worst(&crossing, "swaps", swaps, worst);
	assert_orderly(&crossing);
	assert_true(worst <= IN_FLIGHT);
}

/* ---- the control ---- */

static void open_second(struct crossing *crossing)
{
	auto_diag struct diag diag = { 0 };

	assert_int_equal(places_find("second", &crossing->second), 0);
	assert_int_equal(instance_create(&crossing->second, &crossing->other, &diag), 0);
	attach_to(crossing->other, names[1]);
}

/* What an apply does, to one of the two instances; the slot that it will take is known before. */
static void apply_to(struct crossing *crossing, uint32_t side, uint64_t rank)
{
	struct rig rig = *crossing->rig;
	struct instance *instance = side ? crossing->other : crossing->at.instance;
	auto_control struct control *control = NULL;
	struct word word;
	int slot;

	if (side)
		rig.places = crossing->second;
	assert_int_equal(control_open(&rig.places, &control), 0);
	word = word_unpack(control_load(control, CONTROL_WORD));
	slot = slot_free(instance, &word);
	assert_in_range(slot, 0, SLOTS - 1);
	crossing->order->ranks[side][slot] = rank;
	assert_int_equal(rig_apply(&rig, instance, everybody, rank), slot);
}

static void two_words_switched_one_after_the_other_are_seen(void **state)
{
	auto_crossing struct crossing crossing;
	uint64_t worst = 0, before;
	const uint64_t applies = 20;

	need_two_cpus();
	crossing_open(state, &crossing);
	open_second(&crossing);
	for (uint32_t i = 0; i < SIDES; i++)
		apply_to(&crossing, i, 1);
	crossing_go(&crossing);
	for (uint64_t rank = 2; rank < 2 + applies; rank++) {
		before = seen_behind(&crossing);
		for (uint32_t i = 0; i < SIDES; i++)
			apply_to(&crossing, i, rank);
		wait_for(&crossing, rank);
		if (seen_behind(&crossing) - before > worst)
			worst = seen_behind(&crossing) - before;
	}
	crossing_stop(&crossing);
	print_worst(&crossing, "applies to each", applies, worst);
	assert_orderly(&crossing);
	assert_true(worst > 4 * IN_FLIGHT);
}

static int teardown(void **state)
{
	struct places second;

	if (!places_find("second", &second))
		instance_destroy(&second);
	return rig_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_store_switches_both_interfaces, rig_setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_words_switched_one_after_the_other_are_seen,
						rig_setup, teardown),
	};

	return cmocka_run_group_tests_name("F67 two interfaces", tests, NULL, NULL);
}
