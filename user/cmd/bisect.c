/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bisect: which row of a policy would drop what passes now. Recent traffic and the live generation
 * are read, and what was found is asked of a twin in the kernel: live slots are left alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/args.h"
#include "cmd/live.h"
#include "cmd/look.h"
#include "policy/bisect.h"

#define ROWS_MOST 1000u
#define CONFIRM_MOST 1024u /* samples of one row that the kernel is asked about */
#define NS_PER_MS 1000000u

struct recent_samples {
	struct sample *items;
	uint32_t count;
};

/* What is searched in, and with what. */
struct hunt {
	const struct options *options;
	const char *path;
	struct look look;
	struct image_file reference;
	struct recent_samples recent;
	struct policy policy;
	struct twin *twin;
	struct bisect *bisect;
	struct bisect_whole whole;
	uint64_t wanted; /* rows */
	json_t *found;
	uint64_t remaining;
};

static void hunt_free(struct hunt *hunt)
{
	bisect_free(&hunt->bisect);
	twin_close(&hunt->twin);
	policy_free(&hunt->policy);
	free(hunt->recent.items);
	image_free(&hunt->reference);
	look_close(&hunt->look);
	json_decref(hunt->found);
}

#define auto_hunt cleanup(hunt_free)

/* ---- what is searched in ---- */

static int keep_sample(void *context, const struct sample *sample)
{
	struct recent_samples *recent = context;

	if (recent->count == LIMIT_SAMPLES)
		return 1;
	recent->items[recent->count++] = *sample;
	return 0;
}

static int read_recent(const struct instance *instance, struct recent_samples *ret)
{
	auto_reservoir struct reservoir *reservoir = NULL;
	struct reservoir_reader reader = { 0 };
	int r = reservoir_open(instance, &reservoir);

	if (r)
		return r;
	ret->items = calloc(LIMIT_SAMPLES, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (reader.kind = 0; reader.kind < SAMPLE_KINDS && r >= 0; reader.kind++) {
		reader.at = 0;
		r = reservoir_read(reservoir, &reader, keep_sample, ret);
	}
	return r < 0 ? r : 0;
}

/* Whoever is on trial is no reference: the generation that was kept last is. */
static unsigned int reference_slot(const struct look *look)
{
	return look->word.provisional && !look->word.share ? look->word.good : look_judging(look);
}

static int open_live(struct hunt *hunt)
{
	const struct options *options = hunt->options;
	int r, code = look_open(options, &hunt->look);

	if (code != EXIT_DONE)
		return code;
	r = live_image(hunt->look.instance, reference_slot(&hunt->look), &hunt->reference);
	if (r)
		return say_errno(options, r, "the live generation cannot be read");
	r = read_recent(hunt->look.instance, &hunt->recent);
	if (r)
		return say_errno(options, r, "recent traffic cannot be read");
	if (!hunt->recent.count)
		return say_error(options, EXIT_FAILED,
				 "there is no recent traffic to judge by: the program has sampled "
				 "nothing yet");
	return EXIT_DONE;
}

static int say_refusal(const struct hunt *hunt, int error, struct diag *diag)
{
	char message[DIAG_TEXT];

	if (!diag->total)
		return say_errno(hunt->options, error, hunt->path);
	snprintf(message, sizeof(message), "%s is refused", hunt->path);
	return say_problems(hunt->options, message, diag, EXIT_REFUSED);
}

static int open_policy(struct hunt *hunt)
{
	auto_diag struct diag diag = { 0 };
	const struct bisect_question question = {
		.policy = &hunt->policy,
		.limits = instance_limits(hunt->look.instance),
		.reference = &hunt->reference.image,
		.samples = hunt->recent.items,
		.count = hunt->recent.count,
	};
	int r = source_policy(hunt->path, question.limits, &hunt->policy, &diag);

	if (!r)
		r = bisect_open(&question, &hunt->bisect, &hunt->whole, &diag);
	return r ? say_refusal(hunt, r, &diag) : EXIT_DONE;
}

/* ---- one row ---- */

/* What the kernel says to the samples that this row alone newly drops. */
struct confirming {
	struct twin *twin;
	struct buf frame;
	uint32_t asked, agreed;
};

static void confirming_free(struct confirming *confirming)
{
	buf_free(&confirming->frame);
}

static int confirm_sample(void *context, const struct sample *sample)
{
	struct confirming *c = context;
	struct judged judged;
	int r;

	c->frame.len = 0;
	r = traffic_frame(sample, &c->frame);
	if (!r)
		r = twin_run(c->twin, c->frame.data, (uint32_t)c->frame.len, &judged, NULL);
	if (r)
		return r;
	c->asked++;
	c->agreed += judged.enforced == VERDICT_DROP;
	return c->asked == CONFIRM_MOST;
}

static int confirm(struct hunt *hunt, const struct bisect_row *row, struct confirming *c,
		   struct diag *diag)
{
	auto_image struct image_file image = { 0 };
	int r = bisect_image(hunt->bisect, row, &image, diag);

	if (!r && !hunt->twin)
		r = twin_open(NULL, &hunt->twin, diag);
	if (!r)
		r = twin_stage(hunt->twin, &image, 0, diag);
	if (!r)
		r = twin_command(hunt->twin, 0, MODE_ENFORCE, 0);
	c->twin = hunt->twin;
	if (!r)
		r = bisect_each(hunt->bisect, &image.image, confirm_sample, c);
	return r < 0 ? r : 0;
}

static double percent(const struct hunt *hunt, uint64_t packets)
{
	uint64_t all = hunt->whole.sums.packets;

	return all ? (double)packets * 100 / (double)all : 0;
}

static bool say_row(const struct hunt *hunt, const struct bisect_row *row,
		    const struct confirming *c)
{
	const struct list *list = &hunt->policy.lists[row->prefix->list - 1];
	const char *file = list->file ? list->file : hunt->path;
	char prefix[PREFIX_TEXT];

	prefix_format(row->prefix, prefix);
	json_array_append_new(hunt->found,
			      json_pack("{ss,ss,ss,si,so,sf,si,si,si}", "prefix", prefix, "list",
					list->name, "file", file, "line", row->prefix->line,
					"newly_dropped", json_u64(row->dropped), "percent",
					percent(hunt, row->dropped), "rounds", row->rounds,
					"kernel_asked", c->asked, "kernel_drops", c->agreed));
	if (hunt->options->json)
		return true;
	return say_text("%s:%u: %s of list `%s` newly drops %.2f %% of packets; %u rounds; the "
			"kernel drops %u of %u samples\n",
			file, row->prefix->line, prefix, list->name, percent(hunt, row->dropped),
			row->rounds, c->agreed, c->asked);
}

/* Returns EXIT_DONE, an exit code, or -1 when there is no more to find. */
static int find_row(struct hunt *hunt)
{
	auto_diag struct diag diag = { 0 };
	cleanup(confirming_free) struct confirming c = { 0 };
	struct bisect_row row;
	int r = bisect_next(hunt->bisect, &row, &diag);

	if (!r)
		return -1;
	if (r > 0)
		r = confirm(hunt, &row, &c, &diag);
	if (r)
		return say_refusal(hunt, r, &diag);
	hunt->remaining = row.remaining;
	if (!say_row(hunt, &row, &c))
		return -1;
	if (c.agreed == c.asked)
		return EXIT_DONE;
	return say_error(hunt->options, EXIT_FAILED,
			 "the kernel judges %u of %u packets otherwise than the tool",
			 c.asked - c.agreed, c.asked);
}

static bool is_harmless(const struct hunt *hunt)
{
	return hunt->whole.verdict == TRAFFIC_GOOD || !hunt->whole.by_rows;
}

static int find_rows(struct hunt *hunt)
{
	int code = EXIT_DONE;

	if (!hunt->options->json)
		say_text("%s %s\n", hunt->path, hunt->whole.text);
	if (is_harmless(hunt)) {
		if (!hunt->options->json)
			say_text("no row is harmful, by %llu samples of recent traffic\n",
				 (unsigned long long)hunt->whole.sums.samples);
		return EXIT_DONE;
	}
	hunt->remaining = hunt->whole.by_rows;
	while (json_array_size(hunt->found) < hunt->wanted && code == EXIT_DONE)
		code = find_row(hunt);
	return code < 0 ? EXIT_DONE : code;
}

static void say_end(const struct hunt *hunt, uint64_t ms)
{
	static const char *const verdicts[] = { [TRAFFIC_TOO_LITTLE] = "too_little",
						[TRAFFIC_GOOD] = "good",
						[TRAFFIC_HARM] = "harm" };
	const struct bisect_whole *whole = &hunt->whole;

	if (!hunt->options->json && json_array_size(hunt->found))
		say_text("without %s, rows newly drop %.2f %%\n",
			 json_array_size(hunt->found) > 1 ? "these" : "it",
			 percent(hunt, hunt->remaining));
	say_progress(hunt->options, "%u rows, %llu samples, %llu ms", whole->rows,
		     (unsigned long long)whole->sums.samples, (unsigned long long)ms);
	say_result(hunt->options, "bisect",
		   json_pack("{ss,ss,ss,si,so,si,so,so,so,sO,so,so}", "policy", hunt->path,
			     "verdict", verdicts[whole->verdict], "text", whole->text, "rows",
			     whole->rows, "samples", json_u64(whole->sums.samples), "unread",
			     whole->unread, "packets", json_u64(whole->sums.packets),
			     "newly_dropped", json_u64(whole->sums.newly_dropped), "by_rows",
			     json_u64(whole->by_rows), "found", hunt->found, "remaining",
			     json_u64(hunt->remaining), "ms", json_u64(ms)));
}

static int hunt_rows(struct hunt *hunt)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int code = open_live(hunt);

	if (code == EXIT_DONE)
		code = open_policy(hunt);
	if (code == EXIT_DONE && !hunt->whole.sums.samples)
		code = say_error(hunt->options, EXIT_FAILED,
				 "there is no recent traffic that passes to judge by");
	if (code == EXIT_DONE)
		code = find_rows(hunt);
	if (code == EXIT_DONE)
		say_end(hunt, (now_ns(CLOCK_MONOTONIC) - start) / NS_PER_MS);
	return code;
}

int cmd_bisect(const struct options *options, int argc, char **argv)
{
	const char *rows = NULL;
	const struct arg args[] = { { .name = "rows", .value = &rows } };
	auto_hunt struct hunt hunt = { .options = options, .wanted = 1 };
	int at = args_parse(options, argc, argv,
			    &(struct args){ .options = args, .count = 1, .min = 1, .max = 1 });

	if (at < 0)
		return EXIT_USAGE;
	if (rows && !args_number(options, "--rows", rows, ROWS_MOST, &hunt.wanted))
		return EXIT_USAGE;
	if (!hunt.wanted)
		return args_wrong(options, "bisect", "--rows 0 finds none");
	hunt.path = argv[at];
	hunt.found = json_array();
	return hunt_rows(&hunt);
}
