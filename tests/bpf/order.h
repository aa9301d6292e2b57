/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What order.bpf.c sees behind the filters of two interfaces: which generation judged each packet,
 * as a rank that its slot has, and whether any packet came behind one of a higher rank.
 */
#ifndef TESTS_BPF_ORDER_H
#define TESTS_BPF_ORDER_H

#include <linux/types.h>

#define ORDER_SIDES 2u
#define ORDER_SLOTS 4u

struct order_side {
	__u64 packets; /* tagged ones of ours */
	__u64 unmarked; /* of these, without metadata */
	__u64 rank; /* highest rank seen here */
	__u64 back; /* packets of a lower rank than one seen here before */
	__u64 behind; /* packets of a lower rank than one seen anywhere before */
	__u64 behind_ns; /* the longest time behind it */
	__u64 reserved[2];
};

/* One value; ranks and ifindex are written from outside. */
struct order {
	__u64 ifindex; /* of side 0 */
	__u64 newest, newest_ns; /* highest rank seen at all, and when first */
	__u64 reserved[5];
	__u64 ranks[ORDER_SIDES][ORDER_SLOTS];
	struct order_side sides[ORDER_SIDES];
};
_Static_assert(sizeof(struct order) == 256, "the same on both sides");

#endif
