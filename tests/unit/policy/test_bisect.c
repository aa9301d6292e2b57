/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Halving the drop rows of a policy: the harmful one is found, in so many rounds and no more. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "policy/bisect.h"
#include "traffic_help.h"

#define SOURCES 200u
#define PACKETS 20u /* of each source */
#define GOOD 0xc0a80000u /* the sources, one after the other */
#define ELSEWHERE 0x0a000000u

/* What is asked, and what came out. */
struct search {
	struct made made;
	struct image_file reference;
	struct sample samples[SOURCES * PACKETS];
	struct bisect *bisect;
	struct bisect_whole whole;
	struct diag diag;
};

static void search_free(struct search **search)
{
	bisect_free(&(*search)->bisect);
	made_free(&(*search)->made);
	image_free(&(*search)->reference);
	diag_free(&(*search)->diag);
	free(*search);
}
#define auto_search cleanup(search_free)

/* Good sources in turns, and a reference that passes all. */
static struct search *search_of(void)
{
	struct search *search = calloc(1, sizeof(*search));
	auto_made struct made empty = { 0 };

	assert_non_null(search);
	for (uint32_t i = 0; i < SOURCES * PACKETS; i++)
		search->samples[i] = tcp_from(GOOD + i % SOURCES, 443, TCP_ACK);
	empty.policy.mode = MODE_ENFORCE;
	made_compile(&empty, &search->reference);
	return search;
}

static int open_with(struct search *search, const struct limits *limits)
{
	struct bisect_question question = { .policy = &search->made.policy,
					    .limits = limits,
					    .reference = &search->reference.image,
					    .samples = search->samples,
					    .count = SOURCES * PACKETS };

	search->made.policy.settings.gates = (struct gate_settings){
		.newly_dropped = 1000,
		.newly_dropped_sources = 5000,
		.newly_dropped_port = 50000,
	};
	return bisect_open(&question, &search->bisect, &search->whole, &search->diag);
}

static void open_search(struct search *search)
{
	assert_int_equal(open_with(search, &limits_builtin), 0);
}

static struct bisect_row next_row(struct search *search)
{
	struct bisect_row row = { 0 };

	assert_int_equal(bisect_next(search->bisect, &row, &search->diag), 1);
	return row;
}

static void assert_no_more(struct search *search)
{
	struct bisect_row row = { .rounds = 99 };

	assert_int_equal(bisect_next(search->bisect, &row, &search->diag), 0);
	assert_int_equal(row.rounds, 99);
}

static void add_row(struct search *search, uint16_t list, uint32_t address, uint8_t len)
{
	make_prefix(&search->made, list, 4, (unsigned __int128)address << 96, len);
}

static uint16_t drop_list(struct search *search)
{
	return make_list(&search->made, ACTION_DROP, MATCH_SOURCE, NULL, 0);
}

/* @count rows that hit nobody, but for one at @at that hits @len bits of a good source. */
static void plant(struct search *search, uint32_t count, uint32_t at, uint8_t len)
{
	uint16_t list = drop_list(search);

	for (uint32_t i = 0; i < count; i++)
		add_row(search, list, i == at ? GOOD + 5 : ELSEWHERE + i * 256, i == at ? len : 24);
}

static uint32_t rounds_for(uint32_t rows)
{
	uint32_t ret = 0;

	while (1u << ret < rows)
		ret++;
	return ret;
}

static void one_of_ten_thousand_rows_is_found_in_fourteen_rounds(void **state)
{
	static const uint32_t places[] = { 0, 1, 4999, 5000, 7777, 9999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_search struct search *search = search_of();
		struct bisect_row row;

		plant(search, 10000, places[i], 32);
		open_search(search);
		assert_int_equal(search->whole.rows, 10000);
		assert_int_equal(search->whole.verdict, TRAFFIC_HARM);
		row = next_row(search);
		assert_ptr_equal(row.prefix, &search->made.policy.prefixes[places[i]]);
		assert_in_range(row.rounds, 1, 14);
		assert_int_equal(row.dropped, 2 * PACKETS);
		assert_int_equal(row.remaining, 0);
		assert_no_more(search);
	}
}

static void every_place_in_every_small_policy_is_found(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= 9; count++) {
		for (uint32_t at = 0; at < count; at++) {
			auto_search struct search *search = search_of();
			struct bisect_row row;

			plant(search, count, at, 30);
			open_search(search);
			row = next_row(search);
			assert_ptr_equal(row.prefix, &search->made.policy.prefixes[at]);
			assert_in_range(row.rounds, 0, rounds_for(count));
			assert_int_equal(row.dropped, 4 * 2 * PACKETS);
			assert_no_more(search);
		}
	}
}

static void of_several_harmful_rows_the_worst_half_comes_first_and_all_are_found(void **state)
{
	auto_search struct search *search = search_of();
	uint16_t list = drop_list(search);
	struct bisect_row row;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		add_row(search, list, ELSEWHERE + i * 256, 24);
	search->made.policy.prefixes[100].hi = (uint64_t)(GOOD + 1) << 32;
	search->made.policy.prefixes[100].len = 32;
	search->made.policy.prefixes[900].hi = (uint64_t)(GOOD + 128) << 32;
	search->made.policy.prefixes[900].len = 28;
	open_search(search);
	assert_int_equal(search->whole.by_rows, 17 * 2 * PACKETS);
	row = next_row(search);
	assert_ptr_equal(row.prefix, &search->made.policy.prefixes[900]);
	assert_int_equal(row.dropped, 16 * 2 * PACKETS);
	assert_int_equal(row.remaining, 2 * PACKETS);
	row = next_row(search);
	assert_ptr_equal(row.prefix, &search->made.policy.prefixes[100]);
	assert_int_equal(row.remaining, 0);
	assert_no_more(search);
}

/* Taking one of them out changes nothing: both are named, one after the other. */
static void rows_that_overlap_are_found_one_after_the_other(void **state)
{
	auto_search struct search *search = search_of();
	uint16_t wide = drop_list(search), narrow = drop_list(search);
	struct bisect_row row;

	(void)state;
	add_row(search, wide, ELSEWHERE, 24);
	add_row(search, wide, GOOD, 24);
	add_row(search, narrow, GOOD + 7, 32);
	open_search(search);
	row = next_row(search);
	assert_int_equal(row.prefix->len, 24);
	assert_int_equal(row.remaining, 2 * PACKETS);
	row = next_row(search);
	assert_int_equal(row.prefix->len, 32);
	assert_int_equal(row.dropped, 2 * PACKETS);
	assert_no_more(search);
}

static void what_the_reference_drops_or_an_allow_list_passes_is_no_harm(void **state)
{
	auto_search struct search *search = search_of();
	uint16_t drop = drop_list(search);
	uint16_t allow = make_list(&search->made, ACTION_ALLOW, MATCH_SOURCE, NULL, 0);

	(void)state;
	add_row(search, drop, GOOD + 3, 32);
	image_free(&search->reference);
	search->reference = (struct image_file){ 0 };
	made_compile(&search->made, &search->reference);
	add_row(search, drop, GOOD + 4, 32);
	add_row(search, allow, GOOD + 4, 31);
	open_search(search);
	assert_int_equal(search->whole.rows, 2);
	assert_int_equal(search->whole.verdict, TRAFFIC_GOOD);
	assert_int_equal(search->whole.sums.newly_dropped, 0);
	assert_int_equal(search->whole.by_rows, 0);
	assert_no_more(search);
}

static void destination_rows_are_rows_too(void **state)
{
	auto_search struct search *search = search_of();
	uint16_t list = make_list(&search->made, ACTION_DROP, MATCH_DESTINATION, NULL, 0);
	struct bisect_row row;

	(void)state;
	add_row(search, list, ELSEWHERE, 24);
	add_row(search, list, 0xc6120001, 32);
	open_search(search);
	row = next_row(search);
	assert_ptr_equal(row.prefix, &search->made.policy.prefixes[1]);
	assert_int_equal(row.dropped, 2ull * SOURCES * PACKETS);
}

/* Impossible headers are dropped by a setting: no row is blamed for it. */
static void what_settings_drop_is_not_blamed_on_rows(void **state)
{
	auto_search struct search *search = search_of();

	(void)state;
	plant(search, 10, 3, 32);
	search->made.policy.headers = true;
	for (uint32_t i = 0; i < 1000; i++)
		search->samples[i] = tcp_from(GOOD + i % SOURCES, 443, TCP_SYN | TCP_FIN);
	open_search(search);
	assert_int_equal(search->whole.sums.newly_dropped, 1000 + 15 * 2);
	assert_int_equal(search->whole.by_rows, 15 * 2);
	assert_int_equal(next_row(search).dropped, 15 * 2);
}

static void samples_cut_inside_their_headers_are_left_out(void **state)
{
	auto_search struct search *search = search_of();

	(void)state;
	plant(search, 10, 3, 32);
	for (uint32_t i = 0; i < 100; i++)
		search->samples[i].captured = 20;
	open_search(search);
	assert_int_equal(search->whole.unread, 100);
	assert_int_equal(search->whole.sums.samples, SOURCES * PACKETS - 100);
	assert_int_equal(next_row(search).prefix->len, 32);
}

static void a_policy_that_cannot_be_compiled_is_refused(void **state)
{
	auto_search struct search *search = search_of();
	struct limits limits = limits_builtin;

	(void)state;
	plant(search, 1000, 3, 32);
	limits.lines = 8;
	assert_int_equal(open_with(search, &limits), -EINVAL);
	assert_null(search->bisect);
	assert_true(search->diag.total > 0);
}

static int count_sample(void *context, const struct sample *sample)
{
	assert_int_equal(sample->head[14 + 15], 5);
	return ++*(int *)context == 7;
}

static void the_row_alone_can_be_compiled_and_looked_at_again(void **state)
{
	auto_search struct search *search = search_of();
	auto_image struct image_file image = { 0 };
	struct bisect_row row;
	int count = 0;

	(void)state;
	plant(search, 50, 20, 32);
	open_search(search);
	row = next_row(search);
	assert_int_equal(bisect_image(search->bisect, &row, &image, &search->diag), 0);
	assert_int_equal(image_counts(&image.image)->prefixes, 1);
	assert_int_equal(bisect_each(search->bisect, &image.image, count_sample, &count), 1);
	assert_int_equal(count, 7);
}

/* Nested and equal rows in many lists: whatever is named drops something, until nothing is left. */
static void random_policies_are_emptied_of_harm(void **state)
{
	uint64_t random = 42;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		auto_search struct search *search = search_of();
		uint32_t rows = 1 + (uint32_t)(random_next(&random) % 30), found = 0;
		uint16_t lists[3] = { drop_list(search), drop_list(search), drop_list(search) };
		struct bisect_row row;

		for (uint32_t j = 0; j < rows; j++)
			add_row(search, lists[random_next(&random) % 3],
				GOOD + (uint32_t)(random_next(&random) % 512),
				(uint8_t)(25 + random_next(&random) % 8));
		open_search(search);
		while (bisect_next(search->bisect, &row, &search->diag) == 1) {
			assert_in_range(row.rounds, 0, rounds_for(rows));
			assert_true(row.dropped > 0);
			found++;
		}
		assert_int_equal(found > 0, search->whole.by_rows > 0);
		assert_no_more(search);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_ten_thousand_rows_is_found_in_fourteen_rounds),
		cmocka_unit_test(every_place_in_every_small_policy_is_found),
		cmocka_unit_test(
			of_several_harmful_rows_the_worst_half_comes_first_and_all_are_found),
		cmocka_unit_test(rows_that_overlap_are_found_one_after_the_other),
		cmocka_unit_test(what_the_reference_drops_or_an_allow_list_passes_is_no_harm),
		cmocka_unit_test(destination_rows_are_rows_too),
		cmocka_unit_test(what_settings_drop_is_not_blamed_on_rows),
		cmocka_unit_test(samples_cut_inside_their_headers_are_left_out),
		cmocka_unit_test(a_policy_that_cannot_be_compiled_is_refused),
		cmocka_unit_test(the_row_alone_can_be_compiled_and_looked_at_again),
		cmocka_unit_test(random_policies_are_emptied_of_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
