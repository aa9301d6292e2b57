/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control word: what abi.h publishes for bpftool's users is where pack and unpack put it. And
 * the one table of reasons, which counters, events and documents share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stanch/reasons.h"
#include "stanch/word.h"

static void every_field_stands_where_abi_h_says(void **state)
{
	const struct {
		struct word word;
		uint64_t packed;
	} rows[] = {
		{ { .live = 3 }, 0x3 },
		{ { .good = 3 }, 0xc },
		{ { .candidate = 3 }, 0x30 },
		{ { .provisional = 1 }, 0x40 },
		{ { .mode = MODE_MONITOR }, 0x100 },
		{ { .mode = MODE_ENFORCE }, 0x200 },
		{ { .share = 1000 }, 1000ull << 10 },
		{ { .kills = 1 << STAGE_SCORE }, 1ull << 36 },
		{ { .kills = 0xffff }, 0xffffull << 32 },
		{ { .epoch = 0xffff }, 0xffffull << 48 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct word again = word_unpack(rows[i].packed);

		assert_int_equal(word_pack(&rows[i].word), rows[i].packed);
		assert_int_equal(again.live, rows[i].word.live);
		assert_int_equal(again.good, rows[i].word.good);
		assert_int_equal(again.candidate, rows[i].word.candidate);
		assert_int_equal(again.provisional, rows[i].word.provisional);
		assert_int_equal(again.mode, rows[i].word.mode);
		assert_int_equal(again.share, rows[i].word.share);
		assert_int_equal(again.kills, rows[i].word.kills);
		assert_int_equal(again.epoch, rows[i].word.epoch);
	}
}

/* Bits 7 and 20 to 31 are nobody's: a word that is read and written back loses them. */
static void a_word_survives_being_taken_apart(void **state)
{
	const uint64_t owned = 0xffffffff000fff7full;

	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		struct word word = word_unpack(1ull << bit);

		assert_int_equal(word_pack(&word), 1ull << bit & owned);
	}
}

static void trouble_is_told_from_judgement(void **state)
{
	(void)state;
	assert_false(reason_is_trouble(REASON_LIST_DROP));
	assert_false(reason_is_trouble(REASON_SLOT_EMPTY - 1));
	assert_true(reason_is_trouble(REASON_SLOT_EMPTY));
	assert_true(reason_is_trouble(REASON_IMAGE_REFERENCE));
	assert_true(reason_is_trouble(REASON_LEASE_NO_SLOT));
	assert_false(reason_is_trouble(REASON_OVERRIDE_ALLOW));
	assert_false(reason_is_trouble(REASON_OVERRIDE_BLOCK));
	assert_false(reason_is_trouble(REASONS));
}

/* Names are published: short, unique, and made for labels. Numbers between may be unused yet. */
static void every_reason_has_a_name_of_its_own(void **state)
{
	unsigned int named = 0;

	(void)state;
	for (unsigned int i = 0; i < REASONS; i++) {
		const char *name = reason_texts[i].name;

		if (!name)
			continue;
		named++;
		assert_true(*name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")]);
		assert_true(reason_texts[i].help && *reason_texts[i].help);
		for (unsigned int j = 0; j < i; j++)
			assert_false(reason_texts[j].name && !strcmp(name, reason_texts[j].name));
	}
	assert_true(named > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_stands_where_abi_h_says),
		cmocka_unit_test(a_word_survives_being_taken_apart),
		cmocka_unit_test(trouble_is_told_from_judgement),
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
