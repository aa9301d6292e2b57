/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic generator: what it says it sent is what arrives, flow by flow and number by number.
 * A generator that miscounts would make every row about lost and leaked packets worthless.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "rig.h"
#include "traffic.h"

#define DEV "tr0"
#define PORT 4711

static const uint8_t nobody[6] = { 2, 0, 0, 0, 0, 9 };

struct wire {
	struct rig *rig;
	unsigned int from, to;
	struct traffic_counter *counter;
};

static void wire_close(struct wire *wire)
{
	traffic_counter_close(&wire->counter);
}
#define auto_wire cleanup(wire_close)

/* Two namespaces, the far end counting. Leaves the test at the near end. */
static void wire_open(void **state, enum traffic_point point, struct wire *ret)
{
	struct rig *rig = rig_of(state);

	ret->rig = rig;
	ret->from = rig_namespace(rig);
	ret->to = rig_namespace(rig);
	rig_veth(rig, ret->from, ret->to, DEV);
	rig_enter(rig, ret->to);
	assert_int_equal(traffic_counter_open(DEV, point, true, &ret->counter), 0);
	rig_enter(rig, ret->from);
}

static void spec(const char *text, struct traffic_spec *ret)
{
	traffic_spec_default(ret);
	assert_int_equal(traffic_spec_parse(text, ret), 0);
}

static void send_count(const uint8_t mac[6], const struct traffic_spec *specs, uint32_t flows,
		       uint64_t count)
{
	const struct traffic_pace pace = { .count = count, .rate = 400000 };
	auto_sender struct traffic_sender *sender = NULL;
	struct traffic_report report;
	uint64_t sum = 0;

	assert_int_equal(traffic_sender_open(DEV, mac, specs, flows, &sender), 0);
	assert_int_equal(traffic_send(sender, &pace, &report), 0);
	for (uint32_t i = 0; i < flows; i++)
		sum += traffic_sent(sender, i);
	assert_int_equal(report.sent, count);
	assert_int_equal(sum, count);
	assert_true(report.left >= count); /* the kernel may have said something too */
	assert_int_equal(report.dropped, 0);
}

static void assert_arrived(const struct wire *wire, uint32_t flow, uint64_t count)
{
	struct traffic_arrival arrival;

	assert_int_equal(traffic_arrived(wire->counter, flow, &arrival), 0);
	assert_int_equal(arrival.packets, count);
	if (!count)
		return;
	assert_int_equal(arrival.lowest, 0);
	assert_int_equal(arrival.highest, count - 1);
}

static uint64_t seen_v4(const struct wire *wire, const char *text)
{
	uint8_t src[16] = { [10] = 0xff, [11] = 0xff };

	assert_int_equal(inet_pton(AF_INET, text, src + 12), 1);
	return traffic_seen(wire->counter, src);
}

static void every_frame_arrives_and_not_one_more(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_spec one;

	wire_open(state, POINT_XDP, &wire);
	spec("one", &one);
	send_count(nobody, &one, 1, 100003); /* no multiple of any batch */
	assert_arrived(&wire, 0, 100003);
	assert_arrived(&wire, 1, 0);
}

static void flows_are_mixed_by_their_shares(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_arrival arrival;
	struct traffic_spec specs[3];

	wire_open(state, POINT_XDP, &wire);
	spec("p:share=5,src=198.18.0.1,sport=1001", &specs[0]);
	spec("g:share=3,template=v6-syn,vlan=12", &specs[1]);
	spec("b:share=2,template=v4-ack,size=900,sports=100", &specs[2]);
	send_count(nobody, specs, 3, 10000);
	assert_arrived(&wire, 0, 5000);
	assert_arrived(&wire, 1, 3000);
	assert_arrived(&wire, 2, 2000);
	assert_int_equal(seen_v4(&wire, "198.18.0.1"), 5000);
	assert_int_equal(traffic_arrived(wire.counter, 1, &arrival), 0);
	assert_int_equal(arrival.bytes / arrival.packets, 18 + 40 + 24 + 16);
	assert_int_equal(traffic_arrived(wire.counter, 2, &arrival), 0);
	assert_int_equal(arrival.bytes / arrival.packets, 900);
}

static void numbers_go_on_from_one_run_to_the_next(void **state)
{
	const struct traffic_pace pace = { .count = 100 };
	auto_sender struct traffic_sender *sender = NULL;
	auto_wire struct wire wire = { 0 };
	struct traffic_report report;
	struct traffic_spec one;

	wire_open(state, POINT_XDP, &wire);
	spec("one", &one);
	assert_int_equal(traffic_sender_open(DEV, nobody, &one, 1, &sender), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(traffic_send(sender, &pace, &report), 0);
		assert_int_equal(report.sent, 100);
	}
	assert_arrived(&wire, 0, 300);
}

static void listed_sources_take_turns(void **state)
{
	static const char list[] =
		"# sources\n192.0.2.1\n192.0.2.77\r\n10.0.0.1\n\n10.0.0.2\n10.9.8.7";
	static const char *const each[] = { "192.0.2.1", "192.0.2.77", "10.0.0.1", "10.0.0.2",
					    "10.9.8.7" };
	auto_wire struct wire wire = { 0 };
	struct traffic_spec listed;
	char text[128], path[100];
	autofclose FILE *f = NULL;

	wire_open(state, POINT_XDP, &wire);
	snprintf(path, sizeof(path), "%s/sources", wire.rig->folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(list, f);
	fflush(f);
	snprintf(text, sizeof(text), "listed:src-list=%s", path);
	spec(text, &listed);
	send_count(nobody, &listed, 1, 1000);
	traffic_spec_free(&listed);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		assert_int_equal(seen_v4(&wire, each[i]), 200);
}

static void a_prefix_is_walked_in_rotation(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_spec walk;
	char text[32];

	wire_open(state, POINT_XDP, &wire);
	spec("walk:src=10.1.2.248/29", &walk);
	send_count(nobody, &walk, 1, 800);
	for (int i = 248; i < 256; i++) {
		snprintf(text, sizeof(text), "10.1.2.%d", i);
		assert_int_equal(seen_v4(&wire, text), 100);
	}
}

static void random_sources_stay_inside_their_prefix(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_spec dice;
	uint64_t sum = 0;
	char text[32];

	wire_open(state, POINT_XDP, &wire);
	spec("dice:src=random:10.1.2.16/28", &dice);
	send_count(nobody, &dice, 1, 3200);
	for (int i = 16; i < 32; i++) {
		snprintf(text, sizeof(text), "10.1.2.%d", i);
		assert_in_range(seen_v4(&wire, text), 100, 400);
		sum += seen_v4(&wire, text);
	}
	assert_int_equal(sum, 3200);
}

/* ---- what a real stack makes of the frames ---- */

static void scattered_sources_come_once_each_and_where_they_are_said_to(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_spec hosts;

	wire_open(state, POINT_XDP, &wire);
	spec("hosts:src=scatter:3000:10.16.0.0/12:31", &hosts);
	send_count(nobody, &hosts, 1, 6000);
	for (uint32_t n = 0; n < 3000; n++) {
		uint32_t address = 0x0a100000 + (traffic_scatter(n, 19) << 1);
		uint8_t src[16] = { [10] = 0xff, [11] = 0xff };

		for (uint32_t low = 0; low < 2; low++) {
			uint32_t wire_order = htonl(address + low);

			memcpy(src + 12, &wire_order, 4);
			/* the bit below takes turns with the packets: of n and n + 3000 it is n's */
			assert_int_equal(traffic_seen(wire.counter, src), low == n % 2 ? 2 : 0);
		}
	}
}

static void scattering_is_a_bijection(void **state)
{
	static uint8_t hit[1 << 20];

	(void)state;
	for (uint32_t bits = 1; bits <= 20; bits++) {
		memset(hit, 0, sizeof(hit));
		for (uint32_t n = 0; n < 1u << bits; n++) {
			assert_true(traffic_scatter(n, bits) < 1u << bits);
			assert_int_equal(hit[traffic_scatter(n, bits)]++, 0);
		}
	}
}

static void far_mac(const struct wire *wire, uint8_t ret[6])
{
	rig_enter(wire->rig, wire->to);
	assert_int_equal(traffic_mac(DEV, ret), 0);
	rig_enter(wire->rig, wire->from);
}

/* A number of the far end's `Tcp:` line in /proc/net/snmp. */
static uint64_t tcp_statistic(const struct wire *wire, const char *name)
{
	char names[1024] = "", values[1024] = "", *rest_names = names, *rest_values = values;
	const char *label, *value = "0";
	autofclose FILE *f = NULL;

	rig_enter(wire->rig, wire->to);
	f = fopen("/proc/thread-self/net/snmp", "r");
	assert_non_null(f);
	while (strncmp(names, "Tcp:", 4))
		assert_non_null(fgets(names, sizeof(names), f));
	assert_non_null(fgets(values, sizeof(values), f));
	rig_enter(wire->rig, wire->from);
	while ((label = strsep(&rest_names, " \n")) && (value = strsep(&rest_values, " \n")))
		if (!strcmp(label, name))
			return strtoull(value, NULL, 10);
	fail_msg("there is no Tcp %s", name);
	return 0;
}

static void checksums_of_tcp_satisfy_the_kernel(void **state)
{
	auto_wire struct wire wire = { 0 };
	struct traffic_spec specs[4];
	uint64_t segments;
	uint8_t mac[6];

	wire_open(state, POINT_XDP_PASS, &wire);
	far_mac(&wire, mac);
	spec("syn:template=v4-syn,src=198.18.0.1,dst=198.18.0.2,sports=7", &specs[0]);
	spec("ack:template=v4-ack,src=198.18.0.1,dst=198.18.0.2,size=301", &specs[1]);
	spec("syn6:template=v6-syn,src=2001:db8:18::1,dst=2001:db8:18::2", &specs[2]);
	spec("ack6:template=v6-ack,src=2001:db8:18::1,dst=2001:db8:18::2", &specs[3]);
	segments = tcp_statistic(&wire, "InSegs");
	send_count(mac, specs, 4, 4000);
	assert_int_equal(tcp_statistic(&wire, "InSegs") - segments, 4000);
	assert_int_equal(tcp_statistic(&wire, "InCsumErrors"), 0);
}

static void a_socket_receives_every_datagram(void **state)
{
	auto_receiver struct traffic_receiver *receiver = NULL;
	auto_wire struct wire wire = { 0 };
	struct traffic_spec specs[2];
	struct traffic_tally tally;
	uint8_t mac[6];

	wire_open(state, POINT_XDP_PASS, &wire);
	far_mac(&wire, mac);
	spec("v4:src=198.18.0.1,dst=198.18.0.2,dport=4711,size=301", &specs[0]);
	spec("v6:template=v6-udp,src=2001:db8:18::1,dst=2001:db8:18::2,dport=4711", &specs[1]);
	rig_enter(wire.rig, wire.to);
	assert_int_equal(traffic_receiver_open(PORT, &receiver), 0);
	rig_enter(wire.rig, wire.from);
	send_count(mac, specs, 2, 2000);
	assert_int_equal(traffic_receive(receiver, SECOND_NS / 3, NULL), 0);
	assert_int_equal(traffic_overflows(receiver), 0);
	for (uint32_t i = 0; i < 2; i++) {
		traffic_tally(receiver, i, &tally);
		assert_int_equal(tally.received, 1000);
		assert_int_equal(tally.lost + tally.duplicate + tally.late, 0);
		assert_true(tally.gap_ns > 0 && tally.gap_ns < 1000000000);
	}
}

static void say_numbers(const uint64_t *numbers, uint32_t count)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (uint32_t i = 0; i < count; i++) {
		struct traffic_tag tag = { TRAFFIC_MAGIC, 3, numbers[i] };

		assert_int_equal(
			sendto(fd, &tag, sizeof(tag), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(tag));
	}
}

static void a_receiver_tells_lost_from_late_and_double(void **state)
{
	static const uint64_t numbers[] = { 10, 11, 13, 13, 12, 100000, 11, 99998 };
	auto_receiver struct traffic_receiver *receiver = NULL;
	struct rig *rig = rig_of(state);
	struct traffic_tally tally;

	rig_enter(rig, rig_namespace(rig));
	assert_int_equal(traffic_receiver_open(PORT, &receiver), 0);
	say_numbers(numbers, ARRAY_SIZE(numbers));
	assert_int_equal(traffic_receive(receiver, SECOND_NS / 10, NULL), 0);
	traffic_tally(receiver, 3, &tally);
	assert_int_equal(tally.received, 6);
	assert_int_equal(tally.duplicate, 2);
	assert_int_equal(tally.late, 2);
	assert_int_equal(tally.lowest, 10);
	assert_int_equal(tally.highest, 100000);
	assert_int_equal(tally.lost, 100000 - 10 + 1 - 6);
	traffic_tally(receiver, 2, &tally);
	assert_int_equal(tally.received + tally.lost, 0);
}

static void a_rate_is_kept_and_an_end_too(void **state)
{
	const struct traffic_pace pace = { .rate = 20000, .ns = SECOND_NS / 2 };
	auto_sender struct traffic_sender *sender = NULL;
	auto_wire struct wire wire = { 0 };
	struct traffic_report report;
	struct traffic_spec one;

	wire_open(state, POINT_XDP, &wire);
	spec("one", &one);
	assert_int_equal(traffic_sender_open(DEV, nobody, &one, 1, &sender), 0);
	assert_int_equal(traffic_send(sender, &pace, &report), 0);
	assert_in_range(report.ns, SECOND_NS / 2, 5 * SECOND_NS);
	assert_true(report.sent <= report.ns / (SECOND_NS / 20000) + 1);
	assert_true(report.sent > 5000);
	assert_arrived(&wire, 0, report.sent);
}

static void a_link_that_takes_no_frames_is_an_error(void **state)
{
	const struct traffic_pace pace = { .count = 1000 };
	auto_sender struct traffic_sender *sender = NULL;
	struct traffic_report report = { .sent = 4711 };
	auto_wire struct wire wire = { 0 };
	struct traffic_spec one;

	wire_open(state, POINT_TC, &wire); /* neither XDP nor GRO at the far end */
	spec("one", &one);
	assert_int_equal(traffic_sender_open(DEV, nobody, &one, 1, &sender), 0);
	assert_int_equal(traffic_send(sender, &pace, &report), -ENETUNREACH);
	assert_int_equal(report.sent, 4711);
}

static void nonsense_is_not_a_flow(void **state)
{
	static const char *const bad[] = { ":share=1",
					   "a:share=0",
					   "a:vlan=4095",
					   "a:src=10.0.0.1/8",
					   "a:src=1.2.3",
					   "a:size=99999",
					   "a:template=v5",
					   "a:dst=10.0.0.0/8",
					   "a:sports=0",
					   "a:sport=-1",
					   "a:src=randomly",
					   "a:share",
					   "a:src=scatter:9",
					   "a:src=scatter:17:10.0.0.0/28:32",
					   "a:src=scatter:1:10.0.0.0/8:8" };
	struct traffic_spec one;
	struct traffic_flow flow;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		traffic_spec_default(&one);
		if (traffic_spec_parse(bad[i], &one) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	}
	traffic_spec_default(&one);
	assert_int_equal(traffic_spec_parse("a:colour=red", &one), -ENOENT);
	spec("a:template=v6-udp,src=10.0.0.1", &one);
	assert_int_equal(traffic_flow_build(&one, 0, nobody, &flow), -EINVAL);
	spec("a:template=v4-udp,dst=2001:db8::1", &one);
	assert_int_equal(traffic_flow_build(&one, 0, nobody, &flow), -EINVAL);
}

#define on_rig(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_rig(every_frame_arrives_and_not_one_more),
		on_rig(flows_are_mixed_by_their_shares),
		on_rig(numbers_go_on_from_one_run_to_the_next),
		on_rig(listed_sources_take_turns),
		on_rig(a_prefix_is_walked_in_rotation),
		on_rig(random_sources_stay_inside_their_prefix),
		on_rig(scattered_sources_come_once_each_and_where_they_are_said_to),
		cmocka_unit_test(scattering_is_a_bijection),
		on_rig(checksums_of_tcp_satisfy_the_kernel),
		on_rig(a_socket_receives_every_datagram),
		on_rig(a_receiver_tells_lost_from_late_and_double),
		on_rig(a_rate_is_kept_and_an_end_too),
		on_rig(a_link_that_takes_no_frames_is_an_error),
		cmocka_unit_test(nonsense_is_not_a_flow),
	};

	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
