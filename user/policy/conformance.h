/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conformance table: does "blocked" mean blocked? One packet per row, sent once by a source on
 * a drop list and once, mirrored, by a good one, with the verdict and the reason each must get.
 * Rows whose verdict is not obvious say why. Pure: who runs the packets is not known here.
 */
#ifndef STANCH_POLICY_CONFORMANCE_H
#define STANCH_POLICY_CONFORMANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "policy/compile.h"
#include "policy/frame.h"

enum conformance_setting {
	SETTING_PLAIN, /* tunnels are not looked into */
	SETTING_INNER, /* `inner: true` */
	SETTINGS,
};

enum conformance_side { SIDE_BLOCKED, SIDE_GOOD, SIDES };

struct expectation {
	uint8_t verdict, reason;
};

struct conformance_row {
	const char *name;
	const char *why; /* NULL where the verdict needs no words */
	enum conformance_setting setting;
	bool inside; /* the source in question is the tunnelled one, the outer is good */
	struct expectation expected[SIDES];
	struct frame_step steps[FRAME_STEPS];
};

extern const struct conformance_row conformance_rows[];
extern const uint32_t conformance_row_count;
extern const char *const conformance_side_names[SIDES];

/* Addresses on the drop list, for those who run the table through another filter. */
#define CONFORMANCE_BLOCKED_V4 "203.0.113.66"
#define CONFORMANCE_BLOCKED_V6 "2001:db8:bad::66"

/* conformance_frame - the packet of @row as @side sends it. Returns 0 or -EINVAL (a broken row). */
int conformance_frame(const struct conformance_row *row, enum conformance_side side,
		      struct frame *ret);

/*
 * conformance_image - the policy under which the table holds, compiled.
 * Same errors as policy_compile().
 */
int conformance_image(enum conformance_setting setting, struct image_file *ret, struct diag *diag);

#endif
