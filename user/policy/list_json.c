/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published prefix documents: {"prefixes":[{"ipv4Prefix":"192.0.2.0/24"},...]}. A reader for this
 * one shape rather than a JSON library, because a refused prefix has to be shown on its line and
 * because nesting and memory are bounded by the shape. Strings and numbers beside the prefixes
 * are skipped; any other shape is refused where it begins.
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

#define PREFIX_BYTES 64u /* a longer string is no prefix, with or without escapes */

/* Functions on it return 0, -EINVAL after reporting a problem, or -ENOMEM. */
struct json {
	struct list_scan *scan;
	const char *at, *line_start;
	uint32_t line;
	bool found; /* the key that matters in the object being read */
};

static int refuse(struct json *json, const char *code, const char *what)
{
	struct diag_place place = { .file = json->scan->name, .line = json->line };

	place.col = (uint32_t)(json->at - json->line_start) + 1;
	text_excerpt(&place, json->line_start, json->scan->end);
	diag_add(json->scan->diag, &place, code, "%s", what);
	return -EINVAL;
}

static void skip_blank(struct json *json)
{
	for (; json->at < json->scan->end; json->at++) {
		if (!strchr(" \t\r\n", *json->at))
			return;
		if (*json->at == '\n') {
			json->line++;
			json->line_start = json->at + 1;
		}
	}
}

static bool next_is(struct json *json, char c)
{
	skip_blank(json);
	return json->at < json->scan->end && *json->at == c;
}

static bool step_over(struct json *json, char c)
{
	bool here = next_is(json, c);

	json->at += here;
	return here;
}

/* A string's raw bytes, escapes included, without its quotes. */
static int take_string(struct json *json, const char *what, struct list_token *ret)
{
	const char *end = json->scan->end, *at;

	if (!next_is(json, '"'))
		return refuse(json, "unknown_shape", what);
	for (at = json->at + 1; at < end && *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			break;
		at += *at == '\\' && end - at > 1;
	}
	if (at >= end || *at != '"')
		return refuse(json, "json", "a string without its closing quote");
	*ret = (struct list_token){ .text = json->at + 1,
				    .place = json->at + 1,
				    .line_start = json->line_start,
				    .len = (size_t)(at - json->at - 1),
				    .line = json->line };
	json->at = at + 1;
	return 0;
}

/* A value that does not matter: a string, a number, true, false or null. */
static int skip_scalar(struct json *json)
{
	struct list_token token;
	const char *start;

	if (next_is(json, '"'))
		return take_string(json, "", &token);
	start = json->at;
	while (json->at < json->scan->end &&
	       ((*json->at >= '0' && *json->at <= '9') || (*json->at >= 'a' && *json->at <= 'z') ||
		(*json->at && strchr("+-.E", *json->at))))
		json->at++;
	if (json->at == start)
		return refuse(json, "unknown_shape", "a string or a number is expected here");
	return 0;
}

static bool is_key(const struct list_token *key, const char *name)
{
	return key->len == strlen(name) && !memcmp(key->text, name, key->len);
}

/* Some writers escape the slash: "192.0.2.0\/24". */
static int take_prefix(struct json *json)
{
	char plain[PREFIX_BYTES];
	struct list_token token;
	size_t len = 0, i;
	int err = take_string(json, "a prefix in quotes is expected here", &token);

	if (err)
		return err;
	json->found = true;
	if (token.len < sizeof(plain) && memchr(token.text, '\\', token.len)) {
		for (i = 0; i < token.len; i++)
			if (token.text[i] != '\\' || i + 1 == token.len || token.text[i + 1] != '/')
				plain[len++] = token.text[i];
		token.text = plain;
		token.len = len;
	}
	return list_take(json->scan, &token);
}

static int take_object(struct json *json,
		       int (*member)(struct json *json, const struct list_token *key))
{
	struct list_token key;
	int err;

	if (!step_over(json, '{'))
		return refuse(json, "unknown_shape", "an object {...} is expected here");
	json->found = false;
	if (step_over(json, '}'))
		return 0;
	do {
		err = take_string(json, "a key in quotes is expected here", &key);
		if (!err && !step_over(json, ':'))
			err = refuse(json, "json", "a ':' is expected here");
		if (!err)
			err = member(json, &key);
		if (err)
			return err;
	} while (step_over(json, ','));
	if (!step_over(json, '}'))
		return refuse(json, "json", "a ',' or '}' is expected here");
	return 0;
}

static int take_entry_member(struct json *json, const struct list_token *key)
{
	if (is_key(key, "ipv4Prefix") || is_key(key, "ipv6Prefix"))
		return take_prefix(json);
	return skip_scalar(json);
}

static int take_entry(struct json *json)
{
	struct json start;
	int err;

	skip_blank(json);
	start = *json;
	err = take_object(json, take_entry_member);
	if (!err && !json->found)
		err = refuse(&start, "unknown_shape", "an entry without ipv4Prefix or ipv6Prefix");
	return err;
}

static int take_entries(struct json *json)
{
	int err;

	if (!step_over(json, '['))
		return refuse(json, "unknown_shape", "an array [...] of prefixes is expected here");
	if (step_over(json, ']'))
		return 0;
	do {
		err = take_entry(json);
		if (err)
			return err;
	} while (step_over(json, ','));
	if (!step_over(json, ']'))
		return refuse(json, "json", "a ',' or ']' is expected here");
	return 0;
}

/* The flag is the outer object's only after the array: each entry uses it for itself. */
static int take_top_member(struct json *json, const struct list_token *key)
{
	bool found = json->found;
	int err;

	if (!is_key(key, "prefixes"))
		return skip_scalar(json);
	if (found)
		return refuse(json, "duplicate_key", "\"prefixes\" a second time");
	err = take_entries(json);
	json->found = true;
	return err;
}

int list_scan_json(struct list_scan *scan)
{
	struct json json = { .scan = scan, .at = scan->text, .line_start = scan->text, .line = 1 };
	struct json start;
	int err;

	skip_blank(&json);
	start = json;
	err = take_object(&json, take_top_member);
	if (!err && !json.found)
		err = refuse(&start, "unknown_shape", "there is no array \"prefixes\"");
	skip_blank(&json);
	if (!err && json.at < scan->end)
		err = refuse(&json, "json", "nothing may follow the document");
	return err == -ENOMEM ? err : 0;
}
