/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside `stanch doctor`: what was looked at, what came out, and what to do about it. */
#ifndef STANCH_CMD_DOCTOR_H
#define STANCH_CMD_DOCTOR_H

#include "cmd.h"

enum grade {
	GRADE_GOOD,
	GRADE_NOTE, /* worth knowing, nothing to mend */
	GRADE_FINDING, /* to be mended; doctor exits 1 */
};

#define FINDINGS 128u

struct finding {
	enum grade grade;
	char subject[32]; /* "kernel", "eth0" ... */
	char text[DIAG_TEXT], remedy[DIAG_TEXT]; /* remedy: "" for none */
};

struct doctor {
	const struct options *options;
	struct finding findings[FINDINGS];
	unsigned int count;
};

/* doctor_say - one outcome. @remedy may be NULL. */
void doctor_say(struct doctor *doctor, enum grade grade, const char *subject, const char *remedy,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* doctor_host - kernel, privileges, file systems, memory, clocks, the group. */
void doctor_host(struct doctor *doctor);

/*
 * doctor_interfaces - the named interfaces, or every one that is up. Returns EXIT_DONE, or the exit
 * code of what was said about a name that is not there.
 */
int doctor_interfaces(struct doctor *doctor, int count, char **names);

#endif
