/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who sends the packets of the conformance table, and the policy that judges them. The rows are in
 * conformance_rows.c.
 */
#include "policy/conformance.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/policy.h"

const char *const conformance_side_names[SIDES] = {
	[SIDE_BLOCKED] = "blocked",
	[SIDE_GOOD] = "good",
};

/*
 * Documentation addresses only (RFC 5737, RFC 3849). `tricks` lists one host in the IPv6 form of an
 * IPv4 address that a list may have; the other hosts are listed as IPv4 alone.
 */
#define CONFORMANCE_POLICY(inner)                              \
	"version: 1\n"                                         \
	"mode: enforce\n"                                      \
	"inner: " inner "\n"                                   \
	"protect: {ports: [22]}\n"                             \
	"lists:\n"                                             \
	"  - name: abusers\n"                                  \
	"    action: drop\n"                                   \
	"    entries: [203.0.113.0/24, '2001:db8:bad::/48']\n" \
	"  - name: tricks\n"                                   \
	"    action: drop\n"                                   \
	"    entries: ['2002:cb00:714d::/48']\n"

static const char *const policies[SETTINGS] = {
	[SETTING_PLAIN] = CONFORMANCE_POLICY("false"),
	[SETTING_INNER] = CONFORMANCE_POLICY("true"),
};

/* By side: 203.0.113.66 and 192.0.2.10, 2001:db8:bad::66 and 2001:db8:600d::10. */
static const struct address sources_v4[SIDES] = {
	[SIDE_BLOCKED] = { 0xcb00714200000000, 0 },
	[SIDE_GOOD] = { 0xc000020a00000000, 0 },
};

static const struct address sources_v6[SIDES] = {
	[SIDE_BLOCKED] = { 0x20010db80bad0000, 0x66 },
	[SIDE_GOOD] = { 0x20010db8600d0000, 0x10 },
};

int conformance_frame(const struct conformance_row *row, enum conformance_side side,
		      struct frame *ret)
{
	enum conformance_side outer = row->inside ? SIDE_GOOD : side;
	enum conformance_side inner = row->inside ? side : SIDE_GOOD;
	const struct frame_ends ends = {
		.src4 = sources_v4[outer],
		.src6 = sources_v6[outer],
		.inner_src4 = sources_v4[inner],
		.inner_src6 = sources_v6[inner],
		.dst4 = address_v4(0xc6336401),
		.inner_dst4 = address_v4(0xc6336402),
		.dst6 = address_v6(0x20010db800010000, 1),
		.inner_dst6 = address_v6(0x20010db800010000, 2),
		.sport = 40000,
		.dport = 80,
	};

	return frame_build(row->steps, &ends, ret);
}

int conformance_image(enum conformance_setting setting, struct image_file *ret, struct diag *diag)
{
	const char *text = policies[setting];
	auto_policy struct policy policy = { 0 };
	int r = policy_parse(&(struct named_text){ "conformance", text, strlen(text) }, NULL, NULL,
			     &policy, diag);

	return r ? r : policy_compile(&policy, &limits_builtin, ret, diag);
}
