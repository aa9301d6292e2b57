/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of a policy and the settings among them. A key whose judge is not built is in the table
 * too, so that it is refused by name and never ignored.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "parse.h"

#define PORTS 65536u

static int take_version(struct parse *parse, const struct node *value, void *into)
{
	uint32_t version;

	(void)into;
	if (!parse_number(parse, value, "version", UINT32_MAX, &version) || version == 1)
		return 0;
	diag_add(parse->diag, parse_at(parse, value), "bad_version",
		 "version %u is not one this tool reads; it reads 1", version);
	return 0;
}

static int take_mode(struct parse *parse, const struct node *value, void *into)
{
	static const char *const names[] = { "enforce", "monitor", NULL };
	struct policy *policy = into;
	unsigned int choice;

	if (parse_choice(parse, value, "mode", names, &choice))
		policy->mode = choice ? MODE_MONITOR : MODE_ENFORCE;
	return 0;
}

static int take_inner(struct parse *parse, const struct node *value, void *into)
{
	struct policy *policy = into;

	parse_bool(parse, value, "inner", &policy->inner);
	return 0;
}

static int take_sources(struct parse *parse, const struct node *value, void *into)
{
	struct policy *policy = into;

	parse_bool(parse, value, "sources", &policy->sources);
	return 0;
}

static int take_headers(struct parse *parse, const struct node *value, void *into)
{
	static const char *const names[] = { "pass", "drop", NULL };
	struct policy *policy = into;
	unsigned int choice;

	if (parse_choice(parse, value, "headers", names, &choice))
		policy->headers = choice;
	return 0;
}

static int take_mask(struct parse *parse, const struct node *value, void *into)
{
	struct policy *policy = into;

	if (!parse_number(parse, value, "mask", UINT32_MAX, &policy->mark_mask))
		policy->mark_mask = UINT32_MAX; /* say nothing about the value then */
	else if (!policy->mark_mask)
		diag_add(parse->diag, parse_at(parse, value), "bad_value",
			 "mask has no bit set; leave `mark` out to set none");
	return 0;
}

static int take_mark_value(struct parse *parse, const struct node *value, void *into)
{
	struct policy *policy = into;

	parse_number(parse, value, "value", UINT32_MAX, &policy->mark_value);
	return 0;
}

static int take_mark(struct parse *parse, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "mask", take_mask, true },
		{ "value", take_mark_value, true },
	};
	static const struct schema schema = { "mark", keys, ARRAY_SIZE(keys) };
	struct policy *policy = into;
	uint32_t mask, set;
	int err = parse_mapping(parse, value, &schema, into);

	mask = policy->mark_mask;
	set = policy->mark_value;
	if (!err && mask && set & ~mask)
		diag_add(parse->diag, parse_at(parse, value), "mark_outside_mask",
			 "value 0x%x has bits outside mask 0x%x", set, mask);
	return err;
}

static void mark_port(struct parse *parse, const struct node *node, uint8_t *seen)
{
	uint32_t port;

	if (!parse_number(parse, node, "a port", PORTS - 1, &port))
		return;
	if (!port)
		diag_add(parse->diag, parse_at(parse, node), "out_of_range", "port 0 is not used");
	else if (seen[port])
		diag_add(parse->diag, parse_at(parse, node), "duplicate_port",
			 "port %u is listed already", port);
	seen[port] = 1;
}

static int take_ports(struct parse *parse, const struct node *value, void *into)
{
	autofree uint8_t *seen = calloc(PORTS, 1);
	autofree uint16_t *ports = NULL;
	struct policy *policy = into;
	const struct node *node;
	uint32_t count = 0, port;

	if (!parse_is(parse, value, NODE_SEQUENCE, "ports"))
		return 0;
	if (!seen)
		return -ENOMEM;
	for (node = node_first(parse, value); node; node = node_next(parse, node))
		mark_port(parse, node, seen);
	for (port = 1; port < PORTS; port++)
		count += seen[port];
	if (!count)
		return 0;
	ports = calloc(count, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (port = 1; port < PORTS; port++)
		if (seen[port])
			ports[policy->port_count++] = (uint16_t)port;
	policy->ports = TAKE_PTR(ports);
	return 0;
}

static int take_protected(struct parse *parse, const struct node *value, void *into)
{
	(void)into;
	if (parse_is(parse, value, NODE_SEQUENCE, "prefixes"))
		parse->protect = value;
	return 0;
}

static int take_protect(struct parse *parse, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "prefixes", take_protected, false },
		{ "ports", take_ports, false },
	};
	static const struct schema schema = { "protect", keys, ARRAY_SIZE(keys) };

	return parse_mapping(parse, value, &schema, into);
}

int parse_settings(struct parse *parse, const struct node *root)
{
	static const struct key keys[] = {
		{ "version", take_version, true }, { "mode", take_mode, false },
		{ "inner", take_inner, false },	   { "headers", take_headers, false },
		{ "mark", take_mark, false },	   { "protect", take_protect, false },
		{ "lists", parse_lists, false },   { "signatures", NULL, false },
		{ "features", NULL, false },	   { "thresholds", NULL, false },
		{ "services", NULL, false },	   { "gates", parse_gates, false },
		{ "canary", parse_canary, false }, { "sources", take_sources, false },
	};
	static const struct schema schema = { "the policy", keys, ARRAY_SIZE(keys) };

	_Static_assert(ARRAY_SIZE(keys) <= PARSE_KEYS, "parse_mapping remembers each key");
	return parse_mapping(parse, root, &schema, parse->policy);
}
