/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lets one header compile for BPF and natively. */
#ifndef STANCH_PORTABLE_H
#define STANCH_PORTABLE_H

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __force
#ifdef __CHECKER__
#define __force __attribute__((force))
#else
#define __force
#endif
#endif

/*
 * A function that the verifier checks once, on its own, instead of once per path that leads to it.
 * It may be inlined nowhere and may assume nothing about its arguments.
 */
#ifdef __bpf__
#define verified_once __attribute__((noinline))
#else
#define verified_once static __attribute__((noinline, unused))
#endif

/* Hides a number from the optimiser, which else turns arithmetic into branches and drops masks. */
#ifdef __bpf__
#define opaque(x) asm volatile("" : "+r"(x))
#else
#define opaque(x) ((void)(x))
#endif

#endif
