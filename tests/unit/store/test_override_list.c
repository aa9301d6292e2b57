/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of overrides: what is written comes back; what is damaged is never taken for empty. */
#include "json_help.h"

#include "policy/overrides.h"

#define FILE_NAME "overrides.json"
#define HEAD "{\"schema\":\"stanch.overrides/1\",\"overrides\":["
#define ITEM(prefix, action, rest) \
	"{\"prefix\":" prefix ",\"action\":" action ",\"expires\":\"0\",\"since\":\"1\"," rest "}"
#define REST "\"uid\":0,\"reason\":\"\""

static struct override made(const char *prefix, bool block)
{
	struct override item = {
		.block = block, .expires = UINT64_MAX, .since = 1700000000, .uid = UINT32_MAX
	};

	assert_int_equal(prefix_parse(prefix, strlen(prefix), &item.prefix), 0);
	strcpy(item.reason, "ticket \"12\", \xc3\xa9t\xc3\xa9");
	return item;
}

static int read_list(uint32_t *ret_count)
{
	autofree struct override *items = NULL;

	return override_list_read(&places, &items, ret_count);
}

static bool damaged(void)
{
	uint32_t count = 77;
	int err = read_list(&count);

	assert_true(!err || (err == -EBADMSG && count == 77));
	return err;
}

static void overrides_come_back_as_they_were(void **state)
{
	const struct override items[] = { made("192.0.2.0/24", true), made("2001:db8::/32", false),
					  made("198.51.100.7", false) };
	autofree struct override *back = NULL;
	uint32_t count = 77;

	(void)state;
	assert_int_equal(override_list_read(&places, &back, &count), 0);
	assert_int_equal(count, 0);
	free(TAKE_PTR(back));
	assert_int_equal(override_list_write(&places, items, 3), 0);
	assert_int_equal(override_list_read(&places, &back, &count), 0);
	assert_int_equal(count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(back[i].prefix.hi, items[i].prefix.hi);
		assert_int_equal(back[i].prefix.lo, items[i].prefix.lo);
		assert_int_equal(back[i].prefix.len, items[i].prefix.len);
		assert_int_equal(back[i].prefix.family, items[i].prefix.family);
		assert_int_equal(back[i].block, items[i].block);
		assert_int_equal(back[i].expires, items[i].expires);
		assert_int_equal(back[i].since, items[i].since);
		assert_int_equal(back[i].uid, items[i].uid);
		assert_string_equal(back[i].reason, items[i].reason);
	}
	assert_int_equal(override_list_write(&places, NULL, 0), 0);
	assert_int_equal(read_list(&count), 0);
	assert_int_equal(count, 0);
}

/* The longest text of each is still read again. */
static void as_many_as_the_program_holds_fit(void **state)
{
	autofree struct override *items = calloc(LIMIT_OVERRIDES + 1, sizeof(*items));
	struct override item = made("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true);
	uint32_t count = 0;

	(void)state;
	assert_non_null(items);
	memset(item.reason, '"', sizeof(item.reason) - 1);
	for (uint32_t i = 0; i <= LIMIT_OVERRIDES; i++)
		items[i] = item;
	assert_int_equal(override_list_write(&places, items, LIMIT_OVERRIDES + 1), -EINVAL);
	assert_int_equal(override_list_write(&places, items, LIMIT_OVERRIDES), 0);
	assert_int_equal(read_list(&count), 0);
	assert_int_equal(count, LIMIT_OVERRIDES);
}

static void a_reason_with_control_bytes_is_written_so_that_it_can_be_read(void **state)
{
	struct override item = made("192.0.2.0/24", true);
	autofree struct override *back = NULL;
	uint32_t count;

	(void)state;
	strcpy(item.reason, "a\x1b[31m\xff\n");
	assert_int_equal(override_list_write(&places, &item, 1), 0);
	assert_int_equal(override_list_read(&places, &back, &count), 0);
	assert_string_equal(back->reason, "a?[31m??");
}

static void what_is_damaged_is_told_and_not_taken_for_empty(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{\"schema\":\"stanch.overrides/2\",\"overrides\":[]}",
		"{\"schema\":\"stanch.overrides/1\",\"overrides\":{}}",
		"{\"schema\":\"stanch.overrides/1\",\"overrides\":[],\"x\":1}",
		HEAD "1]}",
		HEAD ITEM("1", "\"block\"", REST) "]}",
		HEAD ITEM("\"192.0.2.1/24\"", "\"block\"", REST) "]}",
		HEAD ITEM("\"192.0.2.0/33\"", "\"block\"", REST) "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"drop\"", REST) "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "true", REST) "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"block\"", "\"uid\":-1,\"reason\":\"\"") "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"block\"",
			  "\"uid\":4294967296,\"reason\":\"\"") "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"block\"", "\"uid\":0,\"reason\":1") "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"block\"", REST ",\"ports\":[22]") "]}",
		HEAD ITEM("\"192.0.2.0/24\"", "\"block\"", "\"uid\":0") "]}",
	};
	struct override item = made("192.0.2.0/24", true);

	(void)state;
	put_text(FILE_NAME, HEAD ITEM("\"192.0.2.0/24\"", "\"block\"", REST) "]}");
	assert_false(damaged());
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(FILE_NAME, texts[i]);
		assert_true(damaged());
		unlink(in_state("overrides.bad"));
		assert_int_equal(override_list_write(&places, &item, 1), 0);
		assert_int_equal(size_of(in_state("overrides.bad")), strlen(texts[i]));
	}
	try_cuts(FILE_NAME, damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(overrides_come_back_as_they_were),
		store_test(as_many_as_the_program_holds_fit),
		store_test(a_reason_with_control_bytes_is_written_so_that_it_can_be_read),
		store_test(what_is_damaged_is_told_and_not_taken_for_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
