/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic: flows of numbered packets by live frames, and counting them where they arrive.
 * `traffic help` says how. A tool of this project's tests; it knows nothing about policies.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "traffic.h"

enum { EXIT_USAGE = 2 };

static volatile sig_atomic_t stop;

static const char usage[] =
	"traffic send --dev IFACE --dst-mac MAC [--count N] [--rate PPS] [--seconds S] [-j]\n"
	"             [--burst N] [--rest US] [--park IDLE_IFACE]\n"
	"             [SETTING...] [--flow NAME:key=value,...]...\n"
	"    Settings, as options for every flow behind them or as keys of one flow:\n"
	"      template  v4-udp v4-syn v4-ack v6-udp v6-syn v6-ack\n"
	"      src       ADDRESS, CIDR (in rotation), random, random:CIDR, or\n"
	"                scatter:COUNT:CIDR:LENGTH: COUNT prefixes inside CIDR that look random\n"
	"      src-list  FILE with an address per line, in rotation\n"
	"      dst, sport, sports (that many in rotation), dport, vlan, size, share\n"
	"    The peer of a veth must have an XDP program or GRO on.\n"
	"traffic count --dev IFACE [--pass|--tc] --seconds S [-j]\n"
	"    Count in the kernel: as the interface's XDP program, where packets end or with --pass\n"
	"    go on, or behind it in tc.\n"
	"traffic receive --port P --seconds S [-j]\n"
	"    Count at a UDP socket: received, lost, duplicate, longest gap.\n"
	"SIGINT ends a run early; what was counted is printed. `ready` on stderr says that counting\n"
	"has begun.\n";

struct arguments {
	const char *dev, *park;
	uint8_t mac[6];
	bool has_mac, json;
	enum traffic_point point;
	uint16_t port;
	struct traffic_pace pace;
	struct traffic_spec common, flows[TRAFFIC_FLOWS];
	uint32_t flow_count;
};

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/* Six pairs of hexadecimal digits with colons between them. */
static int parse_mac(const char *text, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		unsigned long byte;
		char *end;

		byte = strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = byte & 0xff;
		text = end + 1;
	}
	return 0;
}

static int parse_u64(const char *text, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-')
		return -EINVAL;
	*ret = value;
	return 0;
}

/* Seconds with up to nine decimals, as nanoseconds. */
static int parse_seconds(const char *text, uint64_t *ret)
{
	uint64_t unit = SECOND_NS, whole;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	whole = strtoull(text, &end, 10);
	if (errno || whole > 1000000)
		return -EINVAL;
	whole *= SECOND_NS;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
			unit /= 10;
			whole += (uint64_t)(*end - '0') * unit;
		}
	if (*end || !whole)
		return -EINVAL;
	*ret = whole;
	return 0;
}

static int add_flow(struct arguments *a, const char *text)
{
	struct traffic_spec *spec = &a->flows[a->flow_count];
	int r;

	if (a->flow_count == TRAFFIC_FLOWS)
		return -E2BIG;
	*spec = a->common;
	spec->list = (struct traffic_list){ 0 };
	r = traffic_spec_parse(text, spec);
	if (!r && spec->source == SOURCE_LISTED && !spec->list.items)
		r = -EINVAL; /* a list belongs to one flow */
	if (r)
		return r;
	a->flow_count++;
	return 0;
}

static int set_port(struct arguments *a, const char *value)
{
	uint64_t port;

	if (parse_u64(value, &port) || !port || port > 65535)
		return -EINVAL;
	a->port = port;
	return 0;
}

static int set_burst(struct arguments *a, const char *value)
{
	uint64_t burst;

	if (parse_u64(value, &burst) || !burst || burst > 1000000)
		return -EINVAL;
	a->pace.burst = burst;
	return 0;
}

static int set_rest(struct arguments *a, const char *value)
{
	uint64_t us;

	if (parse_u64(value, &us) || !us || us >= 1000000)
		return -EINVAL;
	a->pace.rest_ns = us * 1000;
	return 0;
}

static int set_option(struct arguments *a, int option, const char *name, const char *value)
{
	switch (option) {
	case 'd':
		a->dev = value;
		return 0;
	case 'm':
		a->has_mac = true;
		return parse_mac(value, a->mac);
	case 'c':
		return parse_u64(value, &a->pace.count);
	case 'r':
		return parse_u64(value, &a->pace.rate);
	case 'b':
		return set_burst(a, value);
	case 'R':
		return set_rest(a, value);
	case 'k':
		a->park = value;
		return 0;
	case 's':
		return parse_seconds(value, &a->pace.ns);
	case 'f':
		return add_flow(a, value);
	case 'p':
		return set_port(a, value);
	case 't':
		a->point = POINT_TC;
		return 0;
	case 'a':
		a->point = POINT_XDP_PASS;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case '=':
		return traffic_spec_set(&a->common, name, value);
	default:
		return -ENOTTY;
	}
}

static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "dev", 1, NULL, 'd' },     { "dst-mac", 1, NULL, 'm' },
		{ "count", 1, NULL, 'c' },   { "rate", 1, NULL, 'r' },
		{ "seconds", 1, NULL, 's' }, { "flow", 1, NULL, 'f' },
		{ "burst", 1, NULL, 'b' },   { "park", 1, NULL, 'k' },
		{ "rest", 1, NULL, 'R' },    { "port", 1, NULL, 'p' },
		{ "tc", 0, NULL, 't' },	     { "pass", 0, NULL, 'a' },
		{ "json", 0, NULL, 'j' },    { "template", 1, NULL, '=' },
		{ "src", 1, NULL, '=' },     { "src-list", 1, NULL, '=' },
		{ "dst", 1, NULL, '=' },     { "sport", 1, NULL, '=' },
		{ "sports", 1, NULL, '=' },  { "dport", 1, NULL, '=' },
		{ "vlan", 1, NULL, '=' },    { "size", 1, NULL, '=' },
		{ NULL, 0, NULL, 0 },
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "j", options, &index)) != -1) {
		int r = set_option(a, option, option == '=' ? options[index].name : NULL, optarg);

		if (r && r != -ENOTTY)
			fprintf(stderr, "traffic: --%s %s: %s\n", options[index].name, optarg,
				strerror(-r));
		if (r)
			return r;
	}
	if (optind != argc) {
		fprintf(stderr, "traffic: what is `%s`?\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static json_t *u64(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return json_string(text);
}

static void put(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, u64(value));
}

/* The document as it is, or "name value" pairs and a line per flow. Steals @document. */
static int say(const struct arguments *a, json_t *document)
{
	json_t *flows = json_object_get(document, "flows"), *flow, *value;
	const char *name;
	size_t i;

	if (a->json) {
		json_dumpf(document, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(document);
		return 0;
	}
	json_object_foreach(document, name,
			    value) if (json_is_string(value) && strcmp(name, "schema"))
		printf("%s %s\n", name, json_string_value(value));
	json_array_foreach(flows, i, flow)
	{
		json_object_foreach(flow, name, value)
			printf("%s%s %s", strcmp(name, "flow") ? ", " : "", name,
			       json_string_value(value));
		putchar('\n');
	}
	json_decref(document);
	return 0;
}

static json_t *seconds_text(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(ns / SECOND_NS),
		 (unsigned long long)(ns % SECOND_NS / 1000));
	return json_string(text);
}

static int fail(const char *what, int error)
{
	const char *why = strerror(-error);

	if (error == -ENETUNREACH)
		why = "no frame left it; the peer of a veth needs an XDP program or GRO on";
	fprintf(stderr, "traffic: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

static int run_send(struct arguments *a)
{
	auto_sender struct traffic_sender *sender = NULL;
	struct traffic_report report;
	json_t *document, *flows;
	int r;

	if (!a->flow_count) {
		a->flows[a->flow_count++] = a->common;
		a->common.list.items = NULL;
	}
	r = traffic_sender_open(a->dev, a->mac, a->flows, a->flow_count, &sender);
	if (!r && a->park)
		r = traffic_sender_park(sender, a->park);
	if (!r)
		r = traffic_send(sender, &a->pace, &report);
	if (r)
		return fail(a->dev, r);
	flows = json_array();
	for (uint32_t i = 0; i < a->flow_count; i++) {
		json_t *flow = json_object();

		put(flow, "flow", i);
		json_object_set_new(flow, "name", json_string(a->flows[i].name));
		put(flow, "sent", traffic_sent(sender, i));
		json_array_append_new(flows, flow);
	}
	document = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
			     "stanch.traffic-send/1", "sent", u64(report.sent), "seconds",
			     seconds_text(report.ns), "left", u64(report.left), "dropped",
			     u64(report.dropped), "pause_us", u64(report.pause_ns / 1000), "cpu_us",
			     u64(report.cpu_ns / 1000), "flows", flows);
	return say(a, document);
}

static json_t *arrival_json(uint32_t i, const struct traffic_arrival *arrival)
{
	uint64_t range = arrival->packets ? arrival->highest - arrival->lowest + 1 : 0;
	json_t *flow = json_object();

	put(flow, "flow", i);
	put(flow, "packets", arrival->packets);
	put(flow, "bytes", arrival->bytes);
	put(flow, "missing", range > arrival->packets ? range - arrival->packets : 0);
	put(flow, "late", arrival->late);
	put(flow, "gap_us", arrival->gap_ns / 1000);
	put(flow, "marked", arrival->marked);
	return flow;
}

static int run_count(struct arguments *a)
{
	auto_counter struct traffic_counter *counter = NULL;
	struct timespec rest = { .tv_sec = (time_t)(a->pace.ns / SECOND_NS),
				 .tv_nsec = (long)(a->pace.ns % SECOND_NS) };
	json_t *flows, *document;
	int r = traffic_counter_open(a->dev, a->point, false, &counter);

	if (r)
		return fail(a->dev, r);
	fprintf(stderr, "ready\n");
	while (!stop && nanosleep(&rest, &rest) && errno == EINTR)
		;
	flows = json_array();
	for (uint32_t i = 0; i < TRAFFIC_FLOWS; i++) {
		struct traffic_arrival arrival;

		r = traffic_arrived(counter, i, &arrival);
		if (r)
			return fail(a->dev, r);
		if (arrival.packets)
			json_array_append_new(flows, arrival_json(i, &arrival));
	}
	document = json_pack("{s:s, s:o, s:o}", "schema", "stanch.traffic-count/1", "strangers",
			     u64(traffic_strangers(counter)), "flows", flows);
	return say(a, document);
}

static json_t *tally_json(uint32_t i, const struct traffic_tally *tally)
{
	json_t *flow = json_object();

	put(flow, "flow", i);
	put(flow, "received", tally->received);
	put(flow, "lost", tally->lost);
	put(flow, "duplicate", tally->duplicate);
	put(flow, "late", tally->late);
	put(flow, "gap_us", tally->gap_ns / 1000);
	return flow;
}

static int run_receive(struct arguments *a)
{
	auto_receiver struct traffic_receiver *receiver = NULL;
	json_t *flows, *document;
	int r = traffic_receiver_open(a->port, &receiver);

	if (r)
		return fail("receive", r);
	fprintf(stderr, "ready\n");
	r = traffic_receive(receiver, a->pace.ns, &stop);
	if (r)
		return fail("receive", r);
	flows = json_array();
	for (uint32_t i = 0; i < TRAFFIC_FLOWS; i++) {
		struct traffic_tally tally;

		traffic_tally(receiver, i, &tally);
		if (tally.received)
			json_array_append_new(flows, tally_json(i, &tally));
	}
	document = json_pack("{s:s, s:o, s:o}", "schema", "stanch.traffic-receive/1", "overflows",
			     u64(traffic_overflows(receiver)), "flows", flows);
	return say(a, document);
}

static bool can_send(const struct arguments *a)
{
	return a->dev && a->has_mac && (a->pace.count || a->pace.ns);
}

static int run(const char *verb, struct arguments *a)
{
	if (!strcmp(verb, "send") && can_send(a))
		return run_send(a);
	if (!strcmp(verb, "count") && a->dev && a->pace.ns)
		return run_count(a);
	if (!strcmp(verb, "receive") && a->port && a->pace.ns)
		return run_receive(a);
	fputs(usage, stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	static struct arguments a;
	int code = EXIT_USAGE;

	if (argc == 2 && (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help"))) {
		fputs(usage, stdout);
		return 0;
	}
	traffic_spec_default(&a.common);
	a.pace.stop = &stop;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc >= 2 && !parse_arguments(argc - 1, argv + 1, &a))
		code = run(argv[1], &a);
	else if (argc < 2)
		fputs(usage, stderr);
	for (uint32_t i = 0; i < a.flow_count; i++)
		traffic_spec_free(&a.flows[i]);
	traffic_spec_free(&a.common);
	return code;
}
