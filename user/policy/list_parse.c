/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * List files: one prefix a line, or a published JSON document (list_json.c). One pass, no copies,
 * time linear in the bytes whatever they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "parse.h"
#include "prefix_text.h"

int prefix_push(struct prefix_vec *vec, const struct prefix *prefix)
{
	if (vec->count == vec->cap) {
		uint32_t cap = vec->cap ? vec->cap + vec->cap / 2 + 1 : 64;
		struct prefix *items = reallocarray(vec->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		vec->items = items;
		vec->cap = cap;
	}
	vec->items[vec->count++] = *prefix;
	return 0;
}

static struct diag_place place_of(const struct list_scan *scan, const struct list_token *token)
{
	struct diag_place place = { .file = scan->name, .line = token->line };

	place.col = (uint32_t)(token->place - token->line_start) + 1;
	text_excerpt(&place, token->line_start, scan->end);
	return place;
}

int list_take(struct list_scan *scan, const struct list_token *token)
{
	struct diag_place place;
	struct prefix prefix;

	if (prefix_parse(token->text, token->len, &prefix)) {
		place = place_of(scan, token);
		prefix_refuse(scan->diag, &place, token->text, token->len);
		return 0;
	}
	if (scan->rows++ >= scan->room)
		return 0;
	prefix.list = scan->list;
	prefix.line = token->line;
	return prefix_push(scan->vec, &prefix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

static bool is_rest(const char *at, const char *end)
{
	return at == end || *at == '#' || *at == ';';
}

static int scan_line(struct list_scan *scan, const char *start, const char *end, uint32_t line)
{
	struct list_token token = { .line_start = start, .line = line };
	const char *at = skip_blank(start, end);
	struct diag_place place;
	int err;

	if (is_rest(at, end))
		return 0;
	token.text = token.place = at;
	while (!is_rest(at, end) && !is_blank(*at))
		at++;
	token.len = (size_t)(at - token.text);
	err = list_take(scan, &token);
	at = skip_blank(at, end);
	if (err || is_rest(at, end))
		return err;
	token.place = at;
	place = place_of(scan, &token);
	diag_add(scan->diag, &place, "trailing_text",
		 "one prefix a line; a comment starts with '#' or ';'");
	return 0;
}

static int scan_lines(struct list_scan *scan)
{
	const char *at = scan->text;
	uint32_t line = 1;
	int err = 0;

	while (at < scan->end && !err) {
		const char *stop = memchr(at, '\n', (size_t)(scan->end - at));
		const char *end = stop ? stop : scan->end;

		err = scan_line(scan, at, end, line++);
		at = stop ? stop + 1 : end;
	}
	return err;
}

static bool is_json(const struct list_scan *scan)
{
	const char *at = scan->text;

	while (at < scan->end && (is_blank(*at) || *at == '\n'))
		at++;
	return at < scan->end && (*at == '{' || *at == '[');
}

int list_scan(struct list_scan *scan)
{
	size_t len = (size_t)(scan->end - scan->text);

	if (len > FILE_MAX_LIST) {
		struct diag_place place = { .file = scan->name };

		diag_add_limit(scan->diag, &place, "lists_too_long",
			       (struct diag_limit){ len, FILE_MAX_LIST },
			       "%zu bytes, a list file has at most %zu", len, FILE_MAX_LIST);
		return 0;
	}
	scan->text += text_skip_bom(scan->text, len);
	len = (size_t)(scan->end - scan->text);
	if (text_refuse(scan->name, scan->text, len, false, scan->diag))
		return 0;
	return is_json(scan) ? list_scan_json(scan) : scan_lines(scan);
}

int list_parse(const struct named_text *text, uint16_t list, uint32_t room, struct prefix_vec *vec,
	       struct diag *diag)
{
	struct list_scan scan = { .name = text->name,
				  .text = text->text,
				  .end = text->text + text->len,
				  .vec = vec,
				  .diag = diag,
				  .room = room,
				  .list = list };
	struct diag_place place = { .file = text->name };
	uint64_t before = diag->total;
	uint32_t count = vec->count;
	int err = text->len ? list_scan(&scan) : 0;

	if (!err && scan.rows > room)
		diag_add_limit(
			diag, &place, "too_many_prefixes", (struct diag_limit){ scan.rows, room },
			"%llu prefixes, there is room for %u", (unsigned long long)scan.rows, room);
	if (!err && diag->total != before)
		err = -EINVAL;
	if (err)
		vec->count = count;
	return err;
}
