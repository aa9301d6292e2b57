/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an instance lives. Builds paths only: looks at no disk and creates nothing. */
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A set-id program must not be led elsewhere: secure_getenv() gives nothing then. */
static const char *folder(const char *variable, const char *usual)
{
	const char *set = secure_getenv(variable);

	return set && *set ? set : usual;
}

static int check_instance(const char *name, size_t room)
{
	size_t len = strlen(name);

	if (!len || len >= room || *name == '_' || *name == '-')
		return -EINVAL;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len ? 0 : -EINVAL;
}

/* "folder", "folder/name" or "folder/name" with an ending. */
static int join(char *out, const char *in, const char *name, const char *ending)
{
	int len = snprintf(out, PATH_MAX, "%s%s%s%s", in, *name ? "/" : "", name, ending);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int places_find(const char *instance, struct places *ret)
{
	const char *state = folder("STANCH_STATE_DIR", "/var/lib/stanch");
	const char *run = folder("STANCH_RUN_DIR", "/run/stanch");
	const char *bpf = folder("STANCH_BPF_DIR", "/run/stanch/bpf");
	struct places places = { 0 };

	if (check_instance(instance, sizeof(places.instance)))
		return -EINVAL;
	snprintf(places.instance, sizeof(places.instance), "%s", instance);
	if (join(places.state, state, instance, "") || join(places.run, run, "", "") ||
	    join(places.lock, run, instance, ".lock") || join(places.bpf, bpf, "", "") ||
	    join(places.pins, bpf, instance, ""))
		return -ENAMETOOLONG;
	*ret = places;
	return 0;
}
