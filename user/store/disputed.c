/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled packets as a capture (pcap, Ethernet), readable by their owner alone: people's traffic. */
#include "store/store.h"

#include "base/buf.h"
#include "base/file.h"
#include "store/disk.h"

/* https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html: nanoseconds, Ethernet. */
struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2];
	uint32_t longest, link;
};
_Static_assert(sizeof(struct pcap_header) == 24, "a pcap file header");

struct pcap_record {
	uint32_t seconds, nanoseconds, captured, length;
};
_Static_assert(sizeof(struct pcap_record) == 16, "a pcap packet header");

static int put_sample(struct buf *buf, const struct sample *sample)
{
	uint32_t captured = sample->captured < SAMPLE_HEAD ? sample->captured : SAMPLE_HEAD;
	const struct pcap_record record = {
		.seconds = (uint32_t)(sample->time_ns / 1000000000u),
		.nanoseconds = (uint32_t)(sample->time_ns % 1000000000u),
		.captured = captured,
		.length = sample->length,
	};
	int r = buf_append(buf, &record, sizeof(record));

	return r ? r : buf_append(buf, sample->head, captured);
}

int store_disputed_write(const struct places *places, const struct sample *samples, uint32_t count)
{
	static const struct pcap_header header = {
		.magic = 0xa1b23c4d,
		.major = 2,
		.minor = 4,
		.longest = 65535,
		.link = 1,
	};
	auto_buf struct buf buf = { 0 };
	char path[PATH_MAX];
	int r = buf_append(&buf, &header, sizeof(header));

	for (uint32_t i = 0; i < count && !r; i++)
		r = put_sample(&buf, &samples[i]);
	if (!r)
		r = disk_path(places, "disputed.pcap", path);
	return r ? r : file_write_atomic(path, buf.data, buf.len, 0600);
}
