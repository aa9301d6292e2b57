/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One override more or less: merge, judge, compile, write, record, publish. Until the last step
 * nothing has changed for any packet. Lifting a block is the one thing that a full disk does not
 * stop: it takes effect, and that it will not last is said.
 */
#include <errno.h>
#include <string.h>

#include "cmd/override.h"
#include "store/store.h"

void override_change_free(struct override_change *change)
{
	override_view_free(&change->view);
	instance_close(&change->instance);
	image_free(&change->image);
	free(change->items);
	diag_free(&change->diag);
	close_fd(&change->lock);
}

static bool lifts_block(const struct override_change *change)
{
	return change->undo && change->item.block;
}

static int failed(struct override_change *change, int error, const char *what)
{
	if (change->diag.total)
		return say_problems(change->options, what, &change->diag, exit_code_of(error));
	return say_errno(change->options, error, what);
}

static int record(const struct override_change *change, const char *result)
{
	const struct override *item = &change->item;
	char prefix[PREFIX_TEXT];
	json_t *record, *codes = json_array();

	for (uint32_t i = 0; i < change->diag.stored; i++)
		json_array_append_new(codes, json_string(change->diag.problems[i].code));
	record = json_pack("{ss,ss,ss,so}", "event", change->verb, "result", result, "prefix",
			   prefix_format(&item->prefix, prefix), "problems", codes);
	if (!change->undo) {
		json_object_set_new(record, "expires_s",
				    item->expires ? json_u64(item->expires) : json_null());
		json_object_set_new(record, "reason", json_string(item->reason));
	}
	if (change->view.merge.stale) /* what load() said */
		json_object_set_new(record, "forgotten", json_integer(change->view.merge.stale));
	if (change->view.merge.unlisted)
		json_object_set_new(record, "found", json_integer(change->view.merge.unlisted));
	if (change->forced)
		json_object_set_new(record, "forced", override_forced_json(change->forced));
	return live_record(change->options, record);
}

/* ---- what there is ---- */

static int open_existing(struct override_change *change)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&change->options->places, &change->instance, &diag);

	return r && r != -ENOENT ? live_open_failed(change->options, r, &diag) : EXIT_DONE;
}

static int load(struct override_change *change)
{
	struct override_view *view = &change->view;
	int code = change->undo ? open_existing(change)
				: live_create(change->options, &change->instance);
	int r;

	if (code != EXIT_DONE)
		return code;
	r = override_view_load(change->options, change->instance, view);
	if (r)
		return failed(change, r, "the overrides cannot be read");
	if (view->disk_error)
		say_warning(
			"the list of overrides on disk counts for nothing (%s): what the kernel "
			"has goes on, who and why are unknown",
			say_reason(view->disk_error));
	if (view->kernel_error)
		say_warning("the overrides in the kernel cannot be read (%s): what the disk has "
			    "comes into force",
			    say_reason(view->kernel_error));
	if (view->merge.stale)
		say_warning("repaired: %u overrides were written down, but are not in force: "
			    "forgotten",
			    view->merge.stale);
	if (view->merge.unlisted && !view->disk_error)
		say_warning("repaired: %u overrides are in force, but were not written down: kept",
			    view->merge.unlisted);
	return EXIT_DONE;
}

/* ---- what there will be ---- */

static bool is_same(const struct override *a, const struct override *b)
{
	return a->block == b->block && a->prefix.len == b->prefix.len &&
	       prefix_covers(&a->prefix, &b->prefix);
}

static int edit(struct override_change *change)
{
	const struct override_merge *merge = &change->view.merge;

	change->items = calloc(merge->count + 1u, sizeof(*change->items));
	if (!change->items)
		return failed(change, -ENOMEM, "nothing was changed");
	for (uint32_t i = 0; i < merge->count; i++) {
		if (!is_same(&merge->items[i], &change->item)) {
			change->items[change->count++] = merge->items[i];
			continue;
		}
		change->found = true;
		change->before = merge->items[i];
	}
	if (change->undo)
		return EXIT_DONE;
	change->item.since = change->view.now.realtime_s;
	if (change->for_s)
		change->item.expires = change->view.now.realtime_s + change->for_s;
	change->items[change->count++] = change->item;
	return EXIT_DONE;
}

static int compile(struct override_change *change)
{
	const struct override_set set = { change->items, change->count };
	int r;

	if (!change->instance)
		return EXIT_DONE;
	r = override_compile(&set, &change->view.now, change->instance, &change->image,
			     &change->diag);
	if (r == -EINVAL)
		return say_problems(change->options, "refused, nothing was changed", &change->diag,
				    EXIT_REFUSED);
	return r ? failed(change, r, "nothing was changed") : EXIT_DONE;
}

/* ---- making it so ---- */

static void write_back(struct override_change *change)
{
	const struct override_merge *merge = &change->view.merge;
	int r = override_list_write(&change->options->places, merge->items, merge->count);

	if (r)
		say_warning("the list on disk could not be set back (%s): what it says is not in "
			    "force",
			    say_reason(r));
}

static int write_list(struct override_change *change)
{
	int r = override_list_write(&change->options->places, change->items, change->count);

	change->durable = !r;
	if (r && lifts_block(change))
		say_warning("the disk still has this block (%s), and it RETURNS with the next "
			    "restart: make room, then unblock again",
			    say_reason(r));
	else if (r)
		return failed(change, r,
			      "nothing was changed: the list of overrides cannot be written");
	return EXIT_DONE;
}

static int write_record(struct override_change *change)
{
	int r = record(change, change->found && !change->undo ? "replaced" : "applied");

	if (!r || lifts_block(change))
		return EXIT_DONE;
	write_back(change);
	return failed(change, r, "nothing was changed: the audit log cannot be written");
}

static int publish(struct override_change *change)
{
	int r = change->instance ? overrides_publish(change->instance,
						     change->image.bytes ? &change->image : NULL,
						     &change->diag)
				 : 0;

	if (!r)
		return EXIT_DONE;
	if (change->durable)
		write_back(change);
	return failed(change, r, "nothing was changed: the overrides cannot be published");
}

typedef int change_step(struct override_change *change);

static int run(struct override_change *change)
{
	static change_step *const steps[] = { compile, override_change_judge, write_list,
					      write_record, publish };
	bool differs;
	int code = load(change);

	if (code == EXIT_DONE)
		code = edit(change);
	if (code != EXIT_DONE)
		return code;
	differs = change->found || change->view.merge.stale || change->view.merge.unlisted ||
		  change->view.disk_error;
	if (change->undo && !differs)
		return EXIT_DONE;
	for (unsigned int i = 0; i < ARRAY_SIZE(steps) && code == EXIT_DONE; i++)
		code = steps[i](change);
	return code;
}

int override_change_run(struct override_change *change)
{
	int code = lifts_block(change) ? live_lock_anyway(change->options, &change->lock)
				       : live_lock(change->options, &change->lock);

	if (code != EXIT_DONE)
		return code;
	code = run(change);
	if (code == EXIT_DONE)
		override_change_say(change);
	else
		record(change, code == EXIT_REFUSED ? "refused" : "failed");
	return code;
}
