/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every frame there is to test with: the conformance table from both sides, under the policy that
 * it holds under, and the golden packets of an image. Fails the test when one cannot be built.
 */
#ifndef TESTS_LIB_FRAMES_H
#define TESTS_LIB_FRAMES_H

#include "policy/conformance.h"
#include "policy/golden.h"

/* conformance_each - every row of @setting from both sides. */
void conformance_each(enum conformance_setting setting,
		      void (*fn)(void *context, const struct conformance_row *row,
				 enum conformance_side side, const struct frame *frame),
		      void *context);
/* frame_each - the frames alone: both settings of the table, then the golden packets of @image. */
void frame_each(const struct image *image,
		void (*fn)(void *context, const char *name, const struct frame *frame),
		void *context);
/* syn_from - a TCP SYN from an IPv4 address, to a host on no list. */
void syn_from(uint32_t source, struct frame *ret);

#endif
