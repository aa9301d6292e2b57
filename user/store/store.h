/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the kernel: images by content, the audit log, list totals. Every write is
 * write-aside, fsync, rename, fsync of the directory; the log is appended, fsynced and chained.
 * STATE/images/DIGEST.img  STATE/policies/DIGEST.yaml  STATE/audit.jsonl  STATE/totals.json
 */
#ifndef STANCH_STORE_STORE_H
#define STANCH_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/places.h"
#include "policy/compile.h"

/* store_prepare - make the state and run directories (0750). Returns 0 or -errno. */
int store_prepare(const struct places *places);

/*
 * store_lock - the instance's lock, held while the returned fd is open (flock). Waits at most
 * @timeout_ms. Returns -EBUSY with the holder's pid in @ret_holder when somebody else has it.
 */
int store_lock(const struct places *places, int timeout_ms, pid_t *ret_holder);

/* ---- images ---- */
int store_image_write(const struct places *places, const struct image *image);
/* store_image_read - by digest; checked again. -ENOENT, -EBADMSG with problems in @diag. */
int store_image_read(const struct places *places, const uint8_t digest[32],
		     const struct limits *limits, struct image_file *ret, struct diag *diag);
/* store_policy_write - keep the text that the image of @digest was compiled from, beside it. */
int store_policy_write(const struct places *places, const uint8_t digest[32], const char *text,
		       size_t len);

/* ---- audit: one JSON object per line, hash-chained ---- */
/*
 * audit_append - add seq, time, uid, pid, prev (SHA-256 of the previous line) to @record (stolen)
 * and append it durably. A torn last line of a killed writer is repaired first (the broken bytes
 * move to audit.torn). Returns 0 or -errno; on a full disk nothing half-written stays.
 */
int audit_append(const struct places *places, json_t *record);
/*
 * audit_each - every record, oldest first. Stops when @fn returns non-zero. When the chain is
 * broken returns -EBADMSG and the line number in @ret_line.
 */
int audit_each(const struct places *places, int (*fn)(void *context, json_t *record), void *context,
	       uint64_t *ret_line);
/* audit_next_generation - one more than the largest number ever recorded (at least 1). */
int audit_next_generation(const struct places *places, uint64_t *ret);

/* ---- totals: hits of a list go on under its name ---- */
/*
 * struct totals keeps, per list name, what retired generations counted, and per slot what its
 * kernel counters stood at when the present generation was staged into it (they are never reset).
 * total(name) = retired[name] + sum over slots (hits now - base of that slot).
 */
struct totals;
#define auto_totals cleanup(totals_free)
/* totals_load - @boot identifies this set of kernel maps; of another boot the bases are zero. */
int totals_load(const struct places *places, const char *boot, struct totals **ret);
void totals_free(struct totals **totals);
/*
 * totals_retire - fold what @slot's generation (@image, NULL when unknown) counted since its base
 * into the names, and set the base to @now (limits.lists + 2 entries). Durable when it returns.
 */
int totals_retire(struct totals *totals, unsigned int slot, const struct image *image,
		  const struct hit *now, uint32_t entries);
/* totals_of - @packets/@bytes of a retired name so far (0 when unknown). */
void totals_of(const struct totals *totals, const char *name, size_t name_len, struct hit *ret);
/* totals_base - what to subtract from slot's hits of list @id. */
void totals_base(const struct totals *totals, unsigned int slot, uint32_t id, struct hit *ret);

#endif
