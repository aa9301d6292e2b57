/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expiries in an image of overrides: compiled as asked, and refused when anything is off. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "image_help.h"
#include "policies.h"

#define LISTS 9u /* with the entry for none: two lines, six of them not used */

static void overrides(bool protect, struct image_file *ret)
{
	uint64_t expiry[LISTS + 1] = { 77 }; /* of no list: not read */
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };
	auto_diag struct diag diag = { 0 };

	for (uint32_t i = 1; i <= LISTS; i++) {
		uint16_t id = make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);

		make_prefix(&made, id, 4, (unsigned __int128)(0x0a000000 + i) << 96, 32);
		expiry[i] = i * 1000ull;
	}
	if (protect)
		make_protect(&made, 4, (unsigned __int128)0x0b000000 << 96, 8);
	assert_int_equal(
		policy_compile_overrides(&made.policy, &limits_builtin, expiry, ret, &diag), 0);
}

static const struct section *expiry_of(const struct image_file *image)
{
	const struct section *section = image_section(&image->image, SECTION_EXPIRY);

	assert_non_null(section);
	return section;
}

static uint64_t *entries_of(const struct image_file *image)
{
	return (uint64_t *)(image->bytes + (size_t)expiry_of(image)->first * LINE_SIZE);
}

static int check(struct image_file *image, struct diag *diag)
{
	struct image_id *id = (struct image_id *)image->bytes;
	uint8_t digest[sizeof(id->digest)];

	image_digest(&image->image, digest);
	memcpy(id->digest, digest, sizeof(digest));
	return image_check("overrides", image->bytes, (size_t)image->image.lines * LINE_SIZE,
			   &limits_builtin, diag);
}

static void assert_refused(struct image_file *image, const char *code, const char *message)
{
	auto_diag struct diag diag = { 0 };

	assert_int_equal(check(image, &diag), -EINVAL);
	show_image_problems(&diag);
	assert_int_equal(diag.total, 1);
	assert_string_equal(diag.problems[0].code, code);
	assert_string_equal(diag.problems[0].message, message);
}

static void every_list_has_its_expiry(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	overrides(false, &image);
	assert_int_equal(check(&image, &diag), 0);
	assert_int_equal(expiry_of(&image)->count, LISTS + 1);
	assert_int_equal(expiry_of(&image)->lines, 2);
	assert_int_equal(image_hot(&image.image)->expiry_line, expiry_of(&image)->first);
	assert_int_equal(entries_of(&image)[0], 0);
	for (uint32_t i = 1; i <= LISTS; i++)
		assert_int_equal(entries_of(&image)[i], i * 1000);
}

static void what_is_protected_never_expires(void **state)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	(void)state;
	overrides(true, &image);
	assert_int_equal(check(&image, &diag), 0);
	assert_int_equal(expiry_of(&image)->count, LISTS + 2);
	assert_int_equal(entries_of(&image)[LISTS + 1], 0);
}

static void a_policy_has_no_expiries(void **state)
{
	auto_made struct made made = { .policy = { .mode = MODE_ENFORCE } };
	auto_image struct image_file image = { 0 };

	(void)state;
	make_list(&made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
	made_compile(&made, &image);
	assert_null(image_section(&image.image, SECTION_EXPIRY));
	assert_int_equal(image_hot(&image.image)->expiry_line, 0);
}

static void expiries_that_are_off_are_refused(void **state)
{
	auto_image struct image_file image = { 0 };
	struct section *section;
	char text[DIAG_TEXT];

	(void)state;
	overrides(false, &image);
	section = (struct section *)expiry_of(&image);
	section->count--;
	assert_refused(&image, "image_expiry", "9 expiries, there are 9 lists and none");
	section->count += 2;
	assert_refused(&image, "image_expiry", "11 expiries, there are 9 lists and none");
	section->count = 8;
	assert_refused(&image, "image_section", "section expiry: 8 items do not fill 2 lines");
	section->count = LISTS + 1;
	entries_of(&image)[0] = 1;
	assert_refused(&image, "image_reserved", "reserved bytes of expiry 0 are not zero");
	entries_of(&image)[0] = 0;
	entries_of(&image)[15] = 1;
	assert_refused(&image, "image_reserved", "reserved bytes of expiry 10 are not zero");
	entries_of(&image)[15] = 0;
	((struct image_hot *)image_hot(&image.image))->expiry_line++;
	snprintf(text, sizeof(text), "line 1 says expiry line %u, the section table %u",
		 section->first + 1, section->first);
	assert_refused(&image, "image_hot", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_list_has_its_expiry),
		cmocka_unit_test(what_is_protected_never_expires),
		cmocka_unit_test(a_policy_has_no_expiries),
		cmocka_unit_test(expiries_that_are_off_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
