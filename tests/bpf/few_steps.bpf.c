// SPDX-License-Identifier: GPL-2.0-only
/* The program with so few lines per lookup that a policy can cost more than it goes through with (F31). */
#define LIMIT_STEPS 8u

#include "../../bpf/stanch.bpf.c"
