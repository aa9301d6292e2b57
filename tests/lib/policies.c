/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies in memory and the naive oracle. It reads prefixes one by one and knows nothing of
 * ranges, leaves or nodes.
 */
#include "policies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stanch/table.h>

#include "base/cleanup.h"

uint16_t make_list(struct made *made, enum action action, enum match match, const char *family,
		   uint8_t points)
{
	struct policy *policy = &made->policy;
	struct list *list;
	char name[32];

	policy->lists = reallocarray(policy->lists, policy->list_count + 1, sizeof(*list));
	assert_non_null(policy->lists);
	list = &policy->lists[policy->list_count++];
	snprintf(name, sizeof(name), "list-%u", policy->list_count);
	*list = (struct list){ .name = strdup(name),
			       .family = family ? strdup(family) : NULL,
			       .action = action,
			       .match = match,
			       .points = points };
	assert_non_null(list->name);
	if (!policy->mode)
		policy->mode = MODE_ENFORCE; /* as every policy has one */
	return (uint16_t)policy->list_count;
}

static unsigned __int128 mask_of(uint8_t len)
{
	return len ? ~(unsigned __int128)0 << (128 - len) : 0;
}

void make_prefix(struct made *made, uint16_t list, uint8_t family, unsigned __int128 address,
		 uint8_t len)
{
	struct policy *policy = &made->policy;

	address &= mask_of(len);
	if (policy->prefix_count == made->cap) {
		made->cap = made->cap ? made->cap * 2 : 64;
		policy->prefixes =
			reallocarray(policy->prefixes, made->cap, sizeof(*policy->prefixes));
		assert_non_null(policy->prefixes);
	}
	policy->prefixes[policy->prefix_count++] = (struct prefix){
		.hi = (uint64_t)(address >> 64),
		.lo = (uint64_t)address,
		.family = family,
		.len = len,
		.list = list,
	};
	if (list <= policy->list_count)
		policy->lists[list - 1].prefixes++;
}

void make_protect(struct made *made, uint8_t family, unsigned __int128 address, uint8_t len)
{
	make_prefix(made, (uint16_t)(made->policy.list_count + 1), family, address, len);
	made->policy.protect_count++;
}

void make_protected_port(struct made *made, uint16_t port)
{
	struct policy *policy = &made->policy;

	policy->ports = reallocarray(policy->ports, policy->port_count + 1, sizeof(*policy->ports));
	assert_non_null(policy->ports);
	policy->ports[policy->port_count++] = port;
}

void made_compile(const struct made *made, struct image_file *ret)
{
	auto_diag struct diag diag = { 0 };
	int err = policy_compile(&made->policy, &limits_builtin, ret, &diag);

	if (err)
		fail_msg("error %d: %s", err, diag.stored ? diag.problems[0].message : "");
}

/* ---- the oracle ---- */

struct winner {
	const struct prefix *prefix;
	uint8_t points;
};

static bool covers(const struct policy *policy, enum table table, const struct prefix *prefix,
		   unsigned __int128 address)
{
	bool six = table == TABLE_V6_SRC || table == TABLE_V6_DST;
	bool destination = table == TABLE_V4_DST || table == TABLE_V6_DST;
	unsigned __int128 start = (unsigned __int128)prefix->hi << 64 | prefix->lo;
	enum match match = prefix->list > policy->list_count
				   ? MATCH_SOURCE
				   : policy->lists[prefix->list - 1].match;

	return prefix->family == (six ? 6 : 4) && (match == MATCH_DESTINATION) == destination &&
	       (address & mask_of(prefix->len)) == start;
}

/* Points, then length, then file order; lists that do not score all have the same points. */
static void compete(struct winner *winner, const struct prefix *prefix, uint8_t points)
{
	const struct prefix *best = winner->prefix;

	if (best && (points < winner->points ||
		     (points == winner->points &&
		      (prefix->len < best->len ||
		       (prefix->len == best->len && prefix->list > best->list)))))
		return;
	*winner = (struct winner){ prefix, points };
}

static uint32_t family_index(const struct policy *policy, const char *family)
{
	const char *seen[LIMIT_FAMILIES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < policy->list_count; i++) {
		const char *name = policy->lists[i].family;
		uint32_t j = 0;

		while (name && j < count && strcmp(seen[j], name))
			j++;
		if (name && j == count)
			seen[count++] = name;
		if (name && !strcmp(name, family))
			return j;
	}
	fail_msg("no family %s", family);
	return 0;
}

struct leaf oracle_leaf(const struct policy *policy, enum table table, unsigned __int128 address)
{
	struct winner actions[ACTIONS] = { 0 }, families[LIMIT_FAMILIES] = { 0 };
	struct leaf ret = { 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		const struct prefix *prefix = &policy->prefixes[i];
		const struct list *list =
			prefix->list > policy->list_count ? NULL : &policy->lists[prefix->list - 1];

		if (!covers(policy, table, prefix, address))
			continue;
		if (list && list->action == ACTION_SCORE)
			compete(&families[family_index(policy, list->family)], prefix,
				list->points);
		else
			compete(&actions[list ? list->action : ACTION_PROTECT], prefix, 0);
	}
	ret.protect = actions[ACTION_PROTECT].prefix ? actions[ACTION_PROTECT].prefix->list : 0;
	ret.allow = actions[ACTION_ALLOW].prefix ? actions[ACTION_ALLOW].prefix->list : 0;
	ret.drop = actions[ACTION_DROP].prefix ? actions[ACTION_DROP].prefix->list : 0;
	ret.flag = actions[ACTION_FLAG].prefix ? actions[ACTION_FLAG].prefix->list : 0;
	for (uint32_t i = 0; i < LIMIT_FAMILIES; i++)
		if (families[i].prefix)
			ret.score[count++] = families[i].prefix->list;
	return ret;
}

struct leaf image_lookup(const struct image *image, enum table table, unsigned __int128 address)
{
	struct image *readable = (struct image *)image;
	const struct image_hot *hot = image_line(readable, IMAGE_HOT_LINE);
	uint32_t id = table_lookup(readable, hot->root[table], (uint64_t)(address >> 64),
				   (uint64_t)address);
	const struct leaf *leaves;

	assert_in_range(id, 0, hot->leaves - 1);
	leaves = image_line(readable, hot->leaves_line + id / LEAVES_PER_LINE);
	assert_non_null(leaves);
	return leaves[id % LEAVES_PER_LINE];
}

/* ---- random numbers: splitmix64 (Steele, Lea, Flood 2014) ---- */

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

unsigned __int128 random_address(uint64_t *state, uint8_t family)
{
	unsigned __int128 ret = (unsigned __int128)random_next(state) << 64;

	return family == 4 ? ret >> 96 << 96 : ret | random_next(state);
}

/* ---- random policies ---- */

#define LISTS_MOST 12u

static const char *const families[] = { "reputation", "geography", "hosting" };

void make_random_lists(struct made *made, uint64_t *random)
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

/* A list never holds a prefix twice: policy_parse() refuses or merges that. */
static void make_once(struct made *made, const struct prefix *prefix)
{
	const struct policy *policy = &made->policy;
	unsigned __int128 mask = prefix->len ? ~(unsigned __int128)0 << (128 - prefix->len) : 0;
	unsigned __int128 start = ((unsigned __int128)prefix->hi << 64 | prefix->lo) & mask;

	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		const struct prefix *other = &policy->prefixes[i];

		if (other->list == prefix->list && other->family == prefix->family &&
		    other->len == prefix->len && other->hi == (uint64_t)(start >> 64) &&
		    other->lo == (uint64_t)start)
			return;
	}
	if (prefix->list > policy->list_count)
		make_protect(made, prefix->family, start, prefix->len);
	else
		make_prefix(made, prefix->list, prefix->family, start, prefix->len);
}

/* Near an earlier prefix as often as not, so that they nest, touch and repeat. */
void make_random_prefix(struct made *made, uint64_t *random)
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
	make_once(made, &(struct prefix){ .hi = (uint64_t)(address >> 64),
					  .lo = (uint64_t)address,
					  .family = family,
					  .len = len,
					  .list = 1 + (choice >> 16) % (policy->list_count + 1) });
}
