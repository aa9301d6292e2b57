/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images and policy texts by content: written once, whole or not at all, checked when read. */
#include "store_help.h"

#include <dirent.h>
#include <stdlib.h>

#include "made_image.h"

static struct made_image made;
static struct image image;

static int make_image(void **state)
{
	made_image(&made);
	image = made_as_image(&made);
	return make_instance(state);
}

#define image_test(test) cmocka_unit_test_setup_teardown(test, make_image, drop_instance)

static const uint8_t *digest(void)
{
	return image_id(&image)->digest;
}

static const char *image_path(void)
{
	static char path[PATH_MAX + 128];
	int len = snprintf(path, sizeof(path), "%s/images/", places.state);

	for (int i = 0; i < 32; i++)
		len += snprintf(path + len, sizeof(path) - (size_t)len, "%02x", digest()[i]);
	strcpy(path + len, ".img");
	return path;
}

static void an_image_comes_back_byte_for_byte(void **state)
{
	auto_image struct image_file back = { 0 };
	auto_diag struct diag diag = { 0 };
	mode_t mask = umask(0077);
	int err = store_image_write(&places, &image);

	(void)state;
	umask(mask);
	assert_int_equal(err, 0);
	assert_int_equal(mode_of(image_path()), 0640);
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag), 0);
	assert_int_equal(back.image.lines, image.lines);
	assert_memory_equal(back.bytes, image.bytes, sizeof(made.bytes));
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void what_is_there_is_not_written_again(void **state)
{
	ino_t before;

	(void)state;
	assert_int_equal(store_image_write(&places, &image), 0);
	before = inode_of(image_path());
	assert_int_equal(store_image_write(&places, &image), 0);
	assert_int_equal(inode_of(image_path()), before);
}

static void what_is_there_and_damaged_is_written_again(void **state)
{
	auto_image struct image_file back = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_image_write(&places, &image), 0);
		assert_int_equal(truncate(image_path(), i ? (off_t)sizeof(made.bytes) + 1 - i : 0),
				 0);
	}
	put_file(image_path(), "x", 1);
	assert_int_equal(store_image_write(&places, &image), 0);
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag), 0);
}

static void every_damaged_byte_and_every_cut_of_a_stored_image_is_found(void **state)
{
	struct made_image broken;
	size_t size = sizeof(made.bytes);

	(void)state;
	for (size_t at = 0; at < size; at += at < 1024 ? 1 : 61) {
		auto_image struct image_file back = { 0 };
		auto_diag struct diag diag = { 0 };

		broken = made;
		broken.bytes[at / LINE_SIZE][at % LINE_SIZE] ^= 0x10;
		put_file(image_path(), broken.bytes, size);
		assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag),
				 -EBADMSG);
		assert_true(diag.total > 0);
		assert_null(back.bytes);
		put_file(image_path(), made.bytes, at);
		assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag),
				 -EBADMSG);
	}
}

static void a_sound_image_under_another_name_is_refused(void **state)
{
	auto_image struct image_file back = { 0 };
	auto_diag struct diag diag = { 0 };
	struct made_image other = made;

	(void)state;
	other.bytes[IMAGE_HOT_LINE][4] ^= MODE_MONITOR ^ MODE_ENFORCE;
	made_seal(&other);
	put_file(image_path(), other.bytes, sizeof(other.bytes));
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag),
			 -EBADMSG);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].code, "image_name");
	assert_null(back.bytes);
}

static void what_is_missing_or_no_file_is_said(void **state)
{
	auto_image struct image_file back = { 0 };
	auto_diag struct diag diag = { 0 };
	auto_buf struct buf text = { 0 };

	(void)state;
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag),
			 -ENOENT);
	assert_int_equal(store_policy_read(&places, digest(), &text), -ENOENT);
	put_file(in_state("elsewhere"), made.bytes, sizeof(made.bytes));
	assert_int_equal(symlink(in_state("elsewhere"), image_path()), 0);
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag),
			 -ELOOP);
	/* Writing replaces the link, not what it points to. */
	put_file(in_state("elsewhere"), "precious", 8);
	assert_int_equal(store_image_write(&places, &image), 0);
	assert_int_equal(size_of(in_state("elsewhere")), 8);
	assert_int_equal(store_image_read(&places, digest(), &limits_builtin, &back, &diag), 0);
	assert_int_equal(unlink(image_path()), 0);
	assert_int_equal(mkdir(image_path(), 0700), 0);
	assert_int_equal(store_image_write(&places, &image), -EISDIR);
}

static void a_policy_text_is_kept_beside_its_image(void **state)
{
	static const char text[] = "version: 1\n# a\0b\n";
	auto_buf struct buf back = { 0 };

	(void)state;
	assert_int_equal(store_policy_write(&places, digest(), text, sizeof(text)), 0);
	assert_int_equal(store_policy_read(&places, digest(), &back), 0);
	assert_int_equal(back.len, sizeof(text));
	assert_memory_equal(back.data, text, sizeof(text));
	assert_int_equal(store_policy_write(&places, digest(), "", 0), 0);
	assert_int_equal(store_policy_read(&places, digest(), &back), 0);
	assert_int_equal(back.len, 0);
}

/* Every size at which the disk can be full. Returns the number of sizes that went wrong. */
static int write_at_every_limit(void)
{
	int wrong = 0;

	for (size_t room = 1; room < sizeof(made.bytes); room += 97) {
		limit_files(room);
		if (store_image_write(&places, &image) != -EFBIG || size_of(image_path()) >= 0)
			wrong++;
	}
	return wrong;
}

static int entries_in(const char *path)
{
	DIR *dir = opendir(path);
	int count = -2; /* the folder itself and the one above */

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void a_full_disk_leaves_nothing_of_an_image(void **state)
{
	(void)state;
	assert_int_equal(in_child(write_at_every_limit), 0);
	assert_int_equal(entries_in(in_state("images")), 0);
}

static void write_for_ever(void)
{
	for (;;) {
		unlink(image_path());
		store_image_write(&places, &image);
	}
}

static void killed_writers_leave_the_whole_image_or_none(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		auto_image struct image_file back = { 0 };
		auto_diag struct diag diag = { 0 };
		pid_t pid = fork();
		int err;

		assert_true(pid >= 0);
		if (!pid)
			write_for_ever();
		usleep((useconds_t)(random() % 3000));
		end_child(pid);
		err = store_image_read(&places, digest(), &limits_builtin, &back, &diag);
		assert_true(!err || err == -ENOENT);
		assert_in_range(repaired(), 0, 1);
		assert_int_equal(entries_in(in_state("images")), err ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		image_test(an_image_comes_back_byte_for_byte),
		image_test(what_is_there_is_not_written_again),
		image_test(what_is_there_and_damaged_is_written_again),
		image_test(every_damaged_byte_and_every_cut_of_a_stored_image_is_found),
		image_test(a_sound_image_under_another_name_is_refused),
		image_test(what_is_missing_or_no_file_is_said),
		image_test(a_policy_text_is_kept_beside_its_image),
		image_test(a_full_disk_leaves_nothing_of_an_image),
		image_test(killed_writers_leave_the_whole_image_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
