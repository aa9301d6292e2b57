/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic generator as a library: flows of tagged, numbered packets out of an interface by
 * live frames, and two ways to count them where they arrive, in the kernel or at a UDP socket.
 * For tests and tools; it must not know policies, instances or verdicts.
 *
 * All of it works in the network namespace of the calling thread. Functions return 0 or -errno.
 */
#ifndef STANCH_TOOLS_LIB_TRAFFIC_H
#define STANCH_TOOLS_LIB_TRAFFIC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/cleanup.h"
#include "policy/policy.h"
#include "traffic_abi.h"

#define TRAFFIC_NAME 16u
#define TRAFFIC_SIZE_MAX 1518u

#define SECOND_NS 1000000000ull

/* traffic_now - CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t traffic_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* ---- spec.c: what to send ---- */
enum traffic_template { V4_UDP, V4_SYN, V4_ACK, V6_UDP, V6_SYN, V6_ACK, TRAFFIC_TEMPLATES };

/* Addresses of one list in order, as network-order 16-byte words; IPv4 in the last four bytes. */
struct traffic_list {
	uint64_t (*items)[2];
	uint32_t count;
	uint8_t family; /* 4 or 6, of all of them */
};

struct traffic_spec {
	char name[TRAFFIC_NAME];
	enum traffic_template template;
	uint16_t vlan; /* 0: untagged */
	uint16_t size; /* bytes of the frame; 0: the shortest */
	uint16_t sport, sports, dport;
	uint32_t share; /* of the mixture, from 1 */
	enum traffic_source source;
	struct prefix src, dst; /* family 0: a documentation address of the template's family */
	uint32_t scattered; /* so many prefixes inside src ... */
	uint8_t scatter_len; /* ... of this length */
	struct traffic_list list;
};

/* traffic_spec_default - IPv4 UDP, ports 40000 to 9, share 1. */
void traffic_spec_default(struct traffic_spec *ret);
/*
 * traffic_spec_set - one setting by name: template, vlan, size, sport, sports, dport, share, src
 * (address, CIDR, `random`, `random:CIDR` or `scatter:COUNT:CIDR:LENGTH`), src-list (file, an
 * address per line), dst, name.
 * Returns -EINVAL for what is not one, -ENOENT for an unknown name, or an error of the file.
 */
int traffic_spec_set(struct traffic_spec *spec, const char *name, const char *value);
/* traffic_spec_parse - "NAME:key=value,key=value" over what @spec already says. */
int traffic_spec_parse(const char *text, struct traffic_spec *spec);
void traffic_spec_free(struct traffic_spec *spec);

/* ---- flow.c ---- */
/* traffic_flow_build - the template of @asked, as the program needs it. -EINVAL when senseless. */
int traffic_flow_build(const struct traffic_spec *asked, uint32_t id, const uint8_t dst_mac[6],
		       struct traffic_flow *ret);

/* ---- send.c ---- */
struct traffic_sender;
#define auto_sender cleanup(traffic_sender_close)

struct traffic_pace {
	uint64_t count; /* packets in all; 0: no bound */
	uint64_t rate; /* packets per second; 0: as fast as it goes */
	uint64_t ns; /* how long; 0: no bound; one of the bounds must be there */
	uint32_t burst; /* packets per test run at most; 0: so few that stopping is quick */
	uint32_t rest_ns; /* how long to sleep when nothing is due; 0: a millisecond */
	volatile sig_atomic_t *stop; /* non-zero ends the run; may be NULL */
};

struct traffic_report {
	uint64_t sent; /* handed to the interface, counted by the program */
	uint64_t ns; /* how long it took */
	uint64_t cpu_ns; /* of this thread; with it, of whoever receives on the same CPU */
	uint64_t left, dropped; /* what the interface says left it and was dropped by it */
	uint64_t pause_ns; /* longest time between two bursts: gaps up to it are the sender's */
};

/*
 * traffic_sender_open - flow i of @specs carries i in its tags. Sources of listed flows are copied.
 * The peer of a veth accepts frames only when it has an XDP program or GRO on.
 */
int traffic_sender_open(const char *dev, const uint8_t dst_mac[6], const struct traffic_spec *specs,
			uint32_t count, struct traffic_sender **ret);
void traffic_sender_close(struct traffic_sender **sender);
/*
 * traffic_sender_park - attach the program to an idle interface, until the sender is closed. The
 * kernel patches its code for every test run of a program that is attached nowhere, and waits for
 * every other one that does: milliseconds, tens of them on a busy machine.
 */
int traffic_sender_park(struct traffic_sender *sender, const char *idle);
/*
 * traffic_send - run until a bound of @pace. May be called again: numbers go on.
 * -ENETUNREACH when the first frames did not leave the interface.
 */
int traffic_send(struct traffic_sender *sender, const struct traffic_pace *pace,
		 struct traffic_report *ret);
/* traffic_sent - packets of one flow so far; may be read while another thread sends. */
uint64_t traffic_sent(const struct traffic_sender *sender, uint32_t flow);

/* traffic_mac - an interface's own address, for whoever sends to it. */
int traffic_mac(const char *dev, uint8_t ret[6]);

/* ---- arrive.c: counted in the kernel ---- */
struct traffic_counter;
#define auto_counter cleanup(traffic_counter_close)
enum traffic_point {
	POINT_XDP, /* as the interface's XDP program; packets end there */
	POINT_XDP_PASS, /* the same, and packets go on */
	POINT_TC, /* clsact ingress, so behind XDP; packets go on */
	POINT_TC_SINK, /* the same, and packets end there */
};

/* traffic_counter_open - with @sources, up to 4096 sources are counted one by one. */
int traffic_counter_open(const char *dev, enum traffic_point point, bool sources,
			 struct traffic_counter **ret);
void traffic_counter_close(struct traffic_counter **counter);
/* traffic_arrived - totals of one flow over all CPUs. */
int traffic_arrived(const struct traffic_counter *counter, uint32_t flow,
		    struct traffic_arrival *ret);
/* traffic_strangers - packets without a tag of ours. */
uint64_t traffic_strangers(const struct traffic_counter *counter);
/* traffic_seen - packets from @src; IPv4 addresses as their mapped ones. */
uint64_t traffic_seen(const struct traffic_counter *counter, const uint8_t src[16]);

/* ---- receive.c: counted at a socket ---- */
struct traffic_receiver;
#define auto_receiver cleanup(traffic_receiver_close)

struct traffic_tally {
	uint64_t received; /* duplicates not counted */
	uint64_t duplicate, late;
	uint64_t lost; /* missing between the lowest and the highest number */
	uint64_t lowest, highest;
	uint64_t gap_ns; /* longest time between two arrivals, kernel's timestamps */
};

/* traffic_receiver_open - any address of this host, both families, UDP @port. */
int traffic_receiver_open(uint16_t port, struct traffic_receiver **ret);
void traffic_receiver_close(struct traffic_receiver **receiver);
/* traffic_receive - take what comes until @ns have passed or @stop says so. */
int traffic_receive(struct traffic_receiver *receiver, uint64_t ns, volatile sig_atomic_t *stop);
void traffic_tally(const struct traffic_receiver *receiver, uint32_t flow,
		   struct traffic_tally *ret);
/* traffic_overflows - datagrams that the socket's own buffer lost. */
uint64_t traffic_overflows(const struct traffic_receiver *receiver);

#endif
