/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capture files, frame by frame, as Ethernet: what was captured without such a header gets one.
 * Knows libpcap; knows no verdict.
 */
#ifndef STANCH_CMD_CAPTURE_H
#define STANCH_CMD_CAPTURE_H

#include <stdint.h>

#include "base/diag.h"

struct capture;

/* One frame. The bytes are valid until the next call. */
struct captured {
	const uint8_t *bytes; /* CAPTURE_ROOM of them can be read */
	uint32_t len; /* on the wire */
	uint32_t there; /* of them in the file; the room behind is zero */
};

#define CAPTURE_ROOM (1u << 18)

#define auto_capture cleanup(capture_close)

/*
 * capture_open - a pcap or pcapng file of a supported link type; "-" is standard input.
 * Returns 0, -EINVAL with the problem in @diag, -ENOMEM.
 */
int capture_open(const char *path, struct capture **ret, struct diag *diag);
void capture_close(struct capture **capture);
/* capture_next - Returns 1 and a frame, 0 at the end, -EINVAL with the problem in @diag. */
int capture_next(struct capture *capture, struct captured *ret, struct diag *diag);

#endif
