/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership in the type: variables that release what they hold when they leave scope, and the two
 * macros that hand it on. No function here frees by hand, none uses goto.
 */
#ifndef STANCH_BASE_CLEANUP_H
#define STANCH_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define autofree cleanup(free_ptr)
#define autoclose cleanup(close_fd)
#define autofclose cleanup(close_file)

#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
