/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `stanch bench` measures with: packets by class for whatever image is judged by, a small
 * policy for when there is none, and long lists made to order. Pure; who runs them is not known.
 */
#ifndef STANCH_POLICY_BENCH_H
#define STANCH_POLICY_BENCH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/compile.h"
#include "policy/frame.h"
#include "policy/policy.h"

enum bench_class {
	BENCH_PASS, /* TCP in the middle of a connection, on no list */
	BENCH_DROP_V4,
	BENCH_DROP_V6,
	BENCH_SYN, /* with twenty bytes of options */
	BENCH_CHAIN, /* VLAN tag, IPv6 and two extension headers before TCP */
	BENCH_FLAG,
	BENCH_TUNNEL, /* IPv4 in IPv4 */
	BENCH_CLASSES,
};
extern const char *const bench_class_names[BENCH_CLASSES];

struct bench_packet {
	struct frame frame;
	uint8_t verdict; /* what it gets */
	bool dropped; /* and whether that is enforced by dropping it */
};

/*
 * bench_packet - a packet of @class under @image, which must be checked; padded to 60 bytes, the
 * shortest that a card sends. Returns 0, or -ENOENT when no packet that was tried is of that class:
 * the policy has no such list, or names all the documentation addresses.
 */
int bench_packet(const struct image *image, enum bench_class class, struct bench_packet *ret);

/* bench_image - the small policy: each class has a packet. Errors as policy_compile(). */
int bench_image(const struct limits *limits, struct image_file *ret, struct diag *diag);

/*
 * bench_list - text of a list of @count different prefixes in no order: three of four are IPv4
 * addresses, the rest are /24, as in the lists that people publish. At most BENCH_LIST_MAX.
 * Returns 0, -EINVAL or -ENOMEM.
 */
#define BENCH_LIST_MAX 4000000u
int bench_list(uint32_t count, struct buf *ret);

/* bench_list_parse - a policy that drops what is on such a list. Errors as policy_parse(). */
int bench_list_parse(const struct buf *list, const struct limits *limits, struct policy *ret,
		     struct diag *diag);

#endif
