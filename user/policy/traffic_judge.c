/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Evidence: is what a candidate newly drops more than is allowed? Shares are compared with their
 * limits by the score test of a proportion (Wilson, JASA 22, 1927: its interval is this test turned
 * round), squared, so that no root is needed. Samples that stand for different numbers of packets
 * count for as many equal ones as Kish's design effect says (Survey Sampling, 1965, section 8.2).
 *
 * What is judged anew with every sample is more often over by chance than the test says: its
 * quantile is a far one, and real harm is far over the limit.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/diag.h"
#include "policy/traffic_tally.h"

#define PPM 1000000.0
#define HARM_Z2 10.89 /* 3.3 squared: one in two thousand */
#define GOOD_Z2 2.706 /* 1.645 squared: one in twenty; what passes is watched further on */

#define HARM_SAMPLES 8u /* fewer are no evidence of anything */
#define HARM_SOURCES 2u
#define QUIET_SAMPLES 300u /* good, when nothing of so many is newly dropped */
#define GOOD_SAMPLES 1000u

/* What was newly dropped, of what, and what may be. */
struct share {
	double dropped, all;
	double limit;
	double count; /* as how many independent observations @all counts */
};

static double share_of(const struct share *s)
{
	return s->all > 0 ? s->dropped / s->all : 0;
}

/* The score, squared but with its sign: positive is over the limit. A limit of one is no limit. */
static double score(const struct share *s)
{
	double limit = s->limit > 1e-9 ? s->limit : 1e-9;
	double over = share_of(s) - limit;

	if (limit >= 1)
		return -PPM;
	return (over < 0 ? -over : over) * over * s->count / (limit * (1 - limit));
}

/* Everything that is asked about one tally. */
struct inquiry {
	const struct traffic *traffic;
	const struct tally *tally;
	const struct gate_settings *settings;
	char *text;
};

/* So many equal packets are worth one of these, by their weights. */
static double packets_worth(const struct tally *tally)
{
	return tally->squares / (double)tally->sums.packets;
}

static struct share share_packets(const struct inquiry *q)
{
	const struct traffic_sums *sums = &q->tally->sums;

	return (struct share){ (double)sums->newly_dropped, (double)sums->packets,
			       q->settings->newly_dropped / PPM,
			       sums->packets ? (double)sums->packets / packets_worth(q->tally)
					     : 0 };
}

static struct share share_sources(const struct inquiry *q)
{
	const struct traffic_sums *sums = &q->tally->sums;

	return (struct share){ sums->sources_dropped, sums->sources,
			       q->settings->newly_dropped_sources / PPM, sums->sources };
}

static struct share share_regular(const struct inquiry *q)
{
	const struct traffic_sums *sums = &q->tally->sums;

	return (struct share){ sums->regular_dropped, sums->regular,
			       q->settings->newly_dropped_sources / PPM, sums->regular };
}

static struct share share_port(const struct inquiry *q, const struct traffic_port *port)
{
	return (struct share){ (double)port->dropped, (double)port->packets,
			       q->settings->newly_dropped_port / PPM,
			       (double)port->packets / packets_worth(q->tally) };
}

static bool over(const struct share *s)
{
	return share_of(s) > s->limit;
}

static bool surely_over(const struct share *s)
{
	return score(s) > HARM_Z2;
}

/*
 * Have most regular sources been seen? Then they are no sample of anybody but all there are, and
 * their share needs no test. They are when, since half or a quarter as many samples had been seen,
 * at most a third joined.
 */
static bool regular_known(const struct tally *tally)
{
	/* of fewer than four there is no regular source, and nobody asks */
	uint64_t samples = tally->sums.samples | 4;
	uint32_t before = tally->regular_at[62 - __builtin_clzll(samples)];

	return tally->sums.regular <= before + before / 3;
}

/* ---- words ---- */

static void say(const struct inquiry *q, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct inquiry *q, const char *fmt, ...)
{
	va_list args;

	if (!q->text)
		return;
	va_start(args, fmt);
	vsnprintf(q->text, DIAG_TEXT, fmt, args);
	va_end(args);
}

/* "newly drops 1.20 % of packets (12 of 1000), most by list `abusers`; the limit is 0.10 %" */
static void say_share(const struct inquiry *q, const char *what, const struct share *s)
{
	const struct traffic_sums *sums = &q->tally->sums;
	const struct list_record *list = NULL;
	const char *name = "";

	if (q->traffic->candidate && sums->worst_list)
		list = image_list(q->traffic->candidate, sums->worst_list);
	if (list)
		name = image_text(q->traffic->candidate, list->name);
	say(q, "newly drops %.2f %% of %s (%.0f of %.0f)%s%.*s%s; the limit is %.2f %%",
	    share_of(s) * 100, what, s->dropped, s->all, list ? ", most by list `" : "",
	    list ? list->name_len : 0, name, list ? "`" : "", s->limit * 100);
}

/* ---- harm ---- */

static bool harm_packets(const struct inquiry *q)
{
	struct share s = share_packets(q);

	if (q->tally->sums.samples_dropped < HARM_SAMPLES || !surely_over(&s))
		return false;
	say_share(q, "packets", &s);
	return true;
}

static bool harm_sources(const struct inquiry *q)
{
	const struct traffic_sums *sums = &q->tally->sums;
	struct share s = share_sources(q);

	if (sums->samples_dropped < HARM_SAMPLES || sums->sources_dropped < HARM_SOURCES ||
	    !surely_over(&s))
		return false;
	say_share(q, "sources", &s);
	return true;
}

/* Of one source alone there has to be more to see. */
static bool harm_regular(const struct inquiry *q)
{
	const struct tally *tally = q->tally;
	struct share s = share_regular(q);

	if (tally->sums.regular_dropped < HARM_SOURCES && !tally->heavy)
		return false;
	if (!surely_over(&s) && !(over(&s) && regular_known(tally)))
		return false;
	say_share(q, "sources seen several times", &s);
	return true;
}

static const struct traffic_port *worst_port(const struct inquiry *q)
{
	const struct tally *tally = q->tally;
	const struct traffic_port *worst = NULL;
	double most = 0;

	for (uint32_t i = 0; i < tally->hurt_count; i++) {
		const struct traffic_port *port = &tally->ports[tally->hurt[i]];
		struct share s = share_port(q, port);

		if (port->samples_dropped < HARM_SAMPLES || score(&s) <= most)
			continue;
		worst = port;
		most = score(&s);
	}
	return worst;
}

static void port_text(uint32_t at, char *out, size_t size)
{
	snprintf(out, size, "what came to %s port %u", at & TRAFFIC_PORT_UDP ? "UDP" : "TCP",
		 at & 0xffff);
}

static bool harm_port(const struct inquiry *q)
{
	const struct traffic_port *port = worst_port(q);
	struct share s;
	char what[48];

	if (!port)
		return false;
	s = share_port(q, port);
	if (!surely_over(&s))
		return false;
	port_text((uint32_t)(port - q->tally->ports), what, sizeof(what));
	say_share(q, what, &s);
	return true;
}

/* ---- good ---- */

/* Is any other share over its limit, though not surely? */
static bool is_doubtful(const struct inquiry *q)
{
	struct share sources = share_sources(q), regular = share_regular(q);

	if (over(&regular))
		say_share(q, "sources seen several times", &regular);
	else if (q->tally->sums.sources_dropped >= HARM_SOURCES && over(&sources))
		say_share(q, "sources", &sources);
	else if (worst_port(q))
		say(q, "a port may be over its limit");
	else
		return false;
	return true;
}

static enum traffic_verdict judge_unharmed(const struct inquiry *q)
{
	const struct traffic_sums *sums = &q->tally->sums;
	struct share packets = share_packets(q);
	uint32_t least = sums->samples_dropped ? GOOD_SAMPLES : QUIET_SAMPLES;

	if (sums->samples < least) {
		say(q, "only %llu packets were seen, %u are needed",
		    (unsigned long long)sums->samples, least);
		return TRAFFIC_TOO_LITTLE;
	}
	say_share(q, "packets", &packets);
	if (sums->samples_dropped && (score(&packets) > -GOOD_Z2 || is_doubtful(q)))
		return TRAFFIC_TOO_LITTLE;
	return TRAFFIC_GOOD;
}

enum traffic_verdict traffic_judge(const struct traffic *traffic,
				   const struct gate_settings *settings, char *ret_text)
{
	const struct inquiry q = { traffic, &traffic->tally, settings, ret_text };

	if (harm_packets(&q) || harm_sources(&q) || harm_regular(&q) || harm_port(&q))
		return TRAFFIC_HARM;
	return judge_unharmed(&q);
}

/* ---- for people ---- */

static double weight_of(const struct traffic_port *port)
{
	return (double)port->dropped * ((double)port->dropped / (double)port->packets);
}

void traffic_sums(const struct traffic *traffic, struct traffic_sums *ret)
{
	const struct tally *tally = &traffic->tally;
	const struct traffic_port *worst = NULL;

	*ret = tally->sums;
	for (uint32_t i = 0; i < tally->hurt_count; i++) {
		const struct traffic_port *port = &tally->ports[tally->hurt[i]];

		if (!worst || weight_of(port) > weight_of(worst))
			worst = port;
	}
	if (!worst)
		return;
	ret->worst_port = (uint32_t)(worst - tally->ports);
	ret->port_packets = worst->packets;
	ret->port_dropped = worst->dropped;
}
