// SPDX-License-Identifier: GPL-2.0-only
/*
 * How not to do it: whoever is new gets one of the two entries at once, whoever had it. Else as
 * spoofed.bpf.c. Tests use it as the control that must lose those who talk to a flood.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include <stanch/source.h>

static __always_inline __u32 count_naively(struct source_line *line, __u64 key,
					   const struct source_packet *p, __u32 random)
{
	struct source_entry *e = source_find(line, key);

	if (!e) {
		e = &line->way[random & 1];
		*e = (struct source_entry){ .key = key };
	}
	source_add(e, p);
	return 1;
}

#define source_count(line, key, p, random) count_naively(line, key, p, random)
#include "spoofed.bpf.c"
