/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a candidate would have done to recent traffic. Samples about which the kernel and the native
 * judge disagree are kept in the state folder, for whoever has to find out why.
 */
#include "cmd/attempt.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "store/store.h"

int attempt_tally(struct attempt *attempt, struct traffic **ret)
{
	auto_traffic struct traffic *traffic = NULL;
	const struct arg_values *expect = attempt->wish.expect;
	int r = traffic_new(&attempt->image.image, &traffic);

	for (unsigned int i = 0; !r && expect && i < expect->count; i++) {
		r = traffic_expect(traffic, expect->items[i]);
		if (r == -ENOENT)
			diag_add(&attempt->diag, NULL, "no_such_list",
				 "--expect %s: the policy has no list of that name",
				 expect->items[i]);
	}
	if (!r)
		*ret = TAKE_PTR(traffic);
	return r;
}

static void gate_newly_dropped(struct attempt *attempt, const struct traffic *traffic)
{
	struct gate_result *gate = &attempt->gates[GATE_NEWLY_DROPPED];
	const struct traffic_sums *sums = &attempt->recent;
	const struct gate_settings *settings = &attempt->settings.gates;
	bool harm, forced = attempt->wish.forced >> GATE_NEWLY_DROPPED & 1;

	traffic_sums(traffic, &attempt->recent);
	*gate = (struct gate_result){ .judged = sums->packets > 0,
				      .limit = settings->newly_dropped };
	harm = traffic_judge(traffic, settings, gate->text) == TRAFFIC_HARM;
	if (sums->packets)
		gate->value = sums->newly_dropped * 1000000 / sums->packets;
	gate->forced = harm && forced;
	gate->refused = harm && !forced;
	if (gate->forced)
		say_warning("gate newly_dropped is forced: %s", gate->text);
}

static int keep_disputed(struct attempt *attempt, const struct recent *recent)
{
	uint32_t count = recent->disputed < RECENT_DISPUTED ? recent->disputed : RECENT_DISPUTED;
	int r = store_disputed_write(&attempt->options->places, recent->disputes, count);

	if (r)
		say_warning("the disputed packets could not be kept: %s", say_reason(r));
	else
		say_progress(attempt->options, "the disputed packets are in %s/disputed.pcap",
			     attempt->options->places.state);
	return attempt_refused(attempt, "refused: the kernel judges recent traffic otherwise");
}

static void say_recent(const struct attempt *attempt, const struct recent *recent)
{
	say_detail(
		attempt->options,
		"recent traffic: %u samples, %u of them in the kernel, too; %u cannot be judged, "
		"%u left out",
		recent->samples, recent->runs, recent->unread, recent->left_out);
}

static int replay(struct attempt *attempt, struct twin *twin, unsigned int slot,
		  struct traffic *traffic)
{
	auto_reservoir struct reservoir *reservoir = NULL;
	struct recent_question question = {
		.twin = twin,
		.slot = slot,
		.reference = &attempt->reference.image,
		.candidate = &attempt->image.image,
	};
	autofree struct recent *recent = calloc(1, sizeof(*recent));
	int r = recent ? reservoir_open(attempt->instance, &reservoir) : -ENOMEM;

	if (r)
		return attempt_failed(attempt, r, "recent traffic cannot be read");
	question.reservoir = reservoir;
	r = recent_replay(&question, traffic, recent, &attempt->diag);
	if (r == -EBADMSG)
		return keep_disputed(attempt, recent);
	if (r)
		return attempt_failed(attempt, r, "recent traffic cannot be replayed");
	say_recent(attempt, recent);
	return EXIT_DONE;
}

int attempt_recent(struct attempt *attempt, struct twin *twin, unsigned int slot)
{
	const struct gate_result *gate = &attempt->gates[GATE_NEWLY_DROPPED];
	auto_traffic struct traffic *traffic = NULL;
	struct diag_limit limit;
	int r = attempt_tally(attempt, &traffic), code = EXIT_DONE;

	if (r == -ENOENT)
		return attempt_refused(attempt, "refused, nothing was changed");
	if (r)
		return attempt_failed(attempt, r, "recent traffic cannot be judged");
	if (attempt->instance &&
	    attempt->reference.bytes) /* else there is nothing to compare with */
		code = replay(attempt, twin, slot, traffic);
	if (code != EXIT_DONE)
		return code;
	gate_newly_dropped(attempt, traffic);
	if (!gate->refused)
		return EXIT_DONE;
	limit = (struct diag_limit){ gate->value, gate->limit };
	diag_add_limit(&attempt->diag, NULL, "gate_newly_dropped", limit, "%s", gate->text);
	return attempt_refused(attempt, "refused: it would drop what passes now");
}
