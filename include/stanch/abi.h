/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The contract between the programs in the kernel, the tool, and anyone who reads the pins.
 * Everything here is laid out explicitly: little endian, natural alignment, explicit padding.
 * Numbers are append-only: a value once published never changes its meaning.
 */
#ifndef STANCH_ABI_H
#define STANCH_ABI_H

#include <linux/types.h>

#define ABI_VERSION 1u /* of the maps below */
#define IMAGE_VERSION 2u /* of the image layout */

/* ---- limits: what this program has room for; a build may lower them (-DLIMIT_LISTS=64) ---- */
#ifndef LIMIT_PREFIXES
#define LIMIT_PREFIXES 1000000u
#endif
#ifndef LIMIT_LISTS
#define LIMIT_LISTS 4096u
#endif
#ifndef LIMIT_LEAVES
#define LIMIT_LEAVES 65535u /* distinct combinations of lists that one address can be on */
#endif
#ifndef LIMIT_LINES
#define LIMIT_LINES 1572864u /* 96 MiB */
#endif
#ifndef LIMIT_STEPS
#define LIMIT_STEPS 16u /* lines that one table lookup may touch */
#endif
#ifndef LIMIT_OVERRIDES
#define LIMIT_OVERRIDES 4096u /* operator overrides: one list each in their image */
#endif
#ifndef LIMIT_SOURCES
#define LIMIT_SOURCES 524288u /* entries of what is learned about sources; a multiple of eight */
#endif
#define LIMIT_SAMPLES 65536u /* of recent traffic: half of what passed, half of what was dropped */
#define LIMIT_FAMILIES 8u /* families of score lists */
#define LIMIT_VLAN_TAGS 4u
#define LIMIT_EXT_HEADERS 8u
#define LIMIT_REASONS 64u
#define LIMIT_STAGES 16u

#define SLOTS 4u
#define SLOT_NONE SLOTS /* counters of packets that no generation judged */
#define SLOT_SCRATCH SLOTS /* entry of the outer map that only a grace period touches */
#define HITS_PER_SLOT (LIMIT_LISTS + 2u) /* id 0 is "no list"; the last is `protect` */

/* The loaded program says what it holds: one value of the frozen map pinned as `limits`. */
struct limits {
	__u32 abi, image_version;
	__u32 prefixes, lists, leaves, lines, steps;
	__u32 families, vlan_tags, ext_headers, reasons, stages, slots;
	__u32 overrides, samples;
	__u32 sources; /* entries of `sources`; `source_groups` has one for SOURCE_GROUP of them */
};
_Static_assert(sizeof(struct limits) == 64, "struct limits is ABI");

/* ---- the control array (pin `control`): eight u64 ---- */
enum control_entry {
	CONTROL_WORD = 0, /* the control word below; every change of policy is one store here */
	/* CLOCK_MONOTONIC ns; once passed, a provisional word means last-known-good */
	CONTROL_LEASE = 1,
	/* non-zero: judge nothing, pass everything. Never written by a swap */
	CONTROL_BREAK_GLASS = 2,
	/* non-zero: the pin `overrides` holds an image that is asked, too. Never written by a swap */
	CONTROL_OVERRIDES = 3,
	CONTROL_ENTRIES = 8,
};

/*
 * The control word. All zero is the safe state: mode bypass.
 *
 *   bits   0-1   live slot
 *   bits   2-3   last-known-good slot
 *   bits   4-5   candidate slot
 *   bit    6     provisional: the lease applies
 *   bit    7     reserved, zero
 *   bits   8-9   mode of the operator (0 bypass, 1 monitor, 2 enforce, 3 reads as bypass)
 *   bits  10-19  candidate share in permille (0: no candidate)
 *   bits  20-31  reserved, zero
 *   bits  32-47  kill bits, one per stage
 *   bits  48-63  epoch: plus one with every swap and with every step of a trial
 *
 * A trial is a generation that is not trusted yet. While its share is not zero (a canary), that
 * share of the sources is judged by the candidate slot and everybody else by the live one; once it
 * is live but provisional, everybody is judged by it. Either way `provisional` is set, and when the
 * lease has passed, who judges is the last generation that was kept: in a canary the live slot, and
 * else the last-known-good one.
 */
#define WORD_LIVE_SHIFT 0
#define WORD_GOOD_SHIFT 2
#define WORD_CANDIDATE_SHIFT 4
#define WORD_PROVISIONAL (1ull << 6)
#define WORD_MODE_SHIFT 8
#define WORD_SHARE_SHIFT 10
#define WORD_KILL_SHIFT 32
#define WORD_EPOCH_SHIFT 48
#define WORD_SLOT_MASK 3ull
#define WORD_MODE_MASK 3ull
#define WORD_SHARE_MASK 1023ull
#define WORD_KILL_MASK 0xffffull
#define WORD_EPOCH_MASK 0xffffull

enum mode { MODE_BYPASS = 0, MODE_MONITOR = 1, MODE_ENFORCE = 2, MODES };

/* Judging stages that have a kill bit; the never-block guard and the allow lists have none. */
enum stage {
	STAGE_DROP = 0, /* drop lists */
	STAGE_HEADER = 1, /* impossible headers */
	STAGE_INNER = 2, /* looking inside one level of tunnel */
	STAGE_FLAG = 3, /* flag lists */
	STAGE_SCORE = 4, /* score lists */
	STAGES,
};

/* What the pin `slots` says about each of the four places (array of SLOTS values). */
struct slot_info {
	__u64 generation; /* 0 is the factory generation */
	__u64 staged_ns; /* CLOCK_REALTIME */
	__u32 lines; /* 0: the slot was never filled */
	__u32 reserved;
	__u8 digest[32];
	__u64 reserved2;
};
_Static_assert(sizeof(struct slot_info) == 64, "struct slot_info is ABI");

/* ---- verdicts and counters ---- */
enum verdict {
	VERDICT_PASS = 0,
	VERDICT_FLAG = 1,
	VERDICT_CHALLENGE = 2,
	VERDICT_THROTTLE = 3,
	VERDICT_DROP = 4,
	VERDICTS,
};

/*
 * Pin `counters`: per-CPU array, index slot * LIMIT_REASONS + reason, slot SLOT_NONE for packets
 * that no generation judged. The sum of packets[] over all entries and CPUs is the number of
 * packets seen. `monitored` counts those among packets[VERDICT_PASS] that passed only because of
 * monitor mode.
 */
struct counter {
	__u64 packets[VERDICTS];
	__u64 bytes;
	__u64 monitored;
	__u64 reserved;
};
_Static_assert(sizeof(struct counter) == 64, "one cache line per packet");

/* Pin `hits`: per-CPU array, index slot * HITS_PER_SLOT + list id. Never reset while pinned. */
struct hit {
	__u64 packets;
	__u64 bytes;
};

/* Pin `budget`: per-CPU array by reason; how many events were sent, held back, lost. */
struct event_budget {
	__u64 window; /* coarse second of the budget below */
	__u64 used; /* events of that second, those held back included */
	__u64 sent, suppressed, lost;
	__u64 reserved[3];
};
_Static_assert(sizeof(struct event_budget) == 64, "one cache line");
#define EVENTS_PER_SECOND 64u /* per reason and CPU */

/* Record of the ring buffer pinned as `events`. */
struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC, coarse */
	__u64 generation;
	__u32 ifindex;
	__u32 length; /* bytes of the frame */
	__u8 slot, verdict, reason, enforced; /* verdict is the would-be one in monitor mode */
	__u16 list; /* list id in that generation, 0 none */
	__u8 family; /* 4, 6 or 0 */
	__u8 proto;
	__u16 sport, dport; /* host order, 0 when not read */
	__u16 vlan, flags; /* outermost tag; TCP flags in the low byte */
	__u8 src[16], dst[16]; /* an IPv4 address fills the first four bytes */
};
_Static_assert(sizeof(struct event) == 72, "struct event is ABI");

/* In front of a flagged packet (XDP metadata): the tc program and anyone else may read it. */
#define META_MAGIC 0x5354u
struct meta_record {
	__u16 magic;
	__u8 risk; /* 0..100; 0 while there is no scorecard */
	__u8 reason;
	__u16 list;
	__u8 slot; /* of the generation that judged; its image holds the mark */
	__u8 reserved;
};
_Static_assert(sizeof(struct meta_record) == 8, "struct meta_record is ABI");

/*
 * Pin `reservoir`: recent traffic, an array of LIMIT_SAMPLES of these. Half @kind of it (see enum
 * sample_kind) is a ring: sample n of that kind is at kind * LIMIT_SAMPLES / 2 + n modulo that
 * half, and n counts in entry kind * SAMPLE_AT_STRIDE of the pin `reservoir_at` (u64, a line each).
 * Sampling is by a countdown per CPU and kind, whose interval follows the rate, so that about
 * SAMPLES_PER_SECOND of each kind are kept over all CPUs (SAMPLES_PER_SECOND_TRIAL during a trial).
 * During a trial each sampled packet is judged a second time, by the other generation, for this
 * record only.
 */
enum sample_kind { SAMPLE_PASSED = 0, SAMPLE_DROPPED = 1, SAMPLE_KINDS };
#define SAMPLES_PER_SECOND 1024u
#define SAMPLES_PER_SECOND_TRIAL 16384u
#define SAMPLE_HEAD 96u
#define SAMPLE_AT_STRIDE 8u
enum sample_flag {
	SAMPLE_TRIAL = 1, /* judged by both generations: the other_ members are set */
	SAMPLE_CANDIDATE = 2, /* what the packet got came from the generation on trial */
	/* a drop by its generation's own mode, whatever the operator's mode lets through: */
	SAMPLE_DROPS = 4, /* the verdict */
	SAMPLE_OTHER_DROPS = 8, /* the other verdict */
	/* n / (LIMIT_SAMPLES / 2) is odd; tells sample n from the one that it is to replace: */
	SAMPLE_ODD_LAP = 16,
};
struct sample {
	__u64 time_ns; /* CLOCK_MONOTONIC, coarse; 0 while it is being written */
	__u32 length; /* bytes of the frame */
	__u32 ifindex;
	__u8 verdict, enforced, reason, slot;
	__u8 other_verdict, other_reason, other_slot;
	__u8 weight; /* log2 of how many packets this one stands for: the sampling interval */
	__u16 list, other_list; /* list ids in the generations of slot and other_slot */
	__u16 epoch; /* of the word that this packet was judged under */
	__u8 captured; /* bytes of head[] */
	__u8 flags; /* enum sample_flag */
	__u8 head[SAMPLE_HEAD];
};
_Static_assert(sizeof(struct sample) == 128, "struct sample is ABI");

/*
 * Pins `sources` and `source_groups`: arrays of source_line, what was learned about IPv4 /32 and
 * IPv6 /64, and about the /24 and /48 that they are in. source.h says how they are found, how
 * entries give way to others, and how exact the numbers are. A reader believes a copy of an entry
 * when the key was the same before and after.
 */
#define SOURCE_WAYS 2u
#define SOURCE_GROUP 4u
#define SOURCE_KEY_NONE 0ull /* an empty entry */
#define SOURCE_KEY_BUSY (~0ull) /* one that is given to another source at this moment */
#define SOURCE_KEY_RESERVED 1ull /* ::/16 and ffff::/16: no unicast source is there */
#define SOURCE_KEY_V4 0x0000ffff00000000ull /* and the address; else the upper half of IPv6 */
#define SOURCE_COUNT_MASK 0xffffffffffffull
#define SOURCE_TICK_SHIFT 26u /* from CLOCK_MONOTONIC ns to the unit of `seen`: 67 ms */
union source_count {
	__u64 word; /* under SOURCE_COUNT_MASK: packets */
	__u16 part[4]; /* the last: a half of `seen` */
};
struct source_entry {
	__u64 key;
	union source_count passed; /* and in the last part the lower half of `seen` */
	union source_count dropped; /* and the upper one */
	__u64 bytes;
};
_Static_assert(sizeof(struct source_entry) == 32, "struct source_entry is ABI");
struct source_line {
	struct source_entry way[SOURCE_WAYS];
};
_Static_assert(sizeof(struct source_line) == 64, "one cache line");

/* What the twin program says about the last packet (array of one value, twin only). */
struct judged {
	__u8 verdict, enforced, reason, slot;
	__u16 list;
	__u8 family, proto;
	__u16 sport, dport;
	__u32 length;
	__u8 src[16], dst[16];
};
_Static_assert(sizeof(struct judged) == 48, "struct judged is ABI");

/* ---- reasons ---- */
enum reason {
	REASON_NO_MATCH = 0,
	REASON_NOT_IP = 1,
	REASON_BYPASS = 2,
	REASON_BREAK_GLASS = 3,
	REASON_KILLED = 4,
	REASON_GUARD_ARP = 5,
	REASON_GUARD_ND = 6,
	REASON_GUARD_PMTU = 7,
	REASON_GUARD_DHCP = 8,
	REASON_PROTECT_PREFIX = 9,
	REASON_PROTECT_PORT = 10,
	REASON_LIST_ALLOW = 11,
	REASON_LIST_DROP = 12,
	REASON_LIST_FLAG = 13,
	REASON_LIST_SCORE = 14,
	REASON_INNER_ALLOW = 15,
	REASON_INNER_DROP = 16,
	REASON_INNER_FLAG = 17,
	/* impossible headers: the packet cannot come from a working stack */
	REASON_BAD_VERSION = 18,
	REASON_BAD_IHL = 19,
	REASON_BAD_IP_LENGTH = 20,
	REASON_BAD_IP_OPTIONS = 21,
	REASON_TRUNCATED_IP = 22,
	REASON_TRUNCATED_L4 = 23,
	REASON_BAD_TCP_OFFSET = 24,
	REASON_BAD_TCP_OPTIONS = 25,
	REASON_TCP_NULL = 26,
	REASON_TCP_XMAS = 27,
	REASON_TCP_SYN_FIN = 28,
	REASON_TCP_SYN_RST = 29,
	REASON_BAD_UDP_LENGTH = 30,
	/* unusual but legal: passes, counted */
	REASON_FRAGMENT = 31,
	REASON_TINY_FRAGMENT = 32,
	REASON_EXT_CHAIN = 33,
	REASON_VLAN_DEPTH = 34,
	REASON_JUMBOGRAM = 35,
	REASON_TUNNEL = 36,
	REASON_NOT_LINEAR = 37,
	/* trouble of our own: passes, counted */
	REASON_SLOT_EMPTY = 38,
	REASON_IMAGE_MAGIC = 39,
	REASON_IMAGE_REFERENCE = 40,
	REASON_IMAGE_STEPS = 41,
	REASON_META_FAILED = 42,
	REASON_LEASE_NO_SLOT = 43, /* lease expired and last-known-good is empty too */
	/* what the operator said about one source: */
	REASON_OVERRIDE_ALLOW = 44,
	REASON_OVERRIDE_BLOCK = 45,
	REASONS,
};
_Static_assert(REASONS <= LIMIT_REASONS, "reasons fit their counters");

#endif
