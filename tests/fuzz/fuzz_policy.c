/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes policy texts together with the list files they name: the input is cut at lines of "%%",
 * the first part is the policy, the others are list files. Small limits, so that they are met.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz_check.h"
#include "fuzz_words.h"

#define CUT "\n%%\n"
#define CUT_LEN (sizeof(CUT) - 1)

static const struct limits limits = { .prefixes = 40, .lists = 6, .families = 2 };

static const char *const words[] = {
	"version: 1",
	"mode:",
	"enforce",
	"monitor",
	"inner:",
	"sources:",
	"true",
	"false",
	"headers:",
	"pass",
	"drop",
	"mark:",
	"mask: 0xff",
	"value: 0x0f",
	"protect:",
	"prefixes:",
	"ports:",
	"lists:",
	"name:",
	"action:",
	"allow",
	"flag",
	"score",
	"match:",
	"source",
	"destination",
	"file: f0",
	"file: f1",
	"entries:",
	"family:",
	"points:",
	"duplicates:",
	"merge",
	"refuse",
	"allow_empty:",
	"signatures:",
	"gates:",
	"a",
	"b",
	"1",
	"22",
	"50",
	"51",
	"65535",
	"0",
	"0.0.0.0/0",
	"10.0.0.0/8",
	"10.0.0.1/8",
	"192.0.2.1",
	"192.0.2.0/24",
	"'::/0'",
	"2001:db8::/32",
	"'::ffff:1.2.3.4'",
	"[]",
	"{}",
	"[10.0.0.0/8]",
	"&a",
	"*a",
	"!!str",
	"'",
	"\"\\x41\"",
	"\n%%\n",
	"{\"prefixes\":[",
	"{\"ipv4Prefix\":\"192.0.2.0/24\"}",
	"]}",
	"\n  - ",
	"\n    ",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	const struct fuzz_dictionary dictionary = { words, ARRAY_SIZE(words) };

	return fuzz_mutate(data, size, max_size, seed, &dictionary);
}

struct rest {
	const char *text;
	size_t len;
};

/* Length of the part that @text begins with. */
static size_t part(const char *text, size_t len)
{
	const char *cut = memmem(text, len, CUT, CUT_LEN);

	return cut ? (size_t)(cut - text) : len;
}

/* A path that ends in digit N names part N; there are errors too. */
static int read_part(void *context, const char *path, struct buf *ret)
{
	struct rest rest = *(struct rest *)context;
	size_t len = strlen(path);
	int number = len ? path[len - 1] - '0' : 0;

	if (number < 0 || number > 9)
		return -(path[len - 1] % 40 + 1) == -ENOMEM ? -EIO : -(path[len - 1] % 40 + 1);
	for (; number > 0; number--) {
		size_t skip = part(rest.text, rest.len);

		if (skip == rest.len)
			return -ENOENT;
		rest.text += skip + CUT_LEN;
		rest.len -= skip + CUT_LEN;
	}
	return buf_append(ret, rest.text, part(rest.text, rest.len));
}

static void check_list(const struct list *list)
{
	assert(list->name && list->name[0] && strlen(list->name) <= POLICY_NAME_MAX);
	assert(strcmp(list->name, "protect") != 0);
	assert(list->action <= ACTION_SCORE && list->match < MATCHES);
	assert((list->action == ACTION_SCORE) == (list->family != NULL));
	assert((list->action == ACTION_SCORE) == (list->points != 0));
	assert(list->points <= 50);
	assert(list->prefixes || list->allow_empty);
	assert(list->merge || !list->merged);
	assert((list->prefixes + list->merged) / 20 >= list->merged);
}

/* Quadratic, which small limits allow: nothing is twice in one list. */
static void check_unique(const struct policy *policy, uint32_t i)
{
	const struct prefix *a = &policy->prefixes[i], *b;

	for (b = a + 1; b < policy->prefixes + policy->prefix_count; b++)
		assert(a->list != b->list || a->hi != b->hi || a->lo != b->lo || a->len != b->len ||
		       a->family != b->family);
}

static void check_prefixes(const struct policy *policy)
{
	uint32_t in_list[8] = { 0 }, i;

	for (i = 0; i < policy->prefix_count; i++) {
		const struct prefix *prefix = &policy->prefixes[i];

		assert(prefix->list >= 1 && prefix->list <= policy->list_count + 1);
		assert(!i || prefix->list >= prefix[-1].list);
		assert(prefix->line >= 1);
		in_list[prefix->list - 1]++;
		fuzz_check_prefix(prefix);
		check_unique(policy, i);
	}
	for (i = 0; i < policy->list_count; i++)
		assert(in_list[i] == policy->lists[i].prefixes);
	assert(in_list[policy->list_count] == policy->protect_count);
	assert(policy->prefix_count - policy->protect_count <= limits.prefixes);
}

static void check_policy(const struct policy *policy)
{
	uint32_t i;

	assert(policy->mode == MODE_MONITOR || policy->mode == MODE_ENFORCE);
	assert(!(policy->mark_value & ~policy->mark_mask));
	assert(policy->list_count <= limits.lists);
	for (i = 0; i < policy->list_count; i++)
		check_list(&policy->lists[i]);
	check_prefixes(policy);
	for (i = 0; i < policy->port_count; i++)
		assert(policy->ports[i] && (!i || policy->ports[i] > policy->ports[i - 1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t len = part(text, size);
	struct rest rest = { text + (len < size ? len + CUT_LEN : len),
			     len < size ? size - len - CUT_LEN : 0 };
	struct policy_source source = { read_part, &rest };
	auto_policy struct policy policy = { 0 };
	auto_diag struct diag diag = { 0 };
	int err = policy_parse(&(struct named_text){ "policy.yaml", text, len }, &source, &limits,
			       &policy, &diag);

	fuzz_check_diag(&diag);
	assert(err == 0 || err == -EINVAL);
	assert((err == 0) == (diag.total == 0));
	if (err)
		assert(!policy.file && !policy.lists && !policy.prefixes && !policy.ports);
	else
		check_policy(&policy);
	return 0;
}
