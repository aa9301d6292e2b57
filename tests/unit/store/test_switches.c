/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mode and kill bits on disk: every pair comes back, anything else is refused. */
#include "json_help.h"

#define FILE_NAME "switches.json"
#define HEAD "{\"schema\":\"stanch.switches/1\","

static bool damaged(void)
{
	uint16_t kills = 7;
	uint8_t mode = 9;
	int err = switches_read(&places, &mode, &kills);

	assert_true(!err || (err == -EBADMSG && mode == 9 && kills == 7));
	return err;
}

static void every_mode_and_every_kill_bit_comes_back(void **state)
{
	uint16_t kills = 0;
	uint8_t mode = 0;

	(void)state;
	assert_int_equal(switches_read(&places, &mode, &kills), -ENOENT);
	for (uint8_t m = 0; m < 4; m++) {
		for (uint32_t k = 0; k <= 0x10000; k = k ? 2 * k : 1) {
			assert_int_equal(switches_write(&places, m, (uint16_t)(k - 1)), 0);
			assert_int_equal(switches_read(&places, &mode, &kills), 0);
			assert_int_equal(mode, m);
			assert_int_equal(kills, (uint16_t)(k - 1));
		}
	}
	assert_int_equal(mode_of(in_state(FILE_NAME)), 0640);
}

static void a_damaged_file_is_told_and_kept_aside_when_replaced(void **state)
{
	static const char *const texts[] = {
		HEAD "\"mode\":4,\"kills\":0}",		HEAD "\"mode\":-1,\"kills\":0}",
		HEAD "\"mode\":2,\"kills\":65536}",	HEAD "\"mode\":\"2\",\"kills\":0}",
		HEAD "\"mode\":2.0,\"kills\":0}",	HEAD "\"mode\":2}",
		HEAD "\"mode\":2,\"kills\":0,\"x\":0}", HEAD "\"mode\":2,\"kills\":true}",
	};

	(void)state;
	assert_int_equal(switches_write(&places, 2, 3), 0);
	try_cuts(FILE_NAME, damaged);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(FILE_NAME, texts[i]);
		assert_true(damaged());
		unlink(in_state("switches.bad"));
		assert_int_equal(switches_write(&places, 2, 3), 0);
		assert_int_equal(size_of(in_state("switches.bad")), strlen(texts[i]));
		assert_false(damaged());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(every_mode_and_every_kill_bit_comes_back),
		store_test(a_damaged_file_is_told_and_kept_aside_when_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
