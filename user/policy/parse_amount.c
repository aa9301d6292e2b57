/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that people write with a point and a unit: 1.5, 0.1%, 10s. Read by integer arithmetic
 * into multiples of a grain, so that what is written is exactly what is meant or refused.
 */
#include <string.h>

#include "parse.h"

#define DIGITS 9u /* before the point, and behind it: products fit 64 bits */

/* Digits with at most one point between them, and how many stand behind it. */
struct decimal {
	uint64_t digits;
	uint32_t behind;
	size_t len; /* bytes of it */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits from @at on; how many there were. */
static size_t read_digits(const char *text, size_t len, size_t at, uint64_t *value)
{
	size_t i = at;

	for (; i < len && is_digit(text[i]) && i - at <= DIGITS; i++)
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	return i - at;
}

static bool read_decimal(const char *text, size_t len, struct decimal *ret)
{
	struct decimal decimal = { 0 };
	size_t before = read_digits(text, len, 0, &decimal.digits), behind = 0;

	if (!before || before > DIGITS || (before > 1 && text[0] == '0'))
		return false;
	decimal.len = before;
	if (before < len && text[before] == '.') {
		behind = read_digits(text, len, before + 1, &decimal.digits);
		if (!behind || behind > DIGITS)
			return false;
		decimal.len += 1 + behind;
	}
	decimal.behind = (uint32_t)behind;
	*ret = decimal;
	return true;
}

static const struct unit *unit_find(const struct amount *amount, const char *text, size_t len)
{
	for (const struct unit *unit = amount->units; unit->name; unit++) {
		if (strlen(unit->name) == len && !memcmp(unit->name, text, len))
			return unit;
	}
	return NULL;
}

static bool refuse_range(struct parse *parse, const struct node *node, const struct amount *amount,
			 uint64_t value)
{
	bool small = value < amount->least;
	uint32_t limit = small ? amount->least : amount->most;

	if (!small && value <= amount->most)
		return false;
	diag_add_limit(parse->diag, parse_at(parse, node), "out_of_range",
		       (struct diag_limit){ value, limit }, "%s is at %s %s, not %.*s",
		       amount->what, small ? "least" : "most",
		       small ? amount->least_text : amount->most_text, node_shown(node),
		       node_text(parse, node));
	return true;
}

bool parse_amount(struct parse *parse, const struct node *node, const struct amount *amount,
		  uint32_t *ret)
{
	struct decimal decimal = { 0 };
	const struct unit *unit = NULL;
	uint64_t value, scale = 1;
	const char *text;

	if (!parse_is(parse, node, NODE_SCALAR, amount->what))
		return false;
	text = node_text(parse, node);
	if (read_decimal(text, node->len, &decimal))
		unit = unit_find(amount, text + decimal.len, node->len - decimal.len);
	if (!unit) {
		parse_refuse(parse, node, amount->what, amount->wanted);
		return false;
	}
	for (uint32_t i = 0; i < decimal.behind; i++)
		scale *= 10;
	/* whole and rest apart: 18 digits times an hour of milliseconds do not fit */
	value = decimal.digits / scale * unit->grains;
	if (decimal.digits % scale * unit->grains % scale) {
		diag_add(parse->diag, parse_at(parse, node), "bad_value",
			 "%s goes by steps of %s; %.*s is between two of them", amount->what,
			 amount->grain_text, node_shown(node), text);
		return false;
	}
	value += decimal.digits % scale * unit->grains / scale;
	if (refuse_range(parse, node, amount, value))
		return false;
	*ret = (uint32_t)value;
	return true;
}
