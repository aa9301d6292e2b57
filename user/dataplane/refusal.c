/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel means when it says no. Its error numbers were made for files: the texts of some
 * of them would send people looking in the wrong place. Knows no pin and no map.
 */
#include <errno.h>
#include <string.h>

#include "dataplane/inside.h"

static const char *meaning(int err)
{
	switch (-err) {
	case E2BIG:
	case EFBIG:
		return "it is larger than the kernel allows";
	case ENOMEM:
		return "the kernel has no memory for it";
	case EPERM:
	case EACCES:
		return "not permitted (root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
	case EINVAL:
		return "the kernel does not know how to do that";
	case ENOSPC:
		return "the kernel has no room for it";
	default:
		return strerror(-err);
	}
}

int refused(struct diag *diag, const char *code, int err, const char *what)
{
	if (diag)
		diag_add(diag, NULL, code, "%s: %s", what, meaning(err));
	return err == -E2BIG ? -EFBIG : err;
}
