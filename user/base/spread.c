/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Medians and what lies around them. Knows not what was measured. */
#include "spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct spread spread_of(double *values, size_t count)
{
	size_t middle = count / 2;

	if (!count)
		return (struct spread){ 0 };
	qsort(values, count, sizeof(*values), compare);
	return (struct spread){
		.median = count % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2,
		.low = values[count / 10],
		.high = values[count - 1 - count / 10],
	};
}

struct spread spread_ratios(double *values, const double *yard, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (yard[i] > 0)
			values[left++] = values[i] / yard[i];
	}
	return spread_of(values, left);
}
