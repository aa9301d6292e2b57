/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML to a tree of nodes that know their place. Takes libyaml's events one by one and stops at
 * the first that goes too deep, so nesting costs nothing; aliases are refused, so nothing is ever
 * expanded. Knows nothing of what a policy may contain.
 */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "parse.h"

struct builder {
	struct parse *parse;
	yaml_parser_t *yaml;
	uint32_t open[PARSE_DEPTH]; /* nodes whose children are coming */
	uint32_t last[PARSE_DEPTH]; /* the newest child of each, 0 while there is none */
	unsigned int depth, documents;
	bool done;
};

static const struct diag_place *at_mark(struct parse *parse, const yaml_mark_t *mark)
{
	return parse_at_line(parse, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1);
}

static void give_up(struct builder *builder)
{
	builder->parse->node_count = 0;
	builder->done = true;
}

static int grow_nodes(struct parse *parse)
{
	uint32_t cap = parse->node_cap ? parse->node_cap * 2 : 64;
	struct node *nodes;

	if (parse->node_count < parse->node_cap)
		return 0;
	nodes = reallocarray(parse->nodes, cap, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	parse->nodes = nodes;
	parse->node_cap = cap;
	return 0;
}

/* Adds a node where the event stands; children find it through @last. */
static int add_node(struct builder *builder, const yaml_mark_t *mark, enum node_kind kind)
{
	struct parse *parse = builder->parse;
	uint32_t index = parse->node_count;
	int err = grow_nodes(parse);

	if (err)
		return err;
	parse->nodes[index] = (struct node){ .kind = kind,
					     .line = (uint32_t)mark->line + 1,
					     .col = (uint32_t)mark->column + 1 };
	parse->node_count++;
	if (builder->depth) {
		uint32_t *last = &builder->last[builder->depth - 1];

		if (*last)
			parse->nodes[*last].next = index;
		else
			parse->nodes[builder->open[builder->depth - 1]].first = index;
		*last = index;
	}
	return 0;
}

static int add_scalar(struct builder *builder, const yaml_event_t *event)
{
	struct parse *parse = builder->parse;
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length, i;
	struct node *node;
	int err = add_node(builder, &event->start_mark, NODE_SCALAR);

	if (err)
		return err;
	node = &parse->nodes[parse->node_count - 1];
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = (uint32_t)parse->scalars.len;
	node->len = (uint32_t)len;
	for (i = 0; i < len; i++) {
		if ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f)
			continue;
		diag_add(parse->diag, parse_at(parse, node), "control_character",
			 "a line break or control character inside a value");
		node->kind = NODE_BAD;
		break;
	}
	return buf_append(&parse->scalars, text, len);
}

static int open_node(struct builder *builder, const yaml_mark_t *mark, enum node_kind kind)
{
	struct parse *parse = builder->parse;
	int err;

	if (builder->depth == PARSE_DEPTH) {
		diag_add_limit(parse->diag, at_mark(parse, mark), "too_deep",
			       (struct diag_limit){ PARSE_DEPTH + 1, PARSE_DEPTH },
			       "nested more than %u deep", PARSE_DEPTH);
		give_up(builder);
		return 0;
	}
	err = add_node(builder, mark, kind);
	if (err)
		return err;
	builder->open[builder->depth] = parse->node_count - 1;
	builder->last[builder->depth] = 0;
	builder->depth++;
	return 0;
}

static void refuse_marks(struct builder *builder, const yaml_event_t *event, const void *anchor,
			 const void *tag)
{
	struct parse *parse = builder->parse;

	if (anchor)
		diag_add(parse->diag, at_mark(parse, &event->start_mark), "anchor",
			 "anchors are not used in a policy");
	if (tag)
		diag_add(parse->diag, at_mark(parse, &event->start_mark), "tag",
			 "tags are not used in a policy");
}

static void start_document(struct builder *builder, const yaml_event_t *event)
{
	struct parse *parse = builder->parse;

	if (!builder->documents++)
		return;
	diag_add(parse->diag, at_mark(parse, &event->start_mark), "multiple_documents",
		 "a second YAML document starts here; a policy is one");
	give_up(builder);
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
	struct parse *parse = builder->parse;
	const yaml_mark_t *mark = &event->start_mark;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		start_document(builder, event);
		return 0;
	case YAML_STREAM_END_EVENT:
		builder->done = true;
		return 0;
	case YAML_ALIAS_EVENT:
		diag_add(parse->diag, at_mark(parse, mark), "alias",
			 "aliases are not used in a policy");
		return add_node(builder, mark, NODE_BAD);
	case YAML_SCALAR_EVENT:
		refuse_marks(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
		return add_scalar(builder, event);
	case YAML_SEQUENCE_START_EVENT:
		refuse_marks(builder, event, event->data.sequence_start.anchor,
			     event->data.sequence_start.tag);
		return open_node(builder, mark, NODE_SEQUENCE);
	case YAML_MAPPING_START_EVENT:
		refuse_marks(builder, event, event->data.mapping_start.anchor,
			     event->data.mapping_start.tag);
		return open_node(builder, mark, NODE_MAPPING);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	default:
		return 0;
	}
}

static int refuse_syntax(struct builder *builder)
{
	yaml_parser_t *yaml = builder->yaml;
	struct parse *parse = builder->parse;

	if (yaml->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (yaml->context && yaml->context_mark.line < yaml->problem_mark.line)
		diag_add(parse->diag, at_mark(parse, &yaml->problem_mark), "yaml",
			 "%s %s from line %zu", yaml->problem, yaml->context,
			 yaml->context_mark.line + 1);
	else
		diag_add(parse->diag, at_mark(parse, &yaml->problem_mark), "yaml", "%s%s%s",
			 yaml->problem ? yaml->problem : "this is not YAML",
			 yaml->context ? " " : "", yaml->context ? yaml->context : "");
	give_up(builder);
	return 0;
}

static int next_event(struct builder *builder)
{
	struct parse *parse = builder->parse;
	cleanup(yaml_event_delete) yaml_event_t event = { 0 };
	int err;

	if (!yaml_parser_parse(builder->yaml, &event))
		return refuse_syntax(builder);
	err = take_event(builder, &event);
	if (err)
		return err;
	if (parse->node_count > PARSE_NODES) {
		diag_add_limit(parse->diag, at_mark(parse, &event.start_mark), "too_many_values",
			       (struct diag_limit){ parse->node_count, PARSE_NODES },
			       "more than %u values in one policy; put prefixes into list files",
			       PARSE_NODES);
		give_up(builder);
	}
	return 0;
}

static bool is_blank_root(const struct parse *parse)
{
	return !parse->node_count || (parse->nodes[0].kind == NODE_SCALAR && !parse->nodes[0].len &&
				      parse->nodes[0].plain);
}

static int build(struct builder *builder)
{
	struct parse *parse = builder->parse;
	uint64_t before = parse->diag->total;
	int err = 0;

	while (!err && !builder->done)
		err = next_event(builder);
	if (err || !is_blank_root(parse))
		return err;
	parse->node_count = 0;
	if (parse->diag->total == before)
		diag_add(parse->diag, parse_at_line(parse, 1, 1), "empty_policy", "empty policy");
	return 0;
}

int parse_tree(struct parse *parse)
{
	cleanup(yaml_parser_delete) yaml_parser_t yaml = { 0 };
	struct builder builder = { .parse = parse, .yaml = &yaml };
	size_t bom;

	if (parse->len > FILE_MAX_POLICY) {
		struct diag_place place = { .file = parse->name };

		diag_add_limit(parse->diag, &place, "policy_too_long",
			       (struct diag_limit){ parse->len, FILE_MAX_POLICY },
			       "%zu bytes, a policy has at most %zu", parse->len, FILE_MAX_POLICY);
		return 0;
	}
	bom = text_skip_bom(parse->text, parse->len);
	parse->text += bom;
	parse->len -= bom;
	if (text_refuse(parse->name, parse->text, parse->len, true, parse->diag))
		return 0;
	if (buf_reserve(&parse->scalars, 1) || !yaml_parser_initialize(&yaml))
		return -ENOMEM;
	yaml_parser_set_encoding(&yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml, (const unsigned char *)parse->text, parse->len);
	return build(&builder);
}
