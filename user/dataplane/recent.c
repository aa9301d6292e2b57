/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recent traffic by two generations. The native judge does all of it; what it would newly drop,
 * and a part of the rest, the program in the kernel judges too, so that the answer is its own.
 * Knows nothing of what is too much.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <stanch/reasons.h>

#include "dataplane/inside.h"
#include "policy/traffic.h"

#define ONE_IN 64u /* of what stays as it is also goes through the kernel */

struct replaying {
	const struct recent_question *question;
	struct traffic *traffic;
	struct recent *recent;
	struct diag *diag;
	struct buf frame;
	uint64_t deadline_ms; /* of the kernel's part */
};

static void replaying_free(struct replaying *replaying)
{
	buf_free(&replaying->frame);
}

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool agrees(const struct traffic_pair *native, const struct judged *kernel)
{
	return kernel->reason == native->reason && kernel->list == native->list &&
	       (kernel->enforced == VERDICT_DROP) == native->candidate_drops;
}

static void dispute(struct replaying *r, const struct sample *sample,
		    const struct traffic_pair *native, const struct judged *kernel)
{
	if (!r->recent->disputed)
		diag_add(r->diag, NULL, "disputed",
			 "recent traffic: a packet is judged %s %s list %u, in the kernel %s %s "
			 "list %u",
			 native->candidate_drops ? "drop" : "no drop",
			 reason_texts[native->reason].name, native->list,
			 kernel->enforced == VERDICT_DROP ? "drop" : "no drop",
			 kernel->reason < REASONS ? reason_texts[kernel->reason].name : "?",
			 kernel->list);
	if (r->recent->disputed < RECENT_DISPUTED)
		r->recent->disputes[r->recent->disputed] = *sample;
	r->recent->disputed++;
}

/* Returns 0, also for a frame that the kernel cannot run. */
static int run(struct replaying *r, const struct sample *sample, const struct traffic_pair *native)
{
	struct judged kernel;
	int err;

	if (r->recent->runs >= RECENT_RUNS || now_ms() >= r->deadline_ms) {
		r->recent->left_out++;
		return 0;
	}
	r->frame.len = 0;
	err = traffic_frame(sample, &r->frame);
	if (!err)
		err = twin_run(r->question->twin, r->frame.data, (uint32_t)r->frame.len, &kernel,
			       NULL);
	if (err)
		return err == -EINVAL || err == -ENODATA ? 0 : err;
	r->recent->runs++;
	if (!agrees(native, &kernel))
		dispute(r, sample, native, &kernel);
	return 0;
}

static int replay_sample(void *context, const struct sample *sample)
{
	struct replaying *r = context;
	struct traffic_pair pair;
	int err =
		traffic_judge_sample(r->question->reference, r->question->candidate, sample, &pair);

	if (err == -ENODATA)
		r->recent->unread++;
	if (err)
		return err == -ENODATA ? 0 : err;
	err = traffic_add(r->traffic, sample, &pair);
	if (err)
		return err;
	if (r->recent->samples++ % ONE_IN && (pair.reference_drops || !pair.candidate_drops))
		return 0;
	return run(r, sample, &pair);
}

int recent_replay(const struct recent_question *question, struct traffic *traffic,
		  struct recent *ret, struct diag *diag)
{
	cleanup(replaying_free) struct replaying r = {
		.question = question, .traffic = traffic, .recent = ret, .diag = diag
	};
	struct reservoir_reader reader = { 0 };
	int err = twin_command(question->twin, question->slot, MODE_ENFORCE, 0);

	*ret = (struct recent){ 0 };
	r.deadline_ms = now_ms() + RECENT_RUN_MS;
	for (reader.kind = 0; reader.kind < SAMPLE_KINDS && !err; reader.kind++) {
		reader.at = 0;
		err = reservoir_read(question->reservoir, &reader, replay_sample, &r);
	}
	if (err)
		return err;
	return ret->disputed ? -EBADMSG : 0;
}
