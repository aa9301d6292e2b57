/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table for what people see: the name of a reason is the same in events, metrics, replay and
 * documentation. User space only; the program knows numbers.
 */
#ifndef STANCH_REASONS_H
#define STANCH_REASONS_H

#include "abi.h"

struct reason_text {
	const char *name, *help;
};

static const struct reason_text reason_texts[] = {
	[REASON_NO_MATCH] = { "no_match", "no rule spoke about it" },
	[REASON_NOT_IP] = { "not_ip", "an ethertype that is not judged" },
	[REASON_BYPASS] = { "bypass", "the operator's mode is bypass" },
	[REASON_BREAK_GLASS] = { "break_glass", "the break-glass entry is set" },
	[REASON_KILLED] = { "killed", "the stage that matched is killed" },
	[REASON_GUARD_ARP] = { "guard_arp", "ARP is never blocked" },
	[REASON_GUARD_ND] = { "guard_nd",
			      "neighbour discovery with hop limit 255 is never blocked" },
	[REASON_GUARD_PMTU] = { "guard_pmtu", "path-MTU messages are never blocked" },
	[REASON_GUARD_DHCP] = { "guard_dhcp", "DHCP is never blocked" },
	[REASON_PROTECT_PREFIX] = { "protect_prefix", "the source is protected by the policy" },
	[REASON_PROTECT_PORT] = { "protect_port", "the local port is protected by the policy" },
	[REASON_LIST_ALLOW] = { "list_allow", "on an allow list" },
	[REASON_LIST_DROP] = { "list_drop", "on a drop list" },
	[REASON_LIST_FLAG] = { "list_flag", "on a flag list" },
	[REASON_LIST_SCORE] = { "list_score", "on score lists only; counted, passes" },
	[REASON_INNER_ALLOW] = { "inner_allow", "the tunnelled packet is on an allow list" },
	[REASON_INNER_DROP] = { "inner_drop", "the tunnelled packet is on a drop list" },
	[REASON_INNER_FLAG] = { "inner_flag", "the tunnelled packet is on a flag list" },
	[REASON_BAD_VERSION] = { "bad_version", "the IP version contradicts the ethertype" },
	[REASON_BAD_IHL] = { "bad_ihl", "an IPv4 header shorter than 20 bytes" },
	[REASON_BAD_IP_LENGTH] = { "bad_ip_length", "the IP length contradicts frame or headers" },
	[REASON_BAD_IP_OPTIONS] = { "bad_ip_options", "an IPv4 option of impossible length" },
	[REASON_TRUNCATED_IP] = { "truncated_ip", "the frame ends inside the IP header" },
	[REASON_TRUNCATED_L4] = { "truncated_l4", "the packet ends inside the transport header" },
	[REASON_BAD_TCP_OFFSET] = { "bad_tcp_offset", "a TCP header of impossible length" },
	[REASON_BAD_TCP_OPTIONS] = { "bad_tcp_options", "a TCP option of impossible length" },
	[REASON_TCP_NULL] = { "tcp_null", "TCP without any flag" },
	[REASON_TCP_XMAS] = { "tcp_xmas", "TCP with FIN, PSH and URG, without ACK" },
	[REASON_TCP_SYN_FIN] = { "tcp_syn_fin", "TCP with SYN and FIN" },
	[REASON_TCP_SYN_RST] = { "tcp_syn_rst", "TCP with SYN and RST" },
	[REASON_BAD_UDP_LENGTH] = { "bad_udp_length", "a UDP length that contradicts the packet" },
	[REASON_FRAGMENT] = { "fragment", "a fragment; ports of later ones are never read" },
	[REASON_TINY_FRAGMENT] = { "tiny_fragment", "a first fragment that ends in its L4 header" },
	[REASON_EXT_CHAIN] = { "ext_chain", "more IPv6 extension headers than are walked" },
	[REASON_VLAN_DEPTH] = { "vlan_depth", "more VLAN tags than are read" },
	[REASON_JUMBOGRAM] = { "jumbogram", "an IP length that does not fit its field" },
	[REASON_TUNNEL] = { "tunnel", "a tunnel that the policy does not look into" },
	[REASON_NOT_LINEAR] = { "not_linear", "headers outside the first buffer" },
	[REASON_SLOT_EMPTY] = { "slot_empty", "trouble: the live slot holds no generation" },
	[REASON_IMAGE_MAGIC] = { "image_magic", "trouble: the live slot holds no image" },
	[REASON_IMAGE_REFERENCE] = { "image_reference",
				     "trouble: the image points outside itself" },
	[REASON_IMAGE_STEPS] = { "image_steps", "trouble: a table walk does not end" },
	[REASON_META_FAILED] = { "meta_failed", "trouble: no room for the flag; passed unmarked" },
	[REASON_LEASE_NO_SLOT] = { "lease_no_slot", "trouble: lease over, last-known-good empty" },
	[REASON_OVERRIDE_ALLOW] = { "override_allow", "the operator allows this source" },
	[REASON_OVERRIDE_BLOCK] = { "override_block", "the operator blocks this source" },
};
_Static_assert(sizeof(reason_texts) / sizeof(reason_texts[0]) == REASONS,
	       "every reason has a name");

static const char *const verdict_names[] = {
	[VERDICT_PASS] = "pass",	 [VERDICT_FLAG] = "flag", [VERDICT_CHALLENGE] = "challenge",
	[VERDICT_THROTTLE] = "throttle", [VERDICT_DROP] = "drop",
};
_Static_assert(sizeof(verdict_names) / sizeof(verdict_names[0]) == VERDICTS, "every verdict");

static const char *const mode_names[] = {
	[MODE_BYPASS] = "bypass",
	[MODE_MONITOR] = "monitor",
	[MODE_ENFORCE] = "enforce",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == MODES, "every mode");

static const char *const stage_names[] = {
	[STAGE_DROP] = "drop", [STAGE_HEADER] = "header", [STAGE_INNER] = "inner",
	[STAGE_FLAG] = "flag", [STAGE_SCORE] = "score",
};
_Static_assert(sizeof(stage_names) / sizeof(stage_names[0]) == STAGES, "every stage");

/* Does this reason mean that stanch itself is in trouble? */
static inline int reason_is_trouble(__u32 reason)
{
	return reason >= REASON_SLOT_EMPTY && reason <= REASON_LEASE_NO_SLOT;
}

#endif
