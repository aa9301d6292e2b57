/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `stanch bench` measured, for people and as JSON. Ratios stand first: they travel. */
#include "cmd/bench.h"

static const char *const pps_names[PPS_WAYS] = {
	[PPS_BARE_DROP] = "bare counting drop",
	[PPS_DROP] = "stanch, drop by list",
	[PPS_BARE_PASS] = "bare counting pass",
	[PPS_PASS] = "stanch, pass, on no list",
};
static const char *const apply_names[APPLY_PARTS] = {
	[APPLY_READ] = "read",	 [APPLY_COMPILE] = "compile", [APPLY_STAGE] = "stage",
	[APPLY_PROVE] = "prove", [APPLY_SWAP] = "swap",
};

/* ---- for people ---- */

static void print_policy(const struct bench *bench)
{
	const struct image_counts *counts = image_counts(&bench->image.image);

	if (bench->live)
		say_text("judged by    generation %llu, live",
			 (unsigned long long)bench->generation);
	else
		say_text("judged by    %s",
			 bench->policy ? bench->policy : "a small policy built in");
	say_text(", %u prefixes\n", counts->prefixes);
}

static void print_machine(const struct machine *machine)
{
	static const char *const jit[] = { "not shown here", "off: several times slower", "on" };

	say_text("kernel       %s, JIT %s\n", machine->kernel, jit[machine->jit + 1]);
	say_text("processor    %s, %u CPU%s%s\n", *machine->cpu ? machine->cpu : "unknown",
		 machine->cpus, machine->cpus == 1 ? "" : "s",
		 machine->virtual ? ", virtual machine" : "");
	for (unsigned int i = 0; i < MITIGATIONS; i++) {
		const struct mitigation *mitigation = &machine->mitigations[i];

		if (*mitigation->text)
			say_text("%s%-20s %s\n", i ? "             " : "pays for     ",
				 mitigation->name, mitigation->text);
	}
	say_text("CAP_PERFMON  %s\n",
		 machine->perfmon ? "there" : "missing: programs cost about twice as much");
}

static void print_ns(const struct bench_ns *ns)
{
	say_text("\n%-28s %15s %8s %8s %8s\n", "nanoseconds per packet", "x counting drop", "ns",
		 "p10", "p90");
	for (unsigned int i = 0; i < NS_ROWS; i++) {
		const struct ns_row *row = &ns->rows[i];

		if (row->there)
			say_text("%-28s %15.1f %8.0f %8.0f %8.0f\n", row->name, row->ratio.median,
				 row->ns.median, row->ns.low, row->ns.high);
		else
			say_text("%-28s %15s  no such packet under this policy\n", row->name, "-");
	}
	say_text("medians of %u alternated rounds, loaded %u time%s\n", ns->rounds, ns->loads,
		 ns->loads == 1 ? "" : "s");
}

static void print_pps(const struct bench_pps *pps)
{
	say_text("\n%-28s %15s %8s %8s %8s\n", "live frames, one CPU, veth", "x bare", "Mpps",
		 "p10", "p90");
	for (unsigned int i = 0; i < PPS_WAYS; i++) {
		const struct pps_row *row = &pps->rows[i];

		if (row->there)
			say_text("%-28s %15.2f %8.3f %8.3f %8.3f\n", pps_names[i],
				 row->ratio.median, row->rate.median / 1e6, row->rate.low / 1e6,
				 row->rate.high / 1e6);
		else
			say_text("%-28s %15s  no such packet under this policy\n", pps_names[i],
				 "-");
	}
	say_text("medians of %u alternated rounds of %u ms; the sender is in every figure\n",
		 pps->rounds, pps->ms);
}

static void print_times(const struct bench_times *times)
{
	say_text("\nswap, the store              %10.1f ns  (%.1f to %.1f)\n",
		 times->store_ns.median, times->store_ns.low, times->store_ns.high);
	say_text("swap, to the first packet    %10.1f us  (%.1f to %.1f, worst of %u: %.1f)\n",
		 times->first_us.median, times->first_us.low, times->first_us.high, times->swaps,
		 times->first_worst_us);
	say_text("\n%-16s", "apply, ms");
	for (unsigned int i = 0; i < APPLY_PARTS; i++)
		say_text(" %9s", apply_names[i]);
	say_text(" %9s\n", "in all");
	for (unsigned int i = 0; i < times->sizes; i++) {
		const struct apply_row *row = &times->rows[i];

		say_text("%-16u", row->prefixes);
		for (unsigned int part = 0; part < APPLY_PARTS; part++)
			say_text(" %9.*f", part == APPLY_SWAP ? 3 : 1, row->ms[part].median);
		say_text(" %9.1f\n", row->total_ms.median);
	}
}

void bench_print(const struct bench *bench)
{
	print_policy(bench);
	print_machine(&bench->machine);
	if (bench->wanted[PART_NS])
		print_ns(&bench->ns);
	if (bench->wanted[PART_PPS])
		print_pps(&bench->pps);
	if (bench->wanted[PART_TIMES])
		print_times(&bench->times);
}

/* ---- JSON ---- */

/* No more digits than were measured. */
static json_t *number(double value)
{
	return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static json_t *spread_json(const struct spread *spread)
{
	return json_pack("{so,so,so}", "median", number(spread->median), "p10", number(spread->low),
			 "p90", number(spread->high));
}

/* Whole, and possibly more than 32 bits: strings. */
static json_t *rates_json(const struct spread *spread)
{
	return json_pack("{so,so,so}", "median", json_u64((uint64_t)spread->median), "p10",
			 json_u64((uint64_t)spread->low), "p90", json_u64((uint64_t)spread->high));
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *machine_json(const struct machine *machine)
{
	json_t *mitigations = json_object();

	for (unsigned int i = 0; i < MITIGATIONS; i++)
		json_object_set_new(mitigations, machine->mitigations[i].name,
				    text_or_null(machine->mitigations[i].text));
	return json_pack("{ss,so,si,sb,so,sb,so}", "kernel", machine->kernel, "processor",
			 text_or_null(machine->cpu), "cpus", machine->cpus, "virtual",
			 machine->virtual, "jit",
			 machine->jit < 0 ? json_null() : json_boolean(machine->jit), "cap_perfmon",
			 machine->perfmon, "mitigations", mitigations);
}

static json_t *policy_json(const struct bench *bench)
{
	return json_pack("{ss,so,so,si,ss}", "from",
			 bench->live	 ? "live"
			 : bench->policy ? "file"
					 : "built-in",
			 "file", bench->policy ? json_string(bench->policy) : json_null(),
			 "generation", bench->live ? json_u64(bench->generation) : json_null(),
			 "prefixes", (int)image_counts(&bench->image.image)->prefixes, "mode",
			 image_hot(&bench->image.image)->mode == MODE_ENFORCE ? "enforce"
									      : "monitor");
}

static json_t *ns_json(const struct bench_ns *ns)
{
	json_t *rows = json_array();

	for (unsigned int i = 0; i < NS_ROWS; i++) {
		const struct ns_row *row = &ns->rows[i];

		json_array_append_new(
			rows, json_pack("{ss,so,so}", "packet", row->name, "ratio",
					row->there ? spread_json(&row->ratio) : json_null(), "ns",
					row->there ? spread_json(&row->ns) : json_null()));
	}
	return json_pack("{si,si,so}", "loads", (int)ns->loads, "rounds", (int)ns->rounds, "rows",
			 rows);
}

static json_t *pps_json(const struct bench_pps *pps)
{
	json_t *rows = json_array();

	for (unsigned int i = 0; i < PPS_WAYS; i++) {
		const struct pps_row *row = &pps->rows[i];

		json_array_append_new(rows,
				      json_pack("{ss,so,so,so}", "way", pps_names[i], "ratio",
						row->there ? spread_json(&row->ratio) : json_null(),
						"packets_per_second",
						row->there ? rates_json(&row->rate) : json_null(),
						"packets", json_u64(row->packets)));
	}
	return json_pack("{si,si,so}", "rounds", (int)pps->rounds, "round_ms", (int)pps->ms, "rows",
			 rows);
}

static json_t *apply_json(const struct apply_row *row)
{
	json_t *steps = json_object();

	for (unsigned int i = 0; i < APPLY_PARTS; i++)
		json_object_set_new(steps, apply_names[i], spread_json(&row->ms[i]));
	return json_pack("{si,si,so,si,so,so}", "prefixes", (int)row->prefixes, "rounds",
			 (int)row->rounds, "image_bytes",
			 json_u64((uint64_t)row->lines * LINE_SIZE), "golden_packets",
			 (int)row->packets, "ms", steps, "total_ms", spread_json(&row->total_ms));
}

static json_t *times_json(const struct bench_times *times)
{
	json_t *applies = json_array();

	for (unsigned int i = 0; i < times->sizes; i++)
		json_array_append_new(applies, apply_json(&times->rows[i]));
	return json_pack("{s{so,so,so,si},so}", "swap", "store_ns", spread_json(&times->store_ns),
			 "first_packet_us", spread_json(&times->first_us), "first_packet_worst_us",
			 number(times->first_worst_us), "swaps", (int)times->swaps, "apply",
			 applies);
}

json_t *bench_json(const struct bench *bench)
{
	const bool *wanted = bench->wanted;

	return json_pack("{sb,so,so,so,so,so}", "quick", bench->quick, "machine",
			 machine_json(&bench->machine), "policy", policy_json(bench), "ns",
			 wanted[PART_NS] ? ns_json(&bench->ns) : json_null(), "pps",
			 wanted[PART_PPS] ? pps_json(&bench->pps) : json_null(), "times",
			 wanted[PART_TIMES] ? times_json(&bench->times) : json_null());
}
