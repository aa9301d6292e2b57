/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs to measure beside, and one frame many times through any program. They belong to this
 * process alone: nothing is pinned.
 */
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>

#include "dataplane/bench.h"
#include "dataplane/inside.h"
#include "yard.skel.h"

#define BURST 65536 /* live frames a test run: setting one up takes the kernel some 50 ms */

struct yard {
	struct yard_bpf *bpf;
	const struct bpf_program *programs[YARD_PROGRAMS];
};

/*
 * A chain holds its programs until the kernel finds time to take it apart, which on a busy machine
 * may be long after the last of us is gone; it is told at once.
 */
static void unchain(struct yard_bpf *bpf)
{
	for (uint32_t key = 0; bpf && key < 2; key++)
		bpf_map_delete_elem(bpf_map__fd(bpf->maps.next), &key);
}

void yard_close(struct yard **yard)
{
	if (!*yard)
		return;
	unchain((*yard)->bpf);
	yard_bpf__destroy((*yard)->bpf);
	free(*yard);
	*yard = NULL;
}

int yard_program_fd(const struct yard *yard, enum yard_program program)
{
	return bpf_program__fd(yard->programs[program]);
}

static int put_next(const struct yard *yard, uint32_t key, int program)
{
	return bpf_map_update_elem(bpf_map__fd(yard->bpf->maps.next), &key, &program, BPF_ANY)
		       ? last_error()
		       : 0;
}

int yard_open(struct yard **ret, struct diag *diag)
{
	auto_yard struct yard *yard = calloc(1, sizeof(*yard));
	int r;

	if (!yard)
		return -ENOMEM;
	yard->bpf = yard_bpf__open_and_load();
	if (!yard->bpf)
		return refused(diag, "yard", last_error(), "loading programs to measure beside");
	yard->programs[YARD_EMPTY] = yard->bpf->progs.yard_empty;
	yard->programs[YARD_DROP] = yard->bpf->progs.yard_drop;
	yard->programs[YARD_PASS] = yard->bpf->progs.yard_pass;
	yard->programs[YARD_RESET] = yard->bpf->progs.yard_reset;
	yard->programs[YARD_RESET_THEN] = yard->bpf->progs.yard_reset_then;
	r = put_next(yard, 0, yard_program_fd(yard, YARD_EMPTY));
	if (r)
		return refused(diag, "yard", r, "chaining programs to measure beside");
	*ret = TAKE_PTR(yard);
	return 0;
}

int yard_then(struct yard *yard, int program)
{
	return put_next(yard, 1, program);
}

uint64_t yard_counted(const struct yard *yard)
{
	int cpus = libbpf_num_possible_cpus();
	autofree uint64_t *counts = cpus > 0 ? calloc((size_t)cpus, sizeof(*counts)) : NULL;
	uint32_t zero = 0;
	uint64_t sum = 0;

	if (!counts || bpf_map_lookup_elem(bpf_map__fd(yard->bpf->maps.counted), &zero, counts))
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += counts[i];
	return sum;
}

int bench_run(int program, const struct frame *frame, uint32_t repeat, double *ret_ns,
	      bool *ret_dropped)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = (int)repeat);

	if (!repeat)
		return -EINVAL;
	if (bpf_prog_test_run_opts(program, &opts))
		return last_error();
	*ret_ns = opts.duration;
	*ret_dropped = opts.retval == XDP_DROP;
	return *ret_dropped || opts.retval == XDP_PASS ? 0 : -EBADMSG;
}

/* ---- live frames ---- */

/* One test run: how many frames were stamped, and in what time. */
static int send_burst(struct yard_bpf *bpf, const struct frame *frame, struct wire_report *report,
		      uint64_t *stamped)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = BURST, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	bpf->bss->sent = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.yard_send), &opts))
		return last_error();
	report->sent += bpf->bss->sent;
	report->ns += bpf->bss->stamped_ns - bpf->bss->first_ns;
	*stamped += bpf->bss->stamped;
	return 0;
}

int wire_send(struct yard *yard, const struct frame *frame, uint64_t ns, struct wire_report *ret)
{
	struct wire_report report = { 0 };
	uint64_t stamped = 0;
	int r = 0;

	yard->bpf->bss->out_ifindex = if_nametoindex(WIRE_OUT);
	if (!yard->bpf->bss->out_ifindex)
		return -ENODEV;
	while (report.ns < ns && !r) {
		r = send_burst(yard->bpf, frame, &report, &stamped);
		if (!r && !stamped)
			r = -ENETUNREACH; /* the kernel gave nothing to the program */
	}
	if (r)
		return r;
	report.rate = (double)stamped * 1e9 / (double)report.ns;
	*ret = report;
	return 0;
}

int wire_attach(const struct yard *yard, enum yard_program program, int *ret)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	unsigned int ifindex = if_nametoindex(WIRE_IN);
	int fd = ifindex ? bpf_link_create(yard_program_fd(yard, program), (int)ifindex, BPF_XDP,
					   &opts)
			 : -ENODEV;

	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}
