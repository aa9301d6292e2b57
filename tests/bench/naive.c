/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * naive IMAGE MILLISECONDS: what a filter without a transaction does. The image is staged and
 * becomes live at once, no gate asked, nobody watching; after that time somebody rolls back. What
 * the campaign compares with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dataplane/dataplane.h"
#include "policy/policy.h"

enum { EXIT_USAGE = 2 };

struct naive {
	struct places places;
	struct instance *instance;
	struct control *control;
	struct image_file image;
	struct buf bytes;
	struct diag diag;
	unsigned int slot;
};

static void naive_free(struct naive *naive)
{
	image_free(&naive->image);
	buf_free(&naive->bytes);
	control_close(&naive->control);
	instance_close(&naive->instance);
	diag_free(&naive->diag);
}

static int load(struct naive *naive, const char *path)
{
	struct named_text file = { .name = path };
	int r = file_read(path, FILE_MAX_IMAGE, &naive->bytes);

	if (r)
		return r;
	file.text = naive->bytes.data;
	file.len = naive->bytes.len;
	return image_load(&file, instance_limits(naive->instance), &naive->image, &naive->diag);
}

static int open_all(struct naive *naive, const char *path)
{
	int r = places_find("default", &naive->places);

	if (!r)
		r = instance_open(&naive->places, &naive->instance, &naive->diag);
	if (!r)
		r = control_open(&naive->places, &naive->control);
	return r ? r : load(naive, path);
}

static int swap(struct naive *naive)
{
	struct word word = word_unpack(control_load(naive->control, CONTROL_WORD));
	int slot = slot_free(naive->instance, &word);
	int r = slot < 0 ? slot : 0;

	if (r)
		return r;
	naive->slot = (unsigned int)slot;
	r = slot_stage(naive->instance, &naive->image, 1000000, naive->slot, &naive->diag);
	return r ? r : control_swap(naive->control, naive->slot, word.epoch);
}

static int take_back(struct naive *naive)
{
	int r = control_rollback(naive->control, NULL);

	return r ? r : slot_withdraw(naive->instance, naive->slot);
}

static int run(struct naive *naive, const char *path, unsigned long ms)
{
	const struct timespec pause = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	int r = open_all(naive, path);

	if (!r)
		r = swap(naive);
	if (r)
		return r;
	nanosleep(&pause, NULL);
	return take_back(naive);
}

int main(int argc, char **argv)
{
	cleanup(naive_free) struct naive naive = { 0 };
	char *end;
	unsigned long ms;
	int r;

	if (argc != 3)
		return EXIT_USAGE;
	ms = strtoul(argv[2], &end, 10);
	if (end == argv[2] || *end)
		return EXIT_USAGE;
	r = run(&naive, argv[1], ms);
	if (r)
		fprintf(stderr, "naive: %s: %s\n", argv[1],
			naive.diag.stored ? naive.diag.problems[0].message : strerror(-r));
	return r ? 1 : 0;
}
