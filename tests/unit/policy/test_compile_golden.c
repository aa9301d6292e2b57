/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden packets of compiled images, judged natively: what proves a generation in the kernel has
 * to hold here first. And that it would not hold for an image whose tables are wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"
#include "policy/golden.h"

#define POLICIES 60u

struct proof {
	const struct image *image;
	uint32_t packets, refused;
};

static int judge_golden(void *context, const struct golden *golden)
{
	struct proof *proof = context;
	struct judgement got;

	frame_judge(proof->image, golden->frame.bytes, golden->frame.len, 0, &got);
	proof->packets++;
	proof->refused += !golden_accepts(proof->image, golden, got.verdict, got.reason, got.list);
	return 0;
}

static struct proof prove(const struct image *image)
{
	struct proof proof = { .image = image };

	assert_int_equal(golden_each(image, judge_golden, &proof), 0);
	return proof;
}

/* No prefix so short that it swallows every neutral host. */
static void make_random(struct made *made, uint64_t *random)
{
	uint32_t lists = 1 + random_next(random) % 30, count = random_next(random) % 3000;

	for (uint32_t i = 0; i < lists; i++) {
		enum action action = random_next(random) % ACTION_PROTECT;

		make_list(made, action, random_next(random) % MATCHES,
			  action == ACTION_SCORE ? "reputation" : NULL, 1 + i);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint8_t family = random_next(random) & 1 ? 4 : 6;
		uint8_t shortest = 8, longest = family == 4 ? 32 : 128;

		make_prefix(made, 1 + random_next(random) % lists, family,
			    random_address(random, family),
			    shortest + random_next(random) % (longest - shortest + 1u));
	}
	make_protect(made, 6, random_address(random, 6), 64);
	make_protected_port(made, 22);
	make_protected_port(made, 80);
}

static void every_golden_packet_of_a_compiled_policy_is_judged_as_demanded(void **state)
{
	uint64_t random = 8;

	(void)state;
	for (uint32_t i = 0; i < POLICIES; i++) {
		auto_made struct made made = { 0 };
		auto_image struct image_file file = { 0 };
		struct proof proof;

		make_random(&made, &random);
		made.policy.mode = MODE_ENFORCE;
		made.policy.headers = true;
		made_compile(&made, &file);
		proof = prove(&file.image);
		assert_int_equal(proof.refused, 0);
		assert_in_range(proof.packets, 20, 1000);
	}
}

static void golden_packets_notice_a_table_that_is_not_there(void **state)
{
	auto_made struct made made = { 0 };
	auto_image struct image_file file = { 0 };
	struct image_hot *hot;

	(void)state;
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	make_prefix(&made, 1, 4, (unsigned __int128)0x0a000000 << 96, 8);
	made_compile(&made, &file);
	assert_int_equal(prove(&file.image).refused, 0);
	hot = (struct image_hot *)image_hot(&file.image);
	hot->root[TABLE_V4_SRC] = 0;
	assert_int_equal(prove(&file.image).refused, 2); /* the first and the last entry */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_packet_of_a_compiled_policy_is_judged_as_demanded),
		cmocka_unit_test(golden_packets_notice_a_table_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
