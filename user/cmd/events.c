/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events: follow what the program reports. It reports a sample, so at the end this says how many
 * it held back and how many were lost; counting is `stats`' work.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <stanch/reasons.h>

#include "cmd/args.h"
#include "cmd/describe.h"
#include "cmd/live.h"
#include "cmd/words.h"

#define SLICE_MS 200 /* how late a signal or the end of the time may be noticed */

/* The names of the lists of one slot, as long as the events are of that generation. */
struct names {
	bool known;
	uint64_t generation;
	struct image_file image; /* bytes NULL when the slot holds another generation by now */
};

struct follow {
	const struct options *options;
	struct instance *instance;
	int reason, verdict; /* to be shown; -1: all */
	uint64_t left, shown, deadline_ns, wall_offset_ns;
	bool done;
	struct names names[SLOTS];
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void names_load(struct follow *follow, struct names *names, const struct event *event)
{
	struct slot_info info;

	image_free(&names->image);
	names->known = true;
	names->generation = event->generation;
	if (!slot_read(follow->instance, event->slot, &info) &&
	    info.generation == event->generation)
		live_image(follow->instance, event->slot, &names->image);
}

/* The name of the event's list, or JSON null. */
static json_t *event_list(struct follow *follow, const struct event *event)
{
	struct names *names;

	if (!event->list || event->slot >= SLOTS)
		return json_null();
	names = &follow->names[event->slot];
	if (!names->known || names->generation != event->generation)
		names_load(follow, names, event);
	return list_name(names->image.bytes ? &names->image.image : NULL, event->list);
}

static const char *time_text(const struct follow *follow, const struct event *event, char out[32])
{
	uint64_t wall = event->time_ns + follow->wall_offset_ns;
	time_t seconds = (time_t)(wall / 1000000000u);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, 32 - len, ".%03uZ", (unsigned int)(wall / 1000000u % 1000));
	return out;
}

static bool say_event_json(struct follow *follow, const struct event *e)
{
	char src[ADDRESS_TEXT], dst[ADDRESS_TEXT], proto[8], when[32];
	json_t *line = json_pack(
		"{ss,so,so,ss,sb,ss,so,ss?,ss?,ss}", "time", time_text(follow, e, when),
		"monotonic_ns", json_u64(e->time_ns), "generation", json_u64(e->generation),
		"verdict", verdict_names[e->verdict], "enforced", e->enforced == e->verdict,
		"reason", reason_texts[e->reason].name, "detail", event_list(follow, e), "src",
		address_text(e->family, e->src, src), "dst", address_text(e->family, e->dst, dst),
		"proto", proto_text(e->family, e->proto, proto));

	if (line)
		json_object_update_new(
			line, json_pack("{si,si,si,si,si,sI}", "sport", e->sport, "dport", e->dport,
					"flags", e->flags & 0xff, "vlan", e->vlan & 0xfff, "length",
					(int)e->length, "ifindex", (json_int_t)e->ifindex));
	return say_line("events", line);
}

static bool say_event_text(struct follow *follow, const struct event *e)
{
	char src[ENDPOINT_TEXT], dst[ENDPOINT_TEXT], proto[8], when[32];
	json_t *list = event_list(follow, e);
	const char *name = json_string_value(list);
	bool open = say_text("%s  %-4s%c  %-15s  %-20s  %s -> %s %s, %u bytes, generation %llu\n",
			     time_text(follow, e, when), verdict_names[e->verdict],
			     e->enforced == e->verdict ? ' ' : '?', reason_texts[e->reason].name,
			     name ? name : "-", endpoint_text(e->family, e->src, e->sport, src),
			     endpoint_text(e->family, e->dst, e->dport, dst),
			     proto_text(e->family, e->proto, proto), e->length,
			     (unsigned long long)e->generation);

	json_decref(list);
	return open && !fflush(stdout);
}

static bool is_shown(const struct follow *follow, const struct event *event)
{
	if (event->reason >= REASONS || event->verdict >= VERDICTS)
		return false; /* of a later version */
	return (follow->reason < 0 || follow->reason == event->reason) &&
	       (follow->verdict < 0 || follow->verdict == event->verdict);
}

static int take_event(void *context, const struct event *event)
{
	struct follow *follow = context;

	if (is_shown(follow, event)) {
		follow->shown++;
		follow->done = !(follow->options->json ? say_event_json(follow, event)
						       : say_event_text(follow, event));
		if (follow->left && !--follow->left)
			follow->done = true;
	}
	if (stopped || clock_ns(CLOCK_MONOTONIC) >= follow->deadline_ns)
		follow->done = true;
	return follow->done;
}

/* What the program did not report in this time, over all reasons. */
static void say_loss(const struct follow *follow, const struct event_budget *before,
		     const struct event_budget *after)
{
	uint64_t suppressed = 0, lost = 0;

	for (unsigned int i = 0; i < LIMIT_REASONS; i++) {
		suppressed += after[i].suppressed - before[i].suppressed;
		lost += after[i].lost - before[i].lost;
	}
	if (follow->options->json)
		say_line("events",
			 json_pack("{sb,so,so,so}", "end", true, "shown", json_u64(follow->shown),
				   "suppressed", json_u64(suppressed), "lost", json_u64(lost)));
	else
		say_progress(follow->options,
			     "%llu events shown; %llu more were held back, %llu lost",
			     (unsigned long long)follow->shown, (unsigned long long)suppressed,
			     (unsigned long long)lost);
}

static int follow_events(struct follow *follow)
{
	struct event_budget before[LIMIT_REASONS], after[LIMIT_REASONS];
	int r = budget_read(follow->instance, before);

	while (!r && !follow->done && !stopped && clock_ns(CLOCK_MONOTONIC) < follow->deadline_ns) {
		r = events_follow(follow->instance, SLICE_MS, take_event, follow);
		if (r == -EINTR || r > 0)
			r = 0;
	}
	if (!r)
		r = budget_read(follow->instance, after);
	if (r)
		return say_errno(follow->options, r, "the events cannot be read");
	say_loss(follow, before, after);
	return EXIT_DONE;
}

static int find_reason(const char *name)
{
	for (int i = 0; i < REASONS; i++)
		if (!strcmp(reason_texts[i].name, name))
			return i;
	return -1;
}

static int find_verdict(const char *name)
{
	for (int i = 0; i < VERDICTS; i++)
		if (!strcmp(verdict_names[i], name))
			return i;
	return -1;
}

/* What the options ask for, as words. */
struct asked {
	const char *count, *timeout, *reason, *verdict;
};

static int take_asked(const struct asked *asked, struct follow *follow)
{
	const struct options *options = follow->options;
	uint64_t seconds = 0;

	follow->reason = asked->reason ? find_reason(asked->reason) : -1;
	follow->verdict = asked->verdict ? find_verdict(asked->verdict) : -1;
	if (asked->reason && follow->reason < 0)
		return args_wrong(options, "events", "there is no reason '%s'", asked->reason);
	if (asked->verdict && follow->verdict < 0)
		return args_wrong(options, "events", "there is no verdict '%s'", asked->verdict);
	if (asked->count &&
	    !args_number(options, "a count", asked->count, UINT64_MAX, &follow->left))
		return EXIT_USAGE;
	if (asked->count && !follow->left)
		return args_wrong(options, "events", "a count of 0 would show nothing");
	if (asked->timeout &&
	    !args_number(options, "a timeout", asked->timeout, 1000000000u, &seconds))
		return EXIT_USAGE;
	follow->deadline_ns =
		asked->timeout ? clock_ns(CLOCK_MONOTONIC) + seconds * 1000000000u : UINT64_MAX;
	return EXIT_DONE;
}

static void follow_free(struct follow *follow)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		image_free(&follow->names[i].image);
	instance_close(&follow->instance);
}

int cmd_events(const struct options *options, int argc, char **argv)
{
	cleanup(follow_free) struct follow follow = {
		.options = options,
		.wall_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC),
	};
	struct asked asked = { 0 };
	const struct arg args[] = {
		{ .name = "count", .letter = 'n', .value = &asked.count },
		{ .name = "timeout", .value = &asked.timeout },
		{ .name = "reason", .value = &asked.reason },
		{ .name = "verdict", .value = &asked.verdict },
	};
	struct sigaction action = { .sa_handler = stop };
	int code;

	if (args_parse(options, argc, argv, &(struct args){ .options = args, .count = 4 }) < 0)
		return EXIT_USAGE;
	code = take_asked(&asked, &follow);
	if (code == EXIT_DONE)
		code = live_open(options, &follow.instance);
	if (code != EXIT_DONE)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return follow_events(&follow);
}
