/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stanch status`: what a running instance does, and what an operator must not overlook about it.
 * Gathers and judges; status_show.c prints.
 */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "live.h"
#include "store/store.h"
#include "switch.h"

static void status_free(struct status *status)
{
	look_close(&status->look);
	override_view_free(&status->overrides);
	free(status->attachments);
}

static int sum_counters(struct status *status)
{
	struct counter counters[COUNTERS] = { 0 };
	struct sums *sums = &status->sums;
	unsigned int i, verdict;
	int err;

	err = counters_read(status->look.instance, counters);
	for (i = 0; i < COUNTERS && !err; i++) {
		uint64_t packets = 0;

		for (verdict = 0; verdict < VERDICTS; verdict++) {
			sums->verdicts[verdict] += counters[i].packets[verdict];
			packets += counters[i].packets[verdict];
		}
		sums->packets += packets;
		sums->bytes += counters[i].bytes;
		sums->monitored += counters[i].monitored;
		if (reason_is_trouble(i % LIMIT_REASONS))
			sums->trouble[i % LIMIT_REASONS] += packets;
	}
	return err;
}

static int sum_events(struct status *status)
{
	struct event_budget budget[LIMIT_REASONS] = { 0 };
	int err = budget_read(status->look.instance, budget);
	unsigned int i;

	for (i = 0; i < LIMIT_REASONS && !err; i++) {
		status->sums.sent += budget[i].sent;
		status->sums.suppressed += budget[i].suppressed;
		status->sums.lost += budget[i].lost;
	}
	return err;
}

static int gather(const struct options *options, struct status *status)
{
	auto_image struct image_file image = { 0 };
	int err = attach_list(status->look.instance, &status->attachments, &status->attached);

	if (!err)
		err = sum_counters(status);
	if (!err)
		err = sum_events(status);
	if (!err)
		err = override_view_load(options, status->look.instance, &status->overrides);
	if (err)
		return err;
	status->image_error =
		live_image(status->look.instance, look_judging(&status->look), &image);
	status->policy = status->image_error ? MODE_BYPASS : image_hot(&image.image)->mode;
	return 0;
}

static void shout(struct status *status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void shout(struct status *status, const char *fmt, ...)
{
	va_list args;

	if (status->shout_count == SHOUTS)
		return;
	va_start(args, fmt);
	vsnprintf(status->shouts[status->shout_count++], DIAG_TEXT, fmt, args);
	va_end(args);
}

static void shout_trial(struct status *status)
{
	const struct look *look = &status->look;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	unsigned int left =
		look->lease_ns > now ? (unsigned int)((look->lease_ns - now) / 1000000) : 0;

	if (look->expired)
		shout(status,
		      "LEASE EXPIRED: what was kept before the trial judges; clear: %s rollback",
		      status->tool);
	else if (look->word.provisional && look->word.share)
		shout(status,
		      "CANARY: %u.%u %% of the sources are judged by generation %llu, for another "
		      "%u ms unless renewed; end: %s rollback",
		      look->word.share / 10, look->word.share % 10,
		      (unsigned long long)look->slots[look->word.candidate].generation, left,
		      status->tool);
	else if (look->word.provisional)
		shout(status,
		      "PROVISIONAL: the live generation is on a lease, for another %u ms unless "
		      "renewed; keep: %s confirm, end: %s rollback",
		      left, status->tool, status->tool);
}

static void shout_word(struct status *status)
{
	const struct look *look = &status->look;
	char text[KILLS_TEXT];

	if (look->break_glass)
		shout(status,
		      "BREAK-GLASS is set: nothing is judged, everything passes; undo: "
		      "%s mode --break-glass off",
		      status->tool);
	if (look->word.mode != MODE_ENFORCE)
		shout(status, "MODE %s by the operator: nothing is dropped; undo: %s mode enforce",
		      mode_text(look->word.mode), status->tool);
	if (look->word.kills)
		shout(status, "KILLED: %s; undo: %s unkill all", kills_text(look->word.kills, text),
		      status->tool);
	shout_trial(status);
	if (status->image_error)
		shout(status, "NO GENERATION that could judge in slot %u (%s): everything passes",
		      look_judging(look), say_reason(status->image_error));
}

static void shout_attachments(struct status *status)
{
	uint32_t i;

	if (!status->attached)
		shout(status, "NOT ATTACHED to any interface: nothing is seen; do: %s attach IFACE",
		      status->tool);
	for (i = 0; i < status->attached; i++) {
		const struct attachment *at = &status->attachments[i];

		if (at->gone)
			shout(status,
			      "INTERFACE GONE: index %u was deleted; clear: %s detach --gone",
			      at->ifindex, status->tool);
		else if (at->mark == MARK_NONE)
			shout(status, "NO MARKS on %s: its marking program was removed", at->name);
	}
}

static void shout_overrides(struct status *status)
{
	const struct override_view *view = &status->overrides;

	if (view->kernel_error)
		shout(status, "OVERRIDES in the kernel cannot be read: %s",
		      say_reason(view->kernel_error));
	else if (!view->kernel.bytes && view->merge.count)
		shout(status,
		      "OVERRIDES NOT IN FORCE: %u on disk, none in the kernel; do: %s restore",
		      view->merge.count, status->tool);
	if (view->disk_error && view->disk_error != -EACCES)
		shout(status,
		      "OVERRIDES DAMAGED on disk: %s; those in the kernel stay in force, and the "
		      "next allow or block writes them down",
		      say_reason(view->disk_error));
	if (view->merge.stale)
		shout(status,
		      "OVERRIDES on disk that are not in force: %u, of an interrupted command; the "
		      "next allow or block forgets them",
		      view->merge.stale);
}

static int shout_source(void *context, const struct source_state *source)
{
	struct status *status = context;

	if (source->held)
		shout(status,
		      "SOURCE ON HOLD: %s (%s): its policies are refused; undo: %s release %s",
		      source->name, source->why, status->tool, source->name);
	return 0;
}

/* Those who may not read what is known about sources see the rest all the same. */
static void shout_sources(const struct options *options, struct status *status)
{
	int r = source_each(&options->places, shout_source, status);

	if (r && r != -ENOENT && r != -EACCES)
		shout(status, "SOURCES unknown: what is known about them cannot be read (%s)",
		      say_reason(r));
}

static void shout_counts(struct status *status)
{
	unsigned int reason;

	for (reason = 0; reason < REASONS; reason++)
		if (status->sums.trouble[reason])
			shout(status, "TROUBLE %s: %llu packets passed unjudged (%s)",
			      reason_texts[reason].name,
			      (unsigned long long)status->sums.trouble[reason],
			      reason_texts[reason].help);
	if (status->sums.lost)
		shout(status, "EVENTS LOST: %llu found the ring full; counters are exact",
		      (unsigned long long)status->sums.lost);
}

int cmd_status(const struct options *options, int argc, char **argv)
{
	static const struct args args = { 0 };
	cleanup(status_free) struct status status = { .tool = "stanch" };
	int code, err;

	if (args_parse(options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	if (strcmp(options->places.instance, INSTANCE_USUAL))
		snprintf(status.tool, sizeof(status.tool), "stanch --instance %s",
			 options->places.instance);
	code = look_open(options, &status.look);
	if (code != EXIT_DONE)
		return code;
	err = gather(options, &status);
	if (err)
		return say_errno(options, err, "the instance cannot be read");
	shout_word(&status);
	shout_attachments(&status);
	shout_overrides(&status);
	shout_sources(options, &status);
	shout_counts(&status);
	if (options->json)
		say_result(options, "status", status_json(options, &status));
	else
		status_print(options, &status);
	return EXIT_DONE;
}
