/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an attempt was given: a policy or an image, and gates by name. Opens no instance. */
#include "cmd/attempt.h"

#include <errno.h>
#include <string.h>

int attempt_read(struct attempt *attempt, const struct limits *limits)
{
	auto_source struct source source = { 0 };
	int r = source_read(attempt->path, limits, &source, &attempt->diag);

	if (r == -EINVAL)
		return attempt_refused(attempt, "refused, nothing was changed");
	if (r)
		return say_errno(attempt->options, r, attempt->path);
	source_say_notes(attempt->options, &source);
	attempt->image = source.image;
	attempt->text = source.text;
	attempt->merged = source.merged;
	attempt->settings = source.settings;
	source.image = (struct image_file){ 0 };
	source.text = (struct buf){ 0 };
	return EXIT_DONE;
}

static bool force(struct attempt *attempt, const char *name)
{
	int gate = gate_find(name);

	if (gate < 0) {
		say_error(attempt->options, EXIT_USAGE, "there is no gate '%s'", name);
		return false;
	}
	if (!gate_may_force(gate)) {
		say_error(attempt->options, EXIT_USAGE, "the gate '%s' cannot be forced", name);
		return false;
	}
	attempt->wish.forced |= 1u << gate;
	return true;
}

bool attempt_force(struct attempt *attempt, const struct arg_values *names)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (!force(attempt, names->items[i]))
			return false;
	return true;
}
