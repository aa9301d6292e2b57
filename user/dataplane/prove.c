/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proving a staged image: every golden packet goes through the program in the kernel and through
 * the same code natively. What the kernel says must be what the native judge says and what the
 * packet demands; anything else is a problem that names all three.
 */
#include <errno.h>
#include <stdio.h>

#include <stanch/reasons.h>

#include "dataplane/inside.h"
#include "policy/golden.h"

struct proving {
	struct twin *twin;
	const struct image *image;
	struct diag *diag;
	struct proof proof;
};

#define OUTCOME_TEXT 64

/* "drop list_drop list 3" */
static const char *outcome_text(uint8_t verdict, uint8_t reason, uint16_t list, char *out)
{
	snprintf(out, OUTCOME_TEXT, "%s %s list %u",
		 verdict < VERDICTS ? verdict_names[verdict] : "?",
		 reason < REASONS ? reason_texts[reason].name : "?", list);
	return out;
}

static void disagree(struct proving *p, const struct golden *golden, const struct judgement *native,
		     const struct judged *kernel)
{
	char expected[OUTCOME_TEXT], here[OUTCOME_TEXT], there[OUTCOME_TEXT];

	p->proof.wrong++;
	diag_add(p->diag, NULL, "golden_packet", "%s: expected %s, judged %s, in the kernel %s%s",
		 golden->name,
		 outcome_text(golden->verdict, golden->reason, golden->list, expected),
		 outcome_text(native->verdict, native->reason, native->list, here),
		 outcome_text(kernel->verdict, kernel->reason, kernel->list, there),
		 kernel->enforced == kernel->verdict ? "" : ", not enforced as judged");
}

/* What the packet really gets: its verdict, or a pass when the policy only monitors. */
static bool enforced_right(const struct image *image, const struct judged *kernel)
{
	if (image_hot(image)->mode == MODE_ENFORCE)
		return kernel->enforced == kernel->verdict;
	return kernel->enforced == VERDICT_PASS;
}

static int prove_packet(void *context, const struct golden *golden)
{
	struct proving *p = context;
	struct judgement native;
	struct judged kernel;
	int r;

	frame_judge(p->image, golden->frame.bytes, golden->frame.len, 0, &native);
	r = twin_run(p->twin, golden->frame.bytes, golden->frame.len, &kernel, NULL);
	if (r)
		return r;
	p->proof.packets++;
	if (kernel.verdict != native.verdict || kernel.reason != native.reason ||
	    kernel.list != native.list || !enforced_right(p->image, &kernel) ||
	    !golden_accepts(p->image, golden, native.verdict, native.reason, native.list))
		disagree(p, golden, &native, &kernel);
	return 0;
}

int prove_slot(struct twin *twin, const struct image *image, unsigned int slot, struct proof *ret,
	       struct diag *diag)
{
	struct proving p = { .twin = twin, .image = image, .diag = diag };
	int r = twin_command(twin, slot, MODE_ENFORCE, 0);

	if (!r)
		r = golden_each(image, prove_packet, &p);
	if (r)
		return refused(diag, "golden_run", r, "running the golden packets");
	*ret = p.proof;
	return p.proof.wrong ? -EBADMSG : 0;
}
