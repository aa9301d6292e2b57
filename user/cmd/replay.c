/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: every packet of a capture through the program in the kernel, one line per packet in file
 * order. Live state is not touched: a twin does the judging.
 */
#include <errno.h>
#include <string.h>

#include <stanch/reasons.h>

#include "cmd/args.h"
#include "cmd/capture.h"
#include "cmd/trial.h"
#include "cmd/words.h"
#include "policy/frame.h"

struct replay {
	const struct options *options;
	struct trial trial;
	struct capture *capture;
	uint64_t packets;
	uint64_t verdicts[VERDICTS], passed_anyway, not_judged;
	char generation[32]; /* as it stands in JSON */
};

static void replay_free(struct replay *replay)
{
	trial_free(&replay->trial);
	capture_close(&replay->capture);
}

#define auto_replay cleanup(replay_free)

/* Returns 0, 1 for a frame that cannot be judged, or -errno. */
static int judge_frame(struct replay *replay, const struct captured *frame, struct judged *ret)
{
	int r;

	if (frame->len > CAPTURE_ROOM || !frame_is_readable(frame->bytes, frame->there, frame->len))
		return 1;
	r = twin_run(replay->trial.twin, frame->bytes, frame->len, ret, NULL);
	return r == -EINVAL ? 1 : r;
}

static int name_of(const struct replay *replay, const struct judged *judged, const char **ret)
{
	const struct image *image = &replay->trial.image.image;
	const struct list_record *list = NULL;

	if (replay->trial.image.bytes && judged && judged->list)
		list = image_list(image, judged->list);
	*ret = list ? image_text(image, list->name) : NULL;
	return list ? list->name_len : 0;
}

/* @judged: NULL for a frame that was not judged. List names need no escaping: [a-z0-9._-] only. */
static bool say_packet_json(const struct replay *replay, const struct judged *judged)
{
	const char *name, *quote;
	int len = name_of(replay, judged, &name);

	if (!judged)
		return say_text("{\"schema\":\"stanch.replay/1\",\"n\":%llu,\"verdict\":null,"
				"\"enforced\":false,\"reason\":\"not_judged\",\"detail\":null,"
				"\"score\":null,\"generation\":%s}\n",
				(unsigned long long)replay->packets, replay->generation);
	quote = name ? "\"" : "";
	return say_text("{\"schema\":\"stanch.replay/1\",\"n\":%llu,\"verdict\":\"%s\","
			"\"enforced\":%s,\"reason\":\"%s\",\"detail\":%s%.*s%s,"
			"\"score\":null,\"generation\":%s}\n",
			(unsigned long long)replay->packets, verdict_names[judged->verdict],
			judged->enforced == judged->verdict ? "true" : "false",
			reason_texts[judged->reason].name, quote, name ? len : 4,
			name ? name : "null", quote, replay->generation);
}

static bool say_packet_text(const struct replay *replay, const struct judged *judged)
{
	char src[ENDPOINT_TEXT], dst[ENDPOINT_TEXT], proto[8];
	const char *name;
	int len = name_of(replay, judged, &name);

	if (!judged)
		return say_text("%8llu  %-9s  not_judged\n", (unsigned long long)replay->packets,
				"-");
	return say_text("%8llu  %-4s%-5s  %-15s  %-20.*s  %s -> %s %s\n",
			(unsigned long long)replay->packets, verdict_names[judged->verdict],
			judged->enforced == judged->verdict ? "" : "?",
			reason_texts[judged->reason].name, name ? len : 1, name ? name : "-",
			endpoint_text(judged->family, judged->src, judged->sport, src),
			endpoint_text(judged->family, judged->dst, judged->dport, dst),
			proto_text(judged->family, judged->proto, proto));
}

static bool say_packet(struct replay *replay, const struct judged *judged)
{
	replay->packets++;
	if (!judged)
		replay->not_judged++;
	else
		replay->verdicts[judged->verdict]++;
	if (judged && judged->enforced != judged->verdict)
		replay->passed_anyway++;
	return replay->options->json ? say_packet_json(replay, judged)
				     : say_packet_text(replay, judged);
}

/* To stdout for people, after the table; beside the lines of JSON it is progress. */
static void say_summary(const struct replay *replay)
{
	const uint64_t *verdicts = replay->verdicts;
	char text[DIAG_TEXT], anyway[64] = "";

	if (replay->passed_anyway)
		snprintf(anyway, sizeof(anyway), "; %llu of them pass, as nothing is enforced",
			 (unsigned long long)replay->passed_anyway);
	snprintf(text, sizeof(text),
		 "%llu packets: %llu pass, %llu flag, %llu drop, %llu not judged%s",
		 (unsigned long long)replay->packets, (unsigned long long)verdicts[VERDICT_PASS],
		 (unsigned long long)verdicts[VERDICT_FLAG],
		 (unsigned long long)verdicts[VERDICT_DROP], (unsigned long long)replay->not_judged,
		 anyway);
	if (replay->options->json)
		say_progress(replay->options, "%s", text);
	else
		say_text("%s\n", text);
}

static int replay_all(struct replay *replay)
{
	auto_diag struct diag diag = { 0 };
	struct captured frame;
	struct judged judged;
	bool open = true;
	int r, found = 0;

	while (open && (found = capture_next(replay->capture, &frame, &diag)) == 1) {
		r = judge_frame(replay, &frame, &judged);
		if (r < 0)
			return say_errno(replay->options, r, "the packet cannot be run");
		open = say_packet(replay, r ? NULL : &judged);
	}
	if (found < 0)
		return say_problems(replay->options, "the capture ends too early", &diag,
				    EXIT_FAILED);
	say_summary(replay);
	return EXIT_DONE;
}

static int replay_file(struct replay *replay, const struct trial_choice *choice, const char *path)
{
	auto_diag struct diag diag = { 0 };
	int code, r = capture_open(path, &replay->capture, &diag);

	if (r == -EINVAL)
		return say_problems(replay->options, "the capture cannot be read", &diag,
				    EXIT_FAILED);
	if (r)
		return say_errno(replay->options, r, path);
	code = trial_open(replay->options, choice, &replay->trial);
	if (code != EXIT_DONE)
		return code;
	snprintf(replay->generation, sizeof(replay->generation), "%s", "null");
	if (replay->trial.numbered)
		snprintf(replay->generation, sizeof(replay->generation), "\"%llu\"",
			 (unsigned long long)replay->trial.generation);
	code = replay_all(replay);
	return code == EXIT_DONE ? trial_close(replay->options, &replay->trial) : code;
}

int cmd_replay(const struct options *options, int argc, char **argv)
{
	struct trial_choice choice = { 0 };
	const struct arg args[] = { { .name = "policy", .value = &choice.policy },
				    { .name = "generation", .value = &choice.generation } };
	auto_replay struct replay replay = { .options = options };
	int at = args_parse(options, argc, argv,
			    &(struct args){ .options = args, .count = 2, .min = 1, .max = 1 });

	if (at < 0)
		return EXIT_USAGE;
	return replay_file(&replay, &choice, argv[at]);
}
