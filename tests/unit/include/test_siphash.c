/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyed hash: the published function (as libsodium has it), and shares of sources by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sodium/crypto_shorthash_siphash24.h>

#include <stanch/siphash.h>

#include "policies.h"

static void it_is_the_published_function(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		__u64 words[4], hash;
		unsigned char in[16], key[16], out[8];

		for (uint32_t j = 0; j < 4; j++)
			words[j] = random_next(&random);
		memcpy(key, words, sizeof(key));
		memcpy(in, words + 2, sizeof(in));
		crypto_shorthash_siphash24(out, in, sizeof(in), key);
		hash = siphash_pair(words, words + 2, 2, 4);
		assert_memory_equal(&hash, out, sizeof(out));
	}
}

/* A thousand neighbours of a thousand places each: as even as chance is, under any key. */
static void neighbours_fall_evenly_under_any_key(void **state)
{
	(void)state;
	for (uint64_t key = 0; key < 20; key++) {
		const __u64 keys[2] = { key, ~key };
		uint32_t below = 0;

		for (uint64_t i = 0; i < 100000; i++) {
			const __u64 source[2] = { (0x0a000000 + i) << 32, 4 };

			below += siphash_pair(keys, source, 1, 3) % 1000 < 100;
		}
		assert_in_range(below, 9500, 10500); /* five standard deviations */
	}
}

static void another_key_is_another_choice(void **state)
{
	const __u64 one[2] = { 1, 2 }, two[2] = { 1, 3 };
	uint32_t same = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		const __u64 source[2] = { i << 32, 4 };

		same += siphash_pair(one, source, 1, 3) % 2 == siphash_pair(two, source, 1, 3) % 2;
	}
	assert_in_range(same, 4700, 5300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_published_function),
		cmocka_unit_test(neighbours_fall_evenly_under_any_key),
		cmocka_unit_test(another_key_is_another_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
