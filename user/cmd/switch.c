/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mode, kill and unkill share. Must not need the programs, the generations or the disk. */
#include "switch.h"

#include <stanch/reasons.h>
#include <string.h>

#include "store/store.h"

const char *mode_text(unsigned int mode)
{
	return mode < MODES ? mode_names[mode] : mode_names[MODE_BYPASS];
}

/* Of two commands at once the later one reads what both stored, and writes that. */
#define KEEP_TRIES 3

void switch_keep(const struct options *options, const struct control *control)
{
	struct word word, after = word_unpack(control_load(control, CONTROL_WORD));
	int tries = KEEP_TRIES, r;

	do {
		word = after;
		r = switches_write(&options->places, word.mode, word.kills);
		after = word_unpack(control_load(control, CONTROL_WORD));
	} while (!r && --tries && (after.mode != word.mode || after.kills != word.kills));
	if (r)
		say_warning("a restart of this machine will forget this: %s", say_reason(r));
}

static void stage_text(unsigned int stage, char *out, size_t size)
{
	if (stage < STAGES)
		snprintf(out, size, "%s", stage_names[stage]);
	else
		snprintf(out, size, "stage-%u", stage);
}

json_t *kills_json(uint16_t kills)
{
	json_t *ret = json_array();
	unsigned int stage;
	char name[16];

	for (stage = 0; stage < LIMIT_STAGES; stage++) {
		if (!(kills >> stage & 1))
			continue;
		stage_text(stage, name, sizeof(name));
		json_array_append_new(ret, json_string(name));
	}
	return ret;
}

_Static_assert(KILLS_TEXT >= LIMIT_STAGES * 16, "stage_text() writes at most 15 bytes");

const char *kills_text(uint16_t kills, char *out)
{
	unsigned int stage;
	size_t len = 0;
	char name[16];

	if (kills == WORD_KILL_MASK || !kills)
		return kills ? "all" : "none";
	*out = '\0';
	for (stage = 0; stage < LIMIT_STAGES; stage++) {
		if (!(kills >> stage & 1))
			continue;
		stage_text(stage, name, sizeof(name));
		len += (size_t)snprintf(out + len, KILLS_TEXT - len, "%s%s", len ? " " : "", name);
	}
	return out;
}
