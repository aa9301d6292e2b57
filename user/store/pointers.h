/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside store/: the files of the pointers. */
#ifndef STANCH_STORE_POINTERS_H
#define STANCH_STORE_POINTERS_H

#include "store/store.h"

#define POINTER_BYTES 64

/* The live one, then those that were kept, newest first. */
extern const char *const pointer_names[POINTERS_GOOD + 1];
/* pointer_read - by the name of its file. -ENOENT, -EBADMSG. */
int pointer_read(const struct places *places, const char *name, struct pointer *ret);

#endif
