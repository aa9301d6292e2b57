/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tally of what two generations say about the same packets. One allocation, whatever is added:
 * sources live in a table of sets in which the least regular one makes room, ports and lists have
 * a counter each. What the numbers mean is judged in traffic_judge.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/frame.h"
#include "policy/traffic_tally.h"

int traffic_new(const struct image *candidate, struct traffic **ret)
{
	struct traffic *traffic = calloc(1, sizeof(*traffic));

	if (!traffic)
		return -ENOMEM;
	traffic->candidate = candidate;
	*ret = traffic;
	return 0;
}

void traffic_free(struct traffic **traffic)
{
	free(*traffic);
	*traffic = NULL;
}

int traffic_expect(struct traffic *traffic, const char *list)
{
	const struct image *image = traffic->candidate;
	const struct list_record *record;

	for (uint32_t id = 1; image && (record = image_list(image, id)); id++) {
		if (record->name_len != strlen(list) ||
		    memcmp(image_text(image, record->name), list, record->name_len))
			continue;
		traffic->expected[id] = 1;
		return 0;
	}
	return -ENOENT;
}

void traffic_clear(struct traffic *traffic)
{
	memset(&traffic->tally, 0, sizeof(traffic->tally));
}

bool traffic_pair_of(const struct sample *sample, struct traffic_pair *ret)
{
	bool drops = sample->flags & SAMPLE_DROPS, other = sample->flags & SAMPLE_OTHER_DROPS;

	if (!(sample->flags & SAMPLE_TRIAL))
		return false;
	if (sample->flags & SAMPLE_CANDIDATE)
		*ret = (struct traffic_pair){ other, drops, sample->reason, sample->list };
	else
		*ret = (struct traffic_pair){ drops, other, sample->other_reason,
					      sample->other_list };
	return true;
}

/* One sample on its way into the tally. */
struct adding {
	struct tally *tally;
	struct packet packet;
	uint64_t weight; /* packets that it stands for, those of established connections twice */
	bool dropped; /* newly */
};

/*
 * Part of a connection that both ends take for open, as far as one packet shows it (RFC 9293
 * section 3.10.7.4): an acknowledgement that neither opens nor resets.
 */
static bool is_established(const struct packet *p)
{
	return p->family && p->proto == PROTO_TCP && (p->shape & SHAPE_PORTS) &&
	       (p->tcp_flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK;
}

/*
 * The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). The address of the table is a key
 * that nobody outside knows: who sends packets cannot choose which sources share a set.
 */
static struct traffic_source *set_of(struct tally *tally, uint64_t key)
{
	uint64_t x = key ^ (uintptr_t)tally * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x ^= x >> 31;
	return tally->sources + x % (TRAFFIC_SOURCES / TRAFFIC_WAYS) * TRAFFIC_WAYS;
}

static bool makes_room(const struct traffic_source *a, const struct traffic_source *b)
{
	return a->seen != b->seen ? a->seen < b->seen : a->last < b->last;
}

/*
 * The place of a source: its own, a free one, or that of the one seen least, the oldest of them:
 * a flood of sources that are seen once displaces only itself.
 */
static struct traffic_source *source_find(struct tally *tally, const struct packet *packet)
{
	uint64_t key = packet->src.hi;
	struct traffic_source *set = set_of(tally, key), *least = set;

	for (uint32_t i = 0; i < TRAFFIC_WAYS; i++) {
		if (set[i].family == packet->family && set[i].key == key)
			return &set[i];
		if (makes_room(&set[i], least))
			least = &set[i];
	}
	*least = (struct traffic_source){ .key = key, .family = packet->family };
	tally->sums.sources++;
	return least;
}

static void add_source(const struct adding *adding)
{
	struct tally *tally = adding->tally;
	struct traffic_sums *sums = &tally->sums;
	struct traffic_source *source = source_find(tally, &adding->packet);

	source->last = (uint32_t)sums->samples;
	sums->regular += ++source->seen == TRAFFIC_REGULAR;
	if (!adding->dropped)
		return;
	source->dropped++;
	sums->sources_dropped += source->dropped == 1;
	sums->regular_dropped += source->dropped == TRAFFIC_REGULAR;
	tally->heavy += source->dropped == TRAFFIC_HEAVY;
}

static void add_port(const struct adding *adding)
{
	const struct packet *packet = &adding->packet;
	struct tally *tally = adding->tally;
	uint32_t at = packet->dport | (packet->proto == PROTO_UDP ? TRAFFIC_PORT_UDP : 0);
	struct traffic_port *port = &tally->ports[at];

	tally->sums.ports += !port->packets;
	port->packets += adding->weight;
	if (!adding->dropped)
		return;
	port->dropped += adding->weight;
	if (!port->samples_dropped++)
		tally->hurt[tally->hurt_count++] = at;
}

static void add_list(const struct adding *adding, uint16_t list)
{
	struct tally *tally = adding->tally;

	tally->lists[list] += adding->weight;
	if (!list || tally->lists[list] <= tally->sums.worst_list_dropped)
		return;
	tally->sums.worst_list = list;
	tally->sums.worst_list_dropped = tally->lists[list];
}

/* How many sources were regular when 1, 2, 4, ... samples had been seen. */
static void note_regular(struct tally *tally)
{
	uint64_t samples = tally->sums.samples;

	if (!(samples & (samples - 1)))
		tally->regular_at[__builtin_ctzll(samples)] = tally->sums.regular;
}

static void add_passed(struct adding *adding, const struct traffic_pair *pair)
{
	const struct packet *packet = &adding->packet;
	struct traffic_sums *sums = &adding->tally->sums;

	sums->samples++;
	sums->packets += adding->weight;
	adding->tally->squares += (double)adding->weight * (double)adding->weight;
	if (packet->family)
		add_source(adding);
	if ((packet->shape & SHAPE_PORTS) &&
	    (packet->proto == PROTO_TCP || packet->proto == PROTO_UDP))
		add_port(adding);
	note_regular(adding->tally);
	if (!adding->dropped)
		return;
	sums->samples_dropped++;
	sums->newly_dropped += adding->weight;
	add_list(adding, pair->list < HITS_PER_SLOT ? pair->list : 0);
}

static uint32_t captured_of(const struct sample *sample)
{
	uint32_t there = sample->captured < SAMPLE_HEAD ? sample->captured : SAMPLE_HEAD;

	return there < sample->length ? there : sample->length;
}

static void parse(const struct sample *sample, struct packet *ret)
{
	uint8_t *head = (uint8_t *)sample->head;

	packet_parse(head, head + captured_of(sample), sample->length, ret);
}

int traffic_add(struct traffic *traffic, const struct sample *sample,
		const struct traffic_pair *pair)
{
	struct adding adding = { .tally = &traffic->tally };
	struct traffic_sums *sums = &traffic->tally.sums;
	uint64_t weight = 1ull << (sample->weight & 31);
	bool established;

	if (pair->reference_drops) {
		sums->newly_passed += pair->candidate_drops ? 0 : weight;
		return 0;
	}
	parse(sample, &adding.packet);
	established = is_established(&adding.packet);
	if (pair->candidate_drops && !established && pair->list < HITS_PER_SLOT &&
	    traffic->expected[pair->list]) {
		sums->expected += weight;
		return 0;
	}
	adding.weight = established ? 2 * weight : weight;
	adding.dropped = pair->candidate_drops;
	sums->established += pair->candidate_drops && established ? weight : 0;
	add_passed(&adding, pair);
	return 0;
}

int traffic_frame(const struct sample *sample, struct buf *ret)
{
	uint32_t there = captured_of(sample);
	char *bytes;
	int r;

	if (!sample->length || sample->length > TRAFFIC_FRAME_MAX)
		return -ENODATA;
	r = buf_reserve(ret, sample->length);
	if (r)
		return r;
	bytes = ret->data + ret->len;
	memcpy(bytes, sample->head, there);
	memset(bytes + there, 0, sample->length - there);
	if (!frame_is_readable(bytes, there, sample->length))
		return -ENODATA;
	ret->len += sample->length;
	return 0;
}

static bool drops(const struct image *image, const struct packet *packet, struct judgement *ret)
{
	judge_packet((struct image *)image, packet, 0, ret);
	return ret->verdict == VERDICT_DROP && image_hot(image)->mode == MODE_ENFORCE;
}

int traffic_judge_sample(const struct image *reference, const struct image *candidate,
			 const struct sample *sample, struct traffic_pair *ret)
{
	struct traffic_pair pair = { .reference_drops = sample->flags & SAMPLE_DROPS };
	struct packet packet;
	struct judgement judgement;
	int r = 0;

	if (captured_of(sample) < sample->length) {
		auto_buf struct buf frame = { 0 };

		r = traffic_frame(sample, &frame);
	}
	if (r)
		return r;
	parse(sample, &packet);
	if (reference)
		pair.reference_drops = drops(reference, &packet, &judgement);
	pair.candidate_drops = drops(candidate, &packet, &judgement);
	pair.reason = judgement.reason;
	pair.list = judgement.list;
	*ret = pair;
	return 0;
}
