/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefixes into lists: from the policy itself or from files that the caller reads. Keeps memory
 * bounded whatever the files hold: past the limit rows are counted and no longer stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "parse.h"
#include "prefix_text.h"

static const char *explain_error(int err)
{
	switch (-err) {
	case ENOENT:
		return "there is no such file";
	case EISDIR:
		return "it is a directory";
	case EINVAL:
		return "it is not a regular file";
	case EFBIG:
		return "it is too long";
	case EACCES:
	case EPERM:
		return "permission denied";
	default:
		return strerrordesc_np(-err) ? strerrordesc_np(-err) : "unknown error";
	}
}

/* Reads the file of a list. No file in @ret and 0: it was refused, with a problem. */
static int read_list(struct parse *parse, const struct node *node, const char *path,
		     struct buf *ret)
{
	const struct policy_source *source = parse->source;
	int err;

	if (!source) {
		diag_add(parse->diag, parse_at(parse, node), "unreadable_list",
			 "list files cannot be read here; write the prefixes as entries");
		return 0;
	}
	err = source->read(source->context, path, ret);
	if (err == -ENOMEM)
		return err;
	if (err) {
		diag_add(parse->diag, parse_at(parse, node), "unreadable_list",
			 "cannot read %.100s: %s", path, explain_error(err));
		return 0;
	}
	parse->list_bytes += ret->len;
	if (parse->list_bytes <= FILE_MAX_LIST)
		return 0;
	diag_add_limit(parse->diag, parse_at(parse, node), "lists_too_long",
		       (struct diag_limit){ parse->list_bytes, FILE_MAX_LIST },
		       "list files of %llu bytes together, at most %zu are read",
		       (unsigned long long)parse->list_bytes, FILE_MAX_LIST);
	ret->len = 0;
	return 0;
}

/*
 * How many prefixes are worth storing: enough that merging 5 % can still bring a list under the
 * limit. More rows than this are too many even after merging.
 */
static uint64_t room_of(const struct parse *parse)
{
	return (uint64_t)parse->limits->prefixes + parse->limits->prefixes / 16 + 1;
}

static int take_inline(struct parse *parse, const struct node *node, struct list_scan *scan)
{
	const char *text = node_text(parse, node);
	struct prefix prefix;

	if (!parse_is(parse, node, NODE_SCALAR, "a prefix"))
		return 0;
	if (prefix_parse(text, node->len, &prefix)) {
		prefix_refuse(parse->diag, parse_at(parse, node), text, node->len);
		return 0;
	}
	if (scan->rows++ >= scan->room)
		return 0;
	prefix.list = scan->list;
	prefix.line = (uint32_t)(node - parse->nodes); /* its place until all is checked */
	return prefix_push(scan->vec, &prefix);
}

static int fill_inline(struct parse *parse, const struct node *entries, struct list_scan *scan)
{
	const struct node *node;
	int err = 0;

	if (entries->kind != NODE_SEQUENCE)
		return 0;
	for (node = node_first(parse, entries); node && !err; node = node_next(parse, node))
		err = take_inline(parse, node, scan);
	return err;
}

/* A list whose contents could not be read at all was refused for that already. */
static void check_empty(struct parse *parse, const struct list *list, const struct draft *draft)
{
	const struct node *node = draft->file ? draft->file : draft->entries;

	if (draft->rows || list->allow_empty || !node || node->kind == NODE_BAD)
		return;
	if (draft->file ? !list->file || !*list->file : node->kind != NODE_SEQUENCE)
		return;
	diag_add(parse->diag, parse_at(parse, node), "empty_list",
		 "list '%s' has no prefix in it; allow_empty: true permits that",
		 list->name ? list->name : "?");
}

static int fill_list(struct parse *parse, uint32_t index)
{
	struct list *list = &parse->policy->lists[index];
	struct draft *draft = &parse->drafts[index];
	struct list_scan scan = { .name = list->file, .vec = &parse->vec, .diag = parse->diag };
	uint64_t room = room_of(parse), before = parse->diag->total;
	auto_buf struct buf text = { 0 };
	int err = 0;

	draft->first = parse->vec.count;
	scan.room = room > draft->first ? room - draft->first : 0;
	scan.list = (uint16_t)(index + 1);
	if (list->file && *list->file) {
		err = read_list(parse, draft->file, list->file, &text);
		if (!err && text.len) {
			scan.text = text.data;
			scan.end = text.data + text.len;
			err = list_scan(&scan);
		}
	} else if (!draft->file && draft->entries) {
		err = fill_inline(parse, draft->entries, &scan);
	}
	if (err)
		return err;
	draft->stored = parse->vec.count - draft->first;
	draft->rows = scan.rows;
	if (parse->diag->total == before)
		check_empty(parse, list, draft);
	err = parse_duplicates(parse, index, &(struct origin){ scan.name, scan.text, scan.end });
	list->prefixes = draft->stored;
	return err;
}

static int fill_protect(struct parse *parse)
{
	uint32_t index = parse->policy->list_count, limit = parse->limits->prefixes;
	struct draft *draft = &parse->drafts[index];
	struct list_scan scan = { .vec = &parse->vec, .diag = parse->diag, .room = limit };
	int err;

	draft->first = parse->vec.count;
	draft->family_id = PARSE_FAMILIES;
	if (!parse->protect)
		return 0;
	scan.list = (uint16_t)(index + 1);
	err = fill_inline(parse, parse->protect, &scan);
	if (err)
		return err;
	draft->stored = parse->vec.count - draft->first;
	parse->policy->protect_count = draft->stored;
	if (scan.rows > limit)
		diag_add_limit(parse->diag, parse_at(parse, parse->protect), "too_many_prefixes",
			       (struct diag_limit){ scan.rows, limit },
			       "%llu protected prefixes, the loaded program holds %u",
			       (unsigned long long)scan.rows, limit);
	return parse_duplicates(parse, index, &(struct origin){ NULL, NULL, NULL });
}

/* After merging, as that is what the program has to hold. */
static void check_room(struct parse *parse)
{
	const struct policy *policy = parse->policy;
	const struct node *over = NULL;
	uint64_t total = 0;
	uint32_t limit = parse->limits->prefixes, i;

	for (i = 0; i < policy->list_count; i++) {
		total += parse->drafts[i].rows - policy->lists[i].merged;
		if (total > limit && !over)
			over = parse->drafts[i].node;
	}
	if (over)
		diag_add_limit(parse->diag, parse_at(parse, over), "too_many_prefixes",
			       (struct diag_limit){ total, limit },
			       "%llu prefixes, the loaded program holds %u",
			       (unsigned long long)total, limit);
}

int parse_entries(struct parse *parse)
{
	uint32_t i;
	int err = 0;

	if (!parse->drafts)
		parse->drafts = calloc(1, sizeof(*parse->drafts));
	if (!parse->drafts)
		return -ENOMEM;
	for (i = 0; i < parse->policy->list_count && !err; i++)
		err = fill_list(parse, i);
	if (!err)
		err = fill_protect(parse);
	if (!err)
		check_room(parse);
	return err;
}
