/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain: what would happen to a packet like this, and why. The packet is made here; the program
 * in the kernel judges it.
 */
#include <errno.h>
#include <string.h>

#include <stanch/reasons.h>

#include "cmd/args.h"
#include "cmd/describe.h"
#include "cmd/look.h"
#include "cmd/override.h"
#include "cmd/trial.h"
#include "cmd/words.h"
#include "policy/frame.h"
#include "policy/policy.h"

#define ETHERTYPE_8021Q 0x8100
#define ECHO_REQUEST (8 << 8)
#define ECHO_REQUEST_V6 (128 << 8)
#define EXAMPLE_DST_V4 0xc0000201u /* 192.0.2.1 */
#define EXAMPLE_DST_V6 0x20010db800000000ull, 1 /* 2001:db8::1 */

/* As the operator wrote it. */
struct wanted {
	const char *src, *dst, *proto, *sport, *dport, *flags, *vlan;
	struct trial_choice choice;
};

/* As it will be built. */
struct plan {
	struct frame_ends ends;
	uint8_t family;
	uint8_t proto;
	uint16_t tcp_flags;
	uint16_t vlan; /* 0: untagged */
};

static int take_address(const struct options *options, const char *text, struct prefix *ret)
{
	if (strchr(text, '/') || prefix_parse(text, strlen(text), ret))
		return say_error(options, EXIT_USAGE, "'%s' is not an address", text);
	return EXIT_DONE;
}

static int take_ends(const struct options *options, const struct wanted *wanted, struct plan *plan)
{
	struct prefix src = { 0 }, dst = { 0 };
	int code = take_address(options, wanted->src, &src);

	if (code == EXIT_DONE && wanted->dst)
		code = take_address(options, wanted->dst, &dst);
	if (code != EXIT_DONE)
		return code;
	if (wanted->dst && src.family != dst.family)
		return say_error(options, EXIT_USAGE,
				 "source and destination are not of one family");
	plan->family = src.family;
	plan->ends.src4 = plan->ends.src6 = address_v6(src.hi, src.lo);
	plan->ends.dst4 = address_v4(EXAMPLE_DST_V4);
	plan->ends.dst6 = address_v6(EXAMPLE_DST_V6);
	if (wanted->dst)
		plan->ends.dst4 = plan->ends.dst6 = address_v6(dst.hi, dst.lo);
	return EXIT_DONE;
}

static int take_flags(const struct options *options, const char *text, uint16_t *ret)
{
	static const char letters[] = "FSRPAU"; /* from bit 0 on, RFC 9293 section 3.1 */

	*ret = 0;
	for (; *text; text++) {
		const char *letter = strchr(letters, *text);

		if (!letter)
			return say_error(options, EXIT_USAGE, "TCP flags are letters of %s",
					 letters);
		*ret |= (uint16_t)(1u << (letter - letters));
	}
	return EXIT_DONE;
}

static bool take_port(const struct options *options, const char *text, uint16_t usual,
		      uint16_t *ret)
{
	uint64_t port = usual;

	if (text && !args_number(options, "a port", text, UINT16_MAX, &port))
		return false;
	*ret = (uint16_t)port;
	return true;
}

static int take_plan(const struct options *options, const struct wanted *wanted, struct plan *plan)
{
	int proto = proto_number(wanted->proto), code = take_ends(options, wanted, plan);
	uint64_t vlan = 0;

	if (code != EXIT_DONE)
		return code;
	if (proto < 0)
		return say_error(options, EXIT_USAGE, "there is no protocol '%s'", wanted->proto);
	if (proto == PROTO_ICMP && plan->family == 6)
		proto = PROTO_ICMPV6;
	plan->proto = (uint8_t)proto;
	if (!take_port(options, wanted->sport, 40000, &plan->ends.sport) ||
	    !take_port(options, wanted->dport, 443, &plan->ends.dport))
		return EXIT_USAGE;
	if (wanted->vlan && !args_number(options, "a VLAN", wanted->vlan, 4094, &vlan))
		return EXIT_USAGE;
	plan->vlan = (uint16_t)vlan;
	return take_flags(options, wanted->flags, &plan->tcp_flags);
}

static struct frame_step transport(const struct plan *plan)
{
	switch (plan->proto) {
	case PROTO_TCP:
		return (struct frame_step){ FRAME_TCP, plan->tcp_flags };
	case PROTO_UDP:
		return (struct frame_step){ FRAME_UDP, 0 };
	case PROTO_ICMP:
		return (struct frame_step){ FRAME_ICMP, ECHO_REQUEST };
	case PROTO_ICMPV6:
		return (struct frame_step){ FRAME_ICMPV6, ECHO_REQUEST_V6 };
	case PROTO_SCTP:
		return (struct frame_step){ FRAME_SCTP, 0 };
	case PROTO_GRE:
		return (struct frame_step){ FRAME_GRE, 0 };
	default:
		return (struct frame_step){ FRAME_PROTO, plan->proto };
	}
}

static int build(const struct plan *plan, struct frame *ret)
{
	struct frame_step steps[FRAME_STEPS] = { 0 };
	unsigned int n = 0;

	if (plan->vlan) {
		steps[n++] = (struct frame_step){ FRAME_VLAN, ETHERTYPE_8021Q };
		steps[n++] = (struct frame_step){ FRAME_SET, plan->vlan >> 8 };
		steps[n++] = (struct frame_step){ FRAME_SET, 1 << 8 | (plan->vlan & 0xff) };
	}
	steps[n++] = (struct frame_step){ plan->family == 4 ? FRAME_IPV4 : FRAME_IPV6, 0 };
	steps[n++] = transport(plan);
	steps[n++] = (struct frame_step){ FRAME_PAYLOAD, 16 };
	return frame_build(steps, &plan->ends, ret);
}

static json_t *packet_json(const struct judged *judged)
{
	char src[ADDRESS_TEXT], dst[ADDRESS_TEXT], proto[8];

	return json_pack("{ss?,ss?,ss,si,si,si}", "src",
			 address_text(judged->family, judged->src, src), "dst",
			 address_text(judged->family, judged->dst, dst), "proto",
			 proto_text(judged->family, judged->proto, proto), "sport", judged->sport,
			 "dport", judged->dport, "length", (int)judged->length);
}

/* What the operator said, when that decided; NULL otherwise. */
static const struct override *deciding(const struct override_view *view,
				       const struct judged *judged)
{
	struct prefix source = { .family = judged->family, .len = judged->family == 4 ? 32 : 128 };

	if (judged->reason != REASON_OVERRIDE_ALLOW && judged->reason != REASON_OVERRIDE_BLOCK)
		return NULL;
	for (unsigned int i = 0; i < 8; i++) {
		source.hi = source.hi << 8 | judged->src[i];
		source.lo = source.lo << 8 | judged->src[8 + i];
	}
	if (judged->family == 4)
		source.hi &= 0xffffffff00000000ull;
	return override_find(view, &source, judged->reason == REASON_OVERRIDE_BLOCK);
}

static void say_override(const struct override *override, const struct override_clock *now)
{
	char prefix[PREFIX_TEXT], left[AGE_TEXT];

	say_text("override    %s %s, %s%s%s%s\n", override->block ? "block" : "allow",
		 prefix_format(&override->prefix, prefix), override_left(override, now, left),
		 override->expires ? " left" : "", *override->reason ? ": " : "", override->reason);
}

static void say_text_of(const struct trial *trial, const struct judged *judged,
			const struct override_view *view)
{
	const struct override *override = deciding(view, judged);

	char src[ENDPOINT_TEXT], dst[ENDPOINT_TEXT], proto[8];
	const char *name;
	json_t *list = list_name(trial->image.bytes ? &trial->image.image : NULL, judged->list);

	name = json_string_value(list);
	say_text("packet      %s -> %s %s\n",
		 endpoint_text(judged->family, judged->src, judged->sport, src),
		 endpoint_text(judged->family, judged->dst, judged->dport, dst),
		 proto_text(judged->family, judged->proto, proto));
	say_text("verdict     %s%s\n", verdict_names[judged->verdict],
		 judged->enforced == judged->verdict ? "" : ", not enforced: it passes");
	say_text("reason      %s: %s\n", reason_texts[judged->reason].name,
		 reason_texts[judged->reason].help);
	if (override)
		say_override(override, &view->now);
	else if (name)
		say_text("list        %s\n", name);
	if (trial->numbered)
		say_text("generation  %llu\n", (unsigned long long)trial->generation);
	json_decref(list);
}

static void say(const struct options *options, const struct trial *trial,
		const struct judged *judged)
{
	auto_override_view struct override_view view = { 0 };
	const struct override *override;
	const struct image *image = trial->image.bytes ? &trial->image.image : NULL;

	if (override_view_load(options, trial->instance, &view))
		say_warning("the overrides cannot be read");
	if (!options->json) {
		say_text_of(trial, judged, &view);
		return;
	}
	override = deciding(&view, judged);
	say_result(
		options, "explain",
		json_pack("{ss,sb,ss,ss,so,so,so,so,so}", "verdict", verdict_names[judged->verdict],
			  "enforced", judged->enforced == judged->verdict, "reason",
			  reason_texts[judged->reason].name, "help",
			  reason_texts[judged->reason].help, "detail",
			  list_name(image, judged->list), "score", json_null(), "generation",
			  trial_generation_json(trial), "packet", packet_json(judged), "override",
			  override ? override_json(override, &view.now) : json_null()));
}

static int explain(const struct options *options, const struct wanted *wanted)
{
	auto_trial struct trial trial = { 0 };
	struct plan plan = { 0 };
	struct judged judged;
	struct frame frame;
	int r, code = take_plan(options, wanted, &plan);

	if (code == EXIT_DONE)
		code = trial_open(options, &wanted->choice, &trial);
	if (code != EXIT_DONE)
		return code;
	r = build(&plan, &frame);
	if (!r)
		r = twin_run(trial.twin, frame.bytes, frame.len, &judged, NULL);
	if (r)
		return say_errno(options, r, "the packet cannot be run");
	code = trial_close(options, &trial);
	if (code == EXIT_DONE)
		say(options, &trial, &judged);
	return code;
}

int cmd_explain(const struct options *options, int argc, char **argv)
{
	struct wanted wanted = { .proto = "tcp", .flags = "S" };
	const struct arg args[] = {
		{ .name = "src", .value = &wanted.src },
		{ .name = "dst", .value = &wanted.dst },
		{ .name = "proto", .value = &wanted.proto },
		{ .name = "sport", .value = &wanted.sport },
		{ .name = "dport", .value = &wanted.dport },
		{ .name = "flags", .value = &wanted.flags },
		{ .name = "vlan", .value = &wanted.vlan },
		{ .name = "policy", .value = &wanted.choice.policy },
		{ .name = "generation", .value = &wanted.choice.generation },
	};

	if (args_parse(options, argc, argv,
		       &(struct args){ .options = args, .count = ARRAY_SIZE(args) }) < 0)
		return EXIT_USAGE;
	if (!wanted.src)
		return args_wrong(options, argv[0], "--src names the source of the packet");
	return explain(options, &wanted);
}
