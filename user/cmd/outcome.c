/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of each interface of a command. Knows neither attaching nor detaching. */
#include "cmd/outcome.h"

#include <errno.h>
#include <string.h>

void outcome_free(struct outcome *outcome)
{
	diag_free(&outcome->diag);
	json_decref(outcome->interfaces);
}

void outcome_done(struct outcome *outcome, const char *name, const char *result)
{
	json_array_append_new(outcome->interfaces,
			      json_pack("{ss,ss}", "interface", name, "result", result));
	if (!outcome->options->json)
		say_text("%s: %s\n", name, result);
}

void outcome_problem(struct outcome *outcome, const char *name, int error, const struct diag *about)
{
	const char *code = "interface_failed", *text = say_reason(error);
	bool named;

	if (about->stored) {
		code = about->problems[0].code;
		text = about->problems[0].message;
	} else if (error == -ENODEV) {
		code = "no_such_interface";
		text = "there is no such interface";
	}
	named = !strncmp(text, name, strlen(name)) && text[strlen(name)] == ':';
	diag_add(&outcome->diag, NULL, code, "%s%s%s", named ? "" : name, named ? "" : ": ", text);
	if (outcome->code == EXIT_DONE)
		outcome->code = exit_code_of(error);
}

void outcome_record(const struct outcome *outcome, const char *event)
{
	if (json_array_size(outcome->interfaces))
		live_record(outcome->options,
			    json_pack("{ss,ss,sO}", "event", event, "result",
				      outcome->code == EXIT_DONE ? "done" : "partly", "interfaces",
				      outcome->interfaces));
}

int outcome_say(struct outcome *outcome, const char *verb)
{
	if (outcome->code == EXIT_DONE)
		say_result(outcome->options, verb,
			   json_pack("{ss,sO}", "instance", outcome->options->places.instance,
				     "interfaces", outcome->interfaces));
	else
		say_problems(outcome->options, "not every interface could be done", &outcome->diag,
			     outcome->code);
	return outcome->code;
}
