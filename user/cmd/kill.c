/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch kill` and `stanch unkill`: judging stages off and on, by their bits in the control word.
 * `all` means every bit, those of stages that a later program brings included.
 */
#include "cmd.h"

#include <stanch/reasons.h>
#include <string.h>

#include "args.h"
#include "live.h"
#include "switch.h"

static bool parse_stage(const char *text, uint16_t *ret)
{
	unsigned int stage;

	if (!strcmp(text, "all")) {
		*ret |= WORD_KILL_MASK;
		return true;
	}
	for (stage = 0; stage < STAGES; stage++) {
		if (strcmp(text, stage_names[stage]))
			continue;
		*ret |= (uint16_t)(1u << stage);
		return true;
	}
	return false;
}

static int parse_stages(const struct options *options, const char *verb, char **names,
			uint16_t *ret)
{
	for (; *names; names++)
		if (!parse_stage(*names, ret))
			return args_wrong(options, verb,
					  "'%s' is no stage; `stanch kill --list` names them",
					  *names);
	return EXIT_DONE;
}

static uint16_t kills_load(const struct control *control)
{
	return word_unpack(control_load(control, CONTROL_WORD)).kills;
}

static void list_text(uint16_t kills)
{
	unsigned int stage;

	for (stage = 0; stage < STAGES; stage++)
		say_text("%-8s  %s\n", stage_names[stage],
			 kills >> stage & 1 ? "KILLED" : "judging");
}

static json_t *list_json(const struct options *options, uint16_t kills)
{
	json_t *stages = json_array();
	unsigned int stage;

	for (stage = 0; stage < STAGES; stage++)
		json_array_append_new(stages,
				      json_pack("{ss, si, sb}", "name", stage_names[stage], "bit",
						(int)stage, "killed", (int)(kills >> stage & 1)));
	return json_pack("{ss, so}", "instance", options->places.instance, "stages", stages);
}

static int list_stages(const struct options *options)
{
	auto_control struct control *control = NULL;
	int code = live_control(options, &control);

	if (code != EXIT_DONE)
		return code;
	if (!options->json)
		list_text(kills_load(control));
	say_result(options, "kill", list_json(options, kills_load(control)));
	return EXIT_DONE;
}

static int change(const struct options *options, const char *verb, uint16_t set, uint16_t clear)
{
	auto_control struct control *control = NULL;
	int code = live_control(options, &control), err;
	char text[KILLS_TEXT];
	uint16_t kills;

	if (code != EXIT_DONE)
		return code;
	err = control_set_kills(control, set, clear);
	if (err)
		return say_errno(options, err, "no stage was switched");
	kills = kills_load(control);
	if (!options->json)
		say_text("killed: %s\n", kills_text(kills, text));
	say_result(options, verb,
		   json_pack("{ss, so}", "instance", options->places.instance, "killed",
			     kills_json(kills)));
	live_record(options,
		    json_pack("{ss, ss, so, so}", "event", verb, "result", "applied", "stages",
			      kills_json(set | clear), "killed", kills_json(kills)));
	switch_keep(options, control);
	return EXIT_DONE;
}

int cmd_kill(const struct options *options, int argc, char **argv)
{
	bool only_list = false;
	const struct arg list[] = { { "list", 'l', &only_list, NULL } };
	const struct args args = { list, ARRAY_SIZE(list), 0, -1 };
	int first = args_parse(options, argc, argv, &args);
	uint16_t stages = 0;

	if (first < 0)
		return EXIT_USAGE;
	if (only_list == (first < argc))
		return args_wrong(options, argv[0], "kill takes stages, or --list alone");
	if (only_list)
		return list_stages(options);
	if (parse_stages(options, argv[0], argv + first, &stages) != EXIT_DONE)
		return EXIT_USAGE;
	return change(options, argv[0], stages, 0);
}

int cmd_unkill(const struct options *options, int argc, char **argv)
{
	static const struct args args = { .min = 1, .max = -1 };
	int first = args_parse(options, argc, argv, &args);
	uint16_t stages = 0;

	if (first < 0 || parse_stages(options, argv[0], argv + first, &stages) != EXIT_DONE)
		return EXIT_USAGE;
	return change(options, argv[0], 0, stages);
}
