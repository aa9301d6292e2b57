/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's mode and kill bits, for the time after a reboot. Knows no word and no stage. */
#include "store/store.h"

#include <errno.h>

#include <stanch/abi.h>

#include "base/cleanup.h"
#include "store/json_file.h"

static const struct json_kind switches_kind = {
	.name = "switches.json",
	.kept = "switches.bad",
	.schema = "stanch.switches/1",
	.max = 4096,
};

static const char *const members[] = { "schema", "mode", "kills", NULL };

/* An integer from 0 to @most, or -EBADMSG. */
static int take_bits(const json_t *value, int most)
{
	json_int_t bits = json_integer_value(value);

	return json_is_integer(value) && bits >= 0 && bits <= most ? (int)bits : -EBADMSG;
}

int switches_read(const struct places *places, uint8_t *ret_mode, uint16_t *ret_kills)
{
	auto_json json_t *file = NULL;
	int mode, kills, err = json_file_read(places, &switches_kind, &file);

	if (err)
		return err;
	if (json_members(file, members))
		return -EBADMSG;
	mode = take_bits(json_object_get(file, "mode"), WORD_MODE_MASK);
	kills = take_bits(json_object_get(file, "kills"), WORD_KILL_MASK);
	if (mode < 0 || kills < 0)
		return -EBADMSG;
	*ret_mode = (uint8_t)mode;
	*ret_kills = (uint16_t)kills;
	return 0;
}

int switches_write(const struct places *places, uint8_t mode, uint16_t kills)
{
	auto_json json_t *file = json_file_new(&switches_kind);
	uint16_t old_kills;
	uint8_t old_mode;

	if (json_object_set_new(file, "mode", json_integer(mode)) ||
	    json_object_set_new(file, "kills", json_integer(kills)))
		return -ENOMEM;
	return json_file_replace(places, &switches_kind,
				 switches_read(places, &old_mode, &old_kills), file);
}
