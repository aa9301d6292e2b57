/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at a running instance. Knows how to read the pins, not how to show them. */
#include "look.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "live.h"

#define NS_PER_S 1000000000ull

uint64_t now_ns(int clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

const char *age_text(uint64_t ns, char *out)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };
	uint64_t seconds = ns / NS_PER_S;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(units) && seconds < 2 * units[i].seconds; i++)
		;
	if (i < ARRAY_SIZE(units))
		seconds /= units[i].seconds;
	snprintf(out, AGE_TEXT, "%llu %s", (unsigned long long)seconds,
		 i < ARRAY_SIZE(units) ? units[i].unit : "s");
	return out;
}

static int read_control(const struct options *options, struct look *look)
{
	auto_control struct control *control = NULL;
	int err = control_open(&options->places, &control);

	if (err)
		return err;
	look->raw = control_load(control, CONTROL_WORD);
	look->word = word_unpack(look->raw);
	look->lease_ns = control_load(control, CONTROL_LEASE);
	look->break_glass = control_load(control, CONTROL_BREAK_GLASS);
	look->expired = look->word.provisional && now_ns(CLOCK_MONOTONIC) >= look->lease_ns;
	return 0;
}

static int read_slots(struct look *look)
{
	unsigned int slot;
	int err = 0;

	for (slot = 0; slot < SLOTS && !err; slot++) {
		err = slot_read(look->instance, slot, &look->slots[slot]);
		if (err == -ENOENT) {
			memset(&look->slots[slot], 0, sizeof(look->slots[slot]));
			err = 0;
		}
	}
	return err;
}

int look_open(const struct options *options, struct look *ret)
{
	int code = live_open(options, &ret->instance), err;

	if (code != EXIT_DONE)
		return code;
	err = read_control(options, ret);
	if (!err)
		err = read_slots(ret);
	return err ? say_errno(options, err, "the instance cannot be read") : EXIT_DONE;
}

void look_close(struct look *look)
{
	instance_close(&look->instance);
}

unsigned int look_judging(const struct look *look)
{
	return look->expired && !look->word.share ? look->word.good : look->word.live;
}

enum mode look_mode(const struct look *look, enum mode policy)
{
	if (look->break_glass || look->word.mode >= MODES)
		return MODE_BYPASS;
	return policy < look->word.mode ? policy : look->word.mode;
}
