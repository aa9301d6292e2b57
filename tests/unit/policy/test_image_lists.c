/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_check() on images of lists alone: as many as there may be, and one more; more families than
 * there are numbers for; names as long as they may be, and longer.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "image_help.h"
#include "policies.h"

#define NAME_SPACE 80u

/* Empty lists, and nothing else. */
struct listing {
	struct image_file file;
	uint32_t count;
};

static void listing_free(struct listing *listing)
{
	image_free(&listing->file);
}
#define auto_listing cleanup(listing_free)

static struct list_record *record(struct listing *listing, uint32_t i)
{
	return (struct list_record *)(listing->file.bytes +
				      (size_t)(IMAGE_HEADER_LINES + 1 + i) * LINE_SIZE);
}

static char *names(struct listing *listing)
{
	return (char *)record(listing, listing->count);
}

static void write_header(struct listing *listing, uint32_t name_lines)
{
	unsigned char *bytes = listing->file.bytes;
	uint32_t count = listing->count, lists = IMAGE_HEADER_LINES + 1;
	const struct section sections[] = {
		{ SECTION_LEAVES, IMAGE_HEADER_LINES, 1, 1 },
		{ SECTION_LISTS, lists, count, count },
		{ SECTION_NAMES, lists + count, name_lines, count * NAME_SPACE },
	};

	*(struct image_id *)bytes = (struct image_id){
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.lines = listing->file.image.lines,
		.sections = ARRAY_SIZE(sections),
	};
	*(struct image_hot *)(bytes + LINE_SIZE) = (struct image_hot){
		.magic = IMAGE_HOT_MAGIC,
		.mode = MODE_ENFORCE,
		.leaves_line = IMAGE_HEADER_LINES,
		.leaves = 1,
		.lists = count,
	};
	*(struct image_counts *)(bytes + 2 * (size_t)LINE_SIZE) =
		(struct image_counts){ .leaves = 1, .lists = count };
	memcpy(bytes + IMAGE_SECTIONS_LINE * (size_t)LINE_SIZE, sections, sizeof(sections));
}

/* Each name is NAME_SPACE bytes apart and @name_len long: zeroes, then the number of its list. */
static void make_listing(struct listing *listing, uint32_t count, uint16_t name_len)
{
	uint32_t name_lines = (count * NAME_SPACE + LINE_SIZE - 1) / LINE_SIZE;
	uint32_t lines = IMAGE_HEADER_LINES + 1 + count + name_lines;
	char number[NAME_SPACE + 1];

	listing->count = count;
	listing->file.bytes = aligned_alloc(LINE_SIZE, (size_t)lines * LINE_SIZE);
	assert_non_null(listing->file.bytes);
	memset(listing->file.bytes, 0, (size_t)lines * LINE_SIZE);
	listing->file.image = (struct image){ listing->file.bytes, lines };
	write_header(listing, name_lines);
	for (uint32_t i = 0; i < count; i++) {
		*record(listing, i) = (struct list_record){
			.name = i * NAME_SPACE,
			.name_len = name_len,
			.action = ACTION_DROP,
		};
		snprintf(number, sizeof(number), "%0*u", name_len, i);
		memcpy(names(listing) + (size_t)i * NAME_SPACE, number, name_len);
	}
}

static int check(struct listing *listing, struct diag *diag)
{
	struct image *image = &listing->file.image;

	image_digest(image, ((struct image_id *)listing->file.bytes)->digest);
	return image_check("lists.img", image->bytes, (size_t)image->lines * LINE_SIZE,
			   &limits_builtin, diag);
}

static void as_many_lists_as_there_may_be_are_accepted(void **state)
{
	auto_listing struct listing listing = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	make_listing(&listing, LIMIT_LISTS, POLICY_NAME_MAX);
	if (check(&listing, &diag))
		show_image_problems(&diag);
	assert_int_equal(diag.total, 0);
}

static void one_list_more_is_refused_with_the_number(void **state)
{
	auto_listing struct listing listing = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	make_listing(&listing, LIMIT_LISTS + 1, 8);
	assert_int_equal(check(&listing, &diag), -EINVAL);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].message, "4097 lists, the loaded program holds 4096");
}

static void a_name_of_more_bytes_than_any_list_has_is_refused(void **state)
{
	auto_listing struct listing listing = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	make_listing(&listing, 1, POLICY_NAME_MAX + 1);
	assert_int_equal(check(&listing, &diag), -EINVAL);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].code, "image_name");
}

static void a_name_that_begins_another_is_not_the_same(void **state)
{
	auto_listing struct listing listing = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	make_listing(&listing, 3, 8);
	record(&listing, 0)->name_len = 4; /* 0000, 00000001, 00000002 */
	assert_int_equal(check(&listing, &diag), 0);
	record(&listing, 1)->name_len = 4;
	assert_int_equal(check(&listing, &diag), -EINVAL);
	assert_string_equal(diag.problems[0].message, "two lists are called '0000'");
}

static void a_family_more_than_there_are_numbers_for_is_refused(void **state)
{
	(void)state;
	for (uint32_t families = LIMIT_FAMILIES; families < LIMIT_FAMILIES + 3; families++) {
		auto_listing struct listing listing = { 0 };
		auto_diag struct diag diag = { 0 };
		uint32_t more = families - LIMIT_FAMILIES;

		make_listing(&listing, families, 8);
		for (uint32_t i = 0; i < families; i++) {
			struct list_record *list = record(&listing, i);

			list->action = ACTION_SCORE;
			list->family = (uint8_t)i;
			list->points = 1;
			list->family_name = list->name;
			list->family_len = 8;
		}
		((struct image_counts *)(listing.file.bytes + 2 * (size_t)LINE_SIZE))->families =
			LIMIT_FAMILIES;
		assert_int_equal(check(&listing, &diag), more ? -EINVAL : 0);
		assert_int_equal(diag.total, more);
		if (more)
			assert_string_equal(diag.problems[0].message,
					    "list 9: family 8 is not the next one");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_lists_as_there_may_be_are_accepted),
		cmocka_unit_test(one_list_more_is_refused_with_the_number),
		cmocka_unit_test(a_name_of_more_bytes_than_any_list_has_is_refused),
		cmocka_unit_test(a_name_that_begins_another_is_not_the_same),
		cmocka_unit_test(a_family_more_than_there_are_numbers_for_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
