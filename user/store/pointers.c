/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointers: 64 bytes that say which image was made live, and which were kept. Knows neither images
 * nor slots; whether what a pointer names is there and sound is for its reader to find out.
 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "store/disk.h"
#include "store/pointers.h"

/* Little endian:  0 magic, 4 version, 8 generation, 16 time, 24 digest, 56 checksum. */
#define POINTER_MAGIC 0x52545053u /* "SPTR" */
#define POINTER_VERSION 1u
#define AT_MAGIC 0
#define AT_VERSION 4
#define AT_GENERATION 8
#define AT_TIME 16
#define AT_DIGEST 24
#define AT_CHECKSUM 56
#define CHECKSUM (POINTER_BYTES - AT_CHECKSUM)
_Static_assert(AT_DIGEST + 32 == AT_CHECKSUM && CHECKSUM == 8, "64 bytes, none unused");

const char *const pointer_names[POINTERS_GOOD + 1] = { "live", "good-1", "good-2", "good-3" };

static void put_number(uint8_t *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static void checksum(const uint8_t bytes[POINTER_BYTES], uint8_t ret[CHECKSUM])
{
	uint8_t digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, bytes, AT_CHECKSUM);
	memcpy(ret, digest, CHECKSUM);
}

static int write_pointer(const struct places *places, const char *name,
			 const struct pointer *pointer)
{
	uint8_t bytes[POINTER_BYTES];

	put_number(bytes + AT_MAGIC, POINTER_MAGIC, 4);
	put_number(bytes + AT_VERSION, POINTER_VERSION, 4);
	put_number(bytes + AT_GENERATION, pointer->generation, 8);
	put_number(bytes + AT_TIME, pointer->time_s, 8);
	memcpy(bytes + AT_DIGEST, pointer->digest, sizeof(pointer->digest));
	checksum(bytes, bytes + AT_CHECKSUM);
	return disk_write(places, name, bytes, sizeof(bytes));
}

int pointer_read(const struct places *places, const char *name, struct pointer *ret)
{
	auto_buf struct buf content = { 0 };
	uint8_t bytes[POINTER_BYTES], sum[CHECKSUM];
	int err = disk_read(places, name, POINTER_BYTES, &content);

	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	if (content.len != POINTER_BYTES)
		return -EBADMSG;
	memcpy(bytes, content.data, sizeof(bytes));
	checksum(bytes, sum);
	if (get_number(bytes + AT_MAGIC, 4) != POINTER_MAGIC ||
	    get_number(bytes + AT_VERSION, 4) != POINTER_VERSION ||
	    memcmp(sum, bytes + AT_CHECKSUM, sizeof(sum)))
		return -EBADMSG;
	ret->generation = get_number(bytes + AT_GENERATION, 8);
	ret->time_s = get_number(bytes + AT_TIME, 8);
	memcpy(ret->digest, bytes + AT_DIGEST, sizeof(ret->digest));
	return 0;
}

struct pointer pointer_to(uint64_t generation, const uint8_t digest[32])
{
	struct pointer ret = { .generation = generation, .time_s = (uint64_t)time(NULL) };

	memcpy(ret.digest, digest, sizeof(ret.digest));
	return ret;
}

int pointer_live_write(const struct places *places, const struct pointer *pointer)
{
	return write_pointer(places, pointer_names[0], pointer);
}

int pointer_live_read(const struct places *places, struct pointer *ret)
{
	return pointer_read(places, pointer_names[0], ret);
}

int pointer_good_read(const struct places *places, unsigned int n, struct pointer *ret)
{
	return n < 1 || n > POINTERS_GOOD ? -EINVAL : pointer_read(places, pointer_names[n], ret);
}

/* Pointers in order, newest first. One more than is kept: while it is made, a list may be longer. */
struct row {
	struct pointer items[POINTERS_GOOD + 1];
	unsigned int count;
};

static bool same(const struct pointer *a, const struct pointer *b)
{
	return !memcmp(a->digest, b->digest, sizeof(a->digest));
}

static bool holds(const struct row *row, const struct pointer *pointer)
{
	for (unsigned int i = 0; i < row->count; i++) {
		if (same(&row->items[i], pointer))
			return true;
	}
	return false;
}

/* What can be read, each once; gaps and damaged ones are passed over. */
static int read_row(const struct places *places, struct row *ret)
{
	for (unsigned int n = 1; n <= POINTERS_GOOD; n++) {
		struct pointer pointer;
		int err = pointer_good_read(places, n, &pointer);

		if (err && err != -ENOENT && err != -EBADMSG && err != -EIO)
			return err;
		if (!err && !holds(ret, &pointer))
			ret->items[ret->count++] = pointer;
	}
	return 0;
}

/* @row with @first before it, and without what has the digest of @first when it is to go. */
static void put_first(const struct row *row, const struct pointer *first, bool once,
		      struct row *ret)
{
	*ret = (struct row){ .items = { *first }, .count = 1 };
	for (unsigned int i = 0; i < row->count; i++) {
		if (!once || !same(&row->items[i], first))
			ret->items[ret->count++] = row->items[i];
	}
	if (ret->count > POINTERS_GOOD)
		ret->count = POINTERS_GOOD;
}

static int write_place(const struct places *places, const struct row *row, unsigned int at)
{
	const char *name = pointer_names[at + 1];

	return at < row->count ? write_pointer(places, name, &row->items[at])
			       : disk_remove(places, name);
}

/*
 * Moving down, the last place is written first, so that what a place held is in the one below
 * before it goes. One that was kept already is left where it is until its copy is on top.
 */
static int move_down(const struct places *places, const struct row *row)
{
	int err = 0;

	for (unsigned int at = row->count; at-- && !err;)
		err = write_place(places, row, at);
	return err;
}

static int move_up(const struct places *places, const struct row *row)
{
	int err = 0;

	for (unsigned int at = 0; at < POINTERS_GOOD && !err; at++)
		err = write_place(places, row, at);
	return err;
}

int pointer_keep(const struct places *places, const struct pointer *pointer)
{
	struct row old = { 0 }, twice, once;
	int err = read_row(places, &old);

	if (err)
		return err;
	put_first(&old, pointer, false, &twice);
	put_first(&old, pointer, true, &once);
	if (!old.count || !same(&old.items[0], pointer))
		err = move_down(places, &twice);
	return err ? err : move_up(places, &once);
}
