/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy as data, and how text becomes it. Pure: the caller hands in every byte, list files
 * included, through struct policy_source. Nothing here opens, prints, or knows the kernel.
 */
#ifndef STANCH_POLICY_POLICY_H
#define STANCH_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <stanch/abi.h>
#include <stanch/image.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/settings.h"

#define POLICY_NAME_MAX 64 /* bytes of a list or family name: [a-z0-9][a-z0-9._-]* */

/* One prefix of one list. Host bits are zero. */
struct prefix {
	uint64_t hi, lo; /* most significant bit first; IPv4 fills the upper half of hi */
	uint8_t family; /* 4 or 6 */
	uint8_t len; /* 0..32 or 0..128 */
	uint16_t list; /* id: index of its list + 1; `protect` is policy->lists + 1 */
	uint32_t line; /* where it was written, from 1 */
};

struct list {
	char *name, *family; /* family: score lists, else NULL */
	char *file; /* path as written, NULL when inline; the file of prefixes' `line` */
	enum action action;
	enum match match;
	uint8_t points; /* 1..50, score lists */
	bool allow_empty, merge; /* merge: `duplicates: merge` */
	uint32_t line, col; /* of the list in the policy file */
	uint32_t prefixes; /* in this list, after merging */
	uint32_t merged; /* duplicates merged away */
};

struct policy {
	char *file; /* name for messages */
	enum mode mode; /* MODE_MONITOR or MODE_ENFORCE */
	bool inner, headers; /* headers: drop impossible headers (default true) */
	bool sources; /* packets are counted by their source (default false) */
	uint32_t mark_mask, mark_value;
	struct list *lists;
	uint32_t list_count;
	struct prefix *prefixes; /* all lists' and protect's, in file order */
	uint32_t prefix_count, protect_count; /* prefix_count counts protect's too */
	uint16_t *ports; /* protected ports, sorted, unique */
	uint32_t port_count;
	struct policy_settings settings; /* `gates:` and `canary:` */
};

#define auto_policy cleanup(policy_free)

/*
 * How policy_parse() gets at list files. @read returns 0 and fills @ret, or a negative errno that
 * policy_parse() turns into a problem at the place the file is named.
 */
struct policy_source {
	int (*read)(void *context, const char *path, struct buf *ret);
	void *context;
};

/* A text, and what messages call it. */
struct named_text {
	const char *name, *text;
	size_t len;
};

/*
 * policy_parse - text to policy. Every problem found goes into @diag, with place.
 * Returns 0 and fills @ret (to be released with policy_free), -EINVAL when @diag has problems, or
 * -ENOMEM. @ret is untouched on failure. Counts over struct limits (NULL: the built-in ones) are
 * problems.
 */
int policy_parse(const struct named_text *text, const struct policy_source *source,
		 const struct limits *limits, struct policy *ret, struct diag *diag);

/* policy_factory - the policy that passes everything: no lists, no header checks, enforce mode. */
void policy_factory(struct policy *ret);

void policy_free(struct policy *policy);

/*
 * list_parse - one list file: a CIDR or address per line, '#' or ';' comments, or a published
 * {"prefixes":[{"ipv4Prefix":..},{"ipv6Prefix":..},..]} document. Appends to @prefixes/@count
 * (capacity *@cap, grown with realloc) with @list as their list id. At most @room more prefixes.
 * Returns 0, -EINVAL with problems in @diag, or -ENOMEM.
 */
struct prefix_vec {
	struct prefix *items;
	uint32_t count, cap;
};
int list_parse(const struct named_text *text, uint16_t list, uint32_t room, struct prefix_vec *vec,
	       struct diag *diag);

/*
 * prefix_parse - strict "a.b.c.d[/len]" or IPv6 text, no leading zeroes, no zone, no spaces.
 * Returns 0; -EINVAL malformed; -ERANGE length out of range; -EDOM host bits set, in which case
 * @ret holds the corrected prefix.
 */
int prefix_parse(const char *text, size_t len, struct prefix *ret);

/* prefix_format - "192.0.2.0/24", canonical RFC 5952 text. @out has PREFIX_TEXT bytes. */
#define PREFIX_TEXT 64
const char *prefix_format(const struct prefix *prefix, char *out);

#endif
