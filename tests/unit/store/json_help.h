/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the store's small JSON files share: a clock that is set, and damage. */
#ifndef TESTS_UNIT_STORE_JSON_HELP_H
#define TESTS_UNIT_STORE_JSON_HELP_H

#include "store_help.h"

#include <time.h>

/* The wall clock as the store sees it. */
static time_t clock_s = 1700000000;

time_t time(time_t *ret)
{
	if (ret)
		*ret = clock_s;
	return clock_s;
}

static inline void put_text(const char *name, const char *text)
{
	put_file(in_state(name), text, strlen(text));
}

/* Every cut of the file, and every byte of it changed, to @damaged: true when it was noticed. */
static inline void try_cuts(const char *name, bool (*damaged)(void))
{
	auto_buf struct buf text = { 0 };

	get_file(in_state(name), &text);
	for (size_t len = 0; len < text.len; len++) {
		put_file(in_state(name), text.data, len);
		assert_true(damaged());
	}
	put_file(in_state(name), text.data, text.len);
	assert_false(damaged());
}

#endif
