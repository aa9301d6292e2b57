/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capture files as Ethernet frames. What has no Ethernet header of its own (raw IP, Linux cooked)
 * gets one with addresses of zero and the ethertype that its bytes or its own header name.
 */
#include "cmd/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "base/cleanup.h"

#define ETHERNET_HEADER 14u
#define SLL_HEADER 16u /* https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html */
#define SLL_PROTOCOL 14u
#define SLL2_HEADER 20u
#define SLL2_PROTOCOL 0u

/* How the header before IP is replaced. */
struct link {
	int type; /* DLT_* */
	uint32_t skip; /* bytes of the file's own header */
	int32_t ethertype_at; /* in that header; -1: from the version of IP */
};

static const struct link links[] = {
	{ DLT_RAW, 0, -1 },
	{ DLT_IPV4, 0, -1 },
	{ DLT_IPV6, 0, -1 },
	{ DLT_LINUX_SLL, SLL_HEADER, SLL_PROTOCOL },
	{ DLT_LINUX_SLL2, SLL2_HEADER, SLL2_PROTOCOL },
};

struct capture {
	pcap_t *pcap;
	const char *path;
	const struct link *link; /* NULL: Ethernet */
	uint32_t dirty; /* bytes of the room that are not zero */
	uint8_t room[CAPTURE_ROOM];
};

void capture_close(struct capture **capture)
{
	if (!*capture)
		return;
	if ((*capture)->pcap)
		pcap_close((*capture)->pcap);
	free(*capture);
	*capture = NULL;
}

static int find_link(struct capture *capture, struct diag *diag)
{
	int type = pcap_datalink(capture->pcap);
	const char *name = pcap_datalink_val_to_name(type);

	if (type == DLT_EN10MB)
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(links); i++) {
		if (links[i].type == type) {
			capture->link = &links[i];
			return 0;
		}
	}
	diag_add(diag, &(struct diag_place){ .file = capture->path }, "capture_link",
		 "packets of link type %s (%d) cannot be judged: Ethernet, raw IP and Linux cooked "
		 "can",
		 name ? name : "unknown", type);
	return -EINVAL;
}

int capture_open(const char *path, struct capture **ret, struct diag *diag)
{
	auto_capture struct capture *capture = calloc(1, sizeof(*capture));
	char error[PCAP_ERRBUF_SIZE] = "";
	int r;

	if (!capture)
		return -ENOMEM;
	capture->path = path;
	capture->pcap = pcap_open_offline(path, error);
	if (!capture->pcap) {
		diag_add(diag, NULL, "capture_unreadable", "%s", error);
		return -EINVAL;
	}
	r = find_link(capture, diag);
	if (!r)
		*ret = TAKE_PTR(capture);
	return r;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* An Ethernet header into the room, for what follows the header that the file has instead. */
static void make_header(struct capture *capture, const uint8_t *bytes, uint32_t there)
{
	const struct link *link = capture->link;
	uint8_t *ethertype = capture->room + 12;

	memset(capture->room, 0, ETHERNET_HEADER);
	if (link->ethertype_at >= 0) {
		if (there >= link->skip)
			memcpy(ethertype, bytes + link->ethertype_at, 2);
	} else if (there && bytes[0] >> 4 == 6) {
		memcpy(ethertype, "\x86\xdd", 2);
	} else {
		memcpy(ethertype, "\x08\x00", 2);
	}
}

static void fill(struct capture *capture, const struct pcap_pkthdr *header, const uint8_t *bytes,
		 struct captured *ret)
{
	uint32_t skip = capture->link ? smaller(capture->link->skip, header->caplen) : 0;
	uint32_t front = capture->link ? ETHERNET_HEADER : 0;
	uint32_t rest = smaller(header->caplen - skip, CAPTURE_ROOM - front);
	uint32_t wire = header->len < header->caplen ? header->caplen : header->len;

	if (capture->link)
		make_header(capture, bytes, header->caplen);
	memcpy(capture->room + front, bytes + skip, rest);
	ret->bytes = capture->room;
	ret->there = front + rest;
	ret->len = wire - skip > UINT32_MAX - front ? UINT32_MAX : wire - skip + front;
	if (ret->there < capture->dirty)
		memset(capture->room + ret->there, 0, capture->dirty - ret->there);
	capture->dirty = ret->there;
}

int capture_next(struct capture *capture, struct captured *ret, struct diag *diag)
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	int r = pcap_next_ex(capture->pcap, &header, &bytes);

	if (r == 1) {
		fill(capture, header, bytes, ret);
		return 1;
	}
	if (r == PCAP_ERROR_BREAK)
		return 0;
	diag_add(diag, &(struct diag_place){ .file = capture->path }, "capture_broken", "%s",
		 pcap_geterr(capture->pcap));
	return -EINVAL;
}
