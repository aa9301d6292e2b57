/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clearing up: what killed writers left, damaged pointers, images that nobody needs. */
#include "store_help.h"

#include <sodium.h>

static char said[4096];

static void note(void *context, const char *text)
{
	(void)context;
	strncat(said, text, sizeof(said) - strlen(said) - 2);
	strcat(said, "\n");
}

static int repair(void)
{
	*said = '\0';
	return store_repair(&places, note, NULL);
}

static void what_killed_writers_left_is_swept_up_and_nothing_else(void **state)
{
	pid_t pid = fork();
	char dead[3][64], alive[64];

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* a pid of nobody */
	snprintf(dead[0], sizeof(dead[0]), "totals.json.new-%d-0", pid);
	snprintf(dead[1], sizeof(dead[1]), "images/ab.img.new-%d-12", pid);
	snprintf(dead[2], sizeof(dead[2]), "policies/ab.yaml.new-%d-3", pid);
	snprintf(alive, sizeof(alive), "images/cd.img.new-%d-0", (int)getpid());
	for (int i = 0; i < 3; i++)
		put_file(in_state(dead[i]), "half", 4);
	put_file(in_state(alive), "half", 4);
	put_file(in_state("notes.new-1x-0"), "mine", 4);
	assert_int_equal(repair(), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(size_of(in_state(dead[i])), -1);
		assert_non_null(strstr(said, dead[i]));
	}
	assert_int_equal(size_of(in_state(alive)), 4);
	assert_int_equal(size_of(in_state("notes.new-1x-0")), 4);
	assert_int_equal(repair(), 0);
	assert_string_equal(said, "");
}

static void damaged_pointers_go_and_are_named(void **state)
{
	struct pointer pointer = { .generation = 4 };

	(void)state;
	assert_int_equal(pointer_keep(&places, &pointer), 0);
	put_file(in_state("live"), "", 0);
	put_file(in_state("good-2"), "nonsense", 8);
	assert_int_equal(repair(), 0);
	assert_string_equal(said, "removed the pointer `live`, which was damaged\n"
				  "removed the pointer `good-2`, which was damaged\n");
	assert_int_equal(size_of(in_state("live")), -1);
	assert_int_equal(size_of(in_state("good-2")), -1);
	assert_int_equal(size_of(in_state("good-1")), 64);
	assert_int_equal(repair(), 0);
	assert_string_equal(said, "");
}

static const char *name_of(const char *folder, unsigned int n, const char *ending)
{
	char name[128], hex[65];
	uint8_t digest[32];

	memset(digest, (int)n, sizeof(digest));
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	snprintf(name, sizeof(name), "%s/%s.%s", folder, hex, ending);
	return in_state(name);
}

/* Image @n of a policy, as old as its number is small. */
static void put_image(unsigned int n)
{
	const struct timespec times[2] = { { 1000 + n, 0 }, { 1000 + n, 0 } };
	const char *image = name_of("images", n, "img");

	put_file(image, "x", 1);
	put_file(name_of("policies", n, "yaml"), "y", 1);
	assert_int_equal(utimensat(AT_FDCWD, image, times, 0), 0);
}

static bool is_there(unsigned int n)
{
	off_t image = size_of(name_of("images", n, "img"));

	assert_int_equal(image, size_of(name_of("policies", n, "yaml")));
	return image == 1;
}

static void images_that_nothing_points_to_go_beyond_the_newest(void **state)
{
	struct pointer pointer = { 0 };

	(void)state;
	for (unsigned int n = 1; n <= STORE_IMAGES + 6; n++)
		put_image(n);
	memset(pointer.digest, 2, sizeof(pointer.digest));
	assert_int_equal(pointer_live_write(&places, &pointer), 0);
	memset(pointer.digest, 5, sizeof(pointer.digest));
	assert_int_equal(pointer_keep(&places, &pointer), 0);
	put_file(in_state("images/notes.img"), "mine", 4);
	assert_int_equal(repair(), 0);
	assert_string_equal(said, "");
	for (unsigned int n = 1; n <= STORE_IMAGES + 6; n++)
		assert_int_equal(is_there(n), n > 6 || n == 2 || n == 5);
	assert_int_equal(size_of(in_state("images/notes.img")), 4);
}

static void folders_that_are_missing_are_said_and_stop_nothing(void **state)
{
	(void)state;
	assert_int_equal(rmdir(in_state("images")), 0);
	put_file(in_state("live"), "", 0);
	assert_int_equal(repair(), -ENOENT);
	assert_int_equal(size_of(in_state("live")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_killed_writers_left_is_swept_up_and_nothing_else),
		store_test(damaged_pointers_go_and_are_named),
		store_test(images_that_nothing_points_to_go_beyond_the_newest),
		store_test(folders_that_are_missing_are_said_and_stop_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
