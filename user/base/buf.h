/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing byte buffer. Zero-initialised is empty and valid. */
#ifndef STANCH_BASE_BUF_H
#define STANCH_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len, cap;
};

#define auto_buf cleanup(buf_free)

/* buf_reserve - room for @more bytes past len. Returns 0 or -ENOMEM. */
int buf_reserve(struct buf *buf, size_t more);
/* buf_append - copy @len bytes to the end. Returns 0 or -ENOMEM. */
int buf_append(struct buf *buf, const void *data, size_t len);
/* buf_printf - append formatted text (the terminating NUL is kept but not counted). */
int buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *buf);

#endif
