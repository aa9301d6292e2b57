// SPDX-License-Identifier: GPL-2.0-only
/* The program as it is, but it samples every packet: its rings go round in milliseconds. */
#include <stanch/abi.h>

#undef SAMPLES_PER_SECOND
#define SAMPLES_PER_SECOND 1000000000u

#include "../../bpf/stanch.bpf.c"
