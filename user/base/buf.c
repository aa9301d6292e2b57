/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The growing byte buffer. It knows sizes and allocation, nothing of what is inside. */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SMALLEST ((size_t)256)

int buf_reserve(struct buf *buf, size_t more)
{
	size_t need, cap;
	char *data;

	if (__builtin_add_overflow(buf->len, more, &need))
		return -ENOMEM;
	if (need <= buf->cap)
		return 0;
	/* Half as much again keeps appending linear; the exact size keeps a whole file exact. */
	cap = buf->cap + buf->cap / 2;
	if (cap < need)
		cap = need;
	if (cap < BUF_SMALLEST)
		cap = BUF_SMALLEST;
	data = realloc(buf->data, cap);
	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int buf_append(struct buf *buf, const void *data, size_t len)
{
	int err;

	if (!len)
		return 0;
	err = buf_reserve(buf, len);
	if (err)
		return err;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	return 0;
}

int buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len, err;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	err = buf_reserve(buf, (size_t)len + 1);
	if (err)
		return err;
	va_start(args, fmt);
	vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}
