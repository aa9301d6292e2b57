/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program of lookups and its test share: a batch of questions with room for the answers. */
#ifndef TESTS_BPF_LOOKUPS_H
#define TESTS_BPF_LOOKUPS_H

#include <linux/types.h>

#define LOOKUPS 65536u

struct lookup {
	__u64 hi, lo;
	__u32 root, leaf; /* leaf: what table_walk() returned */
};

#endif
