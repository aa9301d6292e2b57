/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders, and the lock of an instance. */
#include "store_help.h"

#include <poll.h>

static void every_missing_folder_is_made_for_its_owner_and_group_alone(void **state)
{
	mode_t mask = umask(0);
	struct places deep = places;

	(void)state;
	snprintf(deep.state, sizeof(deep.state), "%s/a/b/c", top);
	snprintf(deep.run, sizeof(deep.run), "%s/d/e", top);
	assert_int_equal(store_prepare(&deep), 0);
	umask(mask);
	assert_int_equal(mode_of(deep.state), 0750);
	assert_int_equal(mode_of(deep.run), 0750);
	snprintf(deep.state, sizeof(deep.state), "%s/a", top);
	assert_int_equal(mode_of(deep.state), 0750);
	assert_int_equal(mode_of(in_state("images")), 0750);
	assert_int_equal(mode_of(in_state("policies")), 0750);
	assert_int_equal(store_prepare(&places), 0);
}

static void new_folders_and_the_files_in_them_belong_to_the_group(void **state)
{
	struct places shared = places;
	struct stat st;
	int err;

	(void)state;
	if (geteuid()) {
		print_message("giving folders to a group needs root\n");
		skip();
	}
	snprintf(shared.state, sizeof(shared.state), "%s/shared/x", top);
	group_found = "stanch";
	err = store_prepare(&shared);
	group_found = NULL;
	assert_int_equal(err, 0);
	assert_int_equal(store_policy_write(&shared, (uint8_t[32]){ 1 }, "x", 1), 0);
	assert_int_equal(audit_append(&shared, json_object()), 0);
	assert_in_range(snprintf(shared.lock, sizeof(shared.lock), "%s/audit.jsonl", shared.state),
			1, sizeof(shared.lock) - 1);
	assert_int_equal(stat(shared.lock, &st), 0);
	assert_int_equal(st.st_gid, GROUP_ID);
	assert_int_equal(mode_of(shared.state), 02750);
	strcat(shared.state, "/policies");
	assert_int_equal(stat(shared.state, &st), 0);
	assert_int_equal(st.st_gid, GROUP_ID);
}

static void a_folder_that_is_there_keeps_its_mode(void **state)
{
	(void)state;
	assert_int_equal(chmod(places.run, 01777), 0);
	assert_int_equal(chmod(places.state, 0700), 0);
	assert_int_equal(store_prepare(&places), 0);
	assert_int_equal(mode_of(places.run), 01777);
	assert_int_equal(mode_of(places.state), 0700);
}

static void what_is_no_folder_is_refused(void **state)
{
	struct places other = places;

	(void)state;
	snprintf(other.state, sizeof(other.state), "%s/link", top);
	assert_int_equal(symlink(places.state, other.state), 0);
	assert_int_equal(store_prepare(&other), -ENOTDIR);
	snprintf(other.state, sizeof(other.state), "%s/file", top);
	put_file(other.state, "x", 1);
	assert_int_equal(store_prepare(&other), -ENOTDIR);
	strcat(other.state, "/below");
	assert_int_equal(store_prepare(&other), -ENOTDIR);
}

static void the_second_is_told_who_holds_the_lock(void **state)
{
	autoclose int fd = store_lock(&places, 0, NULL);
	pid_t holder = -1;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(mode_of(places.lock), 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(store_lock(&places, 30, &holder), -EBUSY);
	assert_int_equal(holder, getpid());
	assert_int_equal(store_lock(&places, 0, NULL), -EBUSY);
	put_file(places.lock, "-7", 2);
	assert_int_equal(store_lock(&places, 0, &holder), -EBUSY);
	assert_int_equal(holder, 0);
	put_file(places.lock, "", 0);
	assert_int_equal(store_lock(&places, 0, &holder), -EBUSY);
	assert_int_equal(holder, 0);
	close(TAKE_FD(fd));
	fd = store_lock(&places, 0, NULL);
	assert_true(fd >= 0);
}

static void a_killed_holder_lets_go(void **state)
{
	int ready[2];
	char byte;
	pid_t pid;
	int fd;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (store_lock(&places, 0, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		poll(NULL, 0, 60000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(store_lock(&places, 0, NULL), -EBUSY);
	end_child(pid);
	fd = store_lock(&places, 0, NULL);
	assert_true(fd >= 0);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

#define TAKERS 8
#define TURNS 25

/* Reads, yields and writes a number: without a lock the others' steps would be lost. */
static int take_turns(void)
{
	for (int i = 0; i < TURNS; i++) {
		autoclose int lock = store_lock(&places, 30000, NULL);
		auto_buf struct buf text = { 0 };
		char number[16];
		int len;

		if (lock < 0 || file_read(in_state("number"), 16, &text) ||
		    buf_append(&text, "", 1))
			return 1;
		poll(NULL, 0, 0);
		len = snprintf(number, sizeof(number), "%ld", strtol(text.data, NULL, 10) + 1);
		put_file(in_state("number"), number, (size_t)len);
	}
	return 0;
}

static void only_one_of_many_holds_the_lock(void **state)
{
	auto_buf struct buf text = { 0 };
	pid_t pids[TAKERS];
	int status;

	(void)state;
	put_file(in_state("number"), "0", 1);
	for (int i = 0; i < TAKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(take_turns());
	}
	for (int i = 0; i < TAKERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	get_file(in_state("number"), &text);
	assert_int_equal(buf_append(&text, "", 1), 0);
	assert_int_equal(strtol(text.data, NULL, 10), TAKERS * TURNS);
}

static void a_lock_that_is_no_file_of_ours_is_refused(void **state)
{
	(void)state;
	put_file(in_state("victim"), "precious", 8);
	assert_int_equal(symlink(in_state("victim"), places.lock), 0);
	assert_int_equal(store_lock(&places, 0, NULL), -ELOOP);
	assert_int_equal(size_of(in_state("victim")), 8);
	assert_int_equal(unlink(places.lock), 0);
	assert_int_equal(mkdir(places.lock, 0700), 0);
	assert_int_equal(store_lock(&places, 0, NULL), -EISDIR);
	assert_int_equal(rmdir(places.lock), 0);
	assert_int_equal(mkfifo(places.lock, 0600), 0);
	assert_int_equal(store_lock(&places, 0, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(every_missing_folder_is_made_for_its_owner_and_group_alone),
		store_test(new_folders_and_the_files_in_them_belong_to_the_group),
		store_test(a_folder_that_is_there_keeps_its_mode),
		store_test(what_is_no_folder_is_refused),
		store_test(the_second_is_told_who_holds_the_lock),
		store_test(a_killed_holder_lets_go),
		store_test(only_one_of_many_holds_the_lock),
		store_test(a_lock_that_is_no_file_of_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
