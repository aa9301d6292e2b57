/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F47: random valid policies, and random packets that like the edges of their prefixes: the native
 * judge and the program in the kernel say the same about every pair. The control judges natively by
 * an image of which one line is flipped. SEED names another stream of random numbers.
 * test-timeout: 900
 */
#include "policies.h"
#include "swap_rig.h"

#define SLOT 1u
#define PACKETS 250u /* per policy */
#define PREFIXES_MOST 100u

/* What is left to chance, and about which policy. */
struct chance {
	uint64_t random;
	const struct policy *policy;
};

/* How often each verdict and reason came, so that a run over nothing but passes is noticed. */
struct pairs {
	uint64_t judged, reasons[LIMIT_REASONS], verdicts[VERDICTS];
	uint64_t differ; /* between the kernel and the native judge */
};

static uint32_t upto(struct chance *c, uint32_t count)
{
	return (uint32_t)(random_next(&c->random) % count);
}

static bool one_in(struct chance *c, uint32_t count)
{
	return !upto(c, count);
}

/* ---- policies ---- */

static void random_policy(struct made *made, struct chance *c)
{
	struct policy *policy = &made->policy;
	uint32_t count;
	uint16_t port = 0;

	make_random_lists(made, &c->random);
	policy->mode = one_in(c, 4) ? MODE_MONITOR : MODE_ENFORCE;
	policy->inner = !one_in(c, 3);
	policy->headers = !one_in(c, 4);
	for (count = upto(c, PREFIXES_MOST); count; count--)
		make_random_prefix(made, &c->random);
	for (count = upto(c, 5); count; count--) {
		port = (uint16_t)(port + 1 + upto(c, 12000));
		make_protected_port(made, port);
	}
	c->policy = policy;
}

static void assert_valid(const struct image_file *image)
{
	auto_diag struct diag diag = { 0 };
	size_t len = (size_t)image->image.lines * LINE_SIZE;
	int r = image_check("random", image->bytes, len, &limits_builtin, &diag);

	rig_show(&diag);
	assert_int_equal(r, 0);
}

/* ---- packets ---- */

/* An edge of a prefix of this family, a neighbour of one, an address inside, or any at all. */
static struct address random_end(struct chance *c, uint8_t family)
{
	unsigned __int128 one = (unsigned __int128)1 << (family == 4 ? 96 : 0);
	unsigned __int128 address = random_address(&c->random, family), first, size;
	const struct prefix *prefix = NULL;

	for (int i = 0; i < 8 && c->policy->prefix_count && !prefix; i++) {
		prefix = &c->policy->prefixes[upto(c, c->policy->prefix_count)];
		prefix = prefix->family == family ? prefix : NULL;
	}
	if (prefix && !one_in(c, 8)) {
		first = (unsigned __int128)prefix->hi << 64 | prefix->lo;
		size = prefix->len ? (unsigned __int128)1 << (128 - prefix->len) : 0;
		const unsigned __int128 near[] = {
			first,	      first - one,
			first + one,  first + size - one,
			first + size, first + (size ? address % size : address)
		};

		address = near[upto(c, ARRAY_SIZE(near))];
	}
	if (family == 4)
		address = address >> 96 << 96;
	return (struct address){ (uint64_t)(address >> 64), (uint64_t)address };
}

static uint16_t random_port(struct chance *c)
{
	static const uint16_t often[] = { 67, 68, 546, 547, 53, 80, 443, 4789 };

	if (c->policy->port_count && one_in(c, 3))
		return c->policy->ports[upto(c, c->policy->port_count)];
	return one_in(c, 6) ? often[upto(c, ARRAY_SIZE(often))] : (uint16_t)upto(c, 65536);
}

static void random_ends(struct chance *c, struct frame_ends *ret)
{
	*ret = (struct frame_ends){
		.src4 = random_end(c, 4),
		.dst4 = random_end(c, 4),
		.src6 = random_end(c, 6),
		.dst6 = random_end(c, 6),
		.inner_src4 = random_end(c, 4),
		.inner_dst4 = random_end(c, 4),
		.inner_src6 = random_end(c, 6),
		.inner_dst6 = random_end(c, 6),
		.sport = random_port(c),
		.dport = random_port(c),
	};
}

struct headers {
	struct frame_step steps[FRAME_STEPS];
	uint32_t count;
};

static void add(struct headers *headers, enum frame_op op, uint32_t arg)
{
	if (headers->count < FRAME_STEPS - 1)
		headers->steps[headers->count++] =
			(struct frame_step){ (uint8_t)op, (uint16_t)arg };
}

static void add_ip(struct chance *c, struct headers *headers)
{
	static const uint8_t extensions[] = { FRAME_HOP_OPTIONS, FRAME_DEST_OPTIONS, FRAME_ROUTING,
					      FRAME_MOBILITY, FRAME_AH };
	uint32_t offset = one_in(c, 2) ? 0 : upto(c, 0x1fff);
	bool six = one_in(c, 2);

	add(headers, six ? FRAME_IPV6 : FRAME_IPV4, !six && one_in(c, 6) ? upto(c, 11) : 0);
	for (uint32_t i = six && one_in(c, 3) ? 1 + upto(c, 3) : 0; i; i--)
		add(headers, extensions[upto(c, ARRAY_SIZE(extensions))], upto(c, 3));
	if (one_in(c, 10))
		add(headers, FRAME_FRAGMENT, offset | (one_in(c, 2) ? 0x2000 : 0));
}

static void add_transport(struct chance *c, struct headers *headers)
{
	switch (upto(c, 8)) {
	case 0:
		return add(headers, FRAME_ICMP, one_in(c, 2) ? 0x0304 : upto(c, 65536));
	case 1:
		return add(headers, FRAME_ICMPV6, (one_in(c, 3) ? 2 : 128 + upto(c, 12)) << 8);
	case 2:
		return add(headers, FRAME_SCTP, 0);
	case 3:
		return add(headers, one_in(c, 2) ? FRAME_ESP : FRAME_PROTO, upto(c, 256));
	case 4:
	case 5:
		return add(headers, FRAME_UDP, 0);
	default:
		add(headers, FRAME_TCP, upto(c, 256) | (one_in(c, 4) ? upto(c, 11) << 8 : 0));
	}
}

static void random_headers(struct chance *c, struct headers *ret)
{
	*ret = (struct headers){ 0 };
	for (uint32_t i = one_in(c, 5) ? upto(c, 6) : 0; i; i--)
		add(ret, FRAME_VLAN, one_in(c, 2) ? 0x8100 : 0x88a8);
	if (one_in(c, 40))
		return add(ret, FRAME_ARP, 0);
	add_ip(c, ret);
	if (one_in(c, 4)) {
		if (one_in(c, 2))
			add(ret, FRAME_GRE, one_in(c, 2) ? 0 : upto(c, 16) << 12);
		add_ip(c, ret);
	}
	add_transport(c, ret);
	add(ret, FRAME_PAYLOAD, upto(c, 40));
}

/* One frame in four or so is damaged: a byte of it is another, or it ends early. */
static void random_frame(struct chance *c, struct frame *ret)
{
	struct frame_ends ends;
	struct headers headers;

	do {
		random_ends(c, &ends);
		random_headers(c, &headers);
	} while (frame_build(headers.steps, &ends, ret));
	if (one_in(c, 5))
		ret->bytes[12 + upto(c, (ret->len < 90 ? ret->len : 90) - 12)] ^=
			(uint8_t)(1 + upto(c, 255));
	if (one_in(c, 20))
		ret->len = 14 + upto(c, ret->len - 13);
}

/* ---- both judges ---- */

static void tell(const struct chance *c, const struct frame *frame, const struct judgement *native,
		 const struct judged *kernel)
{
	print_message("native: verdict %u reason %u list %u, kernel: %u %u %u; %u lists, frame ",
		      native->verdict, native->reason, native->list, kernel->verdict,
		      kernel->reason, kernel->list, c->policy->list_count);
	for (uint32_t i = 0; i < frame->len; i++)
		print_message("%02x", frame->bytes[i]);
	print_message("\n");
}

/* One pair: natively by @image, in the kernel by what is staged. */
static bool judge_pair(struct chance *c, struct twin *twin, const struct image *image,
		       struct pairs *pairs)
{
	struct judgement native;
	struct judged kernel;
	struct frame frame;

	random_frame(c, &frame);
	frame_judge(image, frame.bytes, frame.len, 0, &native);
	assert_int_equal(twin_run(twin, frame.bytes, frame.len, &kernel, NULL), 0);
	pairs->judged++;
	pairs->reasons[kernel.reason]++;
	pairs->verdicts[kernel.verdict]++;
	if (kernel.verdict == native.verdict && kernel.reason == native.reason &&
	    kernel.list == native.list)
		return true;
	if (!pairs->differ++)
		tell(c, &frame, &native, &kernel);
	return false;
}

/* A random policy, staged into the twin. */
static void stage_random(struct chance *c, struct twin *twin, struct made *made,
			 struct image_file *ret)
{
	auto_diag struct diag diag = { 0 };
	int r;

	random_policy(made, c);
	made_compile(made, ret);
	assert_valid(ret);
	r = twin_stage(twin, ret, SLOT, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
}

static struct twin *open_twin(void **state, struct chance *ret)
{
	auto_diag struct diag diag = { 0 };
	const char *seed = getenv("SEED");
	struct twin *twin = NULL;
	int r;

	rig_of(state);
	*ret = (struct chance){ .random = seed ? strtoull(seed, NULL, 0) : 47 };
	print_message("seed %llu\n", (unsigned long long)ret->random);
	r = twin_open(NULL, &twin, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
	assert_int_equal(twin_command(twin, SLOT, MODE_ENFORCE, 0), 0);
	return twin;
}

/* Every verdict there is without a scorecard, and every kind of reason. */
static void assert_all_seen(const struct pairs *pairs)
{
	static const uint8_t must[] = {
		REASON_NO_MATCH,    REASON_NOT_IP,	REASON_GUARD_ARP,    REASON_GUARD_ND,
		REASON_GUARD_PMTU,  REASON_GUARD_DHCP,	REASON_PROTECT_PORT, REASON_PROTECT_PREFIX,
		REASON_LIST_ALLOW,  REASON_LIST_DROP,	REASON_LIST_FLAG,    REASON_LIST_SCORE,
		REASON_INNER_ALLOW, REASON_INNER_DROP,	REASON_INNER_FLAG,   REASON_TCP_SYN_FIN,
		REASON_FRAGMENT,    REASON_TRUNCATED_IP
	};

	for (size_t i = 0; i < ARRAY_SIZE(must); i++)
		if (!pairs->reasons[must[i]])
			fail_msg("no packet came out with reason %u", must[i]);
	assert_true(pairs->verdicts[VERDICT_DROP] > pairs->judged / 10);
	assert_true(pairs->verdicts[VERDICT_PASS] > pairs->judged / 10);
}

static void kernel_and_native_judge_agree_on_random_policies(void **state)
{
	uint64_t wanted = times(25000, 1000000);
	struct pairs pairs = { 0 };
	struct chance chance;
	auto_twin struct twin *twin = open_twin(state, &chance);

	while (pairs.judged < wanted) {
		auto_made struct made made = { 0 };
		auto_image struct image_file image = { 0 };

		stage_random(&chance, twin, &made, &image);
		for (uint32_t i = 0; i < PACKETS; i++)
			judge_pair(&chance, twin, &image.image, &pairs);
	}
	print_message("%llu pairs, %llu policies: %llu dropped, %llu flagged, %llu differ\n",
		      (unsigned long long)pairs.judged, (unsigned long long)pairs.judged / PACKETS,
		      (unsigned long long)pairs.verdicts[VERDICT_DROP],
		      (unsigned long long)pairs.verdicts[VERDICT_FLAG],
		      (unsigned long long)pairs.differ);
	assert_int_equal(pairs.differ, 0);
	assert_all_seen(&pairs);
}

/* A line that packets read: of the leaves, or of any table. */
static void flip_line(struct chance *c, struct image_file *image)
{
	uint32_t first = IMAGE_HEADER_LINES, line;
	const struct section *lists = image_section(&image->image, SECTION_LISTS);

	assert_non_null(lists);
	line = lists->first > first ? first + upto(c, lists->first - first) : IMAGE_HOT_LINE;
	for (uint32_t i = 0; i < LINE_SIZE; i++)
		image->bytes[(size_t)line * LINE_SIZE + i] ^= 0xff;
}

static void one_flipped_line_of_the_image_makes_them_disagree(void **state)
{
	const uint32_t policies = 20;
	struct pairs pairs = { 0 };
	struct chance chance;
	auto_twin struct twin *twin = open_twin(state, &chance);
	uint32_t found = 0;

	for (uint32_t n = 0; n < policies; n++) {
		auto_made struct made made = { 0 };
		auto_image struct image_file image = { 0 };
		uint64_t before = pairs.differ;

		stage_random(&chance, twin, &made, &image);
		flip_line(&chance, &image);
		for (uint32_t i = 0; i < PACKETS; i++)
			judge_pair(&chance, twin, &image.image, &pairs);
		found += pairs.differ > before;
	}
	print_message("%u of %u flipped lines were seen in %u packets each\n", found, policies,
		      PACKETS);
	assert_true(found >= policies / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kernel_and_native_judge_agree_on_random_policies,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(one_flipped_line_of_the_image_makes_them_disagree,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests_name("F47 random policies", tests, NULL, NULL);
}
