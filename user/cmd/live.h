/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What verbs that touch a running instance share: opening or making it, its lock, the audit log.
 * What goes wrong here is said here.
 */
#ifndef STANCH_CMD_LIVE_H
#define STANCH_CMD_LIVE_H

#include "cmd/cmd.h"
#include "dataplane/dataplane.h"

#define LIVE_LOCK_MS 10000 /* how long a command waits for the one before it */

/* live_open - the running instance. Returns EXIT_DONE or the exit code. */
int live_open(const struct options *options, struct instance **ret);
/*
 * live_create - the same; made when there is none, with what outlives a restart of the machine: the
 * operator's mode and kill bits, and the overrides that are on disk.
 */
int live_create(const struct options *options, struct instance **ret);
/* live_open_failed - say why instance_open() or instance_create() gave @error. */
int live_open_failed(const struct options *options, int error, struct diag *diag);
/*
 * live_control - the control array alone: for those who work with everything else broken. Only when
 * it is missing the rest is looked at, to say what is wrong. Returns EXIT_DONE or the exit code.
 */
int live_control(const struct options *options, struct control **ret);
/*
 * live_lock - state folders and the lock, held while @ret_fd is open. What a killed predecessor left
 * is put right by then.
 */
int live_lock(const struct options *options, int *ret_fd);
/*
 * live_repair - what live_lock() does once it has the lock: everything that was left half done, each
 * said on stderr, all in one audit record. Whatever cannot be repaired is said, too.
 */
void live_repair(const struct options *options);
/* live_lock_anyway - the same where folders that cannot be made are no reason to stop. */
int live_lock_anyway(const struct options *options, int *ret_fd);
/*
 * live_record - append @record (stolen) to the audit log. A failure is said as a warning, for
 * those who may not be stopped by it; returns 0 or -errno.
 */
int live_record(const struct options *options, json_t *record);

/*
 * live_image - the image in @slot, copied from the kernel and checked. Returns 0; -ENOENT for an
 * empty slot; -EBADMSG when its bytes are no image that the loaded program should judge by. Says
 * nothing.
 */
int live_image(const struct instance *instance, unsigned int slot, struct image_file *ret);

/*
 * live_retire - what the lists of the generation in @slot counted goes on under their names: before
 * another one comes into that slot. Returns 0 or -errno. Says nothing.
 */
int live_retire(const struct options *options, const struct instance *instance, unsigned int slot);

/*
 * stored_generation - the stored image of a generation that was once live, by the audit log.
 * Returns -ENOENT when there is none; -EBADMSG, -EINVAL with problems in @diag. Says nothing.
 */
int stored_generation(const struct options *options, uint64_t generation,
		      const struct limits *limits, struct image_file *ret, struct diag *diag);

#endif
