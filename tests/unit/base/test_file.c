/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files: what is refused, what stays untouched, and that a write is all or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <dirent.h>
#include <signal.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"

static char folder[PATH_MAX - NAME_MAX];

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX];

	assert_in_range(snprintf(path, sizeof(path), "%s/%s", folder, name), 1, sizeof(path) - 1);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(in_folder(name), text, strlen(text), 0644), 0);
}

static int entries(void)
{
	DIR *dir = opendir(folder);
	int count = -2;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/stanch-file-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	while (dir && (entry = readdir(dir)))
		if (unlink(in_folder(entry->d_name)) && entry->d_name[0] != '.')
			rmdir(in_folder(entry->d_name));
	closedir(dir);
	return rmdir(folder);
}

static void a_file_is_read_whole(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	put("text", "hello\n");
	assert_int_equal(file_read(in_folder("text"), 6, &buf), 0);
	assert_int_equal(buf.len, 6);
	assert_memory_equal(buf.data, "hello\n", 6);
	put("text", "");
	assert_int_equal(file_read(in_folder("text"), 6, &buf), 0);
	assert_int_equal(buf.len, 0);
}

static void a_file_that_hides_its_size_is_read_whole_and_bounded(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &buf), 0);
	assert_true(buf.len > 100);
	assert_int_equal(file_read("/proc/self/status", 100, &buf), -EFBIG);
}

static void what_is_no_regular_file_is_refused_and_changes_nothing(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char data[] = "kept";
	struct buf buf = { data, 4, 4 };
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", in_folder("socket"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	put("long", "12345");
	assert_int_equal(file_read(folder, 100, &buf), -EISDIR);
	assert_int_equal(file_read(in_folder("fifo"), 100, &buf), -EINVAL);
	assert_int_equal(file_read(in_folder("socket"), 100, &buf), -EINVAL);
	assert_int_equal(file_read("/dev/zero", 100, &buf), -EINVAL);
	assert_int_equal(file_read(in_folder("none"), 100, &buf), -ENOENT);
	assert_int_equal(file_read(in_folder("long"), 4, &buf), -EFBIG);
	assert_ptr_equal(buf.data, data);
	assert_int_equal(buf.len, 4);
}

static void a_huge_file_is_refused_without_reading_it(void **state)
{
	auto_buf struct buf buf = { 0 };

	(void)state;
	put("huge", "");
	assert_int_equal(truncate(in_folder("huge"), 1ll << 40), 0);
	assert_int_equal(file_read(in_folder("huge"), FILE_MAX_LIST, &buf), -EFBIG);
	assert_null(buf.data);
}

static void a_write_replaces_the_whole_content_and_sets_the_mode(void **state)
{
	auto_buf struct buf buf = { 0 };
	mode_t mask = umask(0077);
	struct stat st;

	(void)state;
	put("target", "a much longer old content");
	assert_int_equal(file_write_atomic(in_folder("target"), "new", 3, 0640), 0);
	umask(mask);
	assert_int_equal(file_read(in_folder("target"), 100, &buf), 0);
	assert_int_equal(buf.len, 3);
	assert_int_equal(stat(in_folder("target"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_failed_write_leaves_the_old_content_and_no_litter(void **state)
{
	auto_buf struct buf buf = { 0 };
	struct rlimit old, small = { 4096, 4096 };
	static char big[100000];
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	int before, err;

	(void)state;
	put("target", "old");
	before = entries();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	err = file_write_atomic(in_folder("target"), big, sizeof(big), 0600);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(entries(), before);
	assert_int_equal(file_read(in_folder("target"), 100, &buf), 0);
	assert_memory_equal(buf.data, "old", 3);
}

static void a_directory_is_never_replaced(void **state)
{
	int before;

	(void)state;
	assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
	before = entries();
	assert_int_equal(file_write_atomic(in_folder("dir"), "x", 1, 0600), -EISDIR);
	assert_int_equal(entries(), before);
	assert_int_equal(file_write_atomic(in_folder("none/x"), "x", 1, 0600), -ENOENT);
}

static void leftovers_and_links_under_the_name_aside_are_stepped_over(void **state)
{
	auto_buf struct buf buf = { 0 };
	char aside[64];

	(void)state;
	put("victim", "precious");
	snprintf(aside, sizeof(aside), "target.new-%d-0", (int)getpid());
	assert_int_equal(symlink("victim", in_folder(aside)), 0);
	put("target", "fresh");
	assert_int_equal(file_read(in_folder("victim"), 100, &buf), 0);
	assert_memory_equal(buf.data, "precious", 8);
	assert_int_equal(file_read(in_folder("target"), 100, &buf), 0);
	assert_memory_equal(buf.data, "fresh", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(a_file_that_hides_its_size_is_read_whole_and_bounded),
		cmocka_unit_test(what_is_no_regular_file_is_refused_and_changes_nothing),
		cmocka_unit_test(a_huge_file_is_refused_without_reading_it),
		cmocka_unit_test(a_write_replaces_the_whole_content_and_sets_the_mode),
		cmocka_unit_test(a_failed_write_leaves_the_old_content_and_no_litter),
		cmocka_unit_test(a_directory_is_never_replaced),
		cmocka_unit_test(leftovers_and_links_under_the_name_aside_are_stepped_over),
	};

	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
