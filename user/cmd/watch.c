/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trial of a staged generation. Every few milliseconds: does the word still say what we wrote,
 * is the lease good, what did sampled packets get from both generations? The program itself goes
 * back when the lease runs out, so that nothing here has to be alive for that.
 */
#include "cmd/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/look.h"

#define MS 1000000ull
#define LOOK_NS (4 * MS) /* between two looks */
#define LEASE_MS 5000u /* while somebody watches; renewed every second */
#define RENEW_NS (1000 * MS)
#define LATELY_NS (2000 * MS) /* harm that begins late must not drown in what was fine before */
#define ASK_MS 60000u /* at a terminal */

enum end {
	END_GOES_ON,
	END_STEP, /* as long as it should, with enough evidence */
	END_CONFIRMED, /* by somebody, or at the prompt */
	/* the trial is over, and the generation with it: */
	END_HARM,
	END_TOO_LITTLE,
	END_EXPIRED,
	END_UNCONFIRMED,
	END_TAKEN, /* somebody rolled back */
	END_INTERRUPTED,
	END_FAILED,
};

static const char *const end_names[] = {
	[END_GOES_ON] = "goes on",
	[END_STEP] = "kept",
	[END_CONFIRMED] = "confirmed",
	[END_HARM] = "harm",
	[END_TOO_LITTLE] = "too little evidence",
	[END_EXPIRED] = "expired",
	[END_UNCONFIRMED] = "not confirmed",
	[END_TAKEN] = "rolled back",
	[END_INTERRUPTED] = "interrupted",
	[END_FAILED] = "failed",
};

struct watch {
	struct attempt *attempt;
	struct reservoir *reservoir;
	struct reservoir_reader readers[SAMPLE_KINDS];
	struct traffic *whole, *lately;
	uint64_t begun, lately_since, lease, renewed;
	uint16_t epoch;
	bool fixed_lease; /* somebody must confirm: nobody renews it */
	bool asking; /* at the terminal */
	enum traffic_verdict verdict;
	int error; /* of END_FAILED */
	char why[DIAG_TEXT];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* Restored when the trial ends, so that a second Ctrl-C is one again. */
struct signals {
	struct sigaction before[3];
};
static const int caught[3] = { SIGINT, SIGTERM, SIGHUP };

static void signals_take(struct signals *ret)
{
	struct sigaction action = { .sa_handler = on_signal };

	interrupted = 0;
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &action, &ret->before[i]);
}

static void signals_give(struct signals *signals)
{
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &signals->before[i], NULL);
}

static void watch_free(struct watch *watch)
{
	reservoir_close(&watch->reservoir);
	traffic_free(&watch->whole);
	traffic_free(&watch->lately);
}

static bool forced_anything(const struct attempt *attempt)
{
	for (unsigned int i = 0; i < GATES; i++)
		if (attempt->gates[i].forced)
			return true;
	return false;
}

static bool somebody_confirms(const struct attempt *attempt)
{
	return attempt->wish.confirm_ms || (attempt->wish.now && forced_anything(attempt));
}

static bool anything_attached(const struct attempt *attempt)
{
	autofree struct attachment *list = NULL;
	uint32_t count = 0;

	if (attach_list(attempt->instance, &list, &count))
		return true;
	for (uint32_t i = 0; i < count; i++)
		if (!list[i].gone)
			return true;
	return false;
}

bool watch_needed(const struct attempt *attempt)
{
	if (attempt->wish.confirm_ms)
		return true;
	if (!anything_attached(attempt)) {
		if (!attempt->wish.now)
			say_progress(attempt->options,
				     "nothing is attached: there is nobody to try it on");
		return false;
	}
	if (forced_anything(attempt))
		return true;
	if (attempt->before.mode == MODE_BYPASS || attempt->before.mode >= MODES) {
		say_progress(attempt->options, "nothing is judged in mode bypass: no trial");
		return false;
	}
	return !attempt->wish.now;
}

/* ---- evidence ---- */

static int take_sample(void *context, const struct sample *sample)
{
	struct watch *watch = context;
	struct traffic_pair pair;
	int r;

	if (!traffic_pair_of(sample, &pair))
		return 0;
	r = traffic_add(watch->whole, sample, &pair);
	return r ? r : traffic_add(watch->lately, sample, &pair);
}

static int read_samples(struct watch *watch)
{
	int r = 0;

	for (unsigned int i = 0; i < SAMPLE_KINDS && !r; i++)
		r = reservoir_read(watch->reservoir, &watch->readers[i], take_sample, watch);
	return r;
}

/* Harm of the last seconds counts by itself; that there was none needs the whole trial. */
static enum end weigh(struct watch *watch, uint64_t now)
{
	const struct gate_settings *settings = &watch->attempt->settings.gates;
	int r = read_samples(watch);

	if (r) {
		watch->error = r;
		return END_FAILED;
	}
	if (traffic_judge(watch->lately, settings, watch->why) == TRAFFIC_HARM)
		return END_HARM;
	watch->verdict = traffic_judge(watch->whole, settings, watch->why);
	if (watch->verdict == TRAFFIC_HARM)
		return END_HARM;
	if (now - watch->lately_since >= LATELY_NS) {
		traffic_clear(watch->lately);
		watch->lately_since = now;
	}
	return END_GOES_ON;
}

/* ---- the word and the lease ---- */

static enum end check_word(struct watch *watch, uint64_t now)
{
	struct word word = word_unpack(control_load(watch->attempt->control, CONTROL_WORD));

	if (word.epoch == watch->epoch)
		return now >= watch->lease ? END_EXPIRED : END_GOES_ON;
	if (!word.provisional && word.live == watch->attempt->slot)
		return END_CONFIRMED;
	return now >= watch->lease ? END_EXPIRED : END_TAKEN;
}

static enum end renew(struct watch *watch, uint64_t now)
{
	uint64_t deadline = now + LEASE_MS * MS;
	int r;

	if (watch->fixed_lease || now - watch->renewed < RENEW_NS)
		return END_GOES_ON;
	r = control_renew(watch->attempt->control, deadline, watch->epoch);
	if (!r) {
		watch->lease = deadline;
		watch->renewed = now;
		return END_GOES_ON;
	}
	return r == -ETIME ? END_EXPIRED : END_TAKEN;
}

/* "yes" at the prompt keeps the lease alive from then on; anything else ends the trial. */
static enum end read_answer(struct watch *watch)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char answer[16] = { 0 };

	if (poll(&input, 1, 0) < 1)
		return END_GOES_ON;
	if (read(STDIN_FILENO, answer, sizeof(answer) - 1) > 0 && !strncmp(answer, "yes", 3)) {
		watch->asking = watch->fixed_lease = false;
		watch->renewed = 0;
		return END_GOES_ON;
	}
	return END_UNCONFIRMED;
}

static enum end look(struct watch *watch)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	enum end end = check_word(watch, now);

	if (end == END_EXPIRED && watch->fixed_lease)
		end = END_UNCONFIRMED;
	if (end == END_GOES_ON)
		end = weigh(watch, now);
	if (end == END_GOES_ON && interrupted)
		end = END_INTERRUPTED;
	if (end == END_GOES_ON && watch->asking)
		end = read_answer(watch);
	return end == END_GOES_ON ? renew(watch, now) : end;
}

/* ---- phases ---- */

/* How long one phase lasts: at least, and with too little evidence at most. */
struct span {
	uint64_t least, most;
};

static enum end hold(struct watch *watch, const struct span *span)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t begun = now_ns(CLOCK_MONOTONIC);

	for (;;) {
		enum end end = look(watch);
		uint64_t spent = now_ns(CLOCK_MONOTONIC) - begun;

		if (end != END_GOES_ON)
			return end;
		if (spent >= span->least && watch->verdict == TRAFFIC_GOOD && !watch->fixed_lease)
			return END_STEP;
		if (spent >= span->most && !watch->fixed_lease)
			return END_TOO_LITTLE;
		nanosleep(&pause, NULL);
	}
}

static enum end stored(struct watch *watch, int r)
{
	if (!r)
		return END_GOES_ON;
	watch->error = r;
	return r == -ETIME ? END_EXPIRED : r == -ESTALE ? END_TAKEN : END_FAILED;
}

static void new_lease(struct watch *watch, uint64_t ms, struct trial_step *step)
{
	watch->renewed = now_ns(CLOCK_MONOTONIC);
	watch->lease = watch->renewed + ms * MS;
	step->slot = watch->attempt->slot;
	step->deadline_ns = watch->lease;
}

static void set_phase(struct watch *watch, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void set_phase(struct watch *watch, const char *fmt, ...)
{
	struct trial_report *trial = &watch->attempt->trial;
	va_list args;

	va_start(args, fmt);
	vsnprintf(trial->phase, sizeof(trial->phase), fmt, args);
	va_end(args);
}

static void say_phase(struct watch *watch, const char *how)
{
	say_progress(watch->attempt->options, "%-8s %s", watch->attempt->trial.phase, how);
}

static enum end canary(struct watch *watch, uint16_t share)
{
	const struct canary_settings *settings = &watch->attempt->settings.canary;
	const struct span span = {
		settings->step_ms * MS,
		(settings->soak_ms > settings->step_ms ? settings->soak_ms : settings->step_ms) *
			MS,
	};
	struct trial_step step = { .share = share };
	enum end end;

	set_phase(watch, "canary %u.%u %%", share / 10, share % 10);
	new_lease(watch, LEASE_MS, &step);
	end = stored(watch, control_canary(watch->attempt->control, &step, &watch->epoch));
	if (end != END_GOES_ON)
		return end;
	say_phase(watch, "of the sources are judged by the candidate");
	return hold(watch, &span);
}

static void ask(struct watch *watch)
{
	say_progress(
		watch->attempt->options,
		"generation %llu judges everybody now. Type yes to let it go on; anything else, "
		"or nothing for %u seconds, takes it back",
		(unsigned long long)watch->attempt->generation, ASK_MS / 1000);
}

static bool at_terminal(const struct attempt *attempt)
{
	return !attempt->wish.now && !attempt->wish.confirm_ms && !attempt->options->json &&
	       isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static enum end soak(struct watch *watch)
{
	const struct attempt *attempt = watch->attempt;
	uint64_t length = attempt->settings.canary.soak_ms * MS, ms = LEASE_MS;
	const struct span span = { length, length };
	struct trial_step step = { 0 };
	enum end end;

	watch->asking = at_terminal(attempt);
	watch->fixed_lease = somebody_confirms(attempt) || watch->asking;
	if (watch->fixed_lease)
		ms = attempt->wish.confirm_ms ? attempt->wish.confirm_ms : ASK_MS;
	set_phase(watch, "soak");
	new_lease(watch, ms, &step);
	end = stored(watch, control_provisional(attempt->control, &step, &watch->epoch));
	if (end != END_GOES_ON)
		return end;
	say_phase(watch, watch->fixed_lease && !watch->asking
				 ? "everybody is judged by it; waiting for `stanch confirm`"
				 : "everybody is judged by it");
	if (watch->asking)
		ask(watch);
	return hold(watch, &span);
}

/* By now recent traffic is that of the trial itself: the heaviest source may have hidden the rest. */
static enum end look_back(struct watch *watch)
{
	struct attempt *attempt = watch->attempt;
	auto_twin struct twin *twin = NULL;
	enum end end;
	int code;

	if (twin_open(attempt->instance, &twin, &attempt->diag))
		return END_FAILED;
	code = attempt_recent(attempt, twin, attempt->slot);
	if (code != EXIT_DONE) {
		snprintf(watch->why, sizeof(watch->why), "%s",
			 attempt->gates[GATE_NEWLY_DROPPED].text);
		return code == EXIT_REFUSED ? END_HARM : END_FAILED;
	}
	watch->renewed = 0;
	end = look(watch);
	return end == END_GOES_ON ? END_STEP : end;
}

static enum end run_phases(struct watch *watch)
{
	const struct attempt *attempt = watch->attempt;
	const struct canary_settings *settings = &attempt->settings.canary;
	enum end end = END_STEP;

	for (uint32_t i = 0; i < settings->step_count && end == END_STEP; i++)
		if (!attempt->wish.now)
			end = canary(watch, settings->steps[i]);
	if (end == END_STEP)
		end = soak(watch);
	return end == END_STEP ? look_back(watch) : end;
}

/* ---- the end ---- */

static void report(struct watch *watch, enum end end)
{
	struct trial_report *trial = &watch->attempt->trial;

	trial->result = end_names[end];
	trial->spent_ms = (now_ns(CLOCK_MONOTONIC) - watch->begun) / MS;
	traffic_sums(watch->whole, &trial->sums);
	if (end == END_HARM || end == END_TOO_LITTLE)
		memcpy(trial->why, watch->why, sizeof(trial->why));
}

/* The pointer and the record first: a generation is kept only where that can be written down. */
static enum end keep(struct watch *watch)
{
	struct attempt *attempt = watch->attempt;
	int r = attempt_point(attempt);
	enum end end;

	if (!r)
		r = attempt_record(attempt, "applied");
	if (r) {
		watch->error = r;
		return END_FAILED;
	}
	end = stored(watch, control_keep(attempt->control, &watch->epoch));
	return end == END_GOES_ON ? END_CONFIRMED : end;
}

/* The word is as it was before the trial, unless somebody else has moved it already. */
static void take_back(struct watch *watch)
{
	struct attempt *attempt = watch->attempt;
	int r = control_revert(attempt->control, attempt->before.good, &watch->epoch);

	if (r && r != -ESTALE)
		say_warning("the trial could not be ended: %s; its lease will", say_reason(r));
}

static int say_end(struct watch *watch, enum end end)
{
	struct attempt *attempt = watch->attempt;
	const struct trial_report *trial = &attempt->trial;
	char message[DIAG_TEXT];

	snprintf(message, sizeof(message),
		 "generation %llu was taken back in phase %s after %llu ms: %s",
		 (unsigned long long)attempt->generation, trial->phase,
		 (unsigned long long)trial->spent_ms, end_names[end]);
	if (end == END_FAILED)
		return attempt_failed(attempt, watch->error ? watch->error : -EIO, message);
	if (!*trial->why)
		return say_error(attempt->options, EXIT_REVERTED, "%s", message);
	diag_add(&attempt->diag, NULL, end == END_HARM ? "newly_dropped" : "evidence", "%s",
		 trial->why);
	return say_problems(attempt->options, message, &attempt->diag, EXIT_REVERTED);
}

static int finish(struct watch *watch, enum end end)
{
	struct attempt *attempt = watch->attempt;

	if (end == END_STEP) {
		report(watch, end);
		end = keep(watch);
	}
	if (end >= END_HARM) {
		take_back(watch); /* before anything is said or written */
		report(watch, end);
		return say_end(watch, end);
	}
	attempt->swapped = true;
	attempt_keep(attempt);
	return EXIT_DONE;
}

static int prepare(struct watch *watch)
{
	struct attempt *attempt = watch->attempt;
	uint64_t at[SAMPLE_KINDS];
	int r = reservoir_open(attempt->instance, &watch->reservoir);

	if (!r)
		r = attempt_tally(attempt, &watch->whole);
	if (!r)
		r = attempt_tally(attempt, &watch->lately);
	if (r)
		return r;
	reservoir_at(watch->reservoir, at);
	for (unsigned int i = 0; i < SAMPLE_KINDS; i++)
		watch->readers[i] = (struct reservoir_reader){ .kind = i, .at = at[i] };
	watch->begun = watch->lately_since = now_ns(CLOCK_MONOTONIC);
	watch->epoch = attempt->before.epoch;
	return 0;
}

int watch_run(struct attempt *attempt)
{
	cleanup(watch_free) struct watch watch = { .attempt = attempt };
	struct signals signals;
	int r = prepare(&watch), code;

	if (r)
		return attempt_failed(attempt, r, "the trial cannot be prepared");
	set_phase(&watch, "begun");
	r = attempt_record(attempt, "trial");
	if (r)
		return attempt_failed(attempt, r,
				      "nothing was changed: the disk cannot be written");
	signals_take(&signals);
	code = finish(&watch, run_phases(&watch));
	signals_give(&signals);
	return code;
}
