/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside policy/: saying why a text is not a prefix. */
#ifndef STANCH_POLICY_PREFIX_TEXT_H
#define STANCH_POLICY_PREFIX_TEXT_H

#include "policy.h"

/*
 * prefix_refuse - report why prefix_parse() refused @text, with the corrected prefix where there
 * is one. Codes: bad_prefix, prefix_length, host_bits, leading_zero, zone, mapped_prefix.
 */
void prefix_refuse(struct diag *diag, const struct diag_place *place, const char *text, size_t len);

#endif
