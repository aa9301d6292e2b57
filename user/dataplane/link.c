/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pinned links: what keeps a program on an interface when nobody of ours runs. Knows which
 * interface a link is on, not what is attached there beside it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/inside.h"

int link_remove(const char *folder, const char *name)
{
	autoclose int fd = bpffs_get(folder, name);

	if (fd < 0)
		return fd;
	if (bpf_link_detach(fd) && errno != ENOLINK && errno != ENODEV)
		return -errno;
	return bpffs_unpin(folder, name);
}
