/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy/: what the parts of policy_parse() share. Text becomes a tree of nodes that keep
 * their place, the tree becomes settings and drafts of lists, drafts are filled with prefixes.
 * Every function returns 0 or -ENOMEM; what is wrong with the text is in parse->diag.
 */
#ifndef STANCH_POLICY_PARSE_H
#define STANCH_POLICY_PARSE_H

#include "policy.h"

#define PARSE_DEPTH 8u /* nesting; a policy needs four */
#define PARSE_NODES 2500000u /* values in one policy: every prefix inline, and to spare */
#define PARSE_SHOWN 5u /* duplicates of a list, conflicts, named one by one */
#define PARSE_KEYS 16u /* keys that one mapping may know */
#define PARSE_FAMILIES LIMIT_FAMILIES
#define PARSE_QUOTED 64u /* bytes of a value that a message repeats */

enum node_kind {
	NODE_SCALAR,
	NODE_SEQUENCE,
	NODE_MAPPING,
	NODE_BAD, /* refused already: say no more about it */
};

struct node {
	uint8_t kind; /* enum node_kind */
	bool plain; /* a scalar without quotes */
	uint32_t line, col; /* from 1; columns are characters */
	uint32_t text, len; /* a scalar's bytes in parse->scalars */
	uint32_t first, next; /* child and sibling by index, 0 for none: the root is neither */
};

/* A list while it is read: what is needed to fill and to blame, beyond the struct list. */
struct draft {
	const struct node *node, *name, *action, *file, *entries, *points, *family, *duplicates;
	uint32_t first, stored; /* its prefixes in parse->vec */
	uint64_t rows; /* prefixes found, stored or not, before merging */
	uint32_t family_id; /* index into parse->families, PARSE_FAMILIES for none */
};

struct parse {
	const char *name, *text;
	size_t len;
	const struct policy_source *source;
	const struct limits *limits;
	struct policy *policy;
	struct diag *diag;

	struct node *nodes;
	uint32_t node_count, node_cap;
	struct buf scalars;

	struct draft *drafts; /* one per policy->lists, and one more for `protect` */
	const struct node *protect; /* its prefixes */
	const char *families[PARSE_FAMILIES];
	uint32_t family_count;
	uint64_t list_bytes; /* of list files, so far */
	struct prefix_vec vec;

	struct diag_place place; /* what parse_at() handed out last */
	size_t found_at; /* where line found_line starts */
	uint32_t found_line;
};

/* ---- parse_text.c: is this text, and where in it are we ---- */

/*
 * text_refuse - report the first byte that no text has: NUL, not UTF-8; when @strict also control
 * characters and line ends that YAML knows and editors do not. Returns whether there was one.
 */
bool text_refuse(const char *name, const char *text, size_t len, bool strict, struct diag *diag);
/* text_skip_bom - bytes of a UTF-8 byte order mark at the front of @text, 0 or 3. */
size_t text_skip_bom(const char *text, size_t len);
/* text_excerpt - fill the excerpt of @place with the line that starts at @text. */
void text_excerpt(struct diag_place *place, const char *text, const char *end);
/* parse_at_line - a place in the policy; the excerpt is that line. Valid until the next call. */
const struct diag_place *parse_at_line(struct parse *parse, uint32_t line, uint32_t col);
const struct diag_place *parse_at(struct parse *parse, const struct node *node);

/* ---- parse_yaml.c: text to nodes ---- */

/* parse_tree - 0 also when the text is refused: then there is no node. */
int parse_tree(struct parse *parse);

/* ---- parse_value.c: nodes to values ---- */
static inline const struct node *node_first(const struct parse *parse, const struct node *node)
{
	return node->first ? &parse->nodes[node->first] : NULL;
}
static inline const struct node *node_next(const struct parse *parse, const struct node *node)
{
	return node->next ? &parse->nodes[node->next] : NULL;
}
/* Bytes of it that a message shows. */
static inline int node_shown(const struct node *node)
{
	return (int)(node->len > PARSE_QUOTED ? PARSE_QUOTED : node->len);
}
static inline const char *node_text(const struct parse *parse, const struct node *node)
{
	return parse->scalars.data + node->text;
}

struct key {
	const char *name;
	int (*take)(struct parse *parse, const struct node *value,
		    void *into); /* NULL: not built */
	bool required;
};
struct schema {
	const char *what; /* "the policy", "a list" */
	const struct key *keys;
	unsigned int count;
};
/* parse_mapping - hand each value to its key's function; repeated, unknown, missing are refused. */
int parse_mapping(struct parse *parse, const struct node *node, const struct schema *schema,
		  void *into);
/* The rest report what does not fit and return whether it did; @ret is untouched when not. */
bool parse_is(struct parse *parse, const struct node *node, enum node_kind kind, const char *what);
bool parse_bool(struct parse *parse, const struct node *node, const char *what, bool *ret);
/* parse_number - decimal, or 0x and hexadecimal digits when @largest needs all 32 bits. */
bool parse_number(struct parse *parse, const struct node *node, const char *what, uint32_t largest,
		  uint32_t *ret);
/*
 * parse_amount - a number with an optional point and one of @units, in grains; exact or refused.
 * A bound and the grain have a text, since messages speak as people write.
 */
struct unit {
	const char *name; /* behind the number, "" for none; NULL ends the list */
	uint64_t grains; /* in one of it */
};
struct amount {
	const char *what, *wanted; /* "growth", "a factor such as 1.5" */
	const struct unit *units;
	uint32_t least, most;
	const char *grain_text, *least_text, *most_text;
};
bool parse_amount(struct parse *parse, const struct node *node, const struct amount *amount,
		  uint32_t *ret);
bool parse_choice(struct parse *parse, const struct node *node, const char *what,
		  const char *const *choices, unsigned int *ret);
bool parse_name(struct parse *parse, const struct node *node, const char *what);
/* parse_refuse - "@what is @wanted, not ..." */
void parse_refuse(struct parse *parse, const struct node *node, const char *what,
		  const char *wanted);
/* parse_copy - a scalar's bytes as a string of its own. */
int parse_copy(struct parse *parse, const struct node *node, char **ret);

/* ---- parse_settings.c, parse_lists.c, parse_entries.c, parse_duplicates.c ---- */
int parse_settings(struct parse *parse, const struct node *root);
/* parse_gates, parse_canary - the values of these keys (parse_trial.c). */
int parse_gates(struct parse *parse, const struct node *value, void *into);
int parse_canary(struct parse *parse, const struct node *value, void *into);
/* parse_lists - the value of the key `lists`. */
int parse_lists(struct parse *parse, const struct node *value, void *into);
/* parse_entries - fill every draft, `protect` last, and compare with the limits. */
int parse_entries(struct parse *parse);

/* Where the prefixes of one list were written. */
struct origin {
	const char *file, *text, *end; /* of the list file; file NULL: in the policy itself */
};
/*
 * parse_duplicates - refuse or merge what list @index holds twice. It must be the last one read,
 * since merging closes the gaps at the end of parse->vec.
 */
int parse_duplicates(struct parse *parse, uint32_t index, const struct origin *origin);
/* parse_conflicts - refuse a prefix with different points in two lists of one family. */
int parse_conflicts(struct parse *parse);

/* ---- list_parse.c, list_json.c ---- */
struct list_scan {
	const char *name, *text, *end;
	struct prefix_vec *vec;
	struct diag *diag;
	uint64_t room; /* prefixes that may still be stored in vec */
	uint64_t rows; /* prefixes found, stored or not */
	uint16_t list;
};
/* list_scan - read a list file of either form. */
int list_scan(struct list_scan *scan);
int list_scan_json(struct list_scan *scan);
/* list_take - one prefix at @token; @line_start is for the excerpt and the column. */
struct list_token {
	const char *text, *place, *line_start; /* place: where @text begins in the file */
	size_t len;
	uint32_t line;
};
int list_take(struct list_scan *scan, const struct list_token *token);
int prefix_push(struct prefix_vec *vec, const struct prefix *prefix);

#endif
