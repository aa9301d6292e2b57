/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What allow, block and their undoing share, and what others need of overrides: those in force as
 * one list, and putting the list on disk back into force in a new instance.
 */
#ifndef STANCH_CMD_OVERRIDE_H
#define STANCH_CMD_OVERRIDE_H

#include "cmd/live.h"
#include "policy/overrides.h"

/* Disk and kernel, merged (see overrides_merge). */
struct override_view {
	struct override_merge merge;
	struct override_clock now;
	struct image_file kernel; /* no bytes: nothing is published */
	int disk_error; /* why the list on disk counts for nothing */
	int kernel_error; /* why what is published counts for nothing */
};

#define auto_override_view cleanup(override_view_free)
void override_view_free(struct override_view *view);
/* override_view_load - @instance may be NULL. Says nothing. Returns 0 or -ENOMEM. */
int override_view_load(const struct options *options, const struct instance *instance,
		       struct override_view *ret);
/* override_find - the one that @address of a packet is under: the longest of its action, or NULL. */
const struct override *override_find(const struct override_view *view, const struct prefix *address,
				     bool block);

/*
 * override_compile - image of @set for @instance, checked; nothing left gives none and 0. Returns 0,
 * -EINVAL with problems in @diag, -ENOMEM.
 */
int override_compile(const struct override_set *set, const struct override_clock *now,
		     const struct instance *instance, struct image_file *ret, struct diag *diag);

/*
 * override_restore - what is on disk comes into force where nothing is: in an instance that has just
 * been made. Says what it did, a failure as a warning. Returns 0 or -errno.
 */
int override_restore(const struct options *options, struct instance *instance);

/* ---- override_show.c ---- */
/* override_json - one as an object, with the time that is left. */
json_t *override_json(const struct override *override, const struct override_clock *now);
/* override_left - "5 min", "for good" for one without an end. @out has AGE_TEXT bytes. */
const char *override_left(const struct override *override, const struct override_clock *now,
			  char *out);
/* override_list - all of one kind, as a table or a document of @verb. Returns the exit code. */
int override_list(const struct options *options, const char *verb, bool block);

/* ---- override_change.c ---- */
/* One command that changes something. */
struct override_change {
	const struct options *options;
	const char *verb;
	bool undo;
	struct override item; /* of an undoing only prefix and block count */
	uint64_t for_s; /* 0: for good */
	uint32_t forced; /* bits by enum gate */
	int lock;
	struct instance *instance; /* NULL: there is none, and undoing makes none */
	struct override_view view;
	struct override *items; /* as they will be */
	uint32_t count;
	struct image_file image; /* of them; no bytes: none is left */
	struct override before; /* what is replaced or undone */
	bool found; /* there was such a one */
	bool durable; /* the disk knows */
	struct diag diag;
};

/* override_change_run - all of it; returns the exit code. */
int override_change_run(struct override_change *change);
void override_change_free(struct override_change *change);
/* override_change_judge - why a block is refused; says it. Returns the exit code. */
int override_change_judge(struct override_change *change);
/* override_forced_json - gates by name. */
json_t *override_forced_json(uint32_t forced);
/* override_change_say - what has become of it: "applied", "replaced", "unchanged". */
void override_change_say(struct override_change *change);

#endif
