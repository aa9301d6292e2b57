/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit log under a full disk, many writers, killed writers, and readers who may only read. */
#include "disk_faults.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#define LOG "audit.jsonl"
#define TORN "audit.torn"

static int append_padded(size_t padding)
{
	char text[8192];

	memset(text, 'x', sizeof(text));
	return audit_append(&places, json_pack("{ss%}", "pad", text, padding));
}

static int count_one(void *context, json_t *record)
{
	(void)record;
	++*(int *)context;
	return 0;
}

/* Number of records, or what audit_each() returned. */
static int count(void)
{
	int records = 0;
	int err = audit_each(&places, count_one, &records, NULL);

	return err ? err : records;
}

/* A disk that has room for 0, 1, 2 ... bytes more. Returns how many times it went wrong. */
static int append_at_every_limit(void)
{
	off_t size = size_of(in_state(LOG));
	int wrong = 0;

	for (off_t room = 0; room < size; room++) {
		limit_files((size_t)(size + room));
		wrong += append_padded(20) != -EFBIG || size_of(in_state(LOG)) != size;
	}
	return wrong;
}

static void a_full_disk_leaves_nothing_half_written(void **state)
{
	(void)state;
	assert_int_equal(append_padded(20), 0);
	assert_int_equal(in_child(append_at_every_limit), 0);
	assert_int_equal(append_padded(20), 0);
	assert_int_equal(count(), 2);
	assert_int_equal(size_of(in_state(TORN)), -1);
}

static const char torn[] = "{\"seq\":2,\"time\":\"2025-11-18T11:20:00.000Z\",\"uid\":0,\"pid\"";

/* The torn bytes have no room either: then they stay where they are. */
static int repair_at_every_limit(void)
{
	off_t size = size_of(in_state(LOG));
	int wrong = 0;

	for (size_t room = 1; room < sizeof(torn); room++) {
		limit_files(room);
		wrong += append_padded(20) != -EFBIG || size_of(in_state(LOG)) != size ||
			 size_of(in_state(TORN)) > 0;
	}
	return wrong;
}

static void torn_bytes_are_not_cut_off_before_they_are_safe(void **state)
{
	auto_buf struct buf log = { 0 };

	(void)state;
	assert_int_equal(append_padded(20), 0);
	get_file(in_state(LOG), &log);
	assert_int_equal(buf_append(&log, torn, sizeof(torn) - 1), 0);
	put_file(in_state(LOG), log.data, log.len);
	assert_int_equal(in_child(repair_at_every_limit), 0);
	assert_int_equal(append_padded(20), 0);
	assert_int_equal(count(), 2);
	assert_int_equal(size_of(in_state(TORN)), sizeof(torn));
}

static void a_record_that_the_disk_only_claims_to_have_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(append_padded(20), 0);
	fault_set(CALL_WRITE, 1, DEED_LOSE, 0);
	assert_int_equal(append_padded(20), -EIO);
	assert_int_equal(count(), 1);
	fault_set(CALL_WRITE, 1, DEED_SHORT, 0);
	assert_int_equal(append_padded(20), 0);
	assert_int_equal(count(), 2);
	fault_set(CALL_FSYNC, 1, DEED_FAIL, EIO);
	assert_int_equal(append_padded(20), -EIO);
	fault_end();
	assert_int_equal(count(), 2);
	assert_int_equal(append_padded(20), 0);
	assert_int_equal(count(), 3);
	assert_int_equal(size_of(in_state(TORN)), -1);
}

#define DISK_BYTES (64 << 10)

/* What is left of the disk after all but @pages pages are taken. */
static int fill_disk(unsigned int pages)
{
	static const char page[4096];
	autoclose int fd = open(in_state("filler"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	off_t size = 0;

	if (fd < 0)
		return -errno;
	while (!file_write_fd(fd, page, sizeof(page)))
		size += (off_t)sizeof(page);
	return ftruncate(fd, size - (off_t)(pages * sizeof(page))) ? -errno : 0;
}

/* 77: there is no such disk to be had here. */
static int use_small_disk(void)
{
	char options[32];
	off_t before;
	int wrong = 0;

	snprintf(options, sizeof(options), "size=%d", DISK_BYTES);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("disk", places.state, "tmpfs", 0, options))
		return 77;
	for (int i = 0; i < 2; i++)
		wrong += append_padded(3000) != 0;
	before = size_of(in_state(LOG));
	/* Two pages of text: with no page left, and with one, half of it gets in. */
	for (unsigned int pages = 0; pages < 2; pages++) {
		wrong += fill_disk(pages) != 0;
		wrong += append_padded(8000) != -ENOSPC;
		wrong += size_of(in_state(LOG)) != before || count() != 2;
	}
	unlink(in_state("filler"));
	wrong += append_padded(8000) != 0 || count() != 3 || size_of(in_state(TORN)) >= 0;
	return wrong;
}

static void a_really_full_disk_is_told_as_such_and_recovers(void **state)
{
	int status = in_child(use_small_disk);

	(void)state;
	if (status == 77) {
		print_message("mounting a small disk is not permitted\n");
		skip();
	}
	assert_int_equal(status, 0);
}

#define WRITERS 6
#define RECORDS 25

static void writers_at_the_same_time_make_one_chain(void **state)
{
	pid_t pids[WRITERS];
	int status;

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		for (int k = 0; !pids[i] && k < RECORDS; k++) {
			if (append_padded((size_t)k * 100))
				_exit(1);
		}
		if (!pids[i])
			_exit(0);
	}
	/* Reading meanwhile sees whole chains only. */
	for (int k = 0; k < 20; k++)
		assert_true(count() >= 0);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count(), WRITERS * RECORDS);
	assert_int_equal(size_of(in_state(TORN)), -1);
}

/* Appends until it is killed, one byte into the pipe for each record that is safe. */
static void append_for_ever(int acknowledge)
{
	while (!append_padded((size_t)random() % 8000)) {
		if (write(acknowledge, "x", 1) != 1)
			break;
	}
	_exit(1);
}

static int acknowledged(int fd)
{
	char bytes[4096];
	ssize_t got;
	int total = 0;

	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		total += (int)got;
	return total;
}

static void killed_writers_lose_no_record_that_was_acknowledged(void **state)
{
	int safe = 0, kept;

	(void)state;
	for (int round = 0; round < 60; round++) {
		int ends[2];
		pid_t pid;

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			append_for_ever(ends[1]);
		close(ends[1]);
		poll(NULL, 0, (int)(random() % 8));
		end_child(pid);
		safe += acknowledged(ends[0]);
		close(ends[0]);
		kept = count();
		/* One more may have been safe before it could be told. */
		assert_in_range(kept, safe, safe + round + 1);
	}
	kept = count();
	assert_int_equal(append_padded(1), 0);
	assert_int_equal(count(), kept + 1);
}

static int read_as_a_member(void)
{
	uint64_t next = 0;
	struct totals *totals = NULL;
	auto_buf struct buf text = { 0 };
	uint8_t digest[32] = { 1 };

	if (setgroups(0, NULL) || setgid(GROUP_ID) || setuid(GROUP_ID))
		return 5;
	if (append_padded(1) != -EACCES || store_lock(&places, 0, NULL) != -EACCES)
		return 1;
	if (count() != 1 || audit_next_generation(&places, &next) || next != 1)
		return 2;
	if (store_policy_read(&places, digest, &text) || text.len != 1)
		return 3;
	if (totals_load(&places, "boot", &totals) || totals_damaged(totals))
		return 4;
	totals_free(&totals);
	return 0;
}

static void members_of_the_group_read_everything_and_hold_nothing_up(void **state)
{
	struct totals *totals = NULL;
	int lock;

	(void)state;
	if (geteuid()) {
		print_message("becoming another user needs root\n");
		skip();
	}
	assert_int_equal(append_padded(1), 0);
	assert_int_equal(store_policy_write(&places, (uint8_t[32]){ 1 }, "x", 1), 0);
	assert_int_equal(totals_load(&places, "boot", &totals), 0);
	assert_int_equal(totals_retire(totals, 0, NULL, NULL, 0), 0);
	totals_free(&totals);
	lock = store_lock(&places, 0, NULL);
	assert_true(lock >= 0);
	close(lock);
	assert_int_equal(in_child(read_as_a_member), 0);
}

static int make_shared_instance(void **state)
{
	int err;

	group_found = "stanch";
	err = make_instance(state);
	group_found = NULL;
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_full_disk_leaves_nothing_half_written),
		store_test(torn_bytes_are_not_cut_off_before_they_are_safe),
		store_test(a_record_that_the_disk_only_claims_to_have_is_noticed),
		store_test(a_really_full_disk_is_told_as_such_and_recovers),
		store_test(writers_at_the_same_time_make_one_chain),
		store_test(killed_writers_lose_no_record_that_was_acknowledged),
		cmocka_unit_test_setup_teardown(
			members_of_the_group_read_everything_and_hold_nothing_up,
			make_shared_instance, drop_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
