/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the audit log, by anyone who may: takes no lock, repairs nothing. Knows one thing about
 * what records mean: that "generation" is a number that only grows.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/audit_chain.h"
#include "store/disk.h"

/* Is this the record that has to follow? @prev is the digest of the line before. */
static bool follows(const json_t *record, uint64_t number, const char *prev)
{
	const char *given = json_string_value(json_object_get(record, "prev"));
	const json_t *seq = json_object_get(record, "seq");

	return given && !strcmp(given, prev) && json_is_integer(seq) &&
	       json_integer_value(seq) == (json_int_t)number;
}

static int each_record(int fd, int (*fn)(void *context, json_t *record), void *context,
		       uint64_t *number)
{
	auto_reader struct chain_reader reader = { .fd = fd };
	char prev[CHAIN_HEX] = CHAIN_START;
	struct chain_line line = { 0 };
	int r;

	for (*number = 1; (r = chain_read(&reader, &line)) == 1; ++*number) {
		auto_json json_t *record = chain_parse(line.text, line.len);

		if (!record || !follows(record, *number, prev))
			return -EBADMSG;
		chain_digest(line.text, line.len, prev);
		r = fn(context, record);
		if (r)
			return r;
	}
	/* More than a whole record without a newline is no torn line. */
	return !r && line.len && chain_sealed(line.text, line.len - 1) ? -EBADMSG : r;
}

int audit_each(const struct places *places, int (*fn)(void *context, json_t *record), void *context,
	       uint64_t *ret_line)
{
	autoclose int fd = disk_open(places, AUDIT_LOG, O_RDONLY);
	uint64_t number = 0;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = each_record(fd, fn, context, &number);
	if (r == -EBADMSG && ret_line)
		*ret_line = number;
	return r;
}

static uint64_t generation_of(const json_t *record)
{
	const json_t *generation = json_object_get(record, "generation");
	const char *text = json_string_value(generation);
	json_int_t number = json_integer_value(generation);
	unsigned long long value;
	char *end;

	if (!text)
		return number > 0 ? (uint64_t)number : 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return errno || *end || *text < '0' || *text > '9' ? 0 : value;
}

int audit_next_generation(const struct places *places, uint64_t *ret)
{
	autoclose int fd = disk_open(places, AUDIT_LOG, O_RDONLY);
	auto_reader struct chain_reader reader = { .fd = fd };
	struct chain_line line;
	uint64_t largest = 0;
	int r = 0;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	while (fd >= 0 && (r = chain_read(&reader, &line)) == 1) {
		auto_json json_t *record = chain_parse(line.text, line.len);
		uint64_t generation = generation_of(record);

		largest = generation > largest ? generation : largest;
	}
	if (r)
		return r;
	if (largest == UINT64_MAX)
		return -EOVERFLOW;
	*ret = largest + 1;
	return 0;
}
