/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces under load, and what the program behind them has seen so far. */
#include "crossing.h"

#include <net/if.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>

static const char *const names[ORDER_SIDES] = { "tw0", "tw1" };

static void *keep_sending(void *context)
{
	struct crossing_side *side = context;

	side->error = traffic_send(side->sender, &side->pace, &side->report);
	return NULL;
}

void crossing_stop(struct crossing *crossing)
{
	crossing->stop = 1;
	for (uint32_t i = 0; i < crossing->count; i++) {
		if (crossing->sides[i].started)
			pthread_join(crossing->sides[i].thread, NULL);
		crossing->sides[i].started = false;
	}
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

void crossing_close(struct crossing *crossing)
{
	crossing_stop(crossing);
	for (uint32_t i = 0; i < crossing->count; i++)
		traffic_sender_close(&crossing->sides[i].sender);
	if (crossing->order)
		munmap(crossing->order, sizeof(*crossing->order));
	bpf_object__close(crossing->behind);
	swap_rig_close(&crossing->at);
}

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
	void *order;

	snprintf(path, sizeof(path), "%s/tests/bpf/order.bpf.o", build ? build : "build");
	crossing->behind = bpf_object__open_file(path, NULL);
	assert_non_null(crossing->behind);
	assert_int_equal(bpf_object__load(crossing->behind), 0);
	order = mmap(NULL, sizeof(*crossing->order), PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_object__find_map_fd_by_name(crossing->behind, "order"), 0);
	assert_ptr_not_equal(order, MAP_FAILED);
	crossing->order = order;
	crossing->order->ifindex = if_nametoindex(names[0]);
	for (uint32_t i = 0; i < crossing->count; i++)
		attach_behind(crossing, names[i]);
}

static void open_sender(struct crossing *crossing, uint32_t side)
{
	struct traffic_spec spec;
	uint8_t mac[6];

	assert_int_equal(traffic_mac(names[side], mac), 0);
	traffic_spec_default(&spec);
	assert_int_equal(traffic_spec_parse("x:src=198.18.0.41,dst=198.18.0.2", &spec), 0);
	rig_enter(crossing->rig, crossing->client);
	assert_int_equal(
		traffic_sender_open(names[side], mac, &spec, 1, &crossing->sides[side].sender), 0);
	rig_enter(crossing->rig, crossing->server);
}

void crossing_open(void **state, unsigned int count, struct crossing *ret)
{
	struct rig *rig = rig_of(state);

	*ret = (struct crossing){ .rig = rig, .at.program = -1, .count = count };
	ret->client = rig_namespace(rig);
	ret->server = rig_namespace(rig);
	for (uint32_t i = 0; i < count; i++)
		rig_veth(rig, ret->client, ret->server, names[i]);
	rig_enter(rig, ret->server);
	swap_rig_open(rig, NULL, &ret->at);
	open_behind(ret);
	for (uint32_t i = 0; i < count; i++)
		open_sender(ret, i);
}

void crossing_attach(struct instance *instance, unsigned int side)
{
	auto_diag struct diag diag = { 0 };
	int r = attach_interface(instance, names[side], ATTACH_NATIVE, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
}

void crossing_go(struct crossing *crossing, uint64_t rate)
{
	rig_enter(crossing->rig, crossing->client);
	for (uint32_t i = 0; i < crossing->count; i++) {
		struct crossing_side *side = &crossing->sides[i];

		side->pace = (struct traffic_pace){ .rate = rate,
						    .ns = 900 * SECOND_NS,
						    .stop = &crossing->stop };
		side->started = !pthread_create(&side->thread, NULL, keep_sending, side);
		assert_true(side->started);
	}
	rig_enter(crossing->rig, crossing->server);
}

/* ---- what is seen ---- */

static uint64_t seen(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void crossing_rank(struct crossing *crossing, unsigned int side, unsigned int slot, uint64_t rank)
{
	__atomic_store_n(&crossing->order->ranks[side][slot], rank, __ATOMIC_RELAXED);
}

uint64_t crossing_behind(const struct crossing *crossing)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < crossing->count; i++)
		sum += seen(&crossing->order->sides[i].behind);
	return sum;
}

void crossing_wait(const struct crossing *crossing, uint64_t rank)
{
	uint64_t end = traffic_now() + 20 * SECOND_NS;

	for (uint32_t i = 0; i < crossing->count; i++) {
		while (seen(&crossing->order->sides[i].rank) < rank && traffic_now() < end)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		assert_int_equal(seen(&crossing->order->sides[i].rank), rank);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

void crossing_orderly(const struct crossing *crossing)
{
	for (uint32_t i = 0; i < crossing->count; i++) {
		const struct order_side *side = &crossing->order->sides[i];
		uint64_t sent;

		assert_int_equal(crossing->sides[i].error, 0);
		assert_true(side->packets > 1000);
		/* a busy machine finds the veth's ring full now and then: this is about order */
		sent = traffic_sent(crossing->sides[i].sender, 0);
		assert_in_range(side->packets, sent - sent / 20, sent);
		assert_int_equal(side->unmarked, 0);
		assert_int_equal(side->back, 0);
	}
}
