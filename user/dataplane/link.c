/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pinned links: what keeps a program on an interface when nobody of ours runs. A link whose
 * interface was deleted stays pinned and says interface 0. Knows no namespace but by its number.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/attach.h"

/* Since Linux 6.6; the headers that this is built with are older. */
#define ATTACH_TCX_INGRESS ((enum bpf_attach_type)46)
#define LINK_FLAG_BEFORE (1u << 3)

static const char *const prefixes[LINK_KINDS] = { [LINK_XDP] = "link-", [LINK_MARK] = "mark-" };

void link_name(enum link_kind kind, const struct spot *spot, char ret[PIN_NAME])
{
	snprintf(ret, PIN_NAME, "%s%" PRIu64 "-%" PRIu32, prefixes[kind], spot->netns,
		 spot->ifindex);
}

bool link_parse(enum link_kind kind, const char *name, struct spot *ret)
{
	size_t len = strlen(prefixes[kind]);
	struct spot spot = { 0 };
	char again[PIN_NAME];
	char *end = NULL;

	if (strncmp(name, prefixes[kind], len) != 0)
		return false;
	spot.netns = strtoull(name + len, &end, 10);
	if (*end == '-')
		spot.ifindex = (uint32_t)strtoul(end + 1, NULL, 10);
	link_name(kind, &spot, again);
	if (strcmp(name, again) != 0) /* a pin on its way, or somebody else's */
		return false;
	*ret = spot;
	return true;
}

int link_look(const char *folder, enum link_kind kind, const struct spot *spot,
	      struct link_found *ret)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);
	char name[PIN_NAME];
	autoclose int fd = -1;

	link_name(kind, spot, name);
	fd = bpffs_get(folder, name);
	if (fd == -EINVAL) /* links cannot be opened for reading only */
		return -EACCES;
	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return last_error();
	/* the interface is the first number of a TCX link's part as well */
	*ret = (struct link_found){ .ifindex = info.xdp.ifindex, .program = info.prog_id };
	return 0;
}

int link_remove(const char *folder, enum link_kind kind, const struct spot *spot)
{
	char name[PIN_NAME];
	autoclose int fd = -1;

	link_name(kind, spot, name);
	fd = bpffs_get(folder, name);
	if (fd < 0)
		return fd;
	bpf_link_detach(fd); /* else it happens when the last pin and fd are gone */
	return bpffs_unpin(folder, name);
}

static int pin_link(const struct instance *instance, int fd, enum link_kind kind,
		    const struct spot *spot)
{
	char name[PIN_NAME];
	int r;

	link_name(kind, spot, name);
	r = bpffs_pin(fd, instance->places.pins, name, 0640);
	if (r)
		bpf_link_detach(fd);
	return r;
}

int link_xdp(const struct instance *instance, const struct spot *spot, enum attach_mode mode)
{
	bool generic = mode == ATTACH_GENERIC;
	int program = instance->programs[generic ? PROGRAM_GENERIC : PROGRAM_NATIVE];
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	autoclose int fd = bpf_link_create(program, (int)spot->ifindex, BPF_XDP, &opts);

	return fd < 0 ? fd : pin_link(instance, fd, LINK_XDP, spot);
}

/* In front of others, so that they can see the mark. */
int link_tcx(const struct instance *instance, const struct spot *spot)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = LINK_FLAG_BEFORE);
	autoclose int fd = bpf_link_create(instance->programs[PROGRAM_MARK], (int)spot->ifindex,
					   ATTACH_TCX_INGRESS, &opts);

	return fd < 0 ? fd : pin_link(instance, fd, LINK_MARK, spot);
}
