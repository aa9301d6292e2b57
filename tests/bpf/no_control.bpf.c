// SPDX-License-Identifier: GPL-2.0-only
/* The program without control word, overrides, canary and samples, slot 1 being live: what they cost is measured beside it. */
#define WITH_CONTROL 0

#include "../../bpf/stanch.bpf.c"
