/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes to values: mappings by a table of keys, booleans, numbers, choices, names. Says what is
 * wrong where it stands, and offers the nearest key. Knows no key of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "parse.h"

#define NEAR_LENGTH 32u /* keys longer than this resemble nothing */
#define NEAR_EDITS 2u /* a typing error or two */

static const char *const kind_names[] = {
	[NODE_SCALAR] = "one value",
	[NODE_SEQUENCE] = "a sequence",
	[NODE_MAPPING] = "a mapping of keys",
	[NODE_BAD] = "",
};

bool parse_is(struct parse *parse, const struct node *node, enum node_kind kind, const char *what)
{
	bool blank = node->kind == NODE_SCALAR && node->plain && !node->len;

	if (node->kind == kind)
		return true;
	if (node->kind != NODE_BAD)
		diag_add(parse->diag, parse_at(parse, node), "wrong_kind", "%s is %s, not %s", what,
			 kind_names[kind], blank ? "nothing" : kind_names[node->kind]);
	return false;
}

static bool is_text(const struct parse *parse, const struct node *node, const char *text)
{
	return strlen(text) == node->len && !memcmp(node_text(parse, node), text, node->len);
}

static unsigned int smallest(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits (insert, delete, replace) from one text to the other. */
static unsigned int distance(const char *a, unsigned int a_len, const char *b, unsigned int b_len)
{
	unsigned int row[NEAR_LENGTH + 1], i, j;

	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			unsigned int above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
					  corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[b_len];
}

static const char *nearest_key(const struct parse *parse, const struct node *node,
			       const struct schema *schema)
{
	unsigned int best = NEAR_EDITS + 1, i;
	const char *name = NULL;

	if (node->len > NEAR_LENGTH || parse->diag->stored == DIAG_PROBLEMS)
		return NULL;
	for (i = 0; i < schema->count; i++) {
		const char *key = schema->keys[i].name;
		unsigned int len = (unsigned int)strlen(key);
		unsigned int edits = distance(node_text(parse, node), node->len, key, len);

		if (edits < best && edits < len) {
			best = edits;
			name = key;
		}
	}
	return name;
}

static void refuse_unknown(struct parse *parse, const struct node *key, const struct schema *schema)
{
	const char *near = nearest_key(parse, key, schema);

	diag_add(parse->diag, parse_at(parse, key), "unknown_key", "%s has no key '%.*s'%s%s%s",
		 schema->what, node_shown(key), node_text(parse, key),
		 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* One key and its value. @first remembers where each known key stood. */
static int take_pair(struct parse *parse, const struct node *key, const struct schema *schema,
		     const struct node **first, void *into)
{
	const struct node *value = node_next(parse, key);
	unsigned int i;

	if (!parse_is(parse, key, NODE_SCALAR, "a key"))
		return 0;
	for (i = 0; i < schema->count; i++)
		if (is_text(parse, key, schema->keys[i].name))
			break;
	if (i == schema->count) {
		refuse_unknown(parse, key, schema);
		return 0;
	}
	if (first[i]) {
		diag_add(parse->diag, parse_at(parse, key), "duplicate_key",
			 "the key '%s' is repeated, it stands on line %u already",
			 schema->keys[i].name, first[i]->line);
		return 0;
	}
	first[i] = key;
	if (schema->keys[i].take)
		return schema->keys[i].take(parse, value, into);
	diag_add(parse->diag, parse_at(parse, key), "not_built",
		 "'%s' is not built in this version", schema->keys[i].name);
	return 0;
}

int parse_mapping(struct parse *parse, const struct node *node, const struct schema *schema,
		  void *into)
{
	const struct node *first[PARSE_KEYS] = { 0 }, *key;
	unsigned int i;
	int err = 0;

	if (!parse_is(parse, node, NODE_MAPPING, schema->what))
		return 0;
	for (key = node_first(parse, node); key && !err;
	     key = node_next(parse, node_next(parse, key)))
		err = take_pair(parse, key, schema, first, into);
	for (i = 0; i < schema->count && !err; i++)
		if (schema->keys[i].required && !first[i])
			diag_add(parse->diag, parse_at(parse, node), "missing_key",
				 "%s needs the key '%s'", schema->what, schema->keys[i].name);
	return err;
}

void parse_refuse(struct parse *parse, const struct node *node, const char *what,
		  const char *wanted)
{
	diag_add(parse->diag, parse_at(parse, node), "bad_value", "%s is %s, not '%.*s'", what,
		 wanted, node_shown(node), node_text(parse, node));
}

bool parse_bool(struct parse *parse, const struct node *node, const char *what, bool *ret)
{
	if (!parse_is(parse, node, NODE_SCALAR, what))
		return false;
	if (!node->plain || (!is_text(parse, node, "true") && !is_text(parse, node, "false"))) {
		parse_refuse(parse, node, what, "true or false");
		return false;
	}
	*ret = is_text(parse, node, "true");
	return true;
}

/* At most ten digits, so that the sum fits; -ERANGE past that. */
static int read_number(const char *text, size_t len, uint64_t *ret)
{
	bool hex = len > 2 && text[0] == '0' && text[1] == 'x';
	size_t i = hex ? 2 : 0;
	uint64_t value = 0;

	if (!len || (!hex && len > 1 && text[0] == '0'))
		return -EINVAL;
	for (; i < len; i++) {
		const char *digits = "0123456789abcdef";
		int low = text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i];
		const char *digit = low ? strchr(digits, low) : NULL;

		if (!digit || (!hex && digit >= digits + 10))
			return -EINVAL;
		value = value * (hex ? 16 : 10) + (uint64_t)(digit - digits);
		if (value > UINT32_MAX)
			value = (uint64_t)UINT32_MAX + 1;
	}
	*ret = value;
	return 0;
}

bool parse_number(struct parse *parse, const struct node *node, const char *what, uint32_t largest,
		  uint32_t *ret)
{
	uint64_t value;

	if (!parse_is(parse, node, NODE_SCALAR, what))
		return false;
	if (!node->plain || read_number(node_text(parse, node), node->len, &value)) {
		parse_refuse(parse, node, what, "a whole number");
		return false;
	}
	if (value > largest) {
		diag_add_limit(parse->diag, parse_at(parse, node), "out_of_range",
			       (struct diag_limit){ value, largest }, "%s is at most %u, not %.*s",
			       what, largest, node_shown(node), node_text(parse, node));
		return false;
	}
	*ret = (uint32_t)value;
	return true;
}

static void refuse_choice(struct parse *parse, const struct node *node, const char *what,
			  const char *const *choices)
{
	char list[96] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; choices[i]; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					!i		 ? ""
					: choices[i + 1] ? ", "
							 : " or ",
					choices[i]);
	parse_refuse(parse, node, what, list);
}

bool parse_choice(struct parse *parse, const struct node *node, const char *what,
		  const char *const *choices, unsigned int *ret)
{
	unsigned int i;

	if (!parse_is(parse, node, NODE_SCALAR, what))
		return false;
	for (i = 0; choices[i]; i++) {
		if (!is_text(parse, node, choices[i]))
			continue;
		*ret = i;
		return true;
	}
	refuse_choice(parse, node, what, choices);
	return false;
}

static bool is_name(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		bool word =
			(text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');

		if (!word && (!i || !strchr("._-", text[i])))
			return false;
	}
	return len > 0;
}

bool parse_name(struct parse *parse, const struct node *node, const char *what)
{
	if (!parse_is(parse, node, NODE_SCALAR, what))
		return false;
	if (node->len > POLICY_NAME_MAX) {
		diag_add_limit(parse->diag, parse_at(parse, node), "bad_name",
			       (struct diag_limit){ node->len, POLICY_NAME_MAX },
			       "%s has %u bytes, at most %u are allowed", what, node->len,
			       POLICY_NAME_MAX);
		return false;
	}
	if (is_name(node_text(parse, node), node->len))
		return true;
	parse_refuse(parse, node, what,
		     "made of a-z, 0-9, '.', '_' and '-', starting with a letter or digit");
	return false;
}

int parse_copy(struct parse *parse, const struct node *node, char **ret)
{
	char *copy = strndup(node_text(parse, node), node->len);

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}
