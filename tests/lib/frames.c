/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going through every frame there is to test with. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void conformance_each(enum conformance_setting setting,
		      void (*fn)(void *context, const struct conformance_row *row,
				 enum conformance_side side, const struct frame *frame),
		      void *context)
{
	struct frame frame;

	for (uint32_t i = 0; i < conformance_row_count; i++) {
		const struct conformance_row *row = &conformance_rows[i];

		if (row->setting != setting)
			continue;
		for (enum conformance_side side = 0; side < SIDES; side++) {
			assert_int_equal(conformance_frame(row, side, &frame), 0);
			fn(context, row, side, &frame);
		}
	}
}

struct each {
	void (*fn)(void *context, const char *name, const struct frame *frame);
	void *context;
};

static void one_row(void *context, const struct conformance_row *row, enum conformance_side side,
		    const struct frame *frame)
{
	const struct each *each = context;

	(void)side;
	each->fn(each->context, row->name, frame);
}

static int one_golden(void *context, const struct golden *golden)
{
	const struct each *each = context;

	each->fn(each->context, golden->name, &golden->frame);
	return 0;
}

void frame_each(const struct image *image,
		void (*fn)(void *context, const char *name, const struct frame *frame),
		void *context)
{
	struct each each = { fn, context };

	for (enum conformance_setting setting = 0; setting < SETTINGS; setting++)
		conformance_each(setting, one_row, &each);
	assert_int_equal(golden_each(image, one_golden, &each), 0);
}

void syn_from(uint32_t source, struct frame *ret)
{
	static const struct frame_step steps[] = {
		{ FRAME_IPV4, 0 },
		{ FRAME_TCP, TCP_SYN },
		{ FRAME_END, 0 },
	};
	const struct frame_ends ends = {
		.src4 = address_v4(source),
		.dst4 = address_v4(0xc6120001),
		.sport = 40000,
		.dport = 80,
	};

	assert_int_equal(frame_build(steps, &ends, ret), 0);
}
