/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What holds for a policy that says nothing about its own transaction, and for an image. */
#include "policy/settings.h"

void settings_default(struct policy_settings *ret)
{
	*ret = (struct policy_settings){
		.gates = {
			.growth = 1500,
			.coverage = 10000,
			.newly_dropped = 1000,
			.newly_dropped_sources = 5000,
			.newly_dropped_port = 50000,
		},
		.canary = {
			.steps = { 10, 100, 500 },
			.step_count = 3,
			.step_ms = 10 * 1000,
			.soak_ms = 10 * 60 * 1000,
		},
	};
}
