/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside `stanch status`: everything that is shown, gathered before the first line is printed. */
#ifndef STANCH_CMD_STATUS_H
#define STANCH_CMD_STATUS_H

#include "cmd.h"

#include <stanch/reasons.h>

#include "look.h"
#include "override.h"

#define SHOUTS 24u

struct sums {
	uint64_t verdicts[VERDICTS], packets, bytes, monitored;
	uint64_t trouble[REASONS];
	uint64_t sent, suppressed, lost;
};

struct status {
	struct look look;
	int image_error; /* of the generation that judges */
	enum mode policy;
	struct attachment *attachments;
	uint32_t attached;
	struct sums sums;
	struct override_view overrides;
	char tool[96]; /* "stanch", and which instance when it is not the usual one */
	char shouts[SHOUTS][DIAG_TEXT];
	unsigned int shout_count;
};

/* status_print - for people. */
void status_print(const struct options *options, const struct status *status);
/* status_json - the same as a document. */
json_t *status_json(const struct options *options, const struct status *status);

#endif
