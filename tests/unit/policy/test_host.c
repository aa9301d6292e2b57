/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that a host lives by: how they are kept, and which policies would cut them off. */
#include "gates_help.h"
#include "policies.h"

static struct host_address four(uint32_t address, enum host_kind kind)
{
	return (struct host_address){ { (uint64_t)address << 32, 0 }, 4, (uint8_t)kind };
}

static void each_address_is_kept_once_as_what_it_was_first(void **state)
{
	auto_host struct host host = { 0 };
	struct host_address own = four(0xc0000201, HOST_OWN), near = own, six = own;

	(void)state;
	near.kind = HOST_NEIGHBOUR;
	six.family = 6;
	assert_int_equal(host_add(&host, &own), 0);
	assert_int_equal(host_add(&host, &near), 0);
	assert_int_equal(host_add(&host, &own), 0);
	assert_int_equal(host.count, 1);
	assert_int_equal(host.items[0].kind, HOST_OWN);
	assert_int_equal(host_add(&host, &six), 0);
	assert_int_equal(host.count, 2);
	six.address.lo = 1;
	assert_int_equal(host_add(&host, &six), 0);
	assert_int_equal(host.count, 3);
	host_free(&host);
	assert_null(host.items);
	assert_int_equal(host.count, 0);
}

static void what_is_too_many_is_counted_and_not_kept(void **state)
{
	auto_host struct host host = { 0 };

	(void)state;
	for (uint32_t i = 0; i < HOST_ADDRESSES + 10; i++) {
		struct host_address item = four(i, HOST_NEIGHBOUR);

		assert_int_equal(host_add(&host, &item), 0);
	}
	assert_int_equal(host.count, HOST_ADDRESSES);
	assert_int_equal(host.omitted, 10);
	for (uint32_t i = 0; i < HOST_ADDRESSES; i++) {
		struct host_address item = four(i, HOST_OWN);

		assert_int_equal(host.items[i].address.hi >> 32, i);
		assert_int_equal(host_add(&host, &item), 0);
	}
	assert_int_equal(host.count, HOST_ADDRESSES);
	assert_int_equal(host.omitted, 10);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (enum host_kind kind = 0; kind < HOST_KINDS; kind++)
		assert_non_null(host_kinds[kind]);
	assert_string_equal(host_kinds[HOST_SSH], "SSH peer");
}

/* What the gate says of a policy when the host lives by this one address. */
static void judge(const char *policy, struct host_address item, struct gate_result *ret)
{
	auto_image struct image_file image = { 0 };
	auto_host struct host host = { 0 };
	struct gate_facts facts;
	char text[1024];

	snprintf(text, sizeof(text), "version: 1\n%s\n", policy);
	image_of(text, &image);
	assert_int_equal(host_add(&host, &item), 0);
	facts = facts_of(&image);
	facts.host = &host;
	facts.forced = 1u << GATE_COVERAGE;
	*ret = run_gate(&facts, GATE_HOST);
	assert_true(ret->judged);
}

static void assert_says(const char *policy, struct host_address item, bool refused,
			const char *text)
{
	struct gate_result result;

	judge(policy, item, &result);
	if (result.refused != refused || strcmp(result.text, text) != 0)
		fail_msg("%d: %s", result.refused, result.text);
	assert_int_equal(result.value, refused);
	assert_int_equal(result.limit, 0);
}

#define PASSES "none of 1 addresses of this host is dropped"

static void a_list_that_covers_the_host_is_refused_with_kind_and_name(void **state)
{
	static const char *const policy =
		"lists: [{name: abusers, action: drop, entries: [192.0.2.0/28]}]";
	static const struct {
		enum host_kind kind;
		const char *name;
	} kinds[] = {
		{ HOST_OWN, "own address" },	 { HOST_GATEWAY, "gateway" },
		{ HOST_RESOLVER, "resolver" },	 { HOST_SSH, "SSH peer" },
		{ HOST_NEIGHBOUR, "neighbour" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char text[160];

		snprintf(text, sizeof(text),
			 "list `abusers` drops packets from 192.0.2.1 (%s); the limit is 0 such "
			 "addresses",
			 kinds[i].name);
		assert_says(policy, four(0xc0000201, kinds[i].kind), true, text);
		assert_says(policy, four(0xc0000210, kinds[i].kind), false, PASSES);
	}
}

static void ipv6_is_asked_in_its_own_tables(void **state)
{
	struct host_address item = { { 0x20010db800000000, 0xa }, 6, HOST_RESOLVER };

	(void)state;
	assert_says("lists: [{name: bad, action: drop, entries: ['2001:db8::a']}]", item, true,
		    "list `bad` drops packets from 2001:db8::a (resolver); the limit is 0 such "
		    "addresses");
	assert_says("lists: [{name: bad, action: drop, entries: ['2001:db8::b', 0.0.0.0/0]}]", item,
		    false, PASSES);
}

static void own_addresses_are_asked_as_destinations_too(void **state)
{
	static const char *const policy = "lists: [{name: inbound, action: drop, "
					  "match: destination, entries: [192.0.2.0/24]}]";
	struct host_address six = { { 0x20010db800000000, 0xa }, 6, HOST_OWN };

	(void)state;
	assert_says(policy, four(0xc0000201, HOST_OWN), true,
		    "list `inbound` drops packets to 192.0.2.1 (own address); the limit is 0 such "
		    "addresses");
	/* Others' addresses as destinations are what others are asked for. */
	assert_says(policy, four(0xc0000201, HOST_GATEWAY), false, PASSES);
	assert_says("lists: [{name: i, action: drop, match: destination, "
		    "entries: ['2001:db8::/64']}]",
		    six, true,
		    "list `i` drops packets to 2001:db8::a (own address); the limit is 0 such "
		    "addresses");
}

static void what_is_allowed_or_protected_is_not_cut_off(void **state)
{
	struct host_address item = four(0xc0000201, HOST_OWN);

	(void)state;
	assert_says("lists: [{name: bad, action: drop, entries: [192.0.2.0/24]},\n"
		    "  {name: good, action: allow, entries: [192.0.2.0/25]}]",
		    item, false, PASSES);
	assert_says("protect: {prefixes: [192.0.2.1]}\n"
		    "lists: [{name: bad, action: drop, entries: [192.0.2.0/24]}]",
		    item, false, PASSES);
	assert_says("lists: [{name: bad, action: drop, match: destination, "
		    "entries: [192.0.2.0/24]},\n"
		    "  {name: good, action: allow, match: destination, entries: [192.0.2.1]}]",
		    item, false, PASSES);
	assert_says("lists: [{name: odd, action: flag, entries: [0.0.0.0/0]},\n"
		    "  {name: x, action: score, family: f, points: 9, entries: [192.0.2.1]}]",
		    item, false, PASSES);
	/* A protected port lets in what is sent there; answers to this host come to others. */
	assert_says("protect: {ports: [22]}\n"
		    "lists: [{name: bad, action: drop, entries: [192.0.2.0/24]}]",
		    four(0xc0000201, HOST_SSH), true,
		    "list `bad` drops packets from 192.0.2.1 (SSH peer); the limit is 0 such "
		    "addresses");
}

static void the_first_of_many_is_named_and_the_rest_counted(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_host struct host host = { 0 };
	struct gate_result result;
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\nlists: [{name: a, action: drop, entries: [192.0.2.8/29]},\n"
		 "  {name: b, action: drop, entries: [192.0.2.4/30]}]\n",
		 &image);
	for (uint32_t i = 0; i < 16; i++) {
		struct host_address item = four(0xc0000200 + i, i % HOST_KINDS);

		assert_int_equal(host_add(&host, &item), 0);
	}
	facts = facts_of(&image);
	facts.host = &host;
	result = run_gate(&facts, GATE_HOST);
	assert_true(result.refused);
	assert_int_equal(result.value, 12);
	assert_string_equal(result.text,
			    "list `b` drops packets from 192.0.2.4 (neighbour), and 11 "
			    "more; the limit is 0 such addresses");
	facts.forced = 1u << GATE_HOST;
	assert_true(run_gate(&facts, GATE_HOST).forced);
}

static void a_host_that_is_not_known_is_not_judged(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_host struct host none = { 0 };
	struct gate_facts facts;

	(void)state;
	image_of("version: 1\nlists: [{name: a, action: drop, entries: [10.0.0.0/24]}]\n", &image);
	facts = facts_of(&image);
	assert_false(run_gate(&facts, GATE_HOST).judged);
	facts.host = &none;
	assert_passes(&facts, GATE_HOST, "none of 0 addresses of this host is dropped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_is_kept_once_as_what_it_was_first),
		cmocka_unit_test(what_is_too_many_is_counted_and_not_kept),
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(a_list_that_covers_the_host_is_refused_with_kind_and_name),
		cmocka_unit_test(ipv6_is_asked_in_its_own_tables),
		cmocka_unit_test(own_addresses_are_asked_as_destinations_too),
		cmocka_unit_test(what_is_allowed_or_protected_is_not_cut_off),
		cmocka_unit_test(the_first_of_many_is_named_and_the_rest_counted),
		cmocka_unit_test(a_host_that_is_not_known_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
