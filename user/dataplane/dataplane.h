/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only code that knows libbpf and bpffs. An instance is a set of pins: maps, two programs,
 * the generations, and a link per interface. Everything is found through pins, never by id.
 * Functions return 0 or negative errno; people's text goes into struct diag where it is known.
 */
#ifndef STANCH_DATAPLANE_DATAPLANE_H
#define STANCH_DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include <stanch/abi.h>
#include <stanch/word.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/places.h"
#include "policy/compile.h"
#include "policy/host.h"
#include "policy/policy.h"

struct instance;
#define auto_instance cleanup(instance_close)

/* ---- instance.c: pins ---- */
/*
 * instance_open - the pins of a running instance, which must exist.
 * Returns -ENOENT when there is no such instance, -EACCES/-EPERM, -EPROTO when the pins are of
 * another ABI version or incomplete (the text is in @diag).
 */
int instance_open(const struct places *places, struct instance **ret, struct diag *diag);
/*
 * instance_create - open it, or make it: mount the bpffs when nothing is there (0750), load the
 * programs (STANCH_OBJECT names another object file, for tests), fill the seed, stage the factory
 * generation (number 0) into slot 0 and point the word at it in mode enforce, pin everything.
 * A half-made instance (killed creator) is completed or removed and remade.
 */
int instance_create(const struct places *places, struct instance **ret, struct diag *diag);
void instance_close(struct instance **instance);
/* instance_destroy - remove every pin (links first). For `detach --all --purge` and tests. */
int instance_destroy(const struct places *places);
/* instance_limits - what the loaded program says it holds (pin `limits`). */
const struct limits *instance_limits(const struct instance *instance);
int instance_map_fd(const struct instance *instance, const char *name); /* or -ENOENT */
/*
 * instance_identity - names this set of kernel maps: other after a reboot and after a purge, when
 * the counters begin again from zero. What totals_load() calls @boot. @ret: INSTANCE_IDENTITY bytes.
 */
#define INSTANCE_IDENTITY 64
int instance_identity(const struct instance *instance, char *ret);

/* ---- control.c: the word; none of these needs the lock or anything but the pin ---- */
struct control;
#define auto_control cleanup(control_close)
/* control_open - map the control array alone, so that the switches work when the rest is broken. */
int control_open(const struct places *places, struct control **ret);
void control_close(struct control **control);
uint64_t control_load(const struct control *control, enum control_entry entry);
/* control_update - compare-and-swap loop: @change edits the word, non-zero from it gives up. */
int control_update(struct control *control, int (*change)(struct word *word, void *context),
		   void *context, uint64_t *ret_before, uint64_t *ret_after);
int control_set_mode(struct control *control, enum mode mode);
int control_set_kills(struct control *control, uint16_t set, uint16_t clear);
int control_set_break_glass(struct control *control, bool on);
/*
 * control_swap - one store: @slot becomes live, the old live slot last-known-good, epoch + 1,
 * provisional and share cleared; mode and kill bits stay whatever they are at that moment.
 * Returns -ESTALE when the epoch is no longer @epoch (somebody else swapped or rolled back).
 */
int control_swap(struct control *control, unsigned int slot, uint16_t epoch);
/*
 * control_rollback - one store, epoch + 1, provisional and share cleared. In a canary the candidate
 * is dropped and live stays what it is; else live = last-known-good. @ret_before may be NULL.
 */
int control_rollback(struct control *control, struct word *ret_before);

/*
 * control_trial.c: trials, see the control word in abi.h. Each is one store and adds one to the epoch,
 * which the caller hands in as it last knew it and gets back. Deadlines are CLOCK_MONOTONIC ns and
 * are written before the word. All return -ESTALE when somebody else changed the word meanwhile;
 * those that go on with a trial return -ETIME when its lease has passed, and then change nothing.
 * When it passed while the call was under way, the trial is ended then (as control_rollback does).
 * -EBUSY when another trial is running, -EINVAL for a step that makes no sense, -EACCES for readers.
 */
struct trial_step {
	unsigned int slot; /* of the generation on trial */
	uint16_t share; /* permille, 1..1000 */
	uint64_t deadline_ns;
};
/* control_canary - begin a canary, or give a running one another share. */
int control_canary(struct control *control, const struct trial_step *step, uint16_t *epoch);
/* control_provisional - live = slot, last-known-good = what was live, provisional. */
int control_provisional(struct control *control, const struct trial_step *step, uint16_t *epoch);
/* control_renew - another deadline for the running trial; the word stays as it is. */
int control_renew(struct control *control, uint64_t deadline_ns, uint16_t epoch);
/* control_keep - the provisional generation is live for good: provisional cleared. */
int control_keep(struct control *control, uint16_t *epoch);
/*
 * control_revert - end the trial at @epoch: as control_rollback, and @good becomes the
 * last-known-good slot (what it was before the trial). Works on an expired lease, too.
 */
int control_revert(struct control *control, unsigned int good, uint16_t *epoch);

/* ---- slots.c: generations ---- */
int slot_read(const struct instance *instance, unsigned int slot, struct slot_info *ret);
/* slot_find - the slot that holds @generation, or -ENOENT. */
int slot_find(const struct instance *instance, uint64_t generation);
/* slot_copy - the bytes in kernel memory, by read-only mmap or lookup_batch. Unchecked. */
int slot_copy(const struct instance *instance, unsigned int slot, struct image_file *ret);
/* slot_verify - digest of the kernel's memory against slot_info. Returns 0, -EBADMSG, -ENOENT. */
int slot_verify(const struct instance *instance, unsigned int slot);
/*
 * slot_check - what a rollback may wait for: the outer entry holds a map, and the header in it
 * carries the digest of slot_info. Reads a few lines, however large the image is (its memory is
 * frozen, so only the entry itself can have been exchanged). Returns 0, -EBADMSG, -ENOENT.
 */
int slot_check(const struct instance *instance, unsigned int slot);
/* slot_free - a slot that is neither live, last-known-good nor candidate; oldest generation first. */
int slot_free(const struct instance *instance, const struct word *word);
/*
 * slot_stage - put an image into a free slot: wait for a grace period (an update of SLOT_SCRATCH),
 * create the map, fill it by mmap, unmap, freeze, compare the digest of the kernel's memory,
 * publish it in the outer map, write slot_info, pin it as gen-SLOT. On failure nothing new is
 * published and nothing is left over. The caller holds the lock.
 */
int slot_stage(struct instance *instance, const struct image_file *image, uint64_t generation,
	       unsigned int slot, struct diag *diag);
/*
 * slot_withdraw - undo slot_stage for a generation that did not become live: out of the outer map,
 * unpinned, slot_info cleared. Returns -EBUSY when the word names the slot. Caller holds the lock.
 */
int slot_withdraw(struct instance *instance, unsigned int slot);

/* ---- slots_repair.c ---- */
/*
 * slots_repair - put right what a killed predecessor left, and say each thing to @fn as a sentence.
 * A trial whose lease has passed is ended (the word comes to say what judges already) and its slot
 * emptied; so are slots that the word does not name and whose map, pin and description do not
 * agree; pins that were being made are removed. A slot that the word names, and a trial whose lease
 * runs, are left alone. Goes on after what could not be done and returns its -errno, or 0. The
 * caller holds the lock.
 */
int slots_repair(struct instance *instance, void (*fn)(void *context, const char *text),
		 void *context);

/* ---- reservoir.c: recent traffic, as the program sampled it (struct sample in abi.h) ---- */
struct reservoir;
#define auto_reservoir cleanup(reservoir_close)
/* reservoir_open - by mapping the pins; -EACCES for those who may only read them. */
int reservoir_open(const struct instance *instance, struct reservoir **ret);
void reservoir_close(struct reservoir **reservoir);
/* reservoir_at - how many samples of each kind have been taken so far. */
void reservoir_at(const struct reservoir *reservoir, uint64_t ret[SAMPLE_KINDS]);
/* Where a reader is in one kind; .at = 0 begins with the oldest that is still there. */
struct reservoir_reader {
	enum sample_kind kind;
	uint64_t at; /* the next sample */
	uint64_t lost; /* overwritten before, or while, they were read */
};
/*
 * reservoir_read - every whole sample from reader->at on, oldest first, to @fn until it returns
 * non-zero, which is returned; 0 when all were read. Samples are copies: @fn may keep what it gets
 * until it returns.
 */
int reservoir_read(const struct reservoir *reservoir, struct reservoir_reader *reader,
		   int (*fn)(void *context, const struct sample *sample), void *context);

/* ---- source_table.c: what the program learned about sources (struct source_entry in abi.h) ---- */
enum learned { LEARNED_SOURCES, LEARNED_NETWORKS };
struct learned_source {
	struct prefix prefix; /* IPv4 /32 or /24, IPv6 /64 or /48; ::/16 for all that cannot be */
	uint64_t packets, dropped, bytes; /* since it has an entry; dropped ones are packets, too */
	uint64_t seen_ns; /* of the last one: CLOCK_MONOTONIC, to 67 ms */
};
/* learned_limit - how many entries there are. */
uint32_t learned_limit(const struct instance *instance, enum learned what);
/* learned_prefix - whom a key of an entry stands for. */
void learned_prefix(uint64_t key, enum learned what, struct prefix *ret);
/* learned_each - every entry in use, in no order, to @fn until it returns non-zero. */
int learned_each(const struct instance *instance, enum learned what,
		 int (*fn)(void *context, const struct learned_source *source), void *context);

/* ---- recent.c: recent traffic, judged by two generations ---- */
struct traffic;
#define RECENT_DISPUTED 64u /* samples kept of those that are judged in two ways */
#define RECENT_RUNS 8192u /* at most so many go through the kernel */
#define RECENT_RUN_MS 500u /* and for so long */
struct recent_question {
	struct twin *twin; /* judges with the candidate, which is in its @slot */
	unsigned int slot;
	const struct reservoir *reservoir;
	const struct image *reference, *candidate; /* checked */
};
struct recent {
	uint32_t samples; /* judged natively by both */
	uint32_t unread; /* not judged: headers lie beyond the bytes that were kept */
	uint32_t runs; /* of the samples, judged in the kernel, too */
	uint32_t left_out; /* would have been, had there been time and room */
	uint32_t disputed; /* the kernel judged otherwise; the first of them are kept */
	struct sample disputes[RECENT_DISPUTED];
};
/*
 * recent_replay - every sample in the reservoir by both images natively, whatever it got when it
 * was live, into @traffic. What would be newly dropped, and one in 64 of the rest, is also run in
 * the kernel; where that disagrees there is one problem ("disputed") in @diag.
 * Returns 0, -EBADMSG when there are disputes (@ret is filled), -errno.
 */
int recent_replay(const struct recent_question *question, struct traffic *traffic,
		  struct recent *ret, struct diag *diag);

/* ---- overrides.c: the image of what the operator allows and blocks ---- */
/*
 * overrides_publish - make @image (checked) what the program asks about sources, as a whole: filled
 * and frozen aside, pinned as `overrides-image`, put into the outer map `overrides`, then the
 * control entry is set. NULL: no overrides any more. Caller holds the lock.
 */
int overrides_publish(struct instance *instance, const struct image_file *image, struct diag *diag);
/*
 * overrides_copy - the image in kernel memory, unchecked; -ENOENT when none is asked, -EBADMSG when
 * the pinned one is not the one that is asked (a publisher was killed: publish again).
 */
int overrides_copy(const struct instance *instance, struct image_file *ret);

/* ---- host.c: addresses that must not be blocked here ---- */
/*
 * host_find - own addresses, gateways, neighbours that answer, resolvers and peers of established
 * TCP connections to the SSH port (22, and that of SSH_CONNECTION), in the current network
 * namespace and in those that anything of @instance (may be NULL) is attached in. Loopback
 * addresses count where the loopback interface is filtered; neighbours where a route without a
 * gateway leads to them. What cannot be read within five seconds, or at all, is left out and named
 * in @diag (code host_unread), which is no failure.
 * Returns 0 or -ENOMEM.
 */
int host_find(const struct instance *instance, struct host *ret, struct diag *diag);

/* ---- attach.c ---- */
enum attach_mode { ATTACH_NATIVE, ATTACH_GENERIC };
enum attach_mark { MARK_NONE, MARK_TCX, MARK_CLSACT }; /* how the marking program is attached */
struct attachment {
	uint32_t ifindex;
	char name[16]; /* "" when the interface is gone */
	uint64_t netns; /* inode of its network namespace */
	enum attach_mode mode;
	enum attach_mark mark; /* MARK_NONE when somebody removed our filter */
	bool gone; /* the link is dead: its interface was deleted */
};
/*
 * attach_interface - both programs onto an interface of the current network namespace, pinned.
 * Returns 0; 1 when it was attached already (mode kept); -ENODEV; -EBUSY when a stranger's program
 * is there (named in @diag); -EOPNOTSUPP when the driver has no native mode.
 */
int attach_interface(struct instance *instance, const char *name, enum attach_mode mode,
		     struct diag *diag);
/* detach_interface - Returns 0, 1 when nothing of ours was there, -ENODEV. State is kept. */
int detach_interface(struct instance *instance, const char *name, struct diag *diag);
/*
 * detach_attachment - the same for one entry of attach_list(), whichever namespace it is in, the
 * dead ones too (for `detach --all`). Returns 0; 1 when it was gone meanwhile.
 */
int detach_attachment(struct instance *instance, const struct attachment *attachment,
		      struct diag *diag);
/* attach_list - what is attached, in every namespace. Caller frees @ret. */
int attach_list(const struct instance *instance, struct attachment **ret, uint32_t *ret_count);

/* ---- twin.c: the same program with state maps of its own, for packets that are not live ---- */
struct twin;
#define auto_twin cleanup(twin_close)
/* twin_open - a twin that sees the instance's slots; NULL: one with empty slots of its own. */
int twin_open(const struct instance *instance, struct twin **ret, struct diag *diag);
void twin_close(struct twin **twin);
/* twin_stage - put an image into a slot of a twin that has slots of its own. */
int twin_stage(struct twin *twin, const struct image_file *image, unsigned int slot,
	       struct diag *diag);
/* twin_command - which slot, mode and kill bits the next packets are judged with. */
int twin_command(struct twin *twin, unsigned int slot, enum mode mode, uint16_t kills);
/*
 * twin_overrides - ask the operator's overrides too, as the instance has them at each packet. Off
 * at first: what a policy does is proved without them.
 */
int twin_overrides(struct twin *twin, bool on);
/*
 * twin_run - one frame through the program (BPF_PROG_TEST_RUN). @ret_action: XDP action, may be
 * NULL. Returns 0; -EINVAL for a frame that the kernel cannot run: under 14 bytes, or more than it
 * has buffers for (about 70 kB). Long frames are run in several buffers, headers in the first.
 */
int twin_run(struct twin *twin, const void *frame, uint32_t len, struct judged *ret,
	     uint32_t *ret_action);
/* twin_program_fd - for benchmarks and tests. */
int twin_program_fd(const struct twin *twin);
int twin_map_fd(const struct twin *twin, const char *name);

/* ---- prove.c: golden packets on a candidate, in the kernel ---- */
struct proof {
	uint32_t packets; /* run */
	uint32_t wrong; /* judged otherwise than they must be */
};
/*
 * prove_slot - built-in must-pass set, the protect set, first and last entry of every list: the
 * kernel's verdict, reason and list must be those of the native judge and those expected. Every
 * disagreement becomes a problem. Returns 0, -EBADMSG when something is wrong.
 */
int prove_slot(struct twin *twin, const struct image *image, unsigned int slot, struct proof *ret,
	       struct diag *diag);

/* ---- counters.c ---- */
#define COUNTERS ((SLOTS + 1) * LIMIT_REASONS)
/* counters_read - sums over CPUs; @ret has COUNTERS entries, index slot * LIMIT_REASONS + reason. */
int counters_read(const struct instance *instance, struct counter *ret);
/* hits_read - sums over CPUs of one slot; @ret has limits.lists + 2 entries by list id. */
int hits_read(const struct instance *instance, unsigned int slot, struct hit *ret);
/* budget_read - sums over CPUs by reason; @ret has LIMIT_REASONS entries. */
int budget_read(const struct instance *instance, struct event_budget *ret);
/* events_follow - call @fn for each event until it returns non-zero or @timeout_ms (-1: none). */
int events_follow(const struct instance *instance, int timeout_ms,
		  int (*fn)(void *context, const struct event *event), void *context);

#endif
