/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breaking an image: tables of single faults, each with the problem that image_check() has to
 * report for it, turned into one test each.
 */
#ifndef TESTS_UNIT_POLICY_IMAGE_BREAK_H
#define TESTS_UNIT_POLICY_IMAGE_BREAK_H

#include <errno.h>
#include <inttypes.h>

#include "image_help.h"
#include "made_image.h"

/* One field gets another value. size 0: nothing more. */
struct change {
	uint32_t line;
	size_t at, size;
	uint64_t value;
};

#define CHANGES 8

struct breakage {
	const char *name; /* a sentence */
	struct change changes[CHANGES];
	const char *code, *message;
	uint32_t more; /* problems that follow from the same fault */
};

#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)
#define SET(line, type, member, value)                                                     \
	{                                                                                  \
		line, offsetof(type, member), MEMBER_SIZE(type, member), (uint64_t)(value) \
	}
#define ID(member, value) SET(IMAGE_ID_LINE, struct image_id, member, value)
#define HOT(member, value) SET(IMAGE_HOT_LINE, struct image_hot, member, value)
#define COUNTS(member, value) SET(IMAGE_COUNTS_LINE, struct image_counts, member, value)
#define LIST(id, member, value) SET(MADE_LISTS + (id)-1, struct list_record, member, value)
#define NODE(line, type, member, value) SET(line, struct type, member, value)
#define ENTRY(line, index, value)         \
	{                                 \
		line, (index)*4, 4, value \
	}
#define LEAF(id, member, value)                                                                 \
	{                                                                                       \
		MADE_LEAVES + (id) / 2, (id) % 2 * 32 + offsetof(struct leaf, member), 2, value \
	}
#define SECTION(index, member, value)                                                 \
	{                                                                             \
		IMAGE_SECTIONS_LINE + (index) / 4,                                    \
			(index) % 4 * 16 + offsetof(struct section, member), 4, value \
	}

static inline void apply(struct made_image *made, const struct breakage *breakage)
{
	for (size_t i = 0; i < CHANGES; i++) {
		const struct change *change = &breakage->changes[i];

		memcpy(made->bytes[change->line] + change->at, &change->value, change->size);
	}
	made_seal(made);
}

static inline bool is_reported(const struct diag *diag, const struct breakage *breakage)
{
	for (uint32_t i = 0; i < diag->stored; i++) {
		const struct diag_problem *problem = &diag->problems[i];

		if (!strcmp(problem->code, breakage->code) &&
		    (!breakage->message || !strcmp(problem->message, breakage->message)))
			return !strcmp(problem->file, "made.img");
	}
	return false;
}

static inline void it_is_refused_for_exactly_that(void **state)
{
	const struct breakage *breakage = *state;
	auto_diag struct diag diag = { 0 };
	struct made_image made;

	made_image(&made);
	apply(&made, breakage);
	assert_int_equal(image_check("made.img", made.bytes, sizeof(made), &limits_builtin, &diag),
			 -EINVAL);
	if (!is_reported(&diag, breakage) || diag.total != 1 + breakage->more) {
		show_image_problems(&diag);
		fail_msg("%s: %" PRIu64 " problems, or not this one", breakage->name, diag.total);
	}
}

static inline struct CMUnitTest breakage_test(const struct breakage *breakage)
{
	return (struct CMUnitTest){
		.name = breakage->name,
		.test_func = it_is_refused_for_exactly_that,
		.initial_state = (void *)breakage,
	};
}

#endif
