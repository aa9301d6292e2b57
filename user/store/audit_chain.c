/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the audit log as bytes: seals and splitting. Knows no paths, writes nothing, and does
 * not know what a record is about.
 */
#include "store/audit_chain.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "store/store.h"

#define SEAL_OPEN ",\"hash\":\""
#define SEAL_CLOSE "\"}"
#define SEAL_LEN (sizeof(SEAL_OPEN) - 1 + CHAIN_HEX - 1 + sizeof(SEAL_CLOSE) - 1)
#define READ_AT_ONCE ((size_t)64 << 10)

void chain_digest(const char *line, size_t len, char ret[CHAIN_HEX])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, (const unsigned char *)line, len);
	sodium_bin2hex(ret, CHAIN_HEX, digest, sizeof(digest));
}

static void free_text(char **text)
{
	free(*text);
}

int chain_seal(json_t *record, struct buf *ret)
{
	cleanup(free_text) char *text = json_dumps(record, JSON_COMPACT);
	char hash[CHAIN_HEX];
	size_t len;

	if (!text)
		return json_is_object(record) ? -ENOMEM : -EINVAL;
	len = strlen(text) - 1; /* without the closing brace */
	chain_digest(text, len, hash);
	return buf_append(ret, text, len) ?: buf_printf(ret, SEAL_OPEN "%s" SEAL_CLOSE, hash);
}

bool chain_sealed(const char *line, size_t len)
{
	const char *seal, *given;
	char hash[CHAIN_HEX];

	if (len <= SEAL_LEN)
		return false;
	seal = line + len - SEAL_LEN;
	given = seal + sizeof(SEAL_OPEN) - 1;
	if (memcmp(seal, SEAL_OPEN, sizeof(SEAL_OPEN) - 1) ||
	    memcmp(given + CHAIN_HEX - 1, SEAL_CLOSE, sizeof(SEAL_CLOSE) - 1))
		return false;
	chain_digest(line, len - SEAL_LEN, hash);
	return !memcmp(hash, given, CHAIN_HEX - 1);
}

json_t *chain_parse(const char *line, size_t len)
{
	json_t *record;

	if (!chain_sealed(line, len))
		return NULL;
	record = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(record))
		return record;
	json_decref(record);
	return NULL;
}

void chain_reader_close(struct chain_reader *reader)
{
	buf_free(&reader->buf);
}

/* Drop what was handed out, then read on behind what is left. */
static int read_more(struct chain_reader *reader)
{
	struct buf *buf = &reader->buf;
	ssize_t got;
	int err;

	if (buf->data && reader->start) {
		memmove(buf->data, buf->data + reader->start, buf->len - reader->start);
		buf->len -= reader->start;
		reader->start = 0;
	}
	if (buf->len >= AUDIT_LINE_MAX)
		return -EBADMSG;
	err = buf_reserve(buf, READ_AT_ONCE);
	if (err)
		return err;
	got = read(reader->fd, buf->data + buf->len, READ_AT_ONCE);
	if (got < 0)
		return errno == EINTR ? 0 : -errno;
	reader->end = !got;
	buf->len += (size_t)got;
	return 0;
}

int chain_read(struct chain_reader *reader, struct chain_line *ret)
{
	const struct buf *buf = &reader->buf;
	size_t seen = 0;

	for (;;) {
		size_t left = buf->len - reader->start;
		const char *line = buf->data ? buf->data + reader->start : NULL;
		const char *end =
			line && left > seen ? memchr(line + seen, '\n', left - seen) : NULL;
		int err;

		if (end || reader->end) {
			*ret = (struct chain_line){ line, end ? (size_t)(end - line) : left };
			reader->start += ret->len + (end ? 1 : 0);
			return end ? 1 : 0;
		}
		seen = left;
		err = read_more(reader);
		if (err)
			return err;
	}
}
