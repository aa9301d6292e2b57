// SPDX-License-Identifier: GPL-2.0-only
/* The program with room for less than the tool was built for: what is loaded decides (F07). */
#define LIMIT_PREFIXES 1000u
#define LIMIT_LISTS 64u
#define LIMIT_LINES 65536u
#define LIMIT_SOURCES 1024u

#include "../../bpf/stanch.bpf.c"
