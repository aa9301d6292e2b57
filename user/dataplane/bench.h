/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `stanch bench` needs of the kernel: programs to measure beside, a place of its own that ends
 * with the process, a wire in it, and a clock at each. No function here touches an interface, a
 * pin or a map that was there before.
 */
#ifndef STANCH_DATAPLANE_BENCH_H
#define STANCH_DATAPLANE_BENCH_H

#include "dataplane/dataplane.h"
#include "policy/frame.h"

/* ---- twin.c ---- */
/*
 * twin_open_measured - a twin with slots of its own that does all that the live program does, samples
 * and reports included, and so costs the same. Of single packets it says nothing: no twin_run().
 */
int twin_open_measured(struct twin **ret, struct diag *diag);

/* ---- yard.c: programs to measure beside ---- */
struct yard;
#define auto_yard cleanup(yard_close)
enum yard_program {
	YARD_EMPTY, /* passes */
	YARD_DROP, /* counts and drops */
	YARD_PASS, /* counts and passes */
	YARD_RESET, /* takes off what a flag left in front of the packet, then YARD_EMPTY */
	YARD_RESET_THEN, /* the same, then the program of yard_then() */
	YARD_PROGRAMS,
};
int yard_open(struct yard **ret, struct diag *diag);
void yard_close(struct yard **yard);
int yard_program_fd(const struct yard *yard, enum yard_program program);
/* yard_counted - packets that YARD_DROP and YARD_PASS have seen, on all CPUs. */
uint64_t yard_counted(const struct yard *yard);

/* yard_then - @program is what YARD_RESET_THEN goes on with. */
int yard_then(struct yard *yard, int program);

/*
 * bench_run - @frame @repeat times through a program (BPF_PROG_TEST_RUN). @ret_ns: nanoseconds for
 * each, whole ones, as the kernel says it. @ret_dropped: was it dropped? Returns -EBADMSG when it
 * was neither dropped nor passed.
 */
int bench_run(int program, const struct frame *frame, uint32_t repeat, double *ret_ns,
	      bool *ret_dropped);

/* ---- sandbox.c ---- */
/*
 * sandbox_run - @fn on a thread with a network namespace and mounts of its own, in which nothing
 * of the host is to be seen: no interface, and an empty /run with a bpffs. The kernel takes all of
 * that back, with what was made in it, when the thread or the process ends, however it ends.
 * @places are those of an instance that may be made there. Returns what @fn returns, or -errno
 * with a problem in @diag; -EPERM without CAP_SYS_ADMIN.
 */
int sandbox_run(int (*fn)(void *context, const struct places *places), void *context,
		struct diag *diag);

/* ---- wire.c: two interfaces that are joined, in the network namespace of this thread ---- */
#define WIRE_OUT "bench-out" /* frames leave here */
#define WIRE_IN "bench-in" /* and arrive here */
int wire_make(struct diag *diag);

struct wire_report {
	uint64_t sent;
	uint64_t
		ns; /* from the first to the last frames of all runs: setting them up is not in it */
	double rate; /* frames per second in that time */
};
/*
 * wire_send - copies of @frame out of WIRE_OUT for @ns, as fast as one CPU does it, as live frames.
 * WIRE_IN must have an XDP program.
 */
int wire_send(struct yard *yard, const struct frame *frame, uint64_t ns, struct wire_report *ret);
/* wire_attach - a program of @yard on WIRE_IN, until @ret is closed. */
int wire_attach(const struct yard *yard, enum yard_program program, int *ret);

/* ---- swapping.c: how long a swap takes ---- */
struct swapping {
	struct instance *instance;
	struct control *control;
	unsigned int slots[2]; /* staged; one of them is live */
	const struct frame *frame; /* that both do not judge alike */
};
/* swapping_store - nanoseconds of one store, from @times swaps in a row. */
int swapping_store(const struct swapping *swapping, uint32_t times, double *ret_ns);
/*
 * swapping_first - @count times: from the store to when a thread that sends one packet after the
 * other through the program saw the first that the other generation had judged, in nanoseconds.
 * Returns 0; -ETIMEDOUT when a generation did not come into force within a second; -errno.
 */
int swapping_first(const struct swapping *swapping, uint32_t count, double *ret_ns);

#endif
