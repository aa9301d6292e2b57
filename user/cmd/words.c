/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in words. Knows names and addresses, nothing of verdicts. */
#include "cmd/words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	uint8_t number;
	const char *name;
} protos[] = {
	{ IPPROTO_TCP, "tcp" },	      { IPPROTO_UDP, "udp" },	{ IPPROTO_ICMP, "icmp" },
	{ IPPROTO_ICMPV6, "icmpv6" }, { IPPROTO_SCTP, "sctp" }, { IPPROTO_GRE, "gre" },
	{ IPPROTO_IPIP, "ipip" },     { IPPROTO_IPV6, "ipv6" }, { IPPROTO_ESP, "esp" },
	{ IPPROTO_AH, "ah" },
};

const char *address_text(uint8_t family, const uint8_t address[16], char *out)
{
	if (!family)
		return NULL;
	return inet_ntop(family == 4 ? AF_INET : AF_INET6, address, out, ADDRESS_TEXT);
}

const char *endpoint_text(uint8_t family, const uint8_t address[16], uint16_t port, char *out)
{
	char text[ADDRESS_TEXT];

	if (!address_text(family, address, text))
		return "-";
	if (!port)
		snprintf(out, ENDPOINT_TEXT, "%s", text);
	else
		snprintf(out, ENDPOINT_TEXT, family == 4 ? "%s:%u" : "[%s]:%u", text, port);
	return out;
}

const char *proto_text(uint8_t family, uint8_t proto, char *out)
{
	if (!family)
		return "-";
	for (unsigned int i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].number == proto)
			return protos[i].name;
	snprintf(out, 8, "%u", proto);
	return out;
}

int proto_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	for (unsigned int i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(protos[i].name, text))
			return protos[i].number;
	if (!digits || digits > 3 || text[digits] || strtol(text, NULL, 10) > 255)
		return -1;
	return (int)strtol(text, NULL, 10);
}
