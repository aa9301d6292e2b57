/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending: live-frame test runs of `emit`, in bursts that keep a pace. What was sent is what the
 * program counted; the interface's own counters say what became of it.
 */
#include "traffic.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <bpf/bpf.h>

#include "traffic.skel.h"

#define BURST_MAX 8192u /* packets per test run: stopping must not take long */
#define BURST_PROBE 64u
#define PAUSE_NS 1000000
#define PROBE_TRIES 200u

struct traffic_sender {
	struct traffic_bpf *bpf;
	char dev[IF_NAMESIZE];
	uint32_t frame; /* bytes of the longest */
	uint32_t parked; /* index of an interface that has the program, too; 0: none */
};

struct link_count {
	uint32_t left, dropped; /* 32 bits are what getifaddrs() has; differences are right */
};

static int read_link(const char *dev, struct link_count *ret)
{
	struct ifaddrs *all, *a;
	int r = -ENODEV;

	if (getifaddrs(&all))
		return -errno;
	for (a = all; a; a = a->ifa_next) {
		const struct rtnl_link_stats *stats = a->ifa_data;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET || strcmp(a->ifa_name, dev))
			continue;
		*ret = (struct link_count){ stats->tx_packets, stats->tx_dropped };
		r = 0;
	}
	freeifaddrs(all);
	return r;
}

int traffic_mac(const char *dev, uint8_t ret[6])
{
	struct ifreq request = { 0 };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(dev) >= sizeof(request.ifr_name))
		return -EINVAL;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", dev);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -errno;
	memcpy(ret, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

/* Spreads the flows over the schedule as their shares say, each as evenly as it goes. */
static uint32_t fill_schedule(uint8_t *schedule, const struct traffic_spec *specs, uint32_t count)
{
	uint32_t total = 0, credit[TRAFFIC_FLOWS] = { 0 };

	for (uint32_t i = 0; i < count; i++)
		total += specs[i].share;
	if (total > TRAFFIC_SCHEDULE)
		return 0;
	for (uint32_t at = 0; at < total; at++) {
		uint32_t best = 0;

		for (uint32_t i = 0; i < count; i++) {
			credit[i] += specs[i].share;
			if ((int32_t)credit[i] > (int32_t)credit[best])
				best = i;
		}
		credit[best] -= total;
		schedule[at] = best;
	}
	return total;
}

static int copy_sources(struct traffic_bpf *bpf, const struct traffic_spec *specs, uint32_t count)
{
	int fd = bpf_map__fd(bpf->maps.sources);
	uint32_t index = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (specs[i].source != SOURCE_LISTED)
			continue;
		bpf->bss->flows[i].first = index;
		for (uint32_t k = 0; k < specs[i].list.count; k++, index++)
			if (bpf_map_update_elem(fd, &index, specs[i].list.items[k], BPF_ANY))
				return -errno;
	}
	return 0;
}

static int load(struct traffic_sender *sender, const struct traffic_spec *specs, uint32_t count)
{
	struct traffic_bpf *bpf = sender->bpf;
	uint32_t listed = 0;
	int r;

	for (uint32_t i = 0; i < count; i++)
		listed += specs[i].list.count;
	if (listed > TRAFFIC_SOURCES)
		return -E2BIG;
	bpf->rodata->out_ifindex = if_nametoindex(sender->dev);
	if (!bpf->rodata->out_ifindex)
		return -ENODEV;
	bpf->rodata->schedule_len = fill_schedule(bpf->bss->schedule, specs, count);
	if (!bpf->rodata->schedule_len)
		return -EINVAL;
	bpf_program__set_autoload(bpf->progs.arrive_tc, false);
	bpf_program__set_autoload(bpf->progs.arrive_xdp, false);
	if (listed)
		bpf_map__set_max_entries(bpf->maps.sources, listed);
	r = traffic_bpf__load(bpf);
	return r ? r : copy_sources(bpf, specs, count);
}

static int build_flows(struct traffic_sender *sender, const uint8_t dst_mac[6],
		       const struct traffic_spec *specs, uint32_t count)
{
	struct traffic_flow *flows = sender->bpf->bss->flows;

	sender->frame = TRAFFIC_HEAD;
	for (uint32_t i = 0; i < count; i++) {
		int r = traffic_flow_build(&specs[i], i, dst_mac, &flows[i]);

		if (r)
			return r;
		if (flows[i].len > sender->frame)
			sender->frame = flows[i].len;
	}
	return 0;
}

int traffic_sender_open(const char *dev, const uint8_t dst_mac[6], const struct traffic_spec *specs,
			uint32_t count, struct traffic_sender **ret)
{
	auto_sender struct traffic_sender *sender = calloc(1, sizeof(*sender));
	int r;

	if (!sender)
		return -ENOMEM;
	if (!count || count > TRAFFIC_FLOWS || strlen(dev) >= sizeof(sender->dev))
		return -EINVAL;
	snprintf(sender->dev, sizeof(sender->dev), "%s", dev);
	sender->bpf = traffic_bpf__open();
	if (!sender->bpf)
		return -errno;
	r = build_flows(sender, dst_mac, specs, count);
	if (!r)
		r = load(sender, specs, count);
	if (r)
		return r;
	*ret = TAKE_PTR(sender);
	return 0;
}

void traffic_sender_close(struct traffic_sender **sender)
{
	if (*sender && (*sender)->parked)
		bpf_xdp_detach((int)(*sender)->parked, XDP_FLAGS_SKB_MODE, NULL);
	if (*sender)
		traffic_bpf__destroy((*sender)->bpf);
	free(*sender);
	*sender = NULL;
}

int traffic_sender_park(struct traffic_sender *sender, const char *idle)
{
	uint32_t ifindex = if_nametoindex(idle);
	int r;

	if (!ifindex)
		return -errno;
	r = bpf_xdp_attach((int)ifindex, bpf_program__fd(sender->bpf->progs.emit),
			   XDP_FLAGS_SKB_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	if (!r)
		sender->parked = ifindex;
	return r;
}

uint64_t traffic_sent(const struct traffic_sender *sender, uint32_t flow)
{
	if (flow >= TRAFFIC_FLOWS)
		return 0;
	return __atomic_load_n(&sender->bpf->bss->flows[flow].sent, __ATOMIC_RELAXED);
}

static uint64_t sent_in_all(const struct traffic_sender *sender)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < TRAFFIC_FLOWS; i++)
		sum += traffic_sent(sender, i);
	return sum;
}

/* One test run of @count packets. A signal may end it early: what counts is the program's count. */
static int burst(struct traffic_sender *sender, uint32_t count)
{
	static const uint8_t zeroes[TRAFFIC_SIZE_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = zeroes, .data_size_in = sender->frame,
		    .repeat = count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int r;

	r = bpf_prog_test_run_opts(bpf_program__fd(sender->bpf->progs.emit), &opts);
	return r && errno != EINTR ? -errno : 0;
}

/* How many packets are due; 0: wait a little. */
static uint32_t due(const struct traffic_pace *pace, uint64_t elapsed, uint64_t sent)
{
	uint32_t limit = pace->burst ? pace->burst : BURST_MAX;
	uint64_t most = limit;

	if (pace->rate) {
		uint64_t target = (unsigned __int128)elapsed * pace->rate / SECOND_NS + 1;

		most = target > sent ? target - sent : 0;
	}
	if (pace->count && most > pace->count - sent)
		most = pace->count - sent;
	return most > limit ? limit : most;
}

static bool over(const struct traffic_pace *pace, uint64_t elapsed, uint64_t sent)
{
	return (pace->ns && elapsed >= pace->ns) || (pace->count && sent >= pace->count) ||
	       (pace->stop && *pace->stop);
}

/* A burst that is late says how late. */
static int timed_burst(struct traffic_sender *sender, uint32_t count, uint64_t *last,
		       struct traffic_report *ret)
{
	int r = burst(sender, count);
	uint64_t end = traffic_now();

	if (*last && end - *last > ret->pause_ns)
		ret->pause_ns = end - *last;
	*last = end;
	return r;
}

/* What left a veth is what its peer took in, which a thread of its own may do a moment later. */
static int await_probe(const struct traffic_sender *sender, const struct link_count *before,
		       uint64_t sent)
{
	for (uint32_t try = 0; try < PROBE_TRIES; try++) {
		struct link_count after;
		int r = read_link(sender->dev, &after);

		if (r)
			return r;
		if (after.left - before->left >= (sent + 1) / 2)
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	}
	return -ENETUNREACH; /* what left was not ours */
}

/* The loop of bursts. Behind on its rate it catches up: the number stays what was asked for. */
static int keep_pace(struct traffic_sender *sender, const struct traffic_pace *pace,
		     const struct link_count *before, struct traffic_report *ret)
{
	uint64_t start_sent = sent_in_all(sender);
	const struct timespec rest = { .tv_nsec = pace->rest_ns ? pace->rest_ns : PAUSE_NS };
	uint64_t start = traffic_now(), last = 0;
	bool probed = false;
	int r = 0;

	while (!r && !over(pace, ret->ns, ret->sent)) {
		uint32_t count = due(pace, ret->ns, ret->sent);

		if (!probed && count > BURST_PROBE)
			count = BURST_PROBE;
		if (count)
			r = timed_burst(sender, count, &last, ret);
		else
			nanosleep(&rest, NULL);
		ret->sent = sent_in_all(sender) - start_sent;
		ret->ns = traffic_now() - start;
		if (r || probed || !ret->sent)
			continue;
		probed = true;
		r = await_probe(sender, before, ret->sent);
	}
	return r;
}

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

int traffic_send(struct traffic_sender *sender, const struct traffic_pace *pace,
		 struct traffic_report *ret)
{
	struct traffic_report report = { 0 };
	struct link_count before, after;
	int r;

	if (!pace->count && !pace->ns && !pace->stop)
		return -EINVAL;
	r = read_link(sender->dev, &before);
	report.cpu_ns = thread_ns();
	if (!r)
		r = keep_pace(sender, pace, &before, &report);
	report.cpu_ns = thread_ns() - report.cpu_ns;
	if (!r)
		r = read_link(sender->dev, &after);
	if (r)
		return r;
	report.left = after.left - before.left;
	report.dropped = after.dropped - before.dropped;
	*ret = report;
	return 0;
}
