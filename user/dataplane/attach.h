/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside dataplane/: links, namespaces and tc, which attach.c puts together. */
#ifndef STANCH_DATAPLANE_ATTACH_H
#define STANCH_DATAPLANE_ATTACH_H

#include <net/if.h>

#include "dataplane/inside.h"

/* An interface as pins name it. */
struct spot {
	uint64_t netns;
	uint32_t ifindex;
};

/* ---- netns.c ---- */
/* netns_current - inode of this thread's network namespace, 0 when it cannot be read. */
uint64_t netns_current(void);
/*
 * netns_run - @fn in the namespace of that inode, on a thread of its own unless it is the present
 * one. Returns what @fn returns; -ENOENT when no such namespace is found, -EPERM and others when
 * it cannot be entered.
 */
int netns_run(uint64_t netns, int (*fn)(void *context), void *context);

/* ---- link.c ---- */
enum link_kind { LINK_XDP, LINK_MARK, LINK_KINDS };
struct link_found {
	uint32_t ifindex; /* 0: the interface is gone */
	uint32_t program; /* id */
};
/* link_name - of the pin. */
void link_name(enum link_kind kind, const struct spot *spot, char ret[PIN_NAME]);
/* link_parse - is this the pin of such a link, and of which interface? */
bool link_parse(enum link_kind kind, const char *name, struct spot *ret);
/* link_look - Returns -ENOENT when nothing is pinned, -EACCES for readers. */
int link_look(const char *folder, enum link_kind kind, const struct spot *spot,
	      struct link_found *ret);
/* link_remove - detach now (an unpinned link detaches some time later) and remove the pin. */
int link_remove(const char *folder, enum link_kind kind, const struct spot *spot);
/* link_xdp, link_tcx - attach and pin. Returns -errno of the kernel. */
int link_xdp(const struct instance *instance, const struct spot *spot, enum attach_mode mode);
int link_tcx(const struct instance *instance, const struct spot *spot);

/* ---- clsact.c: for kernels without TCX. A filter is not pinned; anyone may remove it ---- */
int clsact_attach(int program, uint32_t ifindex);
/* clsact_find - is this program (by id; 0: any) still our filter there? 0, or -ENOENT. */
int clsact_find(uint32_t program, uint32_t ifindex);
/* clsact_detach - remove the filter if it is this program. -ENOENT when it is not there. */
int clsact_detach(uint32_t program, uint32_t ifindex);

/* ---- attach.c ---- */
/* detach_everything - whatever is attached for the instance in @places, however broken that is. */
int detach_everything(const struct places *places);
/* xdp_there - id of an XDP program on the interface, 0 for none. @ret_mode may be NULL. */
uint32_t xdp_there(uint32_t ifindex, enum attach_mode *ret_mode);
/* program_id - 0 when the kernel does not say. */
uint32_t program_id(int fd);

#endif
