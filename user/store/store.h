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
 * @timeout_ms. Returns -EBUSY with the holder's pid in @ret_holder (0 when unknown; may be NULL)
 * when somebody else has it. What killed holders left is for store_repair().
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
/* store_policy_read - that text. -ENOENT when the image did not come from a text. */
int store_policy_read(const struct places *places, const uint8_t digest[32], struct buf *ret);

/* ---- audit: one JSON object per line, hash-chained ---- */
#define AUDIT_LINE_MAX ((size_t)4 << 20) /* bytes of one record, its newline included */
/*
 * audit_append - append @record (an object, stolen) durably, with these members set by us: seq
 * (from 1), time (RFC 3339, UTC, ms), uid, pid, prev (SHA-256 of the previous line without its
 * newline, zeroes before the first) and, last, hash (SHA-256 of the line's bytes before
 * `,"hash":`). A torn last line of a killed writer is repaired first: its bytes move to audit.torn
 * and their number becomes the member torn. A damaged last line stays as it is, for audit_each to
 * find; the chain goes on from it. Needs no lock of the caller's. Returns 0 or -errno: -EBUSY when
 * others write for seconds, -EMSGSIZE for a record over AUDIT_LINE_MAX; on a full disk nothing
 * half-written stays.
 */
int audit_append(const struct places *places, json_t *record);
/*
 * audit_each - every record, oldest first, to @fn (which borrows it); non-zero from it stops the
 * walk and is returned. When the chain is broken returns -EBADMSG and the line number in @ret_line.
 * What is cut off at the end is not a record yet. Needs read access only; no file is no record.
 * Records cut away whole from the end leave no trace here: send the last hash elsewhere for that.
 */
int audit_each(const struct places *places, int (*fn)(void *context, json_t *record), void *context,
	       uint64_t *ret_line);
/*
 * audit_next_generation - one more than the largest member "generation" (a number, or one in a
 * string) ever recorded, at least 1. Damaged lines are passed over, so that damage stops no change.
 */
int audit_next_generation(const struct places *places, uint64_t *ret);

/* ---- pointers: which images judged, and which were kept ---- */
/*
 * A pointer is a file of 64 bytes: magic, what it points to, when, and a checksum; written aside,
 * synced and renamed like everything here. `live` is what was made live last, trusted or not;
 * `good-1` (newest) to `good-3` are the generations that were kept last.
 */
struct pointer {
	uint64_t generation; /* 0: the factory generation, which has no image file */
	uint64_t time_s; /* CLOCK_REALTIME */
	uint8_t digest[32];
};
#define POINTERS_GOOD 3u
/* pointer_to - the pointer to a generation that is written now. */
struct pointer pointer_to(uint64_t generation, const uint8_t digest[32]);
/* pointer_live_write, pointer_live_read - 0; -ENOENT; -EBADMSG for one that is torn or damaged. */
int pointer_live_write(const struct places *places, const struct pointer *pointer);
int pointer_live_read(const struct places *places, struct pointer *ret);
/*
 * pointer_keep - @pointer becomes good-1, the others move down; the same digest is kept once. Crash
 * safe: whoever is killed in between loses none of those that were there but the oldest.
 */
int pointer_keep(const struct places *places, const struct pointer *pointer);
/* pointer_good_read - number @n from 1. Errors as above. */
int pointer_good_read(const struct places *places, unsigned int n, struct pointer *ret);

/* ---- disputed.pcap: packets that kernel and native judge judged differently, 0600 ---- */
int store_disputed_write(const struct places *places, const struct sample *samples, uint32_t count);

/* ---- quarantine and sources: quarantine.json, sources.json ---- */
#define QUARANTINE_S 1800u /* a digest that did harm is refused for so long */
#define SOURCE_FAILURES 2u /* so many failures within SOURCE_WINDOW_S put a source on hold */
#define SOURCE_WINDOW_S 1800u
/* quarantine_add - @digest did harm (or was refused); @why is a short code. */
int quarantine_add(const struct places *places, const uint8_t digest[32], const char *why);
/* quarantine_find - 0 and the seconds that are left and why, or -ENOENT. A damaged file is empty. */
struct quarantine {
	uint64_t left_s;
	char why[64];
};
int quarantine_find(const struct places *places, const uint8_t digest[32], struct quarantine *ret);
/* Sources of unattended changes, by name (as POLICY_NAME_MAX says). */
struct source_state {
	char name[65];
	uint32_t failures; /* within the window */
	bool held;
	uint64_t held_since_s;
	char why[64]; /* "operator", or the codes of what failed */
};
/* source_state_read - of one that is not known: nothing. -EINVAL for what is no name. */
int source_state_read(const struct places *places, const char *name, struct source_state *ret);
/* source_failed - count one more; @ret (may be NULL) says whether it is on hold now. */
int source_failed(const struct places *places, const char *name, const char *why,
		  struct source_state *ret);
/*
 * source_hold, source_release - Undoing what is not there returns 0. So many sources are on hold
 * that there is no room for one more: -ENOSPC.
 */
int source_hold(const struct places *places, const char *name, const char *why);
int source_release(const struct places *places, const char *name);
/* source_each - every source that is known. */
int source_each(const struct places *places, int (*fn)(void *context, const struct source_state *s),
		void *context);

/* ---- switches: the operator's mode and kill bits outlive a reboot ---- */
int switches_write(const struct places *places, uint8_t mode, uint16_t kills);
/* switches_read - -ENOENT when they were never touched; -EBADMSG for a damaged file. */
int switches_read(const struct places *places, uint8_t *ret_mode, uint16_t *ret_kills);

/* ---- overrides: what the operator allows and blocks, overrides.json ---- */
struct override;
/* override_list_read - Caller frees @ret. No file: none. -EBADMSG for a damaged one. */
int override_list_read(const struct places *places, struct override **ret, uint32_t *ret_count);
/* override_list_write - durable. None left: the file goes, for which a full disk has room. */
int override_list_write(const struct places *places, const struct override *items, uint32_t count);

/* ---- repair: what a killed predecessor left ---- */
/*
 * store_repair - files written aside and damaged pointers are removed, each said to @fn as a
 * sentence. Images that nothing points to any more go as well, with their policies, beyond the
 * newest STORE_IMAGES; that is no repair and is not said. Needs the lock. Goes on after what could
 * not be done and returns its -errno, or 0.
 */
#define STORE_IMAGES 16u
int store_repair(const struct places *places, void (*fn)(void *context, const char *text),
		 void *context);

/* ---- totals: hits of a list go on under its name ---- */
/*
 * struct totals keeps, per list name, what retired generations counted, and per slot what its
 * kernel counters stood at when the present generation was staged into it (they are never reset).
 * total(name) = retired[name] + sum over slots (hits now - base of that slot).
 */
struct totals;
#define auto_totals cleanup(totals_free)
/*
 * totals_load - @boot identifies this set of kernel maps; of another boot the bases are zero. No
 * file: all zero. A damaged file stops nobody: all zero too, totals_damaged() says so, and the file
 * is kept as totals.bad when it is replaced. Needs read access only. Returns 0 or -errno.
 */
int totals_load(const struct places *places, const char *boot, struct totals **ret);
void totals_free(struct totals **totals);
bool totals_damaged(const struct totals *totals);
/*
 * totals_retire - fold what @slot's generation (@image, NULL when unknown) counted since its base
 * into the names, and set the base to @now (limits.lists + 2 entries). Durable when it returns; on
 * failure nothing has changed. The name "" (no list has it) holds what cannot be told apart: hits
 * of unknown images, and of further names once TOTALS_NAMES are kept.
 */
#define TOTALS_NAMES 65536u
int totals_retire(struct totals *totals, unsigned int slot, const struct image *image,
		  const struct hit *now, uint32_t entries);
/* totals_of - @packets/@bytes of a retired name so far (0 when unknown). */
void totals_of(const struct totals *totals, const char *name, size_t name_len, struct hit *ret);
/* totals_base - what to subtract from slot's hits of list @id (0 when unknown). */
void totals_base(const struct totals *totals, unsigned int slot, uint32_t id, struct hit *ret);

#endif
