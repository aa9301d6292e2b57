/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside store/: one line of the audit log as bytes. How it is sealed, whether the seal is whole,
 * and reading a log line by line. Lines are given without their newline.
 */
#ifndef STANCH_STORE_AUDIT_CHAIN_H
#define STANCH_STORE_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

#define AUDIT_LOG "audit.jsonl"
#define CHAIN_HEX 65 /* a digest in hexadecimal, with its NUL */
#define CHAIN_START "0000000000000000000000000000000000000000000000000000000000000000"

/* chain_digest - what the next line's prev has to be. */
void chain_digest(const char *line, size_t len, char ret[CHAIN_HEX]);
/* chain_seal - text of @record with its hash at the end. Returns 0, -ENOMEM, -EINVAL. */
int chain_seal(json_t *record, struct buf *ret);
/* chain_sealed - does the line carry the hash of its own bytes? */
bool chain_sealed(const char *line, size_t len);
/* chain_parse - the sealed line as an object, or NULL (damaged, or no memory). */
json_t *chain_parse(const char *line, size_t len);

/* A log read from the start; lines longer than AUDIT_LINE_MAX end it. */
struct chain_reader {
	int fd; /* borrowed */
	struct buf buf;
	size_t start; /* of the line that comes next */
	bool end; /* the file has no more bytes */
};

#define auto_reader cleanup(chain_reader_close)
void chain_reader_close(struct chain_reader *reader);
/*
 * chain_read - the next line, in @ret until the next call. Returns 1; 0 at the end, with what is
 * there without a newline in @ret; -EBADMSG for a line that is too long; -errno.
 */
struct chain_line {
	const char *text;
	size_t len;
};
int chain_read(struct chain_reader *reader, struct chain_line *ret);

#endif
