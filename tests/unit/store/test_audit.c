/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit log: what is appended, what a reader is told, and every way in which bytes go wrong. */
#include "store_help.h"

#include <sodium.h>

#include "store/audit_chain.h"

#define LOG "audit.jsonl"
#define TORN "audit.torn"

static int append(const char *verb, int number)
{
	return audit_append(&places, json_pack("{sssi}", "verb", verb, "generation", number));
}

/* A short log, so that every byte of it can be tried. */
static void make_log(int records, struct buf *ret)
{
	for (int i = 1; i <= records; i++)
		assert_int_equal(append("apply", i), 0);
	get_file(in_state(LOG), ret);
}

static int count_one(void *context, json_t *record)
{
	(void)record;
	++*(int *)context;
	return 0;
}

/* Number of records, or what audit_each() returned. */
static int count(uint64_t *ret_line)
{
	int records = 0;
	int err = audit_each(&places, count_one, &records, ret_line);

	return err ? err : records;
}

/* Keeps the last record that it is shown. */
static int keep_one(void *context, json_t *record)
{
	json_t **kept = context;

	json_decref(*kept);
	*kept = json_incref(record);
	return 0;
}

static json_t *last_record(void)
{
	json_t *record = NULL;

	assert_int_equal(audit_each(&places, keep_one, &record, NULL), 0);
	assert_non_null(record);
	return record;
}

static void a_record_comes_back_with_who_when_and_what_before(void **state)
{
	json_t *record;
	const char *time;

	(void)state;
	assert_int_equal(count(NULL), 0);
	assert_int_equal(append("apply", 1), 0);
	assert_int_equal(append("kill", 2), 0);
	assert_int_equal(mode_of(in_state(LOG)), 0640);
	record = last_record();
	assert_int_equal(json_integer_value(json_object_get(record, "seq")), 2);
	assert_int_equal(json_integer_value(json_object_get(record, "uid")), getuid());
	assert_int_equal(json_integer_value(json_object_get(record, "pid")), getpid());
	assert_string_equal(json_string_value(json_object_get(record, "verb")), "kill");
	time = json_string_value(json_object_get(record, "time"));
	assert_int_equal(strlen(time), strlen("2025-11-18T11:20:00.000Z"));
	assert_int_equal(time[10], 'T');
	assert_int_equal(time[23], 'Z');
	json_decref(record);
}

/* As a stranger with sha256sum would check it. */
static void the_chain_is_the_plain_sha256_of_lines(void **state)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	auto_buf struct buf log = { 0 };
	char hex[2 * sizeof(digest) + 1];
	const char *second, *prev;

	(void)state;
	make_log(2, &log);
	second = (char *)memchr(log.data, '\n', log.len) + 1;
	crypto_hash_sha256(digest, (unsigned char *)log.data,
			   (unsigned long long)(second - 1 - log.data));
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	prev = strstr(second, "\"prev\":\"");
	assert_non_null(prev);
	assert_memory_equal(prev + 8, hex, sizeof(hex) - 1);
}

static void no_caller_can_replace_what_the_log_says_itself(void **state)
{
	json_t *record;

	(void)state;
	assert_int_equal(audit_append(&places, json_pack("{sisssssssi}", "seq", 77, "prev", "x",
							 "hash", "y", "time", "never", "uid", 9)),
			 0);
	record = last_record();
	assert_int_equal(json_integer_value(json_object_get(record, "seq")), 1);
	assert_int_equal(json_integer_value(json_object_get(record, "uid")), getuid());
	assert_int_equal(strlen(json_string_value(json_object_get(record, "hash"))), 64);
	json_decref(record);
}

static void what_is_no_object_or_too_long_is_refused_and_nothing_is_written(void **state)
{
	size_t len = AUDIT_LINE_MAX;
	autofree char *text = malloc(len);
	off_t before;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	assert_int_equal(append("apply", 1), 0);
	before = size_of(in_state(LOG));
	assert_int_equal(audit_append(&places, json_array()), -EINVAL);
	assert_int_equal(audit_append(&places, NULL), -EINVAL);
	assert_int_equal(audit_append(&places, json_pack("{so}", "x", json_stringn(text, len))),
			 -EMSGSIZE);
	assert_int_equal(size_of(in_state(LOG)), before);
	/* The longest that goes in comes back, and is found again as the line before. */
	assert_int_equal(
		audit_append(&places, json_pack("{so}", "x", json_stringn(text, len - 1000))), 0);
	assert_int_equal(append("apply", 2), 0);
	assert_int_equal(count(NULL), 3);
}

static int stop_at_two(void *context, json_t *record)
{
	(void)context;
	return json_integer_value(json_object_get(record, "seq")) == 2 ? 42 : 0;
}

static void a_walk_stops_when_it_is_told_to(void **state)
{
	auto_buf struct buf log = { 0 };

	(void)state;
	make_log(3, &log);
	assert_int_equal(audit_each(&places, stop_at_two, NULL, NULL), 42);
}

static int lines_in(const struct buf *text, size_t len)
{
	int lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text->data[i] == '\n';
	return lines;
}

static void check_torn(const char *bytes, size_t len)
{
	auto_buf struct buf torn = { 0 };
	json_t *record = last_record();

	assert_int_equal(json_integer_value(json_object_get(record, "torn")), len);
	json_decref(record);
	if (!len) {
		assert_int_equal(size_of(in_state(TORN)), -1);
		return;
	}
	get_file(in_state(TORN), &torn);
	assert_int_equal(torn.len, len + 1);
	assert_memory_equal(torn.data, bytes, len);
}

static void every_torn_log_is_read_repaired_and_goes_on(void **state)
{
	auto_buf struct buf log = { 0 };

	(void)state;
	make_log(3, &log);
	for (size_t cut = 0; cut < log.len; cut++) {
		int whole = lines_in(&log, cut);
		size_t torn = cut;

		while (torn && log.data[torn - 1] != '\n')
			torn--;
		unlink(in_state(TORN));
		put_file(in_state(LOG), log.data, cut);
		assert_int_equal(count(NULL), whole);
		assert_int_equal(append("next", 9), 0);
		assert_int_equal(count(NULL), whole + 1);
		check_torn(log.data + torn, cut - torn);
	}
}

static void torn_ends_add_up_in_one_file(void **state)
{
	auto_buf struct buf log = { 0 }, torn = { 0 };

	(void)state;
	make_log(1, &log);
	put_file(in_state(LOG), "{\"a", 3);
	assert_int_equal(append("apply", 1), 0);
	put_file(in_state(LOG), "\0\0", 2);
	assert_int_equal(append("apply", 2), 0);
	get_file(in_state(TORN), &torn);
	assert_int_equal(torn.len, 7);
	assert_memory_equal(torn.data, "{\"a\n\0\0\n", 7);
	assert_int_equal(mode_of(in_state(TORN)), 0640);
}

/* The flip has to be seen at once, and still when others have written on. */
static void check_flip(const struct buf *log, size_t at, char value)
{
	char was = log->data[at];
	uint64_t line = 0;

	log->data[at] = value;
	put_file(in_state(LOG), log->data, log->len);
	log->data[at] = was;
	assert_int_equal(count(&line), -EBADMSG);
	assert_true(line >= 1 && line <= 4);
	assert_int_equal(append("next", 9), 0);
	assert_int_equal(count(&line), -EBADMSG);
	assert_true(line >= 1 && line <= 4);
	assert_int_equal(size_of(in_state(TORN)), -1);
}

static void every_changed_byte_of_the_log_is_found(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	auto_buf struct buf log = { 0 };

	(void)state;
	make_log(3, &log);
	for (size_t at = 0; at < log.len; at++) {
		for (size_t i = 0; i < sizeof(flips); i++)
			check_flip(&log, at, (char)(log.data[at] ^ flips[i]));
		if (log.data[at] != '\n')
			check_flip(&log, at, '\n');
	}
}

/* Last byte of the third record, then its newline. */
static void after_damage_at_the_end_the_numbers_go_on(void **state)
{
	auto_buf struct buf log = { 0 };

	(void)state;
	make_log(3, &log);
	for (size_t back = 1; back <= 2; back++) {
		auto_buf struct buf after = { 0 };
		const char *last;

		log.data[log.len - back] ^= 0x01;
		put_file(in_state(LOG), log.data, log.len);
		log.data[log.len - back] ^= 0x01;
		assert_int_equal(append("next", 9), 0);
		get_file(in_state(LOG), &after);
		assert_int_equal(lines_in(&after, after.len), 4);
		last = (char *)memrchr(after.data, '\n', after.len - 1) + 1;
		assert_memory_equal(last, "{\"seq\":4,", 9);
	}
}

static void a_line_of_another_log_is_found(void **state)
{
	auto_buf struct buf log = { 0 }, other = { 0 };
	size_t half;

	(void)state;
	make_log(2, &log);
	assert_int_equal(unlink(in_state(LOG)), 0);
	assert_int_equal(append("other", 1), 0);
	assert_int_equal(append("other", 2), 0);
	get_file(in_state(LOG), &other);
	half = (size_t)((char *)memchr(other.data, '\n', other.len) - other.data) + 1;
	log.len = (size_t)((char *)memchr(log.data, '\n', log.len) - log.data) + 1;
	assert_int_equal(buf_append(&log, other.data + half, other.len - half), 0);
	put_file(in_state(LOG), log.data, log.len);
	assert_int_equal(count(NULL), -EBADMSG);
}

/* Sealed as it must be, behind the right line: only the number is wrong. */
static void a_number_that_does_not_follow_is_found(void **state)
{
	auto_buf struct buf log = { 0 };
	json_t *record;
	char prev[CHAIN_HEX];

	(void)state;
	make_log(1, &log);
	chain_digest(log.data, log.len - 1, prev);
	for (int seq = 1; seq <= 3; seq++) {
		log.len = (size_t)((char *)memchr(log.data, '\n', log.len) - log.data) + 1;
		record = json_pack("{siss}", "seq", seq, "prev", prev);
		assert_int_equal(chain_seal(record, &log), 0);
		assert_int_equal(buf_append(&log, "\n", 1), 0);
		json_decref(record);
		put_file(in_state(LOG), log.data, log.len);
		assert_int_equal(count(NULL), seq == 2 ? 2 : -EBADMSG);
	}
}

static void lines_that_are_missing_doubled_or_exchanged_are_found(void **state)
{
	static const int orders[][4] = { { 1, 2, 3 }, { 0, 2, 3 }, { 0, 1, 3 }, { 0, 0, 1, 2 },
					 { 1, 0, 2 }, { 0, 2, 1 }, { 0, 1, 1 } };
	auto_buf struct buf log = { 0 };
	const char *lines[5];

	(void)state;
	make_log(4, &log);
	lines[0] = log.data;
	for (int i = 0; i < 4; i++)
		lines[i + 1] = strchr(lines[i], '\n') + 1;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		auto_buf struct buf other = { 0 };

		for (int k = 0; k < (i == 3 ? 4 : 3); k++) {
			const char *from = lines[orders[i][k]];
			size_t len = (size_t)(lines[orders[i][k] + 1] - from);

			assert_int_equal(buf_append(&other, from, len), 0);
		}
		put_file(in_state(LOG), other.data, other.len);
		assert_int_equal(count(NULL), -EBADMSG);
	}
}

static void what_is_no_log_of_ours_is_refused_and_left_alone(void **state)
{
	size_t len = 3 * AUDIT_LINE_MAX;
	autofree char *zeroes = calloc(1, len);
	uint64_t next;

	(void)state;
	assert_non_null(zeroes);
	put_file(in_state(LOG), zeroes, len);
	assert_int_equal(truncate(in_state(LOG), 1ll << 40), 0);
	assert_int_equal(count(NULL), -EBADMSG);
	assert_int_equal(append("apply", 1), -EBADMSG);
	assert_int_equal(audit_next_generation(&places, &next), -EBADMSG);
	assert_true(size_of(in_state(LOG)) == 1ll << 40);
	assert_int_equal(unlink(in_state(LOG)), 0);
	put_file(in_state("victim"), "precious", 8);
	assert_int_equal(symlink("victim", in_state(LOG)), 0);
	assert_int_equal(append("apply", 1), -ELOOP);
	assert_int_equal(count(NULL), -ELOOP);
	assert_int_equal(size_of(in_state("victim")), 8);
	assert_int_equal(unlink(in_state(LOG)), 0);
	assert_int_equal(mkfifo(in_state(LOG), 0600), 0);
	assert_int_equal(append("apply", 1), -EINVAL);
	assert_int_equal(count(NULL), -EINVAL);
}

static uint64_t next_generation(void)
{
	uint64_t next = 0;

	assert_int_equal(audit_next_generation(&places, &next), 0);
	return next;
}

static void generations_only_grow_whatever_was_written(void **state)
{
	static const char *const no_numbers[] = { "-1",	 " 5", "0x99",
						  "1e9", "",   "99999999999999999999",
						  "7 " };
	uint64_t next = 7;

	(void)state;
	assert_int_equal(next_generation(), 1);
	assert_int_equal(append("apply", 5), 0);
	assert_int_equal(append("apply", 3), 0);
	assert_int_equal(append("apply", -8), 0);
	for (size_t i = 0; i < ARRAY_SIZE(no_numbers); i++)
		assert_int_equal(
			audit_append(&places, json_pack("{ss}", "generation", no_numbers[i])), 0);
	assert_int_equal(next_generation(), 6);
	assert_int_equal(
		audit_append(&places, json_pack("{ss}", "generation", "18446744073709551614")), 0);
	assert_true(next_generation() == UINT64_MAX);
	assert_int_equal(
		audit_append(&places, json_pack("{ss}", "generation", "18446744073709551615")), 0);
	assert_int_equal(audit_next_generation(&places, &next), -EOVERFLOW);
	assert_int_equal(next, 7);
}

static void damage_neither_stops_nor_misleads_the_next_generation(void **state)
{
	auto_buf struct buf log = { 0 };
	char *first;

	(void)state;
	make_log(3, &log);
	assert_int_equal(buf_append(&log, "", 1), 0);
	first = strstr(log.data, "\"generation\":1");
	first[strlen("\"generation\":")] = '9';
	put_file(in_state(LOG), log.data, log.len - 1);
	assert_int_equal(count(NULL), -EBADMSG);
	assert_int_equal(next_generation(), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_record_comes_back_with_who_when_and_what_before),
		store_test(the_chain_is_the_plain_sha256_of_lines),
		store_test(no_caller_can_replace_what_the_log_says_itself),
		store_test(what_is_no_object_or_too_long_is_refused_and_nothing_is_written),
		store_test(a_walk_stops_when_it_is_told_to),
		store_test(every_torn_log_is_read_repaired_and_goes_on),
		store_test(torn_ends_add_up_in_one_file),
		store_test(every_changed_byte_of_the_log_is_found),
		store_test(after_damage_at_the_end_the_numbers_go_on),
		store_test(a_line_of_another_log_is_found),
		store_test(a_number_that_does_not_follow_is_found),
		store_test(lines_that_are_missing_doubled_or_exchanged_are_found),
		store_test(what_is_no_log_of_ours_is_refused_and_left_alone),
		store_test(generations_only_grow_whatever_was_written),
		store_test(damage_neither_stops_nor_misleads_the_next_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
