/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: what stanch costs on this kernel. Nanoseconds per packet, packets per second, and how long
 * a change takes, with what is live or with a policy that is given. Live state is only read;
 * everything else is made in a place that ends with this process.
 */
#include "cmd/bench.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cmd/args.h"
#include "cmd/live.h"
#include "cmd/look.h"

#define ROUNDS_LEAST 3u

static const char *const part_names[PARTS] = { "ns", "pps", "times" };

static void bench_free(struct bench *bench)
{
	image_free(&bench->image);
}

bool bench_goes_on(unsigned int done, unsigned int most, uint64_t start_ns, uint64_t budget_ms)
{
	if (done < ROUNDS_LEAST)
		return true;
	return done < most && now_ns(CLOCK_MONOTONIC) - start_ns < budget_ms * 1000000;
}

void bench_progress(const struct bench *bench, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say_progress(bench->options, "%s", text);
}

int bench_failed(const struct bench *bench, int error, struct diag *diag)
{
	static const char message[] = "it cannot be measured";

	if (exit_code_of(error) == EXIT_DENIED && !bench->machine.perfmon)
		diag_add(
			diag, NULL, "capability",
			"CAP_PERFMON is missing: without it this kernel may not take the programs");
	if (diag->total)
		return say_problems(bench->options, message, diag, exit_code_of(error));
	return say_errno(bench->options, error, message);
}

/* ---- what is wanted ---- */

static bool choose_parts(struct bench *bench, const char *only)
{
	bool found = !only;

	for (unsigned int i = 0; i < PARTS; i++) {
		bench->wanted[i] = !only || !strcmp(only, part_names[i]);
		found |= bench->wanted[i];
	}
	if (!found)
		args_wrong(bench->options, "bench", "--only takes ns, pps or times, not '%s'",
			   only);
	return found;
}

static bool choose_size(struct bench *bench, const char *text)
{
	uint64_t size = 0;

	if (!text)
		return true;
	if (!args_number(bench->options, "--size", text, limits_builtin.prefixes, &size))
		return false;
	bench->size = (uint32_t)size;
	if (!size)
		args_wrong(bench->options, "bench", "--size takes at least 1 prefix");
	else if (!bench->wanted[PART_TIMES])
		args_wrong(bench->options, "bench",
			   "--size is about times, which --only rules out");
	return size && bench->wanted[PART_TIMES];
}

static int parse(struct bench *bench, int argc, char **argv)
{
	const char *only = NULL, *size = NULL;
	const struct arg options[] = {
		{ "quick", 0, &bench->quick, NULL, NULL },
		{ "only", 0, NULL, &only, NULL },
		{ "size", 0, NULL, &size, NULL },
		{ "policy", 0, NULL, &bench->policy, NULL },
	};
	const struct args args = { options, ARRAY_SIZE(options), 0, 0 };

	if (args_parse(bench->options, argc, argv, &args) < 0)
		return EXIT_USAGE;
	return choose_parts(bench, only) && choose_size(bench, size) ? EXIT_DONE : EXIT_USAGE;
}

/* Named before anything is tried: what the kernel says itself does not name them. */
static int check_capabilities(const struct bench *bench)
{
	const bool place = bench->wanted[PART_PPS] || bench->wanted[PART_TIMES];
	const struct {
		unsigned int bit;
		const char *name, *what;
		bool needed;
	} rows[] = {
		{ CAP_BPF, "CAP_BPF", "loading programs and maps", true },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "loading programs for interfaces", true },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
		  "namespaces to measure in; `--only ns` does without", place },
	};
	uint64_t have = machine_capabilities();

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].needed && !(have >> rows[i].bit & 1))
			return say_error(bench->options, EXIT_DENIED,
					 "bench needs %s, which is missing: %s", rows[i].name,
					 rows[i].what);
	}
	return EXIT_DONE;
}

/* ---- what judges ---- */

static int take_small(struct bench *bench)
{
	auto_diag struct diag diag = { 0 };
	int r = bench_image(&limits_builtin, &bench->image, &diag);

	return r ? bench_failed(bench, r, &diag) : EXIT_DONE;
}

/* The factory's generation passes everything: there would be little to measure. */
static int take_live(struct bench *bench)
{
	auto_look struct look look = { 0 };
	int code = look_open(bench->options, &look), r;
	unsigned int slot;

	if (code != EXIT_DONE)
		return code;
	slot = look_judging(&look);
	if (!look.slots[slot].generation)
		return take_small(bench);
	r = live_image(look.instance, slot, &bench->image);
	if (r)
		return say_errno(bench->options, r, "the live generation cannot be read");
	bench->live = true;
	bench->generation = look.slots[slot].generation;
	return EXIT_DONE;
}

static int take_image(struct bench *bench)
{
	const struct options *options = bench->options;
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int r;

	if (bench->policy)
		return source_load(options, bench->policy, NULL, &bench->image);
	r = instance_open(&options->places, &instance, &diag);
	if (r == -ENOENT)
		return take_small(bench);
	return r ? live_open_failed(options, r, &diag) : take_live(bench);
}

/* ---- measuring ---- */

static int work_in_place(void *context, const struct places *places)
{
	struct bench_place *place = context;
	struct bench *bench = place->bench;
	int r = instance_create(places, &place->instance, place->diag);

	r = r ? r : control_open(places, &place->control);
	if (!r && bench->wanted[PART_PPS])
		r = bench_pps(place);
	if (!r && bench->wanted[PART_TIMES])
		r = bench_times(place);
	control_close(&place->control);
	instance_close(&place->instance);
	return r;
}

static int measure(struct bench *bench)
{
	auto_diag struct diag diag = { 0 };
	struct bench_place place = { .bench = bench, .diag = &diag };
	int r, code = EXIT_DONE;

	machine_find(&bench->machine);
	if (bench->wanted[PART_NS])
		code = bench_ns(bench);
	if (code != EXIT_DONE || !(bench->wanted[PART_PPS] || bench->wanted[PART_TIMES]))
		return code;
	r = sandbox_run(work_in_place, &place, &diag);
	return r ? bench_failed(bench, r, &diag) : EXIT_DONE;
}

int cmd_bench(const struct options *options, int argc, char **argv)
{
	cleanup(bench_free) struct bench bench = { .options = options };
	int code = parse(&bench, argc, argv);

	if (code == EXIT_DONE)
		code = check_capabilities(&bench);
	if (code == EXIT_DONE)
		code = take_image(&bench);
	if (code == EXIT_DONE)
		code = measure(&bench);
	if (code != EXIT_DONE)
		return code;
	if (options->json)
		say_result(options, "bench", bench_json(&bench));
	else
		bench_print(&bench);
	return EXIT_DONE;
}
