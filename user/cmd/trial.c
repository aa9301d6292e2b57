/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Setting a twin to the generation that was asked for. Runs no packet. */
#include "cmd/trial.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/args.h"
#include "cmd/live.h"
#include "cmd/look.h"

void trial_free(struct trial *trial)
{
	twin_close(&trial->twin);
	instance_close(&trial->instance);
	image_free(&trial->image);
}

json_t *trial_generation_json(const struct trial *trial)
{
	return trial->numbered ? json_u64(trial->generation) : json_null();
}

static int twin_failed(const struct options *options, int error, struct diag *diag)
{
	if (diag->total)
		return say_problems(options, "the program cannot be run", diag,
				    exit_code_of(error));
	return say_errno(options, error, "the program cannot be run");
}

/* trial->image goes into a slot of the twin's own. */
static int try_image(const struct options *options, struct trial *trial)
{
	auto_diag struct diag diag = { 0 };
	int r = twin_open(NULL, &trial->twin, &diag);

	if (!r)
		r = twin_stage(trial->twin, &trial->image, trial->slot, &diag);
	if (!r)
		r = twin_command(trial->twin, trial->slot, MODE_ENFORCE, 0);
	return r ? twin_failed(options, r, &diag) : EXIT_DONE;
}

/* The names of a damaged generation are not known, but what it does to packets can be tried. */
static int copy_image(const struct options *options, struct trial *trial)
{
	int r = live_image(trial->instance, trial->slot, &trial->image);

	if (r == -EBADMSG)
		say_warning("the generation in slot %u is damaged", trial->slot);
	else if (r && r != -ENOENT)
		return say_errno(options, r, "the generation cannot be read");
	return EXIT_DONE;
}

static int try_slot(const struct options *options, struct trial *trial, enum mode mode,
		    uint16_t kills)
{
	auto_diag struct diag diag = { 0 };
	struct slot_info info;
	int code, r = slot_read(trial->instance, trial->slot, &info);

	if (r)
		return say_errno(options, r, "the slot cannot be read");
	trial->numbered = true;
	trial->generation = info.generation;
	code = copy_image(options, trial);
	if (code != EXIT_DONE)
		return code;
	r = twin_open(trial->instance, &trial->twin, &diag);
	if (!r)
		r = twin_command(trial->twin, trial->slot, mode, kills);
	return r ? twin_failed(options, r, &diag) : EXIT_DONE;
}

/* As the program does it: break-glass and a lease that ran out included. */
static int try_live(const struct options *options, struct trial *trial)
{
	auto_look struct look look = { 0 };
	int r, code = look_open(options, &look);

	if (code != EXIT_DONE)
		return code;
	trial->instance = TAKE_PTR(look.instance);
	trial->slot = look_judging(&look);
	code = try_slot(options, trial, look_mode(&look, MODE_ENFORCE), look.word.kills);
	if (code != EXIT_DONE)
		return code;
	r = twin_overrides(trial->twin, true);
	return r ? say_errno(options, r, "the overrides cannot be asked") : EXIT_DONE;
}

/* In a slot, or else in the store, which needs no instance. */
static int try_generation(const struct options *options, struct trial *trial)
{
	auto_diag struct diag diag = { 0 };
	const struct limits *limits = &limits_builtin;
	int r = instance_open(&options->places, &trial->instance, &diag), slot = -ENOENT;

	if (r && r != -ENOENT)
		return live_open_failed(options, r, &diag);
	if (!r) {
		limits = instance_limits(trial->instance);
		slot = slot_find(trial->instance, trial->generation);
	}
	if (slot >= 0) {
		trial->slot = (unsigned int)slot;
		return try_slot(options, trial, MODE_ENFORCE, 0);
	}
	r = stored_generation(options, trial->generation, limits, &trial->image, &diag);
	if (r == -ENOENT)
		return say_error(options, EXIT_NO_SUCH, "there is no generation %llu",
				 (unsigned long long)trial->generation);
	if (r)
		return say_problems(options, "the stored generation cannot be used", &diag,
				    exit_code_of(r));
	instance_close(&trial->instance);
	return try_image(options, trial);
}

/* The limits of the loaded program when there is one, else those this tool would load. */
static int try_policy(const struct options *options, const char *path, struct trial *trial)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	const struct limits *limits = &limits_builtin;
	int code;

	if (!instance_open(&options->places, &instance, &diag))
		limits = instance_limits(instance);
	code = source_load(options, path, limits, &trial->image);
	return code == EXIT_DONE ? try_image(options, trial) : code;
}

int trial_open(const struct options *options, const struct trial_choice *choice, struct trial *ret)
{
	if (choice->policy && choice->generation)
		return say_error(options, EXIT_USAGE, "either --policy or --generation, not both");
	if (choice->policy)
		return try_policy(options, choice->policy, ret);
	if (!choice->generation)
		return try_live(options, ret);
	ret->numbered = true;
	if (!args_number(options, "a generation", choice->generation, UINT64_MAX, &ret->generation))
		return EXIT_USAGE;
	return try_generation(options, ret);
}

int trial_close(const struct options *options, const struct trial *trial)
{
	struct slot_info info;

	if (!trial->instance)
		return EXIT_DONE;
	if (!slot_read(trial->instance, trial->slot, &info) && info.generation == trial->generation)
		return EXIT_DONE;
	return say_error(options, EXIT_CONFLICT,
			 "slot %u was reused meanwhile: the answers are not about generation %llu",
			 trial->slot, (unsigned long long)trial->generation);
}
