/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch mode`: the operator's mode, and break-glass. One store into the control array. */
#include "cmd.h"

#include <stanch/reasons.h>
#include <string.h>

#include "args.h"
#include "live.h"
#include "switch.h"

struct state {
	unsigned int mode;
	bool glass;
};

static struct state state_load(const struct control *control)
{
	return (struct state){
		.mode = word_unpack(control_load(control, CONTROL_WORD)).mode,
		.glass = control_load(control, CONTROL_BREAK_GLASS),
	};
}

static bool parse_mode(const char *text, enum mode *ret)
{
	unsigned int mode;

	for (mode = 0; mode < MODES; mode++) {
		if (strcmp(text, mode_names[mode]))
			continue;
		*ret = mode;
		return true;
	}
	return false;
}

static void record_change(const struct options *options, const struct state *before,
			  const struct state *after)
{
	live_record(options, json_pack("{ss, ss, ss, ss, sb}", "event", "mode", "result", "applied",
				       "mode", mode_text(after->mode), "previous_mode",
				       mode_text(before->mode), "break_glass", after->glass));
}

static void say_state(const struct options *options, const struct state *state)
{
	if (!options->json)
		say_text("mode %s%s\n", mode_text(state->mode),
			 state->glass ? ", but BREAK-GLASS is set: nothing is judged" : "");
	say_result(options, "mode",
		   json_pack("{ss, ss, sb}", "instance", options->places.instance, "mode",
			     mode_text(state->mode), "break_glass", state->glass));
}

/* NULL and -1 where nothing was asked for. */
struct wish {
	const char *mode;
	enum mode value;
	int glass;
};

static int apply_wish(struct control *control, const struct wish *wish)
{
	int err = 0;

	if (wish->mode)
		err = control_set_mode(control, wish->value);
	if (!err && wish->glass >= 0)
		err = control_set_break_glass(control, wish->glass);
	return err;
}

static int run(const struct options *options, const struct wish *wish)
{
	auto_control struct control *control = NULL;
	struct state before, after;
	int code = live_control(options, &control), err;

	if (code != EXIT_DONE)
		return code;
	before = state_load(control);
	err = apply_wish(control, wish);
	if (err)
		return say_errno(options, err, "the mode was not changed");
	after = state_load(control);
	say_state(options, &after);
	if (wish->mode || wish->glass >= 0)
		record_change(options, &before, &after);
	if (wish->mode)
		switch_keep(options, control);
	return EXIT_DONE;
}

int cmd_mode(const struct options *options, int argc, char **argv)
{
	const char *glass = NULL;
	const struct arg list[] = { { "break-glass", 0, NULL, &glass } };
	const struct args args = { list, ARRAY_SIZE(list), 0, 1 };
	int first = args_parse(options, argc, argv, &args);
	struct wish wish = { .glass = -1 };

	if (first < 0)
		return EXIT_USAGE;
	if (first < argc)
		wish.mode = argv[first];
	if (wish.mode && !parse_mode(wish.mode, &wish.value))
		return args_wrong(options, argv[0], "'%s' is no mode: enforce, monitor or bypass",
				  wish.mode);
	if (glass && strcmp(glass, "on") && strcmp(glass, "off"))
		return args_wrong(options, argv[0], "--break-glass is on or off, not '%s'", glass);
	if (glass)
		wish.glass = !strcmp(glass, "on");
	return run(options, &wish);
}
