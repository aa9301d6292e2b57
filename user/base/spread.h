/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What measured values say together: the one in the middle, and how far apart most of them are. On
 * a machine that others use, too, a mean says more about them than about what was measured.
 */
#ifndef STANCH_BASE_SPREAD_H
#define STANCH_BASE_SPREAD_H

#include <stddef.h>

struct spread {
	double median;
	double low, high; /* a tenth of the values lie below, a tenth above */
};

/* spread_of - of @count values, which are put in order. All zero when there are none. */
struct spread spread_of(double *values, size_t count);

/*
 * spread_ratios - of values[i] / yard[i], for what was measured in turn: what disturbed one round
 * disturbed both. Rounds whose yard is not positive are left out. @values become the ratios.
 */
struct spread spread_ratios(double *values, const double *yard, size_t count);

#endif
