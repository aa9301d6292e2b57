/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine and this process are: facts that explain figures and refusals. Read from /proc
 * and /sys at each call; what cannot be read is said to be unknown.
 */
#ifndef STANCH_BASE_MACHINE_H
#define STANCH_BASE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* machine_line - the first line of a small file; "" when it cannot be read. Returns @out. */
const char *machine_line(const char *path, char *out, size_t size);

/* machine_capabilities - the effective ones of this process, bit by number; 0 when unknown. */
uint64_t machine_capabilities(void);

/*
 * machine_field - what stands behind "NAME :" in @text, which has such lines, as /proc/cpuinfo;
 * the first of them counts. "" when there is none. Returns @out.
 */
const char *machine_field(const char *text, const char *name, char *out, size_t size);

/* What the kernel does to make up for a defect of the processor. */
struct mitigation {
	const char *name; /* as the kernel calls the defect */
	char text[160]; /* as the kernel says it, "" when it does not */
};
#define MITIGATIONS 4u /* those that a program in the kernel pays for */

struct machine {
	char kernel[136];
	char cpu[96]; /* "" when unknown */
	unsigned int cpus; /* on which this process may run */
	bool virtual; /* below a hypervisor that says so */
	int jit; /* 1: programs are compiled, 0: interpreted, -1: not shown here */
	bool perfmon; /* without it the verifier adds barriers to programs */
	struct mitigation mitigations[MITIGATIONS];
};

void machine_find(struct machine *ret);

#endif
