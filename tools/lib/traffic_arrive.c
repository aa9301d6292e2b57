/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting in the kernel, by flow and number, at an interface's XDP or tc ingress. */
#include "traffic.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "traffic.skel.h"

struct traffic_counter {
	struct traffic_bpf *bpf;
	enum traffic_point point;
	unsigned int ifindex;
	int cpus;
	bool attached;
	struct bpf_tc_opts filter;
};

static int attach_tc(struct traffic_counter *counter)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)counter->ifindex,
		    .attach_point = BPF_TC_INGRESS);
	int r = bpf_tc_hook_create(&hook);

	if (r && r != -EEXIST)
		return r;
	counter->filter = (struct bpf_tc_opts){ .sz = sizeof(counter->filter) };
	counter->filter.prog_fd = bpf_program__fd(counter->bpf->progs.arrive_tc);
	r = bpf_tc_attach(&hook, &counter->filter);
	counter->filter.prog_fd = 0;
	counter->filter.prog_id = 0;
	counter->filter.flags = 0;
	return r;
}

static int attach(struct traffic_counter *counter)
{
	int fd = bpf_program__fd(counter->bpf->progs.arrive_xdp), r;

	if (counter->point <= POINT_XDP_PASS)
		r = bpf_xdp_attach((int)counter->ifindex, fd,
				   XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_DRV_MODE, NULL);
	else
		r = attach_tc(counter);
	counter->attached = !r;
	return r;
}

static void detach(struct traffic_counter *counter)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)counter->ifindex,
		    .attach_point = BPF_TC_INGRESS);

	if (!counter->attached)
		return;
	if (counter->point <= POINT_XDP_PASS)
		bpf_xdp_detach((int)counter->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	else
		bpf_tc_detach(&hook, &counter->filter);
}

int traffic_counter_open(const char *dev, enum traffic_point point, bool sources,
			 struct traffic_counter **ret)
{
	auto_counter struct traffic_counter *counter = calloc(1, sizeof(*counter));
	int r;

	if (!counter)
		return -ENOMEM;
	counter->point = point;
	counter->ifindex = if_nametoindex(dev);
	counter->cpus = libbpf_num_possible_cpus();
	if (!counter->ifindex)
		return -ENODEV;
	if (counter->cpus < 0)
		return counter->cpus;
	counter->bpf = traffic_bpf__open();
	if (!counter->bpf)
		return -errno;
	if (point == POINT_TC || point == POINT_XDP_PASS)
		counter->bpf->rodata->sink_action = XDP_PASS;
	counter->bpf->rodata->count_sources = sources;
	bpf_program__set_autoload(counter->bpf->progs.emit, false);
	r = traffic_bpf__load(counter->bpf);
	if (!r)
		r = attach(counter);
	if (r)
		return r;
	*ret = TAKE_PTR(counter);
	return 0;
}

void traffic_counter_close(struct traffic_counter **counter)
{
	if (!*counter)
		return;
	detach(*counter);
	traffic_bpf__destroy((*counter)->bpf);
	free(*counter);
	*counter = NULL;
}

static void add_cpu(const struct traffic_arrival *one, struct traffic_arrival *sum)
{
	if (!one->packets)
		return;
	if (!sum->packets || one->lowest < sum->lowest)
		sum->lowest = one->lowest;
	if (one->highest > sum->highest)
		sum->highest = one->highest;
	if (one->gap_ns > sum->gap_ns)
		sum->gap_ns = one->gap_ns;
	sum->packets += one->packets;
	sum->bytes += one->bytes;
	sum->late += one->late;
	sum->marked += one->marked;
}

int traffic_arrived(const struct traffic_counter *counter, uint32_t flow,
		    struct traffic_arrival *ret)
{
	autofree struct traffic_arrival *each = calloc(counter->cpus, sizeof(*each));
	struct traffic_arrival sum = { 0 };

	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(counter->bpf->maps.arrivals), &flow, each))
		return -errno;
	for (int i = 0; i < counter->cpus; i++)
		add_cpu(&each[i], &sum);
	*ret = sum;
	return 0;
}

uint64_t traffic_strangers(const struct traffic_counter *counter)
{
	return __atomic_load_n(&counter->bpf->bss->strangers, __ATOMIC_RELAXED);
}

uint64_t traffic_seen(const struct traffic_counter *counter, const uint8_t src[16])
{
	uint64_t count = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(counter->bpf->maps.seen), src, &count))
		return 0;
	return count;
}
