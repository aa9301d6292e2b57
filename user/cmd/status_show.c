/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How `stanch status` looks, on one screen and as a document. Reads nothing but what it is given. */
#include "status.h"

#include <time.h>

#include "describe.h"
#include "switch.h"

static const char *attach_mode_text(const struct attachment *attachment)
{
	return attachment->mode == ATTACH_NATIVE ? "native" : "generic";
}

static const char *mark_text(const struct attachment *attachment)
{
	static const char *const names[] = {
		[MARK_NONE] = "none",
		[MARK_TCX] = "tcx",
		[MARK_CLSACT] = "clsact",
	};

	return names[attachment->mark];
}

static void print_generation(const struct status *status, const char *label, unsigned int slot)
{
	const struct slot_info *info = &status->look.slots[slot];
	uint64_t now = now_ns(CLOCK_REALTIME);
	char digest[DIGEST_TEXT], age[AGE_TEXT];

	if (!info->lines) {
		say_text("%-10s  nothing in slot %u\n", label, slot);
		return;
	}
	age_text(now > info->staged_ns ? now - info->staged_ns : 0, age);
	say_text("%-10s  generation %llu%s, digest %.16s, %s old, slot %u\n", label,
		 (unsigned long long)info->generation,
		 info->generation ? "" : " (factory: passes everything)",
		 digest_text(info->digest, digest), age, slot);
}

static void print_counts(const struct sums *sums)
{
	unsigned int verdict;

	say_text("%-10s  %llu seen, %llu bytes:", "packets", (unsigned long long)sums->packets,
		 (unsigned long long)sums->bytes);
	for (verdict = 0; verdict < VERDICTS; verdict++)
		if (sums->verdicts[verdict] || verdict == VERDICT_PASS || verdict == VERDICT_DROP)
			say_text(" %s %llu", verdict_names[verdict],
				 (unsigned long long)sums->verdicts[verdict]);
	if (sums->monitored)
		say_text(" (%llu passed only because of monitor mode)",
			 (unsigned long long)sums->monitored);
	say_text("\n%-10s  %llu sent, %llu held back, %llu lost\n", "events",
		 (unsigned long long)sums->sent, (unsigned long long)sums->suppressed,
		 (unsigned long long)sums->lost);
}

static void print_attachments(const struct status *status)
{
	uint32_t i;

	for (i = 0; i < status->attached; i++) {
		const struct attachment *at = &status->attachments[i];

		if (!at->gone)
			say_text("%-10s  %s (index %u, namespace %llu), %s, marks: %s\n",
				 "interface", at->name, at->ifindex, (unsigned long long)at->netns,
				 attach_mode_text(at), mark_text(at));
	}
}

/* What is in force: nothing where the kernel has none. */
struct tally {
	uint32_t allowed, blocked;
	const struct override *next; /* that ends first */
};

static struct tally count_overrides(const struct override_view *view)
{
	struct tally ret = { 0 };

	for (uint32_t i = 0; view->kernel.bytes && i < view->merge.count; i++) {
		const struct override *item = &view->merge.items[i];

		*(item->block ? &ret.blocked : &ret.allowed) += 1;
		if (item->expires && (!ret.next || item->expires < ret.next->expires))
			ret.next = item;
	}
	return ret;
}

static void print_overrides(const struct override_view *view)
{
	const struct tally tally = count_overrides(view);
	char left[AGE_TEXT];

	say_text("%-10s  %u allowed, %u blocked by the operator", "overrides", tally.allowed,
		 tally.blocked);
	if (tally.next)
		say_text("; the next ends in %s", override_left(tally.next, &view->now, left));
	say_text("\n");
}

void status_print(const struct options *options, const struct status *status)
{
	const struct look *look = &status->look;
	char text[KILLS_TEXT];
	unsigned int i;

	say_text("%-10s  %s\n", "instance", options->places.instance);
	say_text("%-10s  %s (operator %s, policy %s)\n", "mode",
		 mode_text(look_mode(look, status->policy)), mode_text(look->word.mode),
		 status->image_error ? "unknown" : mode_text(status->policy));
	say_text("%-10s  %s\n", "killed", kills_text(look->word.kills, text));
	print_generation(status, "live", look->word.live);
	print_generation(status, "last good", look->word.good);
	if (look->word.share)
		print_generation(status, "candidate", look->word.candidate);
	print_overrides(&status->overrides);
	print_attachments(status);
	print_counts(&status->sums);
	for (i = 0; i < status->shout_count; i++)
		say_text("%s! %s\n", i ? "" : "\n", status->shouts[i]);
}

static json_t *generation_json(const struct status *status, unsigned int slot)
{
	const struct slot_info *info = &status->look.slots[slot];
	char digest[DIGEST_TEXT];

	if (!info->lines)
		return json_null();
	return json_pack("{so, ss, si, sI, so}", "generation", json_u64(info->generation), "digest",
			 digest_text(info->digest, digest), "slot", (int)slot, "lines",
			 (json_int_t)info->lines, "staged_ns", json_u64(info->staged_ns));
}

static json_t *attachments_json(const struct status *status)
{
	json_t *ret = json_array();
	uint32_t i;

	for (i = 0; i < status->attached; i++) {
		const struct attachment *at = &status->attachments[i];

		json_array_append_new(ret,
				      json_pack("{ss, sI, so, ss, ss, sb}", "name", at->name,
						"ifindex", (json_int_t)at->ifindex, "netns",
						json_u64(at->netns), "mode", attach_mode_text(at),
						"mark", mark_text(at), "gone", at->gone));
	}
	return ret;
}

static json_t *packets_json(const struct sums *sums)
{
	json_t *verdicts = json_object(), *trouble = json_object();
	unsigned int i;

	for (i = 0; i < VERDICTS; i++)
		json_object_set_new(verdicts, verdict_names[i], json_u64(sums->verdicts[i]));
	for (i = 0; i < REASONS; i++)
		if (sums->trouble[i])
			json_object_set_new(trouble, reason_texts[i].name,
					    json_u64(sums->trouble[i]));
	return json_pack("{so, so, so, so, so}", "packets", json_u64(sums->packets), "bytes",
			 json_u64(sums->bytes), "monitored", json_u64(sums->monitored), "verdicts",
			 verdicts, "trouble", trouble);
}

static json_t *mode_json(const struct status *status)
{
	const struct look *look = &status->look;
	json_t *policy = status->image_error ? json_null() : json_string(mode_text(status->policy));

	return json_pack("{ss, ss, so, sb}", "effective",
			 mode_text(look_mode(look, status->policy)), "operator",
			 mode_text(look->word.mode), "policy", policy, "break_glass",
			 look->break_glass);
}

static json_t *lease_json(const struct look *look)
{
	return json_pack("{sb, so, sb, si}", "provisional", look->word.provisional, "deadline_ns",
			 json_u64(look->lease_ns), "expired", look->expired, "share_permille",
			 (int)look->word.share);
}

static json_t *shouts_json(const struct status *status)
{
	json_t *ret = json_array();
	unsigned int i;

	for (i = 0; i < status->shout_count; i++)
		json_array_append_new(ret, json_string(status->shouts[i]));
	return ret;
}

static json_t *overrides_json(const struct override_view *view)
{
	const struct tally tally = count_overrides(view);

	return json_pack("{sI, sI, so, sb}", "allowed", (json_int_t)tally.allowed, "blocked",
			 (json_int_t)tally.blocked, "next",
			 tally.next ? override_json(tally.next, &view->now) : json_null(),
			 "in_force", view->kernel.bytes || !view->merge.count);
}

json_t *status_json(const struct options *options, const struct status *status)
{
	const struct look *look = &status->look;
	json_t *ret =
		json_pack("{ss, so, so, so, si, so, so, so, so}", "instance",
			  options->places.instance, "mode", mode_json(status), "killed",
			  kills_json(look->word.kills), "word", json_u64(look->raw), "epoch",
			  (int)look->word.epoch, "live", generation_json(status, look->word.live),
			  "last_known_good", generation_json(status, look->word.good), "lease",
			  lease_json(look), "interfaces", attachments_json(status));

	json_object_set_new(ret, "candidate",
			    look->word.share ? generation_json(status, look->word.candidate)
					     : json_null());

	json_object_set_new(ret, "counters", packets_json(&status->sums));
	json_object_set_new(ret, "events",
			    json_pack("{so, so, so}", "sent", json_u64(status->sums.sent),
				      "suppressed", json_u64(status->sums.suppressed), "lost",
				      json_u64(status->sums.lost)));
	json_object_set_new(ret, "overrides", overrides_json(&status->overrides));
	json_object_set_new(ret, "attention", shouts_json(status));
	return ret;
}
