/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_parse() from the outside: the order of its steps, and who owns what. Start here; the
 * steps are parse_yaml.c (text to nodes), parse_settings.c and parse_lists.c (nodes to policy),
 * parse_entries.c (prefixes into lists), parse_duplicates.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile.h"
#include "parse.h"

void policy_factory(struct policy *ret)
{
	*ret = (struct policy){ .mode = MODE_ENFORCE };
	settings_default(&ret->settings);
}

void policy_free(struct policy *policy)
{
	uint32_t i;

	for (i = 0; i < policy->list_count; i++) {
		free(policy->lists[i].name);
		free(policy->lists[i].family);
		free(policy->lists[i].file);
	}
	free(policy->lists);
	free(policy->prefixes);
	free(policy->ports);
	free(policy->file);
	*policy = (struct policy){ 0 };
}

static void parse_free(struct parse *parse)
{
	free(parse->nodes);
	free(parse->drafts);
	free(parse->vec.items);
	buf_free(&parse->scalars);
}

/* Inline prefixes kept the number of their node until now. */
static void settle_lines(struct parse *parse)
{
	const struct policy *policy = parse->policy;
	uint32_t i, j;

	for (i = 0; i <= policy->list_count; i++) {
		const struct draft *draft = &parse->drafts[i];

		if (draft->file)
			continue;
		for (j = draft->first; j < draft->first + draft->stored; j++)
			parse->vec.items[j].line = parse->nodes[parse->vec.items[j].line].line;
	}
}

static int run(struct parse *parse)
{
	int err = parse_tree(parse);

	if (err || !parse->node_count)
		return err;
	err = parse_settings(parse, &parse->nodes[0]);
	if (!err)
		err = parse_entries(parse);
	if (!err)
		err = parse_conflicts(parse);
	if (!err)
		settle_lines(parse);
	return err;
}

int policy_parse(const struct named_text *text, const struct policy_source *source,
		 const struct limits *limits, struct policy *ret, struct diag *diag)
{
	auto_policy struct policy policy = { .mode = MODE_MONITOR, .headers = true };
	cleanup(parse_free) struct parse parse = {
		.name = text->name,
		.text = text->text,
		.len = text->len,
		.source = source,
		.limits = limits ? limits : &limits_builtin,
		.policy = &policy,
		.diag = diag,
	};
	uint64_t before = diag->total;
	int err;

	settings_default(&policy.settings);
	policy.file = strdup(text->name);
	if (!policy.file)
		return -ENOMEM;
	err = run(&parse);
	diag_sort(diag);
	if (err)
		return err;
	if (diag->total != before)
		return -EINVAL;
	policy.prefixes = TAKE_PTR(parse.vec.items);
	policy.prefix_count = parse.vec.count;
	*ret = policy;
	policy = (struct policy){ 0 };
	return 0;
}
