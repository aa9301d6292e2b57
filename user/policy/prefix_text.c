/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefixes as text. Written by hand because a list may hold a million of them: one pass over the
 * bytes, no copies. It knows notation only, no lists and no policy.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "prefix_text.h"

#define SHOWN_BYTES 64 /* of a refused text */
#define GROUPS 8 /* of 16 bits in an IPv6 address */

struct reader {
	const char *at, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool at_byte(const struct reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

static bool at_address_end(const struct reader *reader)
{
	return reader->at == reader->end || *reader->at == '/';
}

/* One decimal number without leading zeroes. Digits past a fourth are left: four are too many. */
static int read_decimal(struct reader *reader, uint32_t *ret)
{
	const char *start = reader->at;
	uint32_t value = 0;

	while (reader->at < reader->end && reader->at - start < 4 && is_digit(*reader->at))
		value = value * 10 + (uint32_t)(*reader->at++ - '0');
	if (reader->at == start || (*start == '0' && reader->at - start > 1))
		return -EINVAL;
	*ret = value;
	return 0;
}

static int read_v4(struct reader *reader, uint32_t *ret)
{
	uint32_t address = 0, octet = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (i && !at_byte(reader, '.'))
			return -EINVAL;
		reader->at += i > 0;
		if (read_decimal(reader, &octet) || octet > 255)
			return -EINVAL;
		address = address << 8 | octet;
	}
	*ret = address;
	return 0;
}

/* The four hexadecimal digits of one group, or a dotted IPv4 address that fills two. */
static int read_group(struct reader *reader, uint16_t *group, unsigned int *count)
{
	const char *start = reader->at;
	uint32_t value = 0;

	while (reader->at < reader->end && reader->at - start < 4 && hex_value(*reader->at) >= 0)
		value = value << 4 | (uint32_t)hex_value(*reader->at++);
	if (reader->at == start)
		return -EINVAL;
	if (!at_byte(reader, '.')) {
		group[(*count)++] = (uint16_t)value;
		return 0;
	}
	reader->at = start;
	if (*count > GROUPS - 2 || read_v4(reader, &value))
		return -EINVAL;
	group[(*count)++] = (uint16_t)(value >> 16);
	group[(*count)++] = (uint16_t)value;
	return at_address_end(reader) ? 0 : -EINVAL;
}

/* Steps over ":" or "::" after a group; @gap is where a "::" stood, GROUPS + 1 while there is none. */
static int read_colons(struct reader *reader, unsigned int count, unsigned int *gap)
{
	if (!at_byte(reader, ':'))
		return -EINVAL;
	reader->at++;
	if (!at_byte(reader, ':'))
		return at_address_end(reader) ? -EINVAL : 0;
	if (*gap <= GROUPS)
		return -EINVAL;
	*gap = count;
	reader->at++;
	return 0;
}

static int read_v6(struct reader *reader, uint64_t *hi, uint64_t *lo)
{
	uint16_t group[GROUPS] = { 0 }, full[GROUPS] = { 0 };
	unsigned int count = 0, gap = GROUPS + 1, i;

	if (at_byte(reader, ':')) {
		reader->at++;
		if (!at_byte(reader, ':'))
			return -EINVAL;
		reader->at++;
		gap = 0;
	}
	while (count < GROUPS && !at_address_end(reader)) {
		if (read_group(reader, group, &count))
			return -EINVAL;
		if (!at_address_end(reader) && read_colons(reader, count, &gap))
			return -EINVAL;
	}
	/* "::" stands for at least one group. */
	if (gap > GROUPS ? count != GROUPS : count == GROUPS)
		return -EINVAL;
	for (i = 0; i < count; i++)
		full[i < gap ? i : i + GROUPS - count] = group[i];
	*hi = *lo = 0;
	for (i = 0; i < GROUPS / 2; i++) {
		*hi = *hi << 16 | full[i];
		*lo = *lo << 16 | full[i + GROUPS / 2];
	}
	return 0;
}

/* "/len" or nothing, which is a whole address. */
static int read_length(struct reader *reader, uint32_t longest, uint8_t *ret)
{
	uint32_t len = longest;

	if (at_byte(reader, '/')) {
		const char *start = ++reader->at;

		while (reader->at < reader->end && is_digit(*reader->at))
			reader->at++;
		if (reader->at == start || reader->at != reader->end)
			return -EINVAL;
		if (*start == '0' && reader->at - start > 1)
			return -EINVAL;
		if (reader->at - start > 3)
			return -ERANGE;
		reader->at = start;
		read_decimal(reader, &len);
	}
	if (reader->at != reader->end)
		return -EINVAL;
	if (len > longest)
		return -ERANGE;
	*ret = (uint8_t)len;
	return 0;
}

static bool looks_v6(const char *text, size_t len)
{
	/* The first group has at most four digits. */
	return memchr(text, ':', len < 5 ? len : 5);
}

static bool is_mapped(const struct prefix *prefix)
{
	return prefix->family == 6 && !prefix->hi && prefix->lo >> 32 == 0xffff &&
	       prefix->len >= 96;
}

/* The notation alone: host bits and mapped addresses are still in. */
static int read_prefix(const char *text, size_t len, struct prefix *ret)
{
	struct reader reader = { text, text + len };
	struct prefix prefix = { .family = looks_v6(text, len) ? 6 : 4 };
	uint32_t v4 = 0;
	int err;

	if (prefix.family == 6) {
		err = read_v6(&reader, &prefix.hi, &prefix.lo);
	} else {
		err = read_v4(&reader, &v4);
		prefix.hi = (uint64_t)v4 << 32;
	}
	if (!err)
		err = read_length(&reader, prefix.family == 6 ? 128 : 32, &prefix.len);
	if (err)
		return err;
	*ret = prefix;
	return 0;
}

static uint64_t keep_bits(uint64_t value, unsigned int bits)
{
	if (!bits)
		return 0;
	return bits >= 64 ? value : value & ~(~0ull >> bits);
}

int prefix_parse(const char *text, size_t len, struct prefix *ret)
{
	struct prefix prefix, whole;
	int err = read_prefix(text, len, &prefix);

	if (err)
		return err;
	if (is_mapped(&prefix))
		return -EINVAL;
	whole = prefix;
	prefix.hi = keep_bits(prefix.hi, prefix.len);
	prefix.lo = keep_bits(prefix.lo, prefix.len > 64 ? prefix.len - 64u : 0);
	*ret = prefix;
	return prefix.hi == whole.hi && prefix.lo == whole.lo ? 0 : -EDOM;
}

static void split_groups(const struct prefix *prefix, uint16_t *group)
{
	unsigned int i;

	for (i = 0; i < GROUPS / 2; i++) {
		group[i] = (uint16_t)(prefix->hi >> (48 - 16 * i));
		group[i + GROUPS / 2] = (uint16_t)(prefix->lo >> (48 - 16 * i));
	}
}

/* RFC 5952: the longest run of at least two zero groups, the first of equals. */
static unsigned int longest_zeroes(const uint16_t *group, unsigned int *ret)
{
	unsigned int best = 1, i, run = 0;

	*ret = GROUPS;
	for (i = 0; i < GROUPS; i++) {
		run = group[i] ? 0 : run + 1;
		if (run > best) {
			best = run;
			*ret = i + 1 - run;
		}
	}
	return best;
}

static void format_v6(const struct prefix *prefix, char *out)
{
	uint16_t group[GROUPS];
	unsigned int gap, run, i = 0;
	size_t len = 0;

	split_groups(prefix, group);
	run = longest_zeroes(group, &gap);
	while (i < GROUPS) {
		if (i == gap) {
			len += (size_t)snprintf(out + len, PREFIX_TEXT - len, "::");
			i += run;
			continue;
		}
		len += (size_t)snprintf(out + len, PREFIX_TEXT - len, "%s%x",
					i && i != gap + run ? ":" : "", group[i]);
		i++;
	}
	snprintf(out + len, PREFIX_TEXT - len, "/%u", prefix->len);
}

const char *prefix_format(const struct prefix *prefix, char *out)
{
	uint32_t v4 = (uint32_t)(prefix->hi >> 32);

	if (prefix->family == 6)
		format_v6(prefix, out);
	else
		snprintf(out, PREFIX_TEXT, "%u.%u.%u.%u/%u", v4 >> 24, v4 >> 16 & 0xff,
			 v4 >> 8 & 0xff, v4 & 0xff, prefix->len);
	return out;
}

/* What else is wrong with a text that is no prefix at all. */
struct fault {
	const char *code, *why;
};

static struct fault find_v4_fault(const char *text, size_t len)
{
	const char *end = text + len;
	unsigned int dots = 0, digits = 0, value = 0;
	bool zero = false;

	for (; text < end && *text != '/'; text++) {
		if (*text != '.' && !is_digit(*text))
			return (struct fault){ "bad_prefix", "is not an IPv4 or IPv6 prefix" };
		if (*text == '.') {
			dots++;
			digits = value = 0;
			continue;
		}
		zero |= digits == 1 && text[-1] == '0';
		digits++;
		value = value * 10 + (unsigned int)(*text - '0');
		if (value > 255)
			return (struct fault){ "bad_prefix", "has a number above 255" };
	}
	if (zero)
		return (struct fault){ "leading_zero",
				       "has a leading zero, which some read as octal" };
	if (dots != 3)
		return (struct fault){ "bad_prefix", "has not exactly four numbers" };
	return (struct fault){ "bad_prefix", "is not an IPv4 prefix" };
}

static struct fault find_fault(const char *text, size_t len)
{
	if (!len)
		return (struct fault){ "bad_prefix", "is empty, not a prefix" };
	if (memchr(text, '%', len))
		return (struct fault){ "zone", "has a zone; write the address alone" };
	if (looks_v6(text, len))
		return (struct fault){ "bad_prefix", "is not an IPv6 prefix" };
	return find_v4_fault(text, len);
}

static void refuse_mapped(struct diag *diag, const struct diag_place *place,
			  const struct prefix *mapped)
{
	struct prefix v4 = { .hi = mapped->lo << 32, .family = 4 };
	char text[PREFIX_TEXT], hint[PREFIX_TEXT];

	v4.len = (uint8_t)(mapped->len - 96);
	v4.hi = keep_bits(v4.hi, v4.len);
	diag_add(diag, place, "mapped_prefix",
		 "%s is IPv4 in IPv6 notation and would match nothing; write %s",
		 prefix_format(mapped, text), prefix_format(&v4, hint));
}

void prefix_refuse(struct diag *diag, const struct diag_place *place, const char *text, size_t len)
{
	int shown = len > SHOWN_BYTES ? SHOWN_BYTES : (int)len;
	const char *more = len > SHOWN_BYTES ? "..." : "";
	struct prefix prefix;
	struct fault fault;
	char out[PREFIX_TEXT];
	int err = read_prefix(text, len, &prefix);

	if (!err && is_mapped(&prefix)) {
		refuse_mapped(diag, place, &prefix);
		return;
	}
	if (!err) {
		prefix_parse(text, len, &prefix);
		diag_add(diag, place, "host_bits",
			 "'%.*s%s' has bits set past its length; the prefix is %s", shown, text,
			 more, prefix_format(&prefix, out));
		return;
	}
	if (err == -ERANGE) {
		diag_add(diag, place, "prefix_length",
			 "'%.*s%s' is too long: an IPv%d prefix has at most /%d", shown, text, more,
			 looks_v6(text, len) ? 6 : 4, looks_v6(text, len) ? 128 : 32);
		return;
	}
	fault = find_fault(text, len);
	diag_add(diag, place, fault.code, "'%.*s%s' %s", shown, text, more, fault.why);
}
