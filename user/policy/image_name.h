/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside policy/: names as they stand in an image, without an end of their own. */
#ifndef STANCH_POLICY_IMAGE_NAME_H
#define STANCH_POLICY_IMAGE_NAME_H

#include <stdint.h>
#include <string.h>

struct image_name {
	const char *text;
	uint32_t len, list; /* list: whose name it is, 0 where nobody asks */
};

/* image_name_order - by bytes, a name before one that it begins; for qsort() too. */
static inline int image_name_order(const void *left, const void *right)
{
	const struct image_name *a = left, *b = right;
	uint32_t len = a->len < b->len ? a->len : b->len;
	int order = len ? memcmp(a->text, b->text, len) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

#endif
