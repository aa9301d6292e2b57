/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointers: every torn or changed one is refused, and keeping one never loses but the oldest. */
#include "disk_faults.h"

#include "store/pointers.h"

static struct pointer made(unsigned int n)
{
	struct pointer pointer = { .generation = n * 0x0102030405060708ull,
				   .time_s = 1700000000u + n };

	memset(pointer.digest, (int)n, sizeof(pointer.digest));
	return pointer;
}

static int keep(unsigned int n)
{
	struct pointer pointer = made(n);

	return pointer_keep(&places, &pointer);
}

static void check(const struct pointer *a, unsigned int n)
{
	struct pointer b = made(n);

	assert_int_equal(a->generation, b.generation);
	assert_int_equal(a->time_s, b.time_s);
	assert_memory_equal(a->digest, b.digest, sizeof(b.digest));
}

/* Number @n of what was kept, 0 for none. */
static unsigned int kept(unsigned int n)
{
	struct pointer pointer;
	int err = pointer_good_read(&places, n, &pointer);

	assert_true(!err || err == -ENOENT);
	if (err)
		return 0;
	check(&pointer, pointer.digest[0]);
	return pointer.digest[0];
}

static bool all_kept(unsigned int a, unsigned int b, unsigned int c)
{
	return kept(1) == a && kept(2) == b && kept(3) == c;
}

static void a_pointer_is_64_bytes_and_comes_back(void **state)
{
	struct pointer pointer = made(7), back;

	(void)state;
	assert_int_equal(pointer_live_read(&places, &back), -ENOENT);
	assert_int_equal(pointer_live_write(&places, &pointer), 0);
	assert_int_equal(size_of(in_state("live")), 64);
	assert_int_equal(mode_of(in_state("live")), 0640);
	assert_int_equal(pointer_live_read(&places, &back), 0);
	check(&back, 7);
	assert_int_equal(pointer_good_read(&places, 0, &back), -EINVAL);
	assert_int_equal(pointer_good_read(&places, 4, &back), -EINVAL);
}

/* As it is documented, whatever machine writes it. */
static void its_bytes_are_little_endian(void **state)
{
	static const uint8_t head[] = { 'S', 'P', 'T', 'R', 1, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1 };
	auto_buf struct buf bytes = { 0 };

	(void)state;
	assert_int_equal(keep(1), 0);
	get_file(in_state("good-1"), &bytes);
	assert_memory_equal(bytes.data, head, sizeof(head));
	assert_memory_equal(bytes.data + 24, made(1).digest, 32);
}

static void every_torn_pointer_is_refused(void **state)
{
	struct pointer pointer = made(7), back;
	auto_buf struct buf bytes = { 0 };

	(void)state;
	assert_int_equal(pointer_live_write(&places, &pointer), 0);
	get_file(in_state("live"), &bytes);
	for (size_t len = 0; len < 64; len++) {
		put_file(in_state("live"), bytes.data, len);
		assert_int_equal(pointer_live_read(&places, &back), -EBADMSG);
	}
	assert_int_equal(buf_append(&bytes, "\0", 1), 0);
	put_file(in_state("live"), bytes.data, 65);
	assert_int_equal(pointer_live_read(&places, &back), -EBADMSG);
	put_file(in_state("live"), bytes.data, 64);
	assert_int_equal(pointer_live_read(&places, &back), 0);
}

/* A disk that wrote the first part of the new one over the old one, or zeroes. */
static void every_mix_of_two_pointers_is_refused(void **state)
{
	auto_buf struct buf old = { 0 }, new = { 0 };
	struct pointer back;

	(void)state;
	assert_int_equal(keep(1), 0);
	get_file(in_state("good-1"), &old);
	assert_int_equal(keep(2), 0);
	get_file(in_state("good-1"), &new);
	for (size_t len = 9; len < 64; len++) {
		memcpy(old.data, new.data, len);
		put_file(in_state("good-1"), old.data, 64);
		assert_int_equal(pointer_good_read(&places, 1, &back), -EBADMSG);
		memset(new.data + len, 0, 64 - len);
		put_file(in_state("good-1"), new.data, 64);
		assert_int_equal(pointer_good_read(&places, 1, &back), -EBADMSG);
		get_file(in_state("good-2"), &old);
		assert_int_equal(keep(2), 0);
		get_file(in_state("good-1"), &new);
	}
}

static void every_changed_bit_of_a_pointer_is_found(void **state)
{
	auto_buf struct buf bytes = { 0 };
	struct pointer back;

	(void)state;
	assert_int_equal(keep(3), 0);
	get_file(in_state("good-1"), &bytes);
	for (size_t bit = 0; bit < 64 * 8; bit++) {
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		put_file(in_state("good-1"), bytes.data, 64);
		assert_int_equal(pointer_good_read(&places, 1, &back), -EBADMSG);
		bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void the_newest_three_are_kept_each_once(void **state)
{
	(void)state;
	assert_true(all_kept(0, 0, 0));
	assert_int_equal(keep(1) | keep(2), 0);
	assert_true(all_kept(2, 1, 0));
	assert_int_equal(keep(3), 0);
	assert_true(all_kept(3, 2, 1));
	assert_int_equal(keep(4), 0);
	assert_true(all_kept(4, 3, 2));
	assert_int_equal(keep(4), 0);
	assert_true(all_kept(4, 3, 2));
	assert_int_equal(keep(3), 0);
	assert_true(all_kept(3, 4, 2));
	assert_int_equal(keep(2), 0);
	assert_true(all_kept(2, 3, 4));
}

static void damaged_ones_and_gaps_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(keep(1) | keep(2) | keep(3), 0);
	put_file(in_state("good-1"), "torn", 4);
	assert_int_equal(keep(4), 0);
	assert_true(all_kept(4, 2, 1));
	assert_int_equal(unlink(in_state("good-1")), 0);
	assert_int_equal(unlink(in_state("good-2")), 0);
	assert_int_equal(keep(1), 0);
	assert_true(all_kept(1, 0, 0));
}

static bool is_kept(unsigned int n)
{
	return kept(1) == n || kept(2) == n || kept(3) == n;
}

static void fresh(void)
{
	drop_instance(NULL);
	assert_int_equal(make_instance(NULL), 0);
	assert_int_equal(keep(1) | keep(2) | keep(3), 0);
}

/* What may go when somebody is stopped on the way: the oldest, 1, and nothing else. */
static void check_stopped(unsigned int n)
{
	assert_true(is_kept(2) && is_kept(3));
	assert_int_equal(repaired() > 1, 0);
	assert_true(is_kept(2) && is_kept(3));
	assert_int_equal(keep(n), 0);
	assert_int_equal(kept(1), n);
	assert_true(is_kept(2) && is_kept(3));
}

static int keep_faultily(unsigned int n, int at, enum deed deed)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		fault_set(CALL_ANY, at, deed, ENOSPC);
		keep(n);
		_exit(fault_end() < at);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status);
}

/* Stopped at every call in turn; returns how many there are. */
static int keep_stopped(unsigned int n, enum deed deed)
{
	bool past = false;
	int at = 0;

	while (!past) {
		fresh();
		past = keep_faultily(n, ++at, deed);
		check_stopped(n);
	}
	return at - 1;
}

static void whoever_is_stopped_while_keeping_loses_none_but_the_oldest(void **state)
{
	static const enum deed deeds[] = { DEED_KILL, DEED_FAIL, DEED_LOSE };
	int points = 0;

	(void)state;
	for (unsigned int n = 2; n <= 4; n++) {
		for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
			points += keep_stopped(n, deeds[i]);
	}
	assert_in_range(points, 60, 300);
}

static void a_disk_that_only_claims_to_write_is_noticed(void **state)
{
	(void)state;
	for (int call = CALL_WRITE; call <= CALL_RENAME; call += call) {
		if (call == CALL_FSYNC)
			continue; /* nobody can tell before the power goes */
		for (int at = 1; at <= 3; at++) {
			fresh();
			fault_set(call, at, DEED_LOSE, 0);
			assert_int_equal(keep(4), -EIO);
			fault_end();
			assert_int_equal(keep(4), 0);
			assert_true(all_kept(4, 3, 2));
		}
	}
}

static void a_short_write_is_gone_on_with(void **state)
{
	(void)state;
	fresh();
	fault_set(CALL_WRITE, 1, DEED_SHORT, 0);
	assert_int_equal(keep(4), 0);
	assert_int_equal(fault_end(), 4);
	assert_true(all_kept(4, 3, 2));
}

/* No room for even one pointer: what was there stays. */
static int keep_on_a_full_disk(void)
{
	int wrong = 0;

	for (size_t room = 1; room < 64; room++) {
		limit_files(room);
		wrong += keep(4) != -EFBIG;
	}
	limit_files(0);
	return wrong;
}

static void a_full_disk_changes_no_pointer(void **state)
{
	(void)state;
	fresh();
	assert_int_equal(in_child(keep_on_a_full_disk), 0);
	assert_true(all_kept(3, 2, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_pointer_is_64_bytes_and_comes_back),
		store_test(its_bytes_are_little_endian),
		store_test(every_torn_pointer_is_refused),
		store_test(every_mix_of_two_pointers_is_refused),
		store_test(every_changed_bit_of_a_pointer_is_found),
		store_test(the_newest_three_are_kept_each_once),
		store_test(damaged_ones_and_gaps_are_passed_over),
		store_test(whoever_is_stopped_while_keeping_loses_none_but_the_oldest),
		store_test(a_disk_that_only_claims_to_write_is_noticed),
		store_test(a_short_write_is_gone_on_with),
		store_test(a_full_disk_changes_no_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
