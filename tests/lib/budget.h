/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The budget: a text file of lines `NAME NUMBER PERCENT`, how much there may be of what, and how
 * much more than that is still the same. The lines `kernel` and `machine` say where that was measured.
 * Everything here fails the test when the file cannot be read, or has no such line.
 */
#ifndef TESTS_LIB_BUDGET_H
#define TESTS_LIB_BUDGET_H

#include <stdbool.h>

#define BUDGET "tests/bench/budget"
#define BUDGET_LINES 128
#define BUDGET_LINE 128

struct budget {
	char lines[BUDGET_LINES][BUDGET_LINE];
	int count;
	bool same_kernel; /* as here: what the verifier and maps need can be compared */
	bool same_machine; /* and machine code, and what is next to nothing */
	bool renew; /* what is measured becomes the budget, see budget_save() */
	bool quiet; /* what is over is counted and not said */
	int over; /* how many were */
};

/*
 * budget_load - the file. Says so when it was written elsewhere. With BUDGET_WRITE=1 in the
 * environment it is to be written anew, and is about this kernel and machine.
 */
void budget_load(struct budget *ret);
/* budget_holds - is @measured within @name's? Says metric, budget and measured when it is not. */
bool budget_holds(struct budget *budget, const char *name, double measured);
/* budget_save - write what was renewed, if anything was to be. */
void budget_save(const struct budget *budget);

#endif
