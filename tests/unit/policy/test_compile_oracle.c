/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of an image against a linear scan over its policy's prefixes, at random addresses and
 * at every edge of every prefix. Hundreds of small policies of nested, adjacent and equal prefixes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "policies.h"

#define POLICIES 300u
#define LISTS_MOST 12u
#define PREFIXES_MOST 160u
#define ADDRESSES 200u

static const char *const families[] = { "reputation", "geography", "hosting" };

static void assert_same(const struct policy *policy, const struct image *image, enum table table,
			unsigned __int128 address)
{
	struct leaf want = oracle_leaf(policy, table, address);
	struct leaf got = image_lookup(image, table, address);

	if (!memcmp(&want, &got, sizeof(want)))
		return;
	fail_msg("table %d, %016llx%016llx: drop %u allow %u flag %u protect %u score %u, "
		 "not drop %u allow %u flag %u protect %u score %u",
		 (int)table, (unsigned long long)(address >> 64), (unsigned long long)address,
		 got.drop, got.allow, got.flag, got.protect, got.score[0], want.drop, want.allow,
		 want.flag, want.protect, want.score[0]);
}

static unsigned __int128 address_bits(enum table table, unsigned __int128 address)
{
	return table == TABLE_V4_SRC || table == TABLE_V4_DST ? address >> 96 << 96 : address;
}

/* First and last address of every prefix, and their neighbours. */
static void assert_edges(const struct policy *policy, const struct image *image, enum table table)
{
	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		const struct prefix *prefix = &policy->prefixes[i];
		unsigned __int128 one = (unsigned __int128)1 << (prefix->family == 4 ? 96 : 0);
		unsigned __int128 first = (unsigned __int128)prefix->hi << 64 | prefix->lo;
		unsigned __int128 size =
			prefix->len ? (unsigned __int128)1 << (128 - prefix->len) : 0;
		const unsigned __int128 edges[] = { first - one,	first,
						    first + one,	first + size - one - one,
						    first + size - one, first + size };

		for (size_t j = 0; j < ARRAY_SIZE(edges); j++)
			assert_same(policy, image, table, address_bits(table, edges[j]));
	}
}

static void assert_agrees(const struct made *made, uint64_t *random)
{
	auto_image struct image_file file = { 0 };

	made_compile(made, &file);
	for (enum table table = 0; table < TABLES; table++) {
		assert_edges(&made->policy, &file.image, table);
		for (uint32_t i = 0; i < ADDRESSES; i++)
			assert_same(&made->policy, &file.image, table,
				    address_bits(table, random_address(random, 6)));
	}
}

static void make_random_lists(struct made *made, uint64_t *random)
{
	uint32_t count = 1 + random_next(random) % LISTS_MOST;

	for (uint32_t i = 0; i < count; i++) {
		enum action action = random_next(random) % ACTION_PROTECT;
		const char *family = families[random_next(random) % ARRAY_SIZE(families)];

		make_list(made, action, random_next(random) % MATCHES,
			  action == ACTION_SCORE ? family : NULL,
			  action == ACTION_SCORE ? 1 + random_next(random) % 3 : 0);
	}
}

/* Near an earlier prefix as often as not, so that they nest, touch and repeat. */
static void make_random_prefix(struct made *made, uint64_t *random)
{
	const struct policy *policy = &made->policy;
	uint8_t family = random_next(random) & 1 ? 4 : 6;
	uint8_t bits = family == 4 ? 32 : 128, len = random_next(random) % (bits + 1u);
	unsigned __int128 address = random_address(random, family);
	uint64_t choice = random_next(random);

	if (policy->prefix_count && choice & 1) {
		const struct prefix *other =
			&policy->prefixes[(choice >> 8) % policy->prefix_count];

		family = other->family;
		bits = family == 4 ? 32 : 128;
		address = (unsigned __int128)other->hi << 64 | other->lo;
		len = choice & 2 ? other->len : random_next(random) % (bits + 1u);
		if (choice & 4 && len)
			address += (unsigned __int128)1 << (128 - len);
	}
	if (choice & 8)
		make_protect(made, family, address, len);
	else
		make_prefix(made, 1 + (choice >> 16) % policy->list_count, family, address, len);
}

static void random_policies_give_what_a_linear_scan_gives(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < POLICIES; i++) {
		auto_made struct made made = { 0 };
		uint32_t count = random_next(&random) % PREFIXES_MOST;

		make_random_lists(&made, &random);
		while (made.policy.prefix_count < count)
			make_random_prefix(&made, &random);
		assert_agrees(&made, &random);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_policies_give_what_a_linear_scan_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
