/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests need that run programs in the kernel: places of their own on a bpffs of their own,
 * network namespaces with interfaces, and a count of what they leave behind. Use rig_setup() and
 * rig_teardown() as cmocka's setup and teardown, and begin each test with rig_of(): it skips with
 * the reason when this machine cannot run it. Teardown fails the test when a pin, a kernel object
 * held by this process, or a namespace is left over. Everything else here fails the test by itself.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/places.h"
#include "dataplane/dataplane.h"
#include "policy/compile.h"

#define RIG_NAMESPACES 4
#define RIG_NAME 32
#define RIG_WHOLE 18 /* pins of an instance: maps, programs, generation 0 */

struct rig {
	char folder[64]; /* holds state, run and bpf; removed at the end */
	struct places places;
	char namespaces[RIG_NAMESPACES][RIG_NAME]; /* as `ip netns` knows them */
	unsigned int namespace_count;
	int home; /* the network namespace that the test began in */
	unsigned int held; /* kernel objects that this process held before */
};

int rig_setup(void **state);
int rig_teardown(void **state);
struct rig *rig_of(void **state);

/* rig_create - instance_create() in the places of the rig; says the problems when it fails. */
struct instance *rig_create(struct rig *rig);
/* rig_variant - from now on load this object file of tests/bpf instead of the embedded one. */
void rig_variant(const char *name);
/* rig_image - compile a policy text with the built-in limits. */
void rig_image(const char *text, struct image_file *ret);
/* rig_apply - stage @text as @generation into a free slot and swap to it. Returns the slot. */
unsigned int rig_apply(struct rig *rig, struct instance *instance, const char *text,
		       uint64_t generation);
/* rig_show - print problems, so that a failure explains itself. */
void rig_show(const struct diag *diag);
/* rig_has - is there a problem with this code? */
bool rig_has(const struct diag *diag, const char *code);

/* rig_program - fd of the pinned program that judges live packets. Caller closes. */
int rig_program(const struct rig *rig);
/* rig_judge - one frame through a program (BPF_PROG_TEST_RUN); returns its XDP action. */
uint32_t rig_judge(int program, const void *frame, uint32_t len);
/* rig_counted - packets counted under @slot and @reason with @verdict. */
uint64_t rig_counted(const struct instance *instance, unsigned int slot, uint8_t reason,
		     uint8_t verdict);
/* rig_total - packets counted at all. */
uint64_t rig_total(const struct instance *instance);

/* rig_renew_budget - let every CPU report on at once; what it has counted stays. */
void rig_renew_budget(const struct instance *instance, enum reason reason);

/*
 * rig_as_reader - what @fn returns (0..98) in a process without privileges but of the group that
 * may observe; 99 when it cannot become one.
 */
int rig_as_reader(const struct rig *rig, int (*fn)(const struct rig *rig));

/* Kernel objects: fds to maps, programs and links that this process holds. */
unsigned int rig_held(void);
/* Pins in the folder of the instance, 0 when there is none. */
unsigned int rig_pins(const struct rig *rig);
/* Is there a pin of this name? */
bool rig_pinned(const struct rig *rig, const char *name);

/* ---- rig_net.c ---- */
/* rig_command - run a command, which must succeed. */
void rig_command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* rig_namespace - a new network namespace, its loopback up. Returns its index. */
unsigned int rig_namespace(struct rig *rig);
/* rig_enter - go into a namespace; rig_leave - and back. Teardown leaves by itself. */
void rig_enter(struct rig *rig, unsigned int index);
void rig_leave(struct rig *rig);
/*
 * rig_veth - a pair @name (in @from) and @name (in @to), up, with 198.18.0.1/24 and 2001:db8:18::1
 * at @from, .2 and ::2 at @to, and without duplicate address detection.
 */
void rig_veth(struct rig *rig, unsigned int from, unsigned int to, const char *name);
/* rig_send - put a frame onto the wire of @name in the present namespace. */
void rig_send(const char *name, const void *frame, uint32_t len);
/* rig_netns_cleanup - delete what rig_namespace() made. Returns how many could not be. */
unsigned int rig_netns_cleanup(struct rig *rig);

#endif
