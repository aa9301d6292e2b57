// SPDX-License-Identifier: GPL-2.0-only
/* The program without canary and samples: what they cost is measured beside it. */
#define WITH_TRIALS 0

#include "../../bpf/stanch.bpf.c"
