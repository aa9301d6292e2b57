/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rig N: flows over a filtered veth, and the sums that must come out. */
#include "street.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const char *const flow_texts[FLOWS] = {
	[FLOW_P] = "p:src=198.18.0.10,dst=198.18.0.2,sport=1001",
	[FLOW_G] = "g:src=198.18.0.20,dst=198.18.0.2,sport=1002",
	[FLOW_B] = "b:src=198.18.0.30,dst=198.18.0.2,sport=1003",
	[FLOW_X] = "x:src=198.18.0.41,dst=198.18.0.2,sport=1004",
	[FLOW_Y] = "y:src=198.18.0.42,dst=198.18.0.2,sport=1005",
};

/* The lists keep their places in both, so that a hit counter has one meaning. */
#define POLICY(drop_x, drop_y, pass_x, pass_y)                                          \
	"version: 1\n"                                                                  \
	"mode: enforce\n"                                                               \
	"protect: {prefixes: [198.18.0.10/32]}\n"                                       \
	"lists:\n"                                                                      \
	"  - {name: good, action: allow, entries: [198.18.0.20]}\n"                     \
	"  - {name: bad, action: drop, entries: [198.18.0.30]}\n"                       \
	"  - {name: drop-x, action: drop, allow_empty: true, entries: [" drop_x "]}\n"  \
	"  - {name: drop-y, action: drop, allow_empty: true, entries: [" drop_y "]}\n"  \
	"  - {name: pass-x, action: allow, allow_empty: true, entries: [" pass_x "]}\n" \
	"  - {name: pass-y, action: allow, allow_empty: true, entries: [" pass_y "]}\n"

const char *street_policy(bool drop_x)
{
	return drop_x ? POLICY("198.18.0.41", "", "", "198.18.0.42")
		      : POLICY("", "198.18.0.42", "198.18.0.41", "");
}

/* With GRO on, the far end takes redirected frames even while no XDP program is there. */
static void gro_on(const char *dev)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq request = { .ifr_data = (void *)&value };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(request.ifr_name, dev);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
}

static void open_sender(struct street *street)
{
	struct traffic_spec specs[FLOWS];
	uint8_t mac[6];

	assert_int_equal(traffic_mac(STREET_DEV, mac), 0);
	for (uint32_t i = 0; i < FLOWS; i++) {
		traffic_spec_default(&specs[i]);
		assert_int_equal(traffic_spec_parse(flow_texts[i], &specs[i]), 0);
	}
	rig_enter(street->rig, street->client);
	assert_int_equal(traffic_sender_open(STREET_DEV, mac, specs, FLOWS, &street->sender), 0);
	rig_enter(street->rig, street->server);
}

void street_open(void **state, struct street *ret)
{
	auto_diag struct diag diag = { 0 };
	struct rig *rig = rig_of(state);

	*ret = (struct street){ .rig = rig, .at.program = -1 };
	ret->client = rig_namespace(rig);
	ret->server = rig_namespace(rig);
	rig_veth(rig, ret->client, ret->server, STREET_DEV);
	rig_command("ip -n %s addr flush dev %s scope global", rig->namespaces[ret->client],
		    STREET_DEV);
	rig_enter(rig, ret->client);
	rig_command("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
	rig_enter(rig, ret->server);
	rig_command("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
	gro_on(STREET_DEV);
	swap_rig_open(rig, NULL, &ret->at);
	assert_int_equal(attach_interface(ret->at.instance, STREET_DEV, ATTACH_NATIVE, &diag), 0);
	rig_show(&diag);
	assert_int_equal(traffic_counter_open(STREET_DEV, POINT_TC_SINK, false, &ret->behind), 0);
	rig_apply(rig, ret->at.instance, street_policy(true), 1);
	open_sender(ret);
}

static void *keep_sending(void *context)
{
	struct street *street = context;

	street->error = traffic_send(street->sender, &street->pace, &street->report);
	return NULL;
}

/* A thread begins in the namespace of the one that made it. */
void street_go(struct street *street, uint64_t rate)
{
	street->pace =
		(struct traffic_pace){ .rate = rate, .ns = 900 * SECOND_NS, .stop = &street->stop };
	rig_enter(street->rig, street->client);
	assert_int_equal(pthread_create(&street->thread, NULL, keep_sending, street), 0);
	rig_enter(street->rig, street->server);
}

void street_stop(struct street *street)
{
	if (!street->thread)
		return;
	street->stop = 1;
	pthread_join(street->thread, NULL);
	street->thread = 0;
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

void street_close(struct street *street)
{
	street_stop(street);
	traffic_sender_close(&street->sender);
	traffic_counter_close(&street->behind);
	swap_rig_close(&street->at);
}

uint64_t street_sent(const struct street *street, enum street_flow flow)
{
	return traffic_sent(street->sender, flow);
}

uint64_t street_through(const struct street *street, enum street_flow flow)
{
	struct traffic_arrival arrival;

	assert_int_equal(traffic_arrived(street->behind, flow, &arrival), 0);
	return arrival.packets;
}

uint64_t street_hits(const struct street *street, enum street_list list)
{
	static struct hit hits[HITS_PER_SLOT];
	uint64_t sum = 0;

	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(hits_read(street->at.instance, slot, hits), 0);
		sum += hits[list].packets;
	}
	return sum;
}

static void assert_turns(const struct street *street, enum street_flow flow,
			 enum street_list dropped, enum street_list passed)
{
	print_message("%s: %llu sent, %llu dropped, %llu let in, %llu came through\n",
		      flow == FLOW_X ? "x" : "y", (unsigned long long)street_sent(street, flow),
		      (unsigned long long)street_hits(street, dropped),
		      (unsigned long long)street_hits(street, passed),
		      (unsigned long long)street_through(street, flow));
	assert_int_equal(street_through(street, flow), street_hits(street, passed));
	assert_int_equal(street_hits(street, dropped) + street_hits(street, passed),
			 street_sent(street, flow));
	assert_true(street_hits(street, dropped) > 0 && street_hits(street, passed) > 0);
}

static void assert_no_gap(const struct street *street)
{
	struct traffic_arrival arrival;
	uint64_t pause = street->report.pause_ns;

	assert_int_equal(traffic_arrived(street->behind, FLOW_P, &arrival), 0);
	print_message("longest silence of p: %llu us, of the sender: %llu us\n",
		      (unsigned long long)arrival.gap_ns / 1000, (unsigned long long)pause / 1000);
	assert_true(arrival.gap_ns <= GAP_MAX_NS + pause);
}

void street_settled(const struct street *street)
{
	uint64_t sent = 0;

	assert_int_equal(street->error, 0);
	for (uint32_t i = 0; i < FLOWS; i++)
		sent += street_sent(street, i);
	assert_int_equal(street_through(street, FLOW_P), street_sent(street, FLOW_P));
	assert_int_equal(street_through(street, FLOW_G), street_sent(street, FLOW_G));
	assert_int_equal(street_hits(street, LIST_GOOD), street_sent(street, FLOW_G));
	assert_int_equal(street_through(street, FLOW_B), 0);
	assert_int_equal(street_hits(street, LIST_BAD), street_sent(street, FLOW_B));
	assert_turns(street, FLOW_X, LIST_DROP_X, LIST_PASS_X);
	assert_turns(street, FLOW_Y, LIST_DROP_Y, LIST_PASS_Y);
	assert_int_equal(rig_total(street->at.instance), sent);
	assert_no_gap(street);
}
