/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confirm: what is live on a lease stays. Takes no lock, since the apply that waits for it has it;
 * the epoch says whether this is still the generation that was looked at.
 */
#include <errno.h>

#include "cmd/args.h"
#include "cmd/describe.h"
#include "cmd/live.h"
#include "cmd/look.h"
#include "store/store.h"

static int record(const struct options *options, const struct look *look, const char *result)
{
	const struct slot_info *live = &look->slots[look->word.live];
	char digest[DIGEST_TEXT];

	return live_record(options,
			   json_pack("{ss,ss,so,ss,so,si,si}", "event", "confirm", "result", result,
				     "generation", json_u64(live->generation), "digest",
				     digest_text(live->digest, digest), "previous",
				     json_u64(look->slots[look->word.good].generation), "slot",
				     (int)look->word.live, "epoch", (int)look->word.epoch));
}

static int write_pointer(const struct options *options, const struct slot_info *live,
			 int (*write)(const struct places *places, const struct pointer *pointer))
{
	const struct pointer pointer = pointer_to(live->generation, live->digest);

	return write(&options->places, &pointer);
}

static int over(const struct options *options, const struct look *look)
{
	record(options, look, "expired");
	return say_error(options, EXIT_REVERTED,
			 "too late: the lease is over and last-known-good judges");
}

/* The record comes before the store, which alone decides. */
static int keep(const struct options *options, const struct look *look, struct control *control)
{
	const struct slot_info *live = &look->slots[look->word.live];
	uint16_t epoch = look->word.epoch;
	int r = write_pointer(options, live, pointer_live_write);

	if (!r)
		r = record(options, look, "applied");
	if (r)
		return say_errno(options, r, "not confirmed: the disk cannot be written");
	r = control_keep(control, &epoch);
	if (r == -ETIME)
		return over(options, look);
	if (r == -ESTALE) {
		record(options, look, "conflict");
		return say_error(options, EXIT_CONFLICT, "somebody else ended the trial meanwhile");
	}
	if (r)
		return say_errno(options, r, "not confirmed");
	r = write_pointer(options, live, pointer_keep);
	if (r)
		say_warning("after a restart of this machine an older generation would judge: %s",
			    say_reason(r));
	if (!options->json)
		say_text("confirmed: generation %llu stays\n",
			 (unsigned long long)live->generation);
	say_result(options, "confirm",
		   json_pack("{ss,so}", "result", "applied", "generation",
			     json_u64(live->generation)));
	return EXIT_DONE;
}

int cmd_confirm(const struct options *options, int argc, char **argv)
{
	static const struct args args = { 0 };
	auto_control struct control *control = NULL;
	auto_look struct look look = { 0 };
	int code;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	code = look_open(options, &look);
	if (code == EXIT_DONE)
		code = live_control(options, &control);
	if (code != EXIT_DONE)
		return code;
	if (!look.word.provisional)
		return say_error(options, EXIT_NO_SUCH, "nothing waits for a confirmation");
	if (look.expired)
		return over(options, &look);
	if (look.word.share)
		return say_error(options, EXIT_CONFLICT,
				 "only a part of the sources is judged by the candidate so far");
	return keep(options, &look, control);
}
