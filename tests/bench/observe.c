/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * observe: watches from outside when something takes effect, so that times do not depend on what
 * the tool says of itself. Times are CLOCK_MONOTONIC ns. What is waited for and does not come
 * within a minute is a failure.
 *
 *   observe word          when the control word changes next
 *   observe trial         when a trial begins (`trial` on stderr), when recent samples are enough to
 *                         call it harm, and when it is over
 *   observe lease N G B   N leases of a generation B (image file) that drops 203.0.113.7 over a G
 *                         that does not: how late and how early the program goes back to G
 *
 * `ready` on stderr says that it watches.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dataplane/dataplane.h"
#include "policy/frame.h"
#include "policy/policy.h"
#include "policy/traffic.h"

enum { EXIT_USAGE = 2 };

#define MS 1000000ull
#define PATIENCE_NS (60000 * MS)
#define LOOK_NS 200000

struct observer {
	struct places places;
	struct instance *instance;
	struct control *control;
	struct diag diag;
	uint64_t until; /* patience */
};

static void observer_close(struct observer *observer)
{
	control_close(&observer->control);
	instance_close(&observer->instance);
	diag_free(&observer->diag);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static int look_again(const struct observer *observer)
{
	nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	return now_ns() < observer->until ? 0 : -ETIMEDOUT;
}

static struct word word_now(const struct observer *observer)
{
	return word_unpack(control_load(observer->control, CONTROL_WORD));
}

static void say(const char *what)
{
	fprintf(stderr, "%s\n", what);
	fflush(stderr);
}

static int observe_word(struct observer *observer)
{
	uint64_t before = control_load(observer->control, CONTROL_WORD);
	int r = 0;

	say("ready");
	while (!r && control_load(observer->control, CONTROL_WORD) == before)
		r = look_again(observer);
	if (!r)
		printf("{\"changed_ns\": %" PRIu64 "}\n", now_ns());
	return r;
}

/* ---- trials ---- */

struct evidence {
	struct reservoir *reservoir;
	struct reservoir_reader readers[SAMPLE_KINDS];
	struct traffic *traffic;
	struct policy_settings settings;
};

static void evidence_free(struct evidence *evidence)
{
	reservoir_close(&evidence->reservoir);
	traffic_free(&evidence->traffic);
}

static int take_sample(void *context, const struct sample *sample)
{
	struct evidence *evidence = context;
	struct traffic_pair pair;

	return traffic_pair_of(sample, &pair) ? traffic_add(evidence->traffic, sample, &pair) : 0;
}

static int evidence_begin(const struct observer *observer, struct evidence *ret)
{
	uint64_t at[SAMPLE_KINDS];
	int r = reservoir_open(observer->instance, &ret->reservoir);

	settings_default(&ret->settings);
	if (!r)
		r = traffic_new(NULL, &ret->traffic);
	if (r)
		return r;
	reservoir_at(ret->reservoir, at);
	for (unsigned int i = 0; i < SAMPLE_KINDS; i++)
		ret->readers[i] = (struct reservoir_reader){ .kind = i, .at = at[i] };
	return 0;
}

/* 1: there is enough, and it is harm. */
static int evidence_weigh(struct evidence *evidence)
{
	for (unsigned int i = 0; i < SAMPLE_KINDS; i++) {
		int r = reservoir_read(evidence->reservoir, &evidence->readers[i], take_sample,
				       evidence);
		if (r)
			return r;
	}
	return traffic_judge(evidence->traffic, &evidence->settings.gates, NULL) == TRAFFIC_HARM;
}

static int observe_trial(struct observer *observer)
{
	cleanup(evidence_free) struct evidence evidence = { 0 };
	uint64_t enough = 0;
	int r = evidence_begin(observer, &evidence);

	say("ready");
	while (!r && !word_now(observer).provisional)
		r = look_again(observer);
	say("trial");
	while (!r && word_now(observer).provisional) {
		int harm = enough ? 0 : evidence_weigh(&evidence);

		if (harm > 0)
			enough = now_ns();
		r = harm < 0 ? harm : look_again(observer);
	}
	if (!r)
		printf("{\"enough_ns\": %" PRIu64 ", \"over_ns\": %" PRIu64 "}\n", enough,
		       now_ns());
	return r;
}

/* ---- leases ---- */

struct leases {
	struct observer *observer;
	struct image_file images[2];
	struct frame frame;
	int program;
};

static void leases_free(struct leases *leases)
{
	for (size_t i = 0; i < ARRAY_SIZE(leases->images); i++)
		image_free(&leases->images[i]);
	close_fd(&leases->program);
}

static int load_image(struct observer *observer, const char *path, struct image_file *ret)
{
	cleanup(buf_free) struct buf bytes = { 0 };
	struct named_text file = { .name = path };
	int r = file_read(path, FILE_MAX_IMAGE, &bytes);

	file.text = bytes.data;
	file.len = bytes.len;
	return r ? r : image_load(&file, &limits_builtin, ret, &observer->diag);
}

static int open_program(const struct observer *observer)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/prog-stanch", observer->places.pins);
	return bpf_obj_get(path);
}

/* What the program does with the frame: an XDP action, or -errno. */
static int judge(const struct leases *leases)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = leases->frame.bytes,
		    .data_size_in = leases->frame.len, .repeat = 1);
	int r = bpf_prog_test_run_opts(leases->program, &opts);

	return r ? r : (int)opts.retval;
}

static int build_frame(struct frame *ret)
{
	static const struct frame_step steps[] = { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 }, { 0 } };
	const struct frame_ends ends = { .src4 = address_v4(0xcb007107),
					 .dst4 = address_v4(0xc0000201),
					 .sport = 40000,
					 .dport = 80 };

	return frame_build(steps, &ends, ret);
}

/* Slots 1 and 2 hold the two; the first is live and trusted. */
static int leases_begin(struct leases *leases, char **paths)
{
	struct observer *observer = leases->observer;
	int r = build_frame(&leases->frame);

	for (unsigned int i = 0; !r && i < ARRAY_SIZE(leases->images); i++) {
		r = load_image(observer, paths[i], &leases->images[i]);
		if (!r)
			r = slot_stage(observer->instance, &leases->images[i], i + 1, i + 1,
				       &observer->diag);
	}
	if (!r)
		r = control_swap(observer->control, 1, word_now(observer).epoch);
	if (r)
		return r;
	leases->program = open_program(observer);
	return leases->program < 0 ? leases->program : 0;
}

/*
 * One lease of 20 to 120 ms. Late is how long after the deadline a packet that was dropped began
 * to be judged, early how long before it one that passed had been; `passed` is when that one was
 * done, however long this process waited for its turn.
 */
static int one_lease(struct leases *leases, unsigned int number)
{
	struct observer *observer = leases->observer;
	struct trial_step step = { .slot = 2 };
	uint16_t epoch = word_now(observer).epoch;
	uint64_t dropped = 0, begun, passed;
	int r, action;

	step.deadline_ns = now_ns() + (20 + number * 37 % 100) * MS;
	r = control_provisional(observer->control, &step, &epoch);
	while (!r) {
		begun = now_ns();
		action = judge(leases);
		if (action == XDP_PASS)
			break;
		dropped = begun;
		r = action == XDP_DROP ? look_again(observer) : -EPROTO;
	}
	passed = now_ns();
	if (r || !dropped)
		return r ? r : -EPROTO;
	printf("{\"late_ns\": %" PRIu64 ", \"early_ns\": %" PRIu64 ", \"passed_ns\": %" PRId64
	       "}\n",
	       dropped > step.deadline_ns ? dropped - step.deadline_ns : 0,
	       passed < step.deadline_ns ? step.deadline_ns - passed : 0,
	       (int64_t)(passed - step.deadline_ns));
	return control_revert(observer->control, 1, &epoch);
}

static int observe_lease(struct observer *observer, char **words)
{
	cleanup(leases_free) struct leases leases = { .observer = observer, .program = -1 };
	unsigned long count = strtoul(words[0], NULL, 10);
	int r = leases_begin(&leases, words + 1);

	say("ready");
	for (unsigned int i = 0; !r && i < count; i++) {
		observer->until = now_ns() + PATIENCE_NS;
		r = one_lease(&leases, i);
	}
	return r;
}

static int run(struct observer *observer, int argc, char **argv)
{
	bool lease = argc == 5 && !strcmp(argv[1], "lease");
	int r = places_find("default", &observer->places);

	observer->until = now_ns() + PATIENCE_NS;
	if (!r && lease)
		r = instance_create(&observer->places, &observer->instance, &observer->diag);
	else if (!r)
		r = instance_open(&observer->places, &observer->instance, &observer->diag);
	if (!r)
		r = control_open(&observer->places, &observer->control);
	if (r)
		return r;
	if (lease)
		return observe_lease(observer, argv + 2);
	return !strcmp(argv[1], "word") ? observe_word(observer) : observe_trial(observer);
}

int main(int argc, char **argv)
{
	cleanup(observer_close) struct observer observer = { 0 };
	int r;

	if (argc != 5 && argc != 2)
		return EXIT_USAGE;
	r = run(&observer, argc, argv);
	if (r)
		fprintf(stderr, "observe: %s\n",
			observer.diag.stored ? observer.diag.problems[0].message : strerror(-r));
	return r ? 1 : 0;
}
