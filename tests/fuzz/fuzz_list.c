/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes list files, plain and JSON. Whatever the bytes: no crash, no leak, and either every
 * prefix keeps its promises or there is a problem that can be shown. The first byte picks how much
 * room there is.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz_check.h"
#include "fuzz_words.h"
#include "policy/policy.h"

#define LIST_ID 7

static const char *const words[] = {
	"10.0.0.0/8",
	"10.0.0.1/8",
	"192.0.2.1",
	"0.0.0.0/0",
	"255.255.255.255/32",
	"2001:db8::/32",
	"::1",
	"::/128",
	"1:2:3:4:5:6:7:8",
	"64:ff9b::192.0.2.33",
	"::ffff:1.2.3.4",
	"fe80::1%a",
	"/33",
	"/129",
	"/0",
	"#",
	";",
	"\r\n",
	"\n",
	"\xef\xbb\xbf",
	"{\"prefixes\":[",
	"{\"ipv4Prefix\":\"192.0.2.0/24\"}",
	"{\"ipv6Prefix\":\"2001:db8::\\/32\"}",
	"]}",
	",",
	"\"x\":-1.5",
	"\"y\":\"z\"",
	"null",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	const struct fuzz_dictionary dictionary = { words, ARRAY_SIZE(words) };

	return fuzz_mutate(data, size, max_size, seed, &dictionary);
}

static void vec_free(struct prefix_vec *vec)
{
	free(vec->items);
}

/* The C library, which is laxer, must read our text as the same address. */
static void check_against_libc(const struct prefix *prefix)
{
	unsigned char bytes[16];
	char text[PREFIX_TEXT];
	uint64_t hi = 0, lo = 0;
	unsigned int i;

	prefix_format(prefix, text);
	*strchr(text, '/') = '\0';
	memset(bytes, 0, sizeof(bytes));
	assert(inet_pton(prefix->family == 4 ? AF_INET : AF_INET6, text, bytes) == 1);
	for (i = 0; i < 8; i++) {
		hi = hi << 8 | bytes[i];
		lo = lo << 8 | bytes[8 + i];
	}
	assert(hi == prefix->hi && lo == prefix->lo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(vec_free) struct prefix_vec vec = { 0 };
	auto_diag struct diag diag = { 0 };
	const char *text = (const char *)data + 1;
	uint32_t room, lines, i;
	int err;

	if (!size)
		return 0;
	room = data[0];
	lines = fuzz_lines(text, size - 1);
	err = list_parse(&(struct named_text){ "list", text, size - 1 }, LIST_ID, room, &vec,
			 &diag);
	fuzz_check_diag(&diag);
	assert(err == 0 || err == -EINVAL);
	assert((err == 0) == (diag.total == 0));
	assert(err == 0 || vec.count == 0);
	assert(vec.count <= room);
	for (i = 0; i < vec.count; i++) {
		assert(vec.items[i].list == LIST_ID);
		assert(vec.items[i].line >= 1 && vec.items[i].line <= lines);
		fuzz_check_prefix(&vec.items[i]);
		check_against_libc(&vec.items[i]);
	}
	for (i = 0; i < diag.stored; i++)
		assert(diag.problems[i].line <= lines);
	return 0;
}
