/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control word taken apart and put together; the layout is published in abi.h. */
#ifndef STANCH_WORD_H
#define STANCH_WORD_H

#include "abi.h"
#include "portable.h"

struct word {
	__u8 live, good, candidate; /* slots */
	__u8 provisional;
	__u8 mode; /* enum mode; 3 is kept as it is and means bypass */
	__u16 share; /* permille */
	__u16 kills;
	__u16 epoch;
};

static __always_inline struct word word_unpack(__u64 w)
{
	return (struct word){
		.live = w >> WORD_LIVE_SHIFT & WORD_SLOT_MASK,
		.good = w >> WORD_GOOD_SHIFT & WORD_SLOT_MASK,
		.candidate = w >> WORD_CANDIDATE_SHIFT & WORD_SLOT_MASK,
		.provisional = !!(w & WORD_PROVISIONAL),
		.mode = w >> WORD_MODE_SHIFT & WORD_MODE_MASK,
		.share = w >> WORD_SHARE_SHIFT & WORD_SHARE_MASK,
		.kills = w >> WORD_KILL_SHIFT & WORD_KILL_MASK,
		.epoch = w >> WORD_EPOCH_SHIFT & WORD_EPOCH_MASK,
	};
}

static __always_inline __u64 word_pack(const struct word *w)
{
	return (__u64)w->live << WORD_LIVE_SHIFT | (__u64)w->good << WORD_GOOD_SHIFT |
	       (__u64)w->candidate << WORD_CANDIDATE_SHIFT |
	       (w->provisional ? WORD_PROVISIONAL : 0) | (__u64)w->mode << WORD_MODE_SHIFT |
	       (__u64)w->share << WORD_SHARE_SHIFT | (__u64)w->kills << WORD_KILL_SHIFT |
	       (__u64)w->epoch << WORD_EPOCH_SHIFT;
}

#endif
