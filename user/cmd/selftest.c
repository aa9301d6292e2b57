/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selftest: does this kernel judge as it must? The conformance table, each packet from a blocked
 * and from a good source, and the golden packets of what is live. Live state is not touched.
 */
#include <errno.h>
#include <string.h>

#include <stanch/reasons.h>

#include "cmd/args.h"
#include "cmd/live.h"
#include "policy/conformance.h"

/* What one packet got, beside what it must get. */
struct result {
	const struct conformance_row *row;
	enum conformance_side side;
	struct expectation expected, native, kernel;
};

struct selftest {
	const struct options *options;
	struct twin *twin;
	struct image_file images[SETTINGS]; /* slot n of the twin holds setting n */
	json_t *failures;
	unsigned int packets, failed;
};

static void selftest_free(struct selftest *test)
{
	twin_close(&test->twin);
	for (unsigned int i = 0; i < SETTINGS; i++)
		image_free(&test->images[i]);
	json_decref(test->failures);
}

static int say_failed(const struct selftest *test, int error, struct diag *diag)
{
	if (diag->total)
		return say_problems(test->options, "the self-test cannot be run", diag,
				    exit_code_of(error));
	return say_errno(test->options, error, "the self-test cannot be run");
}

static int prepare(struct selftest *test)
{
	auto_diag struct diag diag = { 0 };
	int r = twin_open(NULL, &test->twin, &diag);

	for (unsigned int i = 0; i < SETTINGS && !r; i++) {
		r = conformance_image(i, &test->images[i], &diag);
		if (!r)
			r = twin_stage(test->twin, &test->images[i], i, &diag);
	}
	return r ? say_failed(test, r, &diag) : EXIT_DONE;
}

static bool same(const struct expectation *a, const struct expectation *b)
{
	return a->verdict == b->verdict && a->reason == b->reason;
}

/* "drop list_drop" */
static const char *outcome(const struct expectation *expectation, char out[48])
{
	snprintf(out, 48, "%s %s",
		 expectation->verdict < VERDICTS ? verdict_names[expectation->verdict] : "?",
		 expectation->reason < REASONS ? reason_texts[expectation->reason].name : "?");
	return out;
}

static void say_packet(struct selftest *test, const struct result *result, bool good)
{
	char expected[48], native[48], kernel[48];
	const char *side = conformance_side_names[result->side];

	outcome(&result->expected, expected);
	outcome(&result->native, native);
	outcome(&result->kernel, kernel);
	if (!good)
		json_array_append_new(test->failures,
				      json_pack("{ss,ss,ss,ss,ss}", "packet", result->row->name,
						"source", side, "expected", expected, "native",
						native, "kernel", kernel));
	if (!test->options->json && (!good || test->options->verbose))
		say_text("%-4s  %-44s  %-7s  %-24s  %-24s  %s\n", good ? "ok" : "FAIL",
			 result->row->name, side, expected, native, kernel);
}

/* Returns 0 or -errno; a wrong verdict is not an error but a failure that is counted. */
static int run_packet(struct selftest *test, const struct conformance_row *row,
		      enum conformance_side side)
{
	struct result result = { .row = row, .side = side, .expected = row->expected[side] };
	struct judgement native;
	struct judged kernel;
	struct frame frame;
	bool good;
	int r = conformance_frame(row, side, &frame);

	if (!r)
		r = twin_command(test->twin, row->setting, MODE_ENFORCE, 0);
	if (!r)
		r = twin_run(test->twin, frame.bytes, frame.len, &kernel, NULL);
	if (r)
		return r;
	frame_judge(&test->images[row->setting].image, frame.bytes, frame.len, 0, &native);
	result.native = (struct expectation){ native.verdict, native.reason };
	result.kernel = (struct expectation){ kernel.verdict, kernel.reason };
	good = same(&result.expected, &result.native) && same(&result.expected, &result.kernel) &&
	       native.list == kernel.list && kernel.enforced == kernel.verdict;
	test->packets++;
	test->failed += !good;
	say_packet(test, &result, good);
	return 0;
}

static int run_table(struct selftest *test)
{
	struct diag none = { 0 };
	int r;

	if (!test->options->json && test->options->verbose)
		say_text("%-4s  %-44s  %-7s  %-24s  %-24s  %s\n", "", "packet", "source",
			 "expected", "native", "kernel");
	for (uint32_t i = 0; i < conformance_row_count; i++) {
		for (unsigned int side = 0; side < SIDES; side++) {
			r = run_packet(test, &conformance_rows[i], side);
			if (r)
				return say_failed(test, r, &none);
		}
	}
	return EXIT_DONE;
}

static void add_golden(struct selftest *test, const struct diag *diag, const struct proof *proof)
{
	test->packets += proof->packets;
	test->failed += proof->wrong;
	for (uint32_t i = 0; i < diag->stored; i++) {
		const char *message = diag->problems[i].message;

		json_array_append_new(test->failures,
				      json_pack("{ss,ss}", "packet", "golden", "message", message));
		if (!test->options->json)
			say_text("FAIL  %s\n", message);
	}
}

/* The golden packets of slot @live of an instance, through a twin that sees the same slots. */
static int prove_live(struct selftest *test, const struct instance *instance, unsigned int live)
{
	auto_image struct image_file image = { 0 };
	auto_twin struct twin *twin = NULL;
	auto_diag struct diag diag = { 0 };
	struct proof proof = { 0 };
	int r = live_image(instance, live, &image);

	if (!r)
		r = twin_open(instance, &twin, &diag);
	if (!r)
		r = prove_slot(twin, &image.image, live, &proof, &diag);
	if (r && r != -EBADMSG && r != -ENOENT)
		return say_failed(test, r, &diag);
	if (r && !proof.wrong) { /* nothing to prove: one failure */
		proof.wrong = 1;
		diag_add(&diag, NULL, "slot", "the live slot %u is %s", live,
			 r == -ENOENT ? "empty" : "damaged");
	}
	add_golden(test, &diag, &proof);
	return EXIT_DONE;
}

/* Without an instance there is nothing live, and the table alone is the answer. */
static int run_golden(struct selftest *test)
{
	const struct options *options = test->options;
	auto_instance struct instance *instance = NULL;
	auto_control struct control *control = NULL;
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&options->places, &instance, &diag);

	if (r == -ENOENT) {
		say_progress(options, "nothing is live: only the conformance table was run");
		return EXIT_DONE;
	}
	if (r)
		return live_open_failed(options, r, &diag);
	r = control_open(&options->places, &control);
	if (r)
		return say_errno(options, r, "the control word cannot be opened");
	return prove_live(test, instance, word_unpack(control_load(control, CONTROL_WORD)).live);
}

int cmd_selftest(const struct options *options, int argc, char **argv)
{
	cleanup(selftest_free) struct selftest test = { .options = options,
							.failures = json_array() };
	int code;

	if (args_parse(options, argc, argv, &(struct args){ 0 }) < 0)
		return EXIT_USAGE;
	code = prepare(&test);
	if (code == EXIT_DONE)
		code = run_table(&test);
	if (code == EXIT_DONE)
		code = run_golden(&test);
	if (code != EXIT_DONE)
		return code;
	if (!options->json)
		say_text("%u packets, %u judged wrongly\n", test.packets, test.failed);
	say_result(options, "selftest",
		   json_pack("{sb,si,si,sO}", "good", !test.failed, "packets", test.packets,
			     "failed", test.failed, "failures", test.failures));
	return test.failed ? EXIT_FAILED : EXIT_DONE;
}
