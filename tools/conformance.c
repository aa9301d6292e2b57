/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conformance - the conformance table, run and printed: every packet through the program in the
 * kernel, through the same code natively, and, when an interface with a peer's XDP program is
 * named, through that program too. The peer has to hold the blocked addresses already.
 *
 *   conformance [--native] [--peer IFACE]
 *
 * Exit: 0 all as required, 1 something is not, 2 the run itself failed.
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <stanch/reasons.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"
#include "policy/conformance.h"

struct run {
	bool native; /* nothing but the native judge */
	int peer; /* program of the peer, -1 without */
	struct twin *twin;
	struct image_file images[SETTINGS];
	unsigned int packets, wrong, peer_wrong, peer_packets;
};

/* One packet's outcomes as they are printed. */
struct cell {
	char required, native, kernel, peer; /* 'D', 'P', '-' when not run */
	const char *reason;
	bool right;
};

static char letter(uint8_t verdict)
{
	if (verdict == VERDICT_DROP)
		return 'D';
	return verdict == VERDICT_FLAG ? 'F' : 'P';
}

static int say(const char *what, int error, const struct diag *diag)
{
	fprintf(stderr, "conformance: %s: %s\n", what, strerror(-error));
	for (uint32_t i = 0; diag && i < diag->stored; i++)
		fprintf(stderr, "  %s\n", diag->problems[i].message);
	return error;
}

static int prepare(struct run *run)
{
	auto_diag struct diag diag = { 0 };
	int r = run->native ? 0 : twin_open(NULL, &run->twin, &diag);

	if (r)
		return say("loading the program", r, &diag);
	for (unsigned int i = 0; i < SETTINGS; i++) {
		r = conformance_image(i, &run->images[i], &diag);
		if (!r && run->twin)
			r = twin_stage(run->twin, &run->images[i], i, &diag);
		if (r)
			return say("staging the policy", r, &diag);
	}
	return 0;
}

/* The peer knows two hosts; rows sent by another listed one ask it nothing. */
static bool peer_is_asked(const struct run *run, const struct conformance_row *row)
{
	if (run->peer < 0)
		return false;
	for (unsigned int i = 0; i < FRAME_STEPS; i++) {
		uint8_t op = row->steps[i].op;

		if (op == FRAME_SRC_BYTE || op == FRAME_SRC_MAPPED || op == FRAME_SRC_6TO4)
			return false;
	}
	return true;
}

static int ask_peer(struct run *run, struct frame *frame, char *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = 1);

	if (bpf_prog_test_run_opts(run->peer, &opts))
		return -errno;
	*ret = "ADPT?"[opts.retval < 4 ? opts.retval : 4]; /* by enum xdp_action */
	return 0;
}

static int ask_kernel(struct run *run, const struct conformance_row *row, const struct frame *frame,
		      struct cell *cell, const struct judgement *native)
{
	struct judged judged;
	uint32_t action;
	int r = twin_command(run->twin, row->setting, MODE_ENFORCE, 0);

	if (!r)
		r = twin_run(run->twin, frame->bytes, frame->len, &judged, &action);
	if (r)
		return r;
	cell->kernel = letter(judged.enforced);
	if (judged.reason != native->reason || judged.verdict != native->verdict ||
	    judged.list != native->list || (action == 1) != (judged.enforced == VERDICT_DROP))
		cell->right = false;
	return 0;
}

static int run_packet(struct run *run, const struct conformance_row *row,
		      enum conformance_side side, struct cell *cell)
{
	const struct expectation *expected = &row->expected[side];
	struct judgement native;
	struct frame frame;
	int r = conformance_frame(row, side, &frame);

	if (r)
		return say(row->name, r, NULL);
	frame_judge(&run->images[row->setting].image, frame.bytes, frame.len, 0, &native);
	*cell = (struct cell){
		.required = letter(expected->verdict),
		.native = letter(native.verdict),
		.kernel = '-',
		.peer = '-',
		.reason = native.reason < REASONS ? reason_texts[native.reason].name : "?",
		.right = native.verdict == expected->verdict && native.reason == expected->reason,
	};
	if (run->twin)
		r = ask_kernel(run, row, &frame, cell, &native);
	if (!r && peer_is_asked(run, row)) {
		r = ask_peer(run, &frame, &cell->peer);
		run->peer_packets++;
		run->peer_wrong += !r && cell->peer != cell->required;
	}
	run->packets++;
	run->wrong += !cell->right;
	return r ? say(row->name, r, NULL) : 0;
}

static void print_cell(const struct cell *cell)
{
	printf("  %c  %c  %c  %c  %-16s", cell->required, cell->kernel, cell->native, cell->peer,
	       cell->reason);
}

static int run_row(struct run *run, const struct conformance_row *row)
{
	struct cell cells[SIDES] = { 0 };
	bool right = true;

	for (unsigned int side = 0; side < SIDES; side++) {
		int r = run_packet(run, row, side, &cells[side]);

		if (r)
			return r;
		right &= cells[side].right;
	}
	printf("%-46s", row->name);
	print_cell(&cells[SIDE_BLOCKED]);
	print_cell(&cells[SIDE_GOOD]);
	printf("%s\n", right ? "" : " WRONG");
	return 0;
}

static int run_table(struct run *run)
{
	printf("%-46s  %-30s%s\n", "", "from a blocked source", "from a good source");
	printf("%-46s  req krn nat peer reason        req krn nat peer reason\n", "packet");
	for (uint32_t i = 0; i < conformance_row_count; i++) {
		int r = run_row(run, &conformance_rows[i]);

		if (r)
			return r;
	}
	printf("\n%u packets in %u rows, %u not as required", run->packets, conformance_row_count,
	       run->wrong);
	if (run->peer >= 0)
		printf("; the peer: %u of %u otherwise than required here", run->peer_wrong,
		       run->peer_packets);
	printf("\n(D drop, P pass, A aborted; the peer knows no lists of other actions and no port protection)\n");
	return 0;
}

static int open_peer(const char *name, int *ret)
{
	unsigned int ifindex = if_nametoindex(name);
	uint32_t id = 0;
	int r = ifindex ? bpf_xdp_query_id((int)ifindex, 0, &id) : -ENODEV;

	if (!r && !id)
		r = -ENOENT;
	if (!r)
		*ret = bpf_prog_get_fd_by_id(id);
	return r ? r : *ret < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "native", no_argument, NULL, 'n' },
		{ "peer", required_argument, NULL, 'p' },
		{ 0 },
	};
	struct run run = { .peer = -1 };
	int option, r = 0;

	while ((option = getopt_long(argc, argv, "np:", options, NULL)) != -1) {
		if (option == 'n')
			run.native = true;
		else if (option == 'p')
			r = open_peer(optarg, &run.peer);
		else
			return 2;
		if (r)
			return say(optarg, r, NULL), 2;
	}
	r = prepare(&run);
	if (!r)
		r = run_table(&run);
	for (unsigned int i = 0; i < SETTINGS; i++)
		image_free(&run.images[i]);
	twin_close(&run.twin);
	close_fd(&run.peer);
	return r ? 2 : run.wrong ? 1 : 0;
}
