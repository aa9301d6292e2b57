/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_check() and image_load() on bytes that were cut off, flipped, made up, or too much for the
 * loaded program. Nothing is ever read behind the last byte: a page that may not be read is there.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "image_break.h"
#include "policy/golden.h"
#include "policy/policy.h"

#define PAGE 4096u

/* Memory that ends where a page begins that may not be read. */
struct fenced {
	unsigned char *pages;
	size_t size;
};

static void fenced_free(struct fenced *fenced)
{
	munmap(fenced->pages, fenced->size + PAGE);
}

static void fence(struct fenced *fenced, size_t size)
{
	fenced->size = (size + PAGE - 1) / PAGE * PAGE;
	fenced->pages = mmap(NULL, fenced->size + PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fenced->pages, MAP_FAILED);
	assert_int_equal(mprotect(fenced->pages + fenced->size, PAGE, PROT_NONE), 0);
}

/* Checks the @len bytes that stand right before the fence. */
static int check_fenced(const struct fenced *fenced, size_t len, struct diag *diag)
{
	return image_check("cut.img", fenced->pages + fenced->size - len, len, &limits_builtin,
			   diag);
}

/* As image_check() demands it before it looks any further. */
static void seal(unsigned char *bytes, uint32_t lines)
{
	struct image_id *id = (struct image_id *)bytes;
	struct image image = { bytes, lines };
	uint8_t digest[sizeof(id->digest)];

	id->magic = IMAGE_MAGIC;
	id->version = IMAGE_VERSION;
	id->lines = lines;
	image_digest(&image, digest);
	memcpy(id->digest, digest, sizeof(digest));
}

static void an_image_that_was_cut_off_anywhere_is_refused(void **state)
{
	cleanup(fenced_free) struct fenced fenced;
	struct made_image made;

	(void)state;
	made_image(&made);
	fence(&fenced, sizeof(made));
	for (size_t len = 0; len < sizeof(made); len++) {
		auto_diag struct diag diag = { 0 };

		memcpy(fenced.pages + fenced.size - len, made.bytes, len);
		assert_int_equal(check_fenced(&fenced, len, &diag), -EINVAL);
		assert_int_equal(diag.total, 1);
		assert_string_equal(diag.problems[0].code, "image_length");
	}
}

static void an_image_that_was_cut_off_and_sealed_again_is_refused(void **state)
{
	cleanup(fenced_free) struct fenced fenced;
	struct made_image made;

	(void)state;
	made_image(&made);
	fence(&fenced, sizeof(made));
	for (uint32_t lines = IMAGE_HEADER_LINES; lines < MADE_LINES; lines++) {
		size_t len = (size_t)lines * LINE_SIZE;
		auto_diag struct diag diag = { 0 };

		memcpy(fenced.pages + fenced.size - len, made.bytes, len);
		seal(fenced.pages + fenced.size - len, lines);
		assert_int_equal(check_fenced(&fenced, len, &diag), -EINVAL);
		assert_string_equal(diag.problems[0].code, "image_section");
	}
}

static void an_image_with_bytes_behind_its_end_is_refused(void **state)
{
	unsigned char bytes[sizeof(struct made_image) + LINE_SIZE] = { 0 };

	(void)state;
	made_image((struct made_image *)bytes);
	for (size_t more = 1; more <= LINE_SIZE; more++) {
		auto_diag struct diag diag = { 0 };

		assert_int_equal(image_check("long.img", bytes, sizeof(struct made_image) + more,
					     &limits_builtin, &diag),
				 -EINVAL);
		assert_string_equal(diag.problems[0].code, "image_length");
	}
}

static void a_flipped_bit_without_a_new_digest_is_damage(void **state)
{
	struct made_image made;
	unsigned char *bytes = (unsigned char *)&made;

	(void)state;
	made_image(&made);
	/* behind magic, version and length, which have words of their own */
	for (size_t at = 16; at < sizeof(made); at++) {
		auto_diag struct diag diag = { 0 };

		bytes[at] ^= 1u << at % 8;
		assert_int_equal(
			image_check("flip.img", bytes, sizeof(made), &limits_builtin, &diag),
			-EINVAL);
		assert_int_equal(diag.total, 1);
		assert_string_equal(diag.problems[0].code, "image_digest");
		bytes[at] ^= 1u << at % 8;
	}
}

/* ---- a flip whose digest is made right: refused, or an image as good as any ---- */

static int judge_golden(void *context, const struct golden *golden)
{
	struct judgement j;

	frame_judge(context, golden->frame.bytes, golden->frame.len, 0, &j);
	assert_int_not_equal(j.reason, REASON_IMAGE_MAGIC);
	assert_int_not_equal(j.reason, REASON_IMAGE_REFERENCE);
	assert_int_not_equal(j.reason, REASON_IMAGE_STEPS);
	return 0;
}

struct lookup {
	const struct image *image;
	enum table table;
	uint32_t ranges;
};

static int lookup_first(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct lookup *lookup = context;
	uint32_t root = image_hot(lookup->image)->root[lookup->table];

	assert_int_equal(table_lookup((struct image *)lookup->image, root, hi, lo), leaf);
	assert_non_null(image_leaf(lookup->image, leaf));
	lookup->ranges++;
	return 0;
}

/* Whatever its tables say, they say it in one voice and every packet can be judged. */
static void assert_usable(const struct image *image)
{
	struct lookup lookup = { .image = image };

	for (; lookup.table < TABLES; lookup.table++)
		assert_int_equal(image_each_range(image, lookup.table, lookup_first, &lookup), 0);
	assert_true(lookup.ranges >= TABLES);
	assert_int_equal(golden_each(image, judge_golden, (void *)image), 0);
}

static bool flip_is_accepted(struct made_image *made, size_t at, unsigned char flip)
{
	auto_diag struct diag diag = { 0 };
	struct image image = made_as_image(made);
	int r;

	((unsigned char *)made)[at] ^= flip;
	made_seal(made);
	r = image_check("flip.img", made->bytes, sizeof(*made), &limits_builtin, &diag);
	assert_int_equal(r, diag.total ? -EINVAL : 0);
	if (!r)
		assert_usable(&image);
	((unsigned char *)made)[at] ^= flip;
	return !r;
}

static void a_sealed_flip_is_refused_or_leaves_an_image_that_judges(void **state)
{
	const size_t tables = (size_t)MADE_V4_SRC * LINE_SIZE;
	const size_t ports = (size_t)MADE_PORTS * LINE_SIZE, lists = (size_t)MADE_LISTS * LINE_SIZE;
	uint32_t accepted = 0;
	struct made_image made;

	(void)state;
	made_image(&made);
	for (size_t at = 0; at < sizeof(made); at++) {
		if (at >= ports + 2 * (size_t)LINE_SIZE && at < lists)
			continue; /* ports are all alike */
		accepted += flip_is_accepted(&made, at, 1u << at % 8);
		accepted += flip_is_accepted(&made, at, 0xff);
		for (unsigned int bit = 0; bit < 8 && at >= tables && at < ports; bit++)
			accepted += flip_is_accepted(&made, at, 1u << bit);
	}
	assert_true(accepted > 20); /* marks, names, boundaries */
}

/* ---- bytes that never were an image ---- */

static void assert_refused(struct fenced *fenced, uint32_t lines)
{
	size_t len = (size_t)lines * LINE_SIZE;
	auto_diag struct diag diag = { 0 };

	assert_int_equal(check_fenced(fenced, len, &diag), -EINVAL);
	assert_true(diag.total > 0 && diag.stored <= DIAG_PROBLEMS);
}

static void bytes_that_are_all_the_same_are_no_image(void **state)
{
	cleanup(fenced_free) struct fenced fenced;

	(void)state;
	fence(&fenced, 64 * (size_t)LINE_SIZE);
	for (uint32_t lines = IMAGE_HEADER_LINES; lines <= 64; lines++) {
		unsigned char *bytes = fenced.pages + fenced.size - (size_t)lines * LINE_SIZE;

		for (int value = 0; value < 256; value++) {
			memset(bytes, value, (size_t)lines * LINE_SIZE);
			assert_refused(&fenced, lines);
			seal(bytes, lines);
			assert_refused(&fenced, lines);
		}
	}
}

/* Random bytes in the sections of a right header reach every check behind it. */
static void random_bytes_with_a_right_digest_are_refused(void **state)
{
	cleanup(fenced_free) struct fenced fenced;
	struct made_image made;
	unsigned int seed = 7;
	unsigned char *bytes;

	(void)state;
	made_image(&made);
	fence(&fenced, sizeof(made));
	bytes = fenced.pages + fenced.size - sizeof(made);
	for (uint32_t round = 0; round < 2000; round++) {
		/* from any line of the header on, or in the sections only */
		size_t from = (size_t)(round % (IMAGE_HEADER_LINES + 1)) * LINE_SIZE;

		memcpy(bytes, made.bytes, sizeof(made));
		for (size_t at = from; at < sizeof(made); at++)
			bytes[at] = (unsigned char)rand_r(&seed);
		seal(bytes, MADE_LINES);
		assert_refused(&fenced, MADE_LINES);
	}
}

/* ---- what the loaded program has room for ---- */

static void every_number_over_its_limit_is_named_with_it(void **state)
{
	static const struct {
		const char *code, *message;
		struct diag_limit limit;
	} expected[] = {
		{ "too_many_lines", "159 lines, the loaded program holds 158", { 159, 158 } },
		{ "too_many_prefixes", "12 prefixes, the loaded program holds 11", { 12, 11 } },
		{ "too_many_lists", "7 lists, the loaded program holds 6", { 7, 6 } },
		{ "too_many_leaves", "7 leaves, the loaded program holds 6", { 7, 6 } },
		{ "too_many_steps", "3 steps, the loaded program holds 2", { 3, 2 } },
		{ "too_many_families", "2 families, the loaded program holds 1", { 2, 1 } },
	};
	struct limits limits = limits_builtin;
	auto_diag struct diag diag = { 0 };
	struct made_image made;

	(void)state;
	limits.lines = MADE_LINES - 1;
	limits.prefixes = 11;
	limits.lists = limits.leaves = 6;
	limits.steps = 2;
	limits.families = 1;
	made_image(&made);
	assert_int_equal(image_check("m", made.bytes, sizeof(made), &limits, &diag), -EINVAL);
	assert_int_equal(diag.total, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(diag.problems[i].code, expected[i].code);
		assert_string_equal(diag.problems[i].message, expected[i].message);
		assert_true(diag.problems[i].has_limit);
		assert_int_equal(diag.problems[i].actual, expected[i].limit.actual);
		assert_int_equal(diag.problems[i].limit, expected[i].limit.limit);
	}
}

static void an_image_that_just_fits_is_accepted(void **state)
{
	struct limits limits = limits_builtin;
	auto_diag struct diag diag = { 0 };
	struct made_image made;

	(void)state;
	limits.lines = MADE_LINES;
	limits.prefixes = 12;
	limits.lists = limits.leaves = 7;
	limits.steps = 3;
	limits.families = 2;
	made_image(&made);
	assert_int_equal(image_check("m", made.bytes, sizeof(made), &limits, &diag), 0);
}

static void a_loaded_program_of_another_version_is_named(void **state)
{
	struct limits limits = limits_builtin;
	auto_diag struct diag diag = { 0 };
	struct made_image made;

	(void)state;
	limits.image_version = 3;
	made_image(&made);
	assert_int_equal(image_check("m", made.bytes, sizeof(made), &limits, &diag), -EINVAL);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].code, "image_version");
	assert_string_equal(diag.problems[0].message,
			    "image version 2, the loaded program reads 3");
}

/* ---- loading ---- */

static void what_is_loaded_is_an_aligned_copy(void **state)
{
	auto_image struct image_file file = { 0 };
	auto_diag struct diag diag = { 0 };
	unsigned char shifted[sizeof(struct made_image) + 1];
	struct made_image made;

	(void)state;
	made_image(&made);
	memcpy(shifted + 1, made.bytes, sizeof(made));
	assert_int_equal(image_load(&(struct named_text){ "m", (char *)shifted + 1, sizeof(made) },
				    &limits_builtin, &file, &diag),
			 0);
	assert_int_equal(file.image.lines, MADE_LINES);
	assert_ptr_equal(file.image.bytes, file.bytes);
	assert_int_equal((uintptr_t)file.bytes % LINE_SIZE, 0);
	assert_memory_equal(file.bytes, made.bytes, sizeof(made));
}

static void what_is_not_loaded_leaves_the_output_alone(void **state)
{
	static const size_t lengths[] = {
		0, 1, 511, 512, sizeof(struct made_image) - 1, sizeof(struct made_image)
	};
	struct made_image made;

	(void)state;
	made_image(&made);
	made.bytes[MADE_LINES - 1][0] ^= 1;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct image_file file = { .image.lines = 77 };
		auto_diag struct diag diag = { 0 };

		assert_int_equal(
			image_load(&(struct named_text){ "m", (char *)made.bytes, lengths[i] },
				   &limits_builtin, &file, &diag),
			-EINVAL);
		assert_int_equal(file.image.lines, 77);
		assert_null(file.bytes);
		assert_int_equal(diag.total, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_that_was_cut_off_anywhere_is_refused),
		cmocka_unit_test(an_image_that_was_cut_off_and_sealed_again_is_refused),
		cmocka_unit_test(an_image_with_bytes_behind_its_end_is_refused),
		cmocka_unit_test(a_flipped_bit_without_a_new_digest_is_damage),
		cmocka_unit_test(a_sealed_flip_is_refused_or_leaves_an_image_that_judges),
		cmocka_unit_test(bytes_that_are_all_the_same_are_no_image),
		cmocka_unit_test(random_bytes_with_a_right_digest_are_refused),
		cmocka_unit_test(every_number_over_its_limit_is_named_with_it),
		cmocka_unit_test(an_image_that_just_fits_is_accepted),
		cmocka_unit_test(a_loaded_program_of_another_version_is_named),
		cmocka_unit_test(what_is_loaded_is_an_aligned_copy),
		cmocka_unit_test(what_is_not_loaded_leaves_the_output_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
