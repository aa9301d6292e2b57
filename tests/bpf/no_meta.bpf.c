// SPDX-License-Identifier: GPL-2.0-only
/* The program on a driver that keeps no metadata beside its packets: asking for room fails. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define bpf_xdp_adjust_meta(ctx, delta) (-95) /* EOPNOTSUPP */

#include "../../bpf/stanch.bpf.c"
