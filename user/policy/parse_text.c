/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text before it has any meaning: is it text at all, and which line is the one to show. Knows
 * bytes, lines and columns; nothing of YAML or lists.
 */
#include <string.h>

#include "base/utf8.h"
#include "parse.h"

size_t text_skip_bom(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* Most of every text is ASCII: step over it eight bytes at a time. */
static const char *skip_ascii(const char *at, const char *end)
{
	while (end - at >= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		if (word & 0x8080808080808080ull)
			break;
		at += 8;
	}
	while (at < end && !(*at & 0x80))
		at++;
	return at;
}

static const char *find_broken(const char *text, const char *end)
{
	const char *nul = memchr(text, '\0', (size_t)(end - text));
	const char *at, *stop = nul ? nul : end;
	uint32_t code;

	for (at = skip_ascii(text, stop); at < stop; at = skip_ascii(at, stop)) {
		unsigned int step = utf8_next(at, (size_t)(stop - at), &code);

		if (!step)
			return at;
		at += step;
	}
	return nul;
}

/* What libyaml refuses, or takes for the end of a line where an editor would not. */
static bool is_control(const char *at, const char *end, uint32_t code)
{
	if (code == '\r')
		return at + 1 == end || at[1] != '\n';
	if (code < 0x20)
		return code != '\t' && code != '\n';
	return (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
	       code == 0xfeff || code == 0xfffe || code == 0xffff;
}

static const char *find_control(const char *text, const char *end)
{
	uint32_t code = 0;

	while (text < end) {
		if (*text >= 0x20 && *text < 0x7f) {
			text++;
			continue;
		}
		unsigned int step = utf8_next(text, (size_t)(end - text), &code);

		if (is_control(text, end, code))
			return text;
		text += step;
	}
	return NULL;
}

void text_excerpt(struct diag_place *place, const char *text, const char *end)
{
	size_t len = (size_t)(end - text);
	const char *stop;

	if (len > DIAG_TEXT)
		len = DIAG_TEXT;
	stop = memchr(text, '\n', len);
	if (stop)
		len = (size_t)(stop - text);
	if (len && text[len - 1] == '\r')
		len--;
	place->excerpt = text;
	place->excerpt_len = len;
}

static uint32_t count_characters(const char *text, const char *end)
{
	uint32_t count = 0;

	for (; text < end; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void place_byte(struct diag_place *place, const char *text, const char *end, const char *at)
{
	const char *start = text, *next;

	place->line = 1;
	while ((next = memchr(start, '\n', (size_t)(at - start)))) {
		start = next + 1;
		place->line++;
	}
	place->col = count_characters(start, at) + 1;
	text_excerpt(place, start, end);
}

bool text_refuse(const char *name, const char *text, size_t len, bool strict, struct diag *diag)
{
	struct diag_place place = { .file = name };
	const char *end = text + len, *at;

	if (len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) {
		place.line = place.col = 1;
		diag_add(diag, &place, "not_utf8", "the text is UTF-16; save it as UTF-8");
		return true;
	}
	at = find_broken(text, end);
	if (at) {
		place_byte(&place, text, end, at);
		if (*at)
			diag_add(diag, &place, "not_utf8", "byte 0x%02x is not UTF-8",
				 (unsigned char)*at);
		else
			diag_add(diag, &place, "nul_byte", "a NUL byte: this is not a text file");
		return true;
	}
	at = strict ? find_control(text, end) : NULL;
	if (at) {
		place_byte(&place, text, end, at);
		diag_add(diag, &place, "control_character", "a control character (byte 0x%02x)",
			 (unsigned char)*at);
		return true;
	}
	return false;
}

/* Places come mostly in order: go on from the last one found. */
static void find_line(struct parse *parse, uint32_t line)
{
	const char *next;

	if (!parse->found_line || line < parse->found_line) {
		parse->found_line = 1;
		parse->found_at = 0;
	}
	while (parse->found_line < line) {
		next = memchr(parse->text + parse->found_at, '\n', parse->len - parse->found_at);
		if (!next)
			return;
		parse->found_at = (size_t)(next + 1 - parse->text);
		parse->found_line++;
	}
}

const struct diag_place *parse_at_line(struct parse *parse, uint32_t line, uint32_t col)
{
	parse->place = (struct diag_place){ .file = parse->name, .line = line, .col = col };
	if (parse->diag->stored == DIAG_PROBLEMS)
		return &parse->place;
	find_line(parse, line);
	text_excerpt(&parse->place, parse->text + parse->found_at, parse->text + parse->len);
	if (parse->found_line < line) { /* libyaml ends a text inside a line on the next one */
		parse->place.line = parse->found_line;
		parse->place.col =
			count_characters(parse->place.excerpt, parse->text + parse->len) + 1;
	}
	return &parse->place;
}

const struct diag_place *parse_at(struct parse *parse, const struct node *node)
{
	return parse_at_line(parse, node->line, node->col);
}
