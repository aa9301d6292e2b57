/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Halving the drop rows of a policy over the samples that the whole of it newly drops. Everything
 * else of the policy (allow lists, protected addresses, settings) stays as it is in every round.
 */
#include "policy/bisect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct bisect {
	struct bisect_question question;
	uint32_t *rows; /* drop rows that are left, as indices of policy->prefixes, rising */
	uint32_t row_count;
	const struct sample **samples; /* those that rows newly drop */
	uint32_t sample_count;
	struct prefix *subset; /* room for all prefixes */
	struct traffic *round;
};

/* Of the rows left, those from @from up to @to. */
struct span {
	uint32_t from, to;
};

void bisect_free(struct bisect **bisect)
{
	struct bisect *b = *bisect;

	if (!b)
		return;
	free(b->rows);
	free(b->samples);
	free(b->subset);
	traffic_free(&b->round);
	free(b);
	*bisect = NULL;
}

static bool is_drop_row(const struct policy *policy, const struct prefix *prefix)
{
	return prefix->list <= policy->list_count &&
	       policy->lists[prefix->list - 1].action == ACTION_DROP;
}

static int compile_rows(struct bisect *b, const uint32_t *rows, uint32_t count,
			struct image_file *ret, struct diag *diag)
{
	const struct policy *policy = b->question.policy;
	struct policy part = *policy;
	uint32_t kept = 0, row = 0;

	for (uint32_t i = 0; i < policy->prefix_count; i++) {
		bool in = row < count && rows[row] == i;

		row += in;
		if (in || !is_drop_row(policy, &policy->prefixes[i]))
			b->subset[kept++] = policy->prefixes[i];
	}
	part.prefixes = b->subset;
	part.prefix_count = kept;
	return policy_compile(&part, b->question.limits, ret, diag);
}

/* Newly dropped packets, by an image made of these rows. */
static int weigh(struct bisect *b, const struct span *span, uint64_t *ret, struct diag *diag)
{
	auto_image struct image_file image = { 0 };
	struct traffic_pair pair;
	struct traffic_sums sums;
	int r = compile_rows(b, b->rows + span->from, span->to - span->from, &image, diag);

	traffic_clear(b->round);
	for (uint32_t i = 0; i < b->sample_count && !r; i++) {
		r = traffic_judge_sample(NULL, &image.image, b->samples[i], &pair);
		pair.reference_drops = false; /* else it would not be among these */
		if (!r)
			r = traffic_add(b->round, b->samples[i], &pair);
	}
	if (r)
		return r;
	traffic_sums(b->round, &sums);
	*ret = sums.newly_dropped;
	return 0;
}

/* ---- the whole ---- */

static int find_rows(struct bisect *b)
{
	const struct policy *policy = b->question.policy;

	b->rows = calloc(policy->prefix_count + 1u, sizeof(*b->rows));
	b->subset = calloc(policy->prefix_count + 1u, sizeof(*b->subset));
	b->samples = calloc(b->question.count + 1u, sizeof(const struct sample *));
	if (!b->rows || !b->subset || !b->samples)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->prefix_count; i++)
		if (is_drop_row(policy, &policy->prefixes[i]))
			b->rows[b->row_count++] = i;
	return traffic_new(NULL, &b->round);
}

/* The whole policy beside the same without its drop rows. */
struct sieve {
	struct image_file whole, bare;
	struct traffic *traffic; /* of the whole */
};

static void sieve_free(struct sieve *sieve)
{
	traffic_free(&sieve->traffic);
	image_free(&sieve->whole);
	image_free(&sieve->bare);
}

/* Returns 1 for a sample that rows newly drop, 0 for any other, -errno. */
static int sift(const struct bisect *b, struct sieve *sieve, const struct sample *sample)
{
	struct traffic_pair whole, bare;
	int r = traffic_judge_sample(b->question.reference, &sieve->whole.image, sample, &whole);

	if (r)
		return r;
	r = traffic_add(sieve->traffic, sample, &whole);
	if (r || whole.reference_drops || !whole.candidate_drops)
		return r;
	r = traffic_judge_sample(NULL, &sieve->bare.image, sample, &bare);
	return r ? r : !bare.candidate_drops;
}

static int sift_all(struct bisect *b, struct sieve *sieve, struct bisect_whole *whole)
{
	for (uint32_t i = 0; i < b->question.count; i++) {
		const struct sample *sample = &b->question.samples[i];
		int r = sift(b, sieve, sample);

		if (r == -ENODATA)
			whole->unread++;
		else if (r < 0)
			return r;
		else if (r)
			b->samples[b->sample_count++] = sample;
	}
	return 0;
}

static int judge_whole(struct bisect *b, struct bisect_whole *ret, struct diag *diag)
{
	cleanup(sieve_free) struct sieve sieve = { 0 };
	const struct span all = { 0, b->row_count };
	int r = compile_rows(b, b->rows, b->row_count, &sieve.whole, diag);

	if (!r)
		r = compile_rows(b, NULL, 0, &sieve.bare, diag);
	if (!r)
		r = traffic_new(&sieve.whole.image, &sieve.traffic);
	if (!r)
		r = sift_all(b, &sieve, ret);
	if (!r)
		r = weigh(b, &all, &ret->by_rows, diag);
	if (r)
		return r;
	ret->rows = b->row_count;
	traffic_sums(sieve.traffic, &ret->sums);
	ret->verdict = traffic_judge(sieve.traffic, &b->question.policy->settings.gates, ret->text);
	return 0;
}

int bisect_open(const struct bisect_question *question, struct bisect **ret,
		struct bisect_whole *ret_whole, struct diag *diag)
{
	auto_bisect struct bisect *b = calloc(1, sizeof(*b));
	struct bisect_whole whole = { 0 };
	int r;

	if (!b)
		return -ENOMEM;
	b->question = *question;
	r = find_rows(b);
	if (!r)
		r = judge_whole(b, &whole, diag);
	if (r)
		return r;
	*ret_whole = whole;
	*ret = TAKE_PTR(b);
	return 0;
}

/* ---- halving ---- */

/*
 * @newly is what the span is known to drop at least: rows may overlap, so that what one half does
 * not drop, the other does, but not the other way round. It is never zero, so that the last row
 * drops something.
 */
static int halve(struct bisect *b, struct span *span, uint64_t *newly, struct diag *diag)
{
	uint32_t middle = span->from + (span->to - span->from) / 2;
	const struct span first = { span->from, middle };
	uint64_t dropped;
	int r = weigh(b, &first, &dropped, diag);

	if (r)
		return r;
	if (dropped >= *newly || dropped >= *newly - dropped) {
		span->to = middle;
		*newly = dropped;
	} else {
		span->from = middle;
		*newly -= dropped;
	}
	return 0;
}

static void leave_out(struct bisect *b, uint32_t at)
{
	memmove(&b->rows[at], &b->rows[at + 1], (b->row_count - at - 1) * sizeof(*b->rows));
	b->row_count--;
}

static int settle(struct bisect *b, const struct span *span, struct bisect_row *row,
		  struct diag *diag)
{
	struct span rest = { 0, b->row_count - 1 };
	int r = weigh(b, span, &row->dropped, diag);

	if (r)
		return r;
	row->prefix = &b->question.policy->prefixes[b->rows[span->from]];
	leave_out(b, span->from);
	return weigh(b, &rest, &row->remaining, diag);
}

int bisect_next(struct bisect *bisect, struct bisect_row *ret, struct diag *diag)
{
	struct span span = { 0, bisect->row_count };
	struct bisect_row row = { 0 };
	uint64_t newly;
	int r = weigh(bisect, &span, &newly, diag);

	if (r || !newly)
		return r;
	while (span.to - span.from > 1) {
		row.rounds++;
		r = halve(bisect, &span, &newly, diag);
		if (r)
			return r;
	}
	r = settle(bisect, &span, &row, diag);
	if (r)
		return r;
	*ret = row;
	return 1;
}

/* ---- for those who look again ---- */

int bisect_image(struct bisect *bisect, const struct bisect_row *row, struct image_file *ret,
		 struct diag *diag)
{
	uint32_t at = (uint32_t)(row->prefix - bisect->question.policy->prefixes);

	return compile_rows(bisect, &at, 1, ret, diag);
}

int bisect_each(struct bisect *bisect, const struct image *image,
		int (*fn)(void *context, const struct sample *sample), void *context)
{
	struct traffic_pair pair;
	int r = 0;

	for (uint32_t i = 0; i < bisect->sample_count && !r; i++) {
		r = traffic_judge_sample(NULL, image, bisect->samples[i], &pair);
		if (!r && pair.candidate_drops)
			r = fn(context, bisect->samples[i]);
	}
	return r;
}
