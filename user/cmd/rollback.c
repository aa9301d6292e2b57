/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rollback: back to last-known-good with one store, for which the control word is enough; or to an
 * older generation, whose stored image goes through the same steps as a new one.
 */
#include <errno.h>

#include "cmd/args.h"
#include "cmd/attempt.h"
#include "store/store.h"

/* What can be known about the generations that a store moves between. */
struct move {
	struct word before;
	struct slot_info from, to;
	bool known; /* the rest of the instance could be read */
};

/* In a canary what is given up is the candidate, and what is live was kept already. */
static unsigned int from_slot(const struct word *word)
{
	return word->share ? word->candidate : word->live;
}

static unsigned int to_slot(const struct word *word)
{
	return word->share ? word->live : word->good;
}

static void name_generations(const struct instance *instance, struct move *move)
{
	move->known = !slot_read(instance, from_slot(&move->before), &move->from) &&
		      !slot_read(instance, to_slot(&move->before), &move->to);
}

/*
 * Is the target there and whole? An instance that cannot be opened must not stop a rollback: the
 * program itself passes every packet when a slot is empty or damaged.
 */
static int look(const struct options *options, struct move *move)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&options->places, &instance, &diag);

	if (r) {
		say_warning("the generations could not be looked at: %s", say_reason(r));
		return EXIT_DONE;
	}
	r = slot_check(instance, to_slot(&move->before));
	if (r)
		return say_error(options, EXIT_REFUSED,
				 "refused: the last-known-good slot %u is %s; nothing was changed",
				 to_slot(&move->before), r == -ENOENT ? "empty" : "damaged");
	name_generations(instance, move);
	return EXIT_DONE;
}

/* Somebody applied between the look and the store: it is their generation that was left. */
static void look_again(const struct options *options, struct move *move)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };

	move->known = false;
	if (!instance_open(&options->places, &instance, &diag))
		name_generations(instance, move);
}

static json_t *generation_json(const struct move *move, const struct slot_info *info)
{
	return move->known ? json_u64(info->generation) : json_null();
}

static void record_move(const struct options *options, const struct move *move, const char *result)
{
	live_record(options, json_pack("{ss,ss,so,so,si,si}", "event", "rollback", "result", result,
				       "generation", generation_json(move, &move->to), "previous",
				       generation_json(move, &move->from), "slot",
				       (int)to_slot(&move->before), "epoch", move->before.epoch));
}

static void say_move(const struct options *options, const struct move *move, bool moved)
{
	if (options->json)
		say_result(options, "rollback",
			   json_pack("{ss,so,so}", "result", moved ? "applied" : "unchanged",
				     "generation", generation_json(move, &move->to), "previous",
				     generation_json(move, &move->from)));
	else if (!moved)
		say_text("nothing to roll back: what is live is last-known-good\n");
	else if (move->known)
		say_text("rolled back: generation %llu -> %llu\n",
			 (unsigned long long)move->from.generation,
			 (unsigned long long)move->to.generation);
	else
		say_text("rolled back: slot %u -> %u\n", from_slot(&move->before),
			 to_slot(&move->before));
}

/* A restart must find the generation that was gone back to; the kernel has it already. */
static void write_down(const struct options *options, const struct move *move)
{
	const struct pointer pointer = pointer_to(move->to.generation, move->to.digest);
	int r;

	if (!move->known)
		return;
	r = pointer_live_write(&options->places, &pointer);
	if (!r)
		r = pointer_keep(&options->places, &pointer);
	if (r)
		say_warning("after a restart of this machine another generation could judge: %s",
			    say_reason(r));
}

static int to_last_known_good(const struct options *options)
{
	auto_control struct control *control = NULL;
	struct move move = { 0 };
	int r, code = live_control(options, &control);
	uint16_t epoch;

	if (code != EXIT_DONE)
		return code;
	move.before = word_unpack(control_load(control, CONTROL_WORD));
	if (move.before.live == move.before.good && !move.before.provisional) {
		say_move(options, &move, false);
		return EXIT_DONE;
	}
	code = look(options, &move);
	if (code != EXIT_DONE) {
		record_move(options, &move, "refused");
		return code;
	}
	epoch = move.before.epoch;
	r = control_rollback(control, &move.before);
	if (r)
		return say_errno(options, r, "the rollback failed");
	if (move.before.epoch != epoch)
		look_again(options, &move);
	say_move(options, &move, true);
	fflush(stdout); /* the log may be slow */
	record_move(options, &move, "applied");
	write_down(options, &move);
	return EXIT_DONE;
}

static int load_stored(struct attempt *attempt)
{
	int r, code = live_open(attempt->options, &attempt->instance);

	if (code != EXIT_DONE)
		return code;
	r = stored_generation(attempt->options, attempt->generation,
			      instance_limits(attempt->instance), &attempt->image, &attempt->diag);
	if (r == -ENOENT)
		return say_error(attempt->options, EXIT_NO_SUCH,
				 "there is no stored generation %llu",
				 (unsigned long long)attempt->generation);
	if (r == -EBADMSG || r == -EINVAL)
		return attempt_refused(attempt, "refused, nothing was changed");
	return r ? say_errno(attempt->options, r, "the stored image cannot be read") : EXIT_DONE;
}

int cmd_rollback(const struct options *options, int argc, char **argv)
{
	static const struct attempt_step first = { "check", load_stored };
	struct arg_values forced = { 0 };
	const struct arg list[] = { { .name = "force", .values = &forced } };
	const struct args args = { list, ARRAY_SIZE(list), 0, 1 };
	auto_attempt struct attempt attempt = ATTEMPT(options, "rollback");
	int at = args_parse(options, argc, argv, &args);

	if (at < 0 || !attempt_force(&attempt, &forced))
		return EXIT_USAGE;
	if (at == argc && forced.count)
		return args_wrong(options, argv[0],
				  "--force is about the gates of an older generation");
	if (at == argc)
		return to_last_known_good(options);
	attempt.wish.now = true; /* it has judged here before */
	settings_default(&attempt.settings);
	if (!args_number(options, "a generation", argv[at], UINT64_MAX, &attempt.generation))
		return EXIT_USAGE;
	return attempt_run(&attempt, &first);
}
