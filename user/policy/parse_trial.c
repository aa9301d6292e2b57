/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys `gates` and `canary`: how large a change may be, and how it is tried out. They judge no
 * packet and leave no trace in the image.
 */
#include "base/cleanup.h"
#include "parse.h"

static const struct unit factors[] = { { "", 1000 }, { 0 } };
static const struct unit percents[] = { { "%", 10000 }, { 0 } };
static const struct unit step_percents[] = { { "%", 10 }, { 0 } };
static const struct unit times[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000ull }, { "h", 3600 * 1000ull }, { 0 }
};

#define A_SHARE "a percentage such as 0.5%"
#define A_TIME "a time such as 500ms, 10s, 5m or 1h"

/* A share of something, in parts per million. */
static int take_share(struct parse *parse, const struct node *value, const char *what,
		      uint32_t *ret)
{
	struct amount share = { .what = what,
				.wanted = A_SHARE,
				.units = percents,
				.grain_text = "0.0001%",
				.least = 1,
				.most = 1000000,
				.least_text = "0.0001%",
				.most_text = "100%" };

	parse_amount(parse, value, &share, ret);
	return 0;
}

static int take_growth(struct parse *parse, const struct node *value, void *into)
{
	static const struct amount growth = { .what = "growth",
					      .wanted = "a factor such as 1.5",
					      .units = factors,
					      .grain_text = "0.001",
					      .least = 1001,
					      .most = 1000000,
					      .least_text = "1.001",
					      .most_text = "1000" };
	struct gate_settings *gates = into;

	parse_amount(parse, value, &growth, &gates->growth);
	return 0;
}

static int take_coverage(struct parse *parse, const struct node *value, void *into)
{
	struct gate_settings *gates = into;

	return take_share(parse, value, "coverage", &gates->coverage);
}

static int take_newly_dropped(struct parse *parse, const struct node *value, void *into)
{
	struct gate_settings *gates = into;

	return take_share(parse, value, "newly_dropped", &gates->newly_dropped);
}

static int take_sources(struct parse *parse, const struct node *value, void *into)
{
	struct gate_settings *gates = into;

	return take_share(parse, value, "newly_dropped_sources", &gates->newly_dropped_sources);
}

static int take_port(struct parse *parse, const struct node *value, void *into)
{
	struct gate_settings *gates = into;

	return take_share(parse, value, "newly_dropped_port", &gates->newly_dropped_port);
}

int parse_gates(struct parse *parse, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "growth", take_growth, false },
		{ "coverage", take_coverage, false },
		{ "newly_dropped", take_newly_dropped, false },
		{ "newly_dropped_sources", take_sources, false },
		{ "newly_dropped_port", take_port, false },
	};
	static const struct schema schema = { "gates", keys, ARRAY_SIZE(keys) };
	struct policy *policy = into;

	return parse_mapping(parse, value, &schema, &policy->settings.gates);
}

static void add_step(struct parse *parse, const struct node *node, struct canary_settings *canary)
{
	static const struct amount share = {
		.what = "a step",
		.wanted = A_SHARE,
		.units = step_percents,
		.grain_text = "0.1%",
		.least = 1,
		.most = 999,
		.least_text = "0.1%",
		.most_text = "99.9% (everybody comes after the last step)"
	};
	uint32_t count = canary->step_count, step;

	if (!parse_amount(parse, node, &share, &step))
		return;
	if (count && step <= canary->steps[count - 1]) {
		diag_add(parse->diag, parse_at(parse, node), "steps_not_rising",
			 "each step is larger than the one before it: %u.%u%% after %u.%u%%",
			 step / 10, step % 10, canary->steps[count - 1] / 10u,
			 canary->steps[count - 1] % 10u);
		return;
	}
	if (count < CANARY_STEPS)
		canary->steps[canary->step_count++] = (uint16_t)step;
}

static int take_steps(struct parse *parse, const struct node *value, void *into)
{
	struct canary_settings *canary = into;
	const struct node *node;
	uint32_t count = 0;

	if (!parse_is(parse, value, NODE_SEQUENCE, "steps"))
		return 0;
	canary->step_count = 0;
	for (node = node_first(parse, value); node; node = node_next(parse, node)) {
		if (++count <= CANARY_STEPS)
			add_step(parse, node, canary);
	}
	if (count > CANARY_STEPS)
		diag_add_limit(parse->diag, parse_at(parse, value), "too_many_steps",
			       (struct diag_limit){ count, CANARY_STEPS },
			       "%u steps, a canary has at most %u", count, CANARY_STEPS);
	return 0;
}

static int take_step(struct parse *parse, const struct node *value, void *into)
{
	static const struct amount step = { .what = "step",
					    .wanted = A_TIME,
					    .units = times,
					    .grain_text = "1ms",
					    .least = 10,
					    .most = 3600 * 1000,
					    .least_text = "10ms",
					    .most_text = "1h" };
	struct canary_settings *canary = into;

	parse_amount(parse, value, &step, &canary->step_ms);
	return 0;
}

static int take_soak(struct parse *parse, const struct node *value, void *into)
{
	static const struct amount soak = { .what = "soak",
					    .wanted = A_TIME,
					    .units = times,
					    .grain_text = "1ms",
					    .least = 100,
					    .most = 24 * 3600 * 1000,
					    .least_text = "100ms",
					    .most_text = "24h" };
	struct canary_settings *canary = into;

	parse_amount(parse, value, &soak, &canary->soak_ms);
	return 0;
}

int parse_canary(struct parse *parse, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "steps", take_steps, false },
		{ "step", take_step, false },
		{ "soak", take_soak, false },
	};
	static const struct schema schema = { "canary", keys, ARRAY_SIZE(keys) };
	struct policy *policy = into;

	return parse_mapping(parse, value, &schema, &policy->settings.canary);
}
