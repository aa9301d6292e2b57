/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging: (image, packet, orders) -> verdict and reason. Pure, compiled for the kernel and
 * natively. The order below is the precedence that operators read about: guard, protect, operator's
 * allow, allow, operator's block, drop, inner header, impossible headers, flag, score.
 *
 * A killed stage still finds its match, and the packet then passes as `killed`: so that pulling a
 * switch can only turn a verdict into a pass, never uncover a stricter one behind it.
 */
#ifndef STANCH_JUDGE_H
#define STANCH_JUDGE_H

#include "image.h"
#include "packet.h"
#include "table.h"

struct judgement {
	__u8 verdict; /* enum verdict, before monitor mode */
	__u8 reason; /* enum reason */
	__u16 list; /* list id that decided, 0 none */
	__u32 src_leaf, dst_leaf; /* for counting score lists when reason is list_score */
};

/* The first eight bytes of a struct leaf as one number. */
#define LEAF_PROTECT(l) ((__u16)(l))
#define LEAF_ALLOW(l) ((__u16)((l) >> 16))
#define LEAF_DROP(l) ((__u16)((l) >> 32))
#define LEAF_FLAG(l) ((__u16)((l) >> 48))

/* Orders of the operator: kill bits by enum stage, and what was said about this source. */
#define ORDER_KILLS 0xffffu
#define ORDER_ALLOW (1u << 16)
#define ORDER_BLOCK (1u << 17)

/* What is to be judged, and by what: handed down, never changed. */
struct question {
	struct image *image;
	const struct image_hot *hot;
	const struct packet *packet;
	__u32 orders;
};

/* What one address is on. */
struct listed {
	__u64 lists; /* protect, allow, drop, flag of its leaf */
	__u32 leaf; /* leaf id, 0 when it is on no list */
	__u32 score; /* is it on any score list? */
};

static __always_inline __u32 judge_is(struct judgement *j, __u8 verdict, __u8 reason, __u16 list)
{
	j->verdict = verdict;
	j->reason = reason;
	j->list = list;
	return 1;
}

static __always_inline __u32 killed(const struct question *q, enum stage stage)
{
	return (q->orders & ORDER_KILLS) >> stage & 1;
}

static __always_inline __u32 judge_stage(const struct question *q, struct judgement *j,
					 enum stage stage, __u8 reason, __u16 list)
{
	if (killed(q, stage))
		return judge_is(j, VERDICT_PASS, REASON_KILLED, list);
	return judge_is(j, stage == STAGE_FLAG ? VERDICT_FLAG : VERDICT_DROP, reason, list);
}

/*
 * What leaf @id says. Fills @ret; 0 when the image is broken, in which case @j says how.
 * @id: of table_lookup().
 */
static __always_inline __u32 read_listed(const struct question *q, __u32 id, struct listed *ret,
					 struct judgement *j)
{
	const struct image_hot *hot = q->hot;
	const struct leaf *leaf;

	if (!id)
		return 1;
	if (id == TABLE_TOO_LONG)
		return !judge_is(j, VERDICT_PASS, REASON_IMAGE_STEPS, 0);
	if (id > NODE_LEAF_MASK || id >= hot->leaves)
		return !judge_is(j, VERDICT_PASS, REASON_IMAGE_REFERENCE, 0);
	leaf = image_line(q->image, hot->leaves_line + id / LEAVES_PER_LINE);
	if (!leaf)
		return !judge_is(j, VERDICT_PASS, REASON_IMAGE_REFERENCE, 0);
	leaf += id % LEAVES_PER_LINE;
	ret->lists = *(const __u64 *)leaf;
	ret->leaf = id;
	ret->score = leaf->score[0];
	return 1;
}

static __always_inline __u32 find_listed(const struct question *q, __u32 table,
					 const struct address *address, struct listed *ret,
					 struct judgement *j)
{
	__u32 root = q->hot->root[table & 3];

	if (!root)
		return 1;
	return read_listed(q, table_lookup(q->image, root, address->hi, address->lo), ret, j);
}

/*
 * The never-block guard: what a host needs to stay reachable. No policy, kill bit or mode changes
 * it. ND: RFC 4861 section 6.1 and 7.1 demand hop limit 255, so no router forwarded it.
 */
static __always_inline __u8 guard_reason(const struct packet *p)
{
	if (p->shape & SHAPE_ARP)
		return REASON_GUARD_ARP;
	if (p->anomaly || (p->shape & (SHAPE_FRAGMENT | SHAPE_FIRST_FRAGMENT)))
		return 0;
	if (p->proto == PROTO_ICMPV6 && p->family == 6 && (p->shape & SHAPE_ICMP)) {
		if (p->icmp_type == 2)
			return REASON_GUARD_PMTU;
		if (p->icmp_type >= 133 && p->icmp_type <= 137 && p->hops == 255)
			return REASON_GUARD_ND;
	}
	if (p->proto == PROTO_ICMP && p->family == 4 && (p->shape & SHAPE_ICMP) &&
	    p->icmp_type == 3 && p->icmp_code == 4)
		return REASON_GUARD_PMTU;
	if (p->proto != PROTO_UDP || !(p->shape & SHAPE_PORTS))
		return 0;
	if (p->family == 4 && (p->dport == 67 || p->dport == 68) &&
	    (p->sport == 67 || p->sport == 68))
		return REASON_GUARD_DHCP;
	if (p->family == 6 && (p->dport == 546 || p->dport == 547) &&
	    (p->sport == 546 || p->sport == 547))
		return REASON_GUARD_DHCP;
	return 0;
}

/* Is the local port protected? Then, or when the image is broken, @j is filled. */
static __always_inline __u32 judge_port(const struct question *q, struct judgement *j)
{
	const struct packet *p = q->packet;
	const __u64 *line;

	if (!q->hot->ports_line || !(p->shape & SHAPE_PORTS))
		return 0;
	line = image_line(q->image, q->hot->ports_line + p->dport / 512); /* 512 bits per line */
	if (!line)
		return judge_is(j, VERDICT_PASS, REASON_IMAGE_REFERENCE, 0);
	if (!(line[p->dport / 64 & 7] >> (p->dport & 63) & 1))
		return 0;
	return judge_is(j, VERDICT_PASS, REASON_PROTECT_PORT, 0);
}

static __always_inline __u32 judge_lists(const struct question *q, const struct listed *src,
					 const struct listed *dst, struct judgement *j)
{
	if (!(src->lists | dst->lists | (q->orders & ~ORDER_KILLS)))
		return 0;
	if (q->orders & ORDER_ALLOW)
		return judge_is(j, VERDICT_PASS, REASON_OVERRIDE_ALLOW, 0);
	if (LEAF_ALLOW(src->lists))
		return judge_is(j, VERDICT_PASS, REASON_LIST_ALLOW, LEAF_ALLOW(src->lists));
	if (LEAF_ALLOW(dst->lists))
		return judge_is(j, VERDICT_PASS, REASON_LIST_ALLOW, LEAF_ALLOW(dst->lists));
	if (q->orders & ORDER_BLOCK)
		return judge_stage(q, j, STAGE_DROP, REASON_OVERRIDE_BLOCK, 0);
	if (LEAF_DROP(src->lists))
		return judge_stage(q, j, STAGE_DROP, REASON_LIST_DROP, LEAF_DROP(src->lists));
	if (LEAF_DROP(dst->lists))
		return judge_stage(q, j, STAGE_DROP, REASON_LIST_DROP, LEAF_DROP(dst->lists));
	return 0;
}

/* One level of tunnel, when the policy asks for it. Flag lists of the inner header come later. */
static __always_inline __u32 judge_inner(const struct question *q, struct judgement *j, __u16 *flag)
{
	struct listed src = { 0 }, dst = { 0 };
	const struct packet *p = q->packet;
	__u32 six = p->inner_family == 6 ? 2 : 0;
	__u16 list;

	if (!(p->shape & SHAPE_INNER))
		return 0;
	if (killed(q, STAGE_INNER))
		return judge_is(j, VERDICT_PASS, REASON_KILLED, 0);
	if (!find_listed(q, TABLE_V4_SRC + six, &p->inner_src, &src, j) ||
	    !find_listed(q, TABLE_V4_DST + six, &p->inner_dst, &dst, j))
		return 1;
	list = LEAF_PROTECT(src.lists);
	if (list)
		return judge_is(j, VERDICT_PASS, REASON_PROTECT_PREFIX, list);
	list = LEAF_ALLOW(src.lists) ? LEAF_ALLOW(src.lists) : LEAF_ALLOW(dst.lists);
	if (list)
		return judge_is(j, VERDICT_PASS, REASON_INNER_ALLOW, list);
	list = LEAF_DROP(src.lists) ? LEAF_DROP(src.lists) : LEAF_DROP(dst.lists);
	if (list)
		return judge_stage(q, j, STAGE_DROP, REASON_INNER_DROP, list);
	*flag = LEAF_FLAG(src.lists) ? LEAF_FLAG(src.lists) : LEAF_FLAG(dst.lists);
	return 0;
}

/* Behind the lists: impossible headers, flags, scores, and what is left. */
static __always_inline void judge_rest(const struct question *q, const struct listed *src,
				       const struct listed *dst, __u16 inner_flag,
				       struct judgement *j)
{
	const struct packet *p = q->packet;
	__u16 flag = LEAF_FLAG(src->lists) ? LEAF_FLAG(src->lists) : LEAF_FLAG(dst->lists);

	if (p->anomaly && (q->hot->flags & IMAGE_HEADERS)) {
		judge_stage(q, j, STAGE_HEADER, p->anomaly, 0);
	} else if (flag) {
		judge_stage(q, j, STAGE_FLAG, REASON_LIST_FLAG, flag);
	} else if (inner_flag) {
		judge_stage(q, j, STAGE_FLAG, REASON_INNER_FLAG, inner_flag);
	} else if ((src->score || dst->score) && !killed(q, STAGE_SCORE)) {
		judge_is(j, VERDICT_PASS, REASON_LIST_SCORE, 0);
		j->src_leaf = src->score ? src->leaf : 0;
		j->dst_leaf = dst->score ? dst->leaf : 0;
	} else {
		judge_is(j, VERDICT_PASS, p->anomaly ? p->anomaly : p->note, 0);
	}
}

/* A packet that no table can speak about: the guard, and what is not (readable) IP. */
static __always_inline void judge_unlisted(const struct question *q, __u8 guard,
					   struct judgement *j)
{
	const struct packet *p = q->packet;

	if (!guard && p->anomaly && (q->hot->flags & IMAGE_HEADERS))
		judge_stage(q, j, STAGE_HEADER, p->anomaly, 0);
	else
		j->reason = guard ? guard : p->anomaly ? p->anomaly : p->note;
}

static __always_inline void judge_listed(const struct question *q, struct judgement *j)
{
	struct listed src = { 0 }, dst = { 0 };
	const struct packet *p = q->packet;
	__u32 six = p->family == 6 ? 2 : 0;
	__u16 inner_flag = 0;
	__u32 id;

	/* without a call: most policies look up the source and nothing else; an empty root is id 0 */
	id = table_walk(q->image, q->hot->root[TABLE_V4_SRC + six], p->src.hi, p->src.lo);
	if (!read_listed(q, id, &src, j) || !find_listed(q, TABLE_V4_DST + six, &p->dst, &dst, j))
		return;
	if (LEAF_PROTECT(src.lists)) {
		judge_is(j, VERDICT_PASS, REASON_PROTECT_PREFIX, LEAF_PROTECT(src.lists));
		return;
	}
	if (judge_port(q, j) || judge_lists(q, &src, &dst, j))
		return;
	if ((p->shape & SHAPE_TUNNEL) && (q->hot->flags & IMAGE_INNER) &&
	    judge_inner(q, j, &inner_flag))
		return;
	judge_rest(q, &src, &dst, inner_flag, j);
}

/*
 * judge_question - the verdict on one packet by one image, whose hot line has been looked up.
 * @j is all zero. A broken image passes the packet with a reason of its own. Never fails.
 */
static __always_inline void judge_question(const struct question *q, struct judgement *j)
{
	__u8 guard;

	if (!q->hot || q->hot->magic != IMAGE_HOT_MAGIC) {
		j->reason = REASON_IMAGE_MAGIC;
		return;
	}
	guard = guard_reason(q->packet);
	if (guard || !q->packet->family)
		judge_unlisted(q, guard, j);
	else
		judge_listed(q, j);
	if (j->list > q->hot->lists) /* a leaf names a list that is not there */
		judge_is(j, VERDICT_PASS, REASON_IMAGE_REFERENCE, 0);
}

/* judge_packet - the same from an image. @orders: kill bits, ORDER_ALLOW, ORDER_BLOCK. Clears @j. */
static __always_inline void judge_packet(struct image *image, const struct packet *p, __u32 orders,
					 struct judgement *j)
{
	const struct question q = { image, image_line(image, IMAGE_HOT_LINE), p, orders };

	__builtin_memset(j, 0, sizeof(*j));
	judge_question(&q, j);
}

#endif
