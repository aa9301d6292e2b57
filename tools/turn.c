/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn COUNT MILLISECONDS: live and last-known-good change places, COUNT times, one swap every so
 * many milliseconds, by the very store with which `apply` ends. For the demo and for tests that want
 * more swaps in a second than a busy machine can compile and prove policies. It knows the control
 * word and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"

enum { EXIT_USAGE = 2 };

static int turn(struct control *control)
{
	struct word word = word_unpack(control_load(control, CONTROL_WORD));

	if (word.live == word.good)
		return -ENOENT; /* there is nothing to change places with */
	return control_swap(control, word.good, word.epoch);
}

static int take_turns(struct control *control, unsigned long count, unsigned long ms)
{
	struct timespec next;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (count-- && !r) {
		r = turn(control);
		next.tv_nsec += (long)(ms % 1000) * 1000000;
		next.tv_sec += (time_t)(ms / 1000) + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return r;
}

int main(int argc, char **argv)
{
	auto_control struct control *control = NULL;
	unsigned long count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long ms = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct places places;
	int r;

	if (!count || count > 1000000 || !ms || ms > 60000) {
		fputs("usage: turn COUNT MILLISECONDS\n", stderr);
		return EXIT_USAGE;
	}
	r = places_find("default", &places);
	if (!r)
		r = control_open(&places, &control);
	if (!r)
		r = take_turns(control, count, ms);
	if (r)
		fprintf(stderr, "turn: %s\n", strerror(-r));
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
