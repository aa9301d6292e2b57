/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a block is refused: it would do nothing against the live policy, cut this host off, or take
 * in too much together with those that are there. Gathers the facts; policy/ judges them.
 */
#include <errno.h>

#include "cmd/override.h"
#include "policy/gates.h"

json_t *override_forced_json(uint32_t forced)
{
	json_t *ret = json_array();

	for (enum gate gate = 0; gate < GATES; gate++)
		if (forced >> gate & 1)
			json_array_append_new(ret, json_string(gate_names[gate]));
	return ret;
}

/* A generation that cannot be read allows nothing: the program passes everything under it. */
static void judge_policy(struct override_change *change)
{
	auto_control struct control *control = NULL;
	auto_image struct image_file live = { 0 };
	int r = control_open(&change->options->places, &control);

	if (!r)
		r = live_image(change->instance,
			       word_unpack(control_load(control, CONTROL_WORD)).live, &live);
	if (r)
		say_warning("what the live policy allows is not known: %s", say_reason(r));
	else
		override_allowed(&live.image, &change->item, &change->diag);
}

static void judge_host(struct override_change *change)
{
	const struct override_set all = { change->items, change->count };
	auto_host struct host host = { 0 };
	auto_diag struct diag unread = { 0 };
	int r = host_find(change->instance, &host, &unread);

	for (uint32_t i = 0; i < unread.stored; i++)
		say_detail(change->options, "%s", unread.problems[i].message);
	if (r)
		say_warning("addresses of this host are not known: %s", say_reason(r));
	if (!(change->forced >> GATE_HOST & 1))
		override_hits_host(&all, &change->item, &host, &change->diag);
}

static int judge_coverage(struct override_change *change)
{
	struct policy_settings settings;
	struct gate_result results[GATES];
	struct gate_facts facts = { .image = &change->image.image,
				    .limits = instance_limits(change->instance),
				    .settings = &settings.gates,
				    .forced = change->forced };
	int r;

	settings_default(&settings);
	r = gates_run(&facts, results, &change->diag);
	return r == -EINVAL ? 0 : r;
}

int override_change_judge(struct override_change *change)
{
	int r;

	if (change->undo || !change->item.block)
		return EXIT_DONE;
	judge_policy(change);
	judge_host(change);
	r = judge_coverage(change);
	if (r)
		return say_errno(change->options, r, "the block cannot be judged");
	if (!change->diag.total)
		return EXIT_DONE;
	return say_problems(change->options, "refused, nothing was changed", &change->diag,
			    EXIT_REFUSED);
}
