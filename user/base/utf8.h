/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding UTF-8 one character at a time, for text that came from outside. */
#ifndef STANCH_BASE_UTF8_H
#define STANCH_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * utf8_next - length in bytes (1..4) of the character at @text, its code point in @ret; 0 when the
 * bytes are not UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF) or cut off.
 */
static inline unsigned int utf8_next(const char *text, size_t len, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	unsigned int size, i;
	uint32_t code;

	if (!len)
		return 0;
	if (byte[0] < 0x80) {
		*ret = byte[0];
		return 1;
	}
	size = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
	if (byte[0] < 0xc2 || byte[0] > 0xf4 || len < size)
		return 0;
	code = byte[0] & (0x7fu >> size);
	for (i = 1; i < size; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret = code;
	return size;
}

#endif
