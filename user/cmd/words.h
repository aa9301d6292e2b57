/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in words: who talks to whom. What events, explain and replay print about one. */
#ifndef STANCH_CMD_WORDS_H
#define STANCH_CMD_WORDS_H

#include <stdint.h>

#define ADDRESS_TEXT 46
#define ENDPOINT_TEXT (ADDRESS_TEXT + 8)

/*
 * endpoint_text - "192.0.2.1:80", "[2001:db8::1]:80", without the port when it is 0, "-" for what
 * is not IP (@family 0). @out has ENDPOINT_TEXT bytes and is returned.
 */
const char *endpoint_text(uint8_t family, const uint8_t address[16], uint16_t port, char *out);

/* address_text - the address alone, NULL for what is not IP. @out has ADDRESS_TEXT bytes. */
const char *address_text(uint8_t family, const uint8_t address[16], char *out);

/* proto_text - "tcp", or the number of a protocol without a name here. @out has 8 bytes. */
const char *proto_text(uint8_t family, uint8_t proto, char *out);
/* proto_number - the same backwards. Returns -1 for a word that is neither name nor number. */
int proto_number(const char *text);

#endif
