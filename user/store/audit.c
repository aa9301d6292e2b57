/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing the audit log: under a lock of its own, durable, repaired when a writer was killed. Does
 * not know what records are about.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/audit_chain.h"
#include "store/disk.h"

#define AUDIT_LOG "audit.jsonl"
#define TORN_NAME "audit.torn"
#define LOCK_NAME "audit.lock"
#define LOCK_WAIT_MS 5000 /* others hold it for one fsync */
#define TAIL_FIRST ((size_t)64 << 10)
#define SEQ_MAX ((json_int_t)1 << 53) /* what every JSON reader can hold */

/* The end of the log. Pointers go into @buf. */
struct tail {
	struct buf buf;
	off_t end; /* behind the last whole line */
	const char *line; /* the last line, NULL in an empty log */
	size_t line_len;
	const char *torn; /* what is behind it */
	size_t torn_len;
	bool open; /* the last line has lost its newline: not torn but damaged */
};

static void tail_free(struct tail *tail)
{
	buf_free(&tail->buf);
}

static int read_window(int fd, off_t from, size_t len, struct buf *ret)
{
	int err = buf_reserve(ret, len);

	ret->len = 0;
	while (!err && ret->len < len) {
		ssize_t got =
			pread(fd, ret->data + ret->len, len - ret->len, from + (off_t)ret->len);

		if (!got || (got < 0 && errno != EINTR))
			err = got ? -errno : -EIO; /* under the lock nobody may cut it */
		else if (got > 0)
			ret->len += (size_t)got;
	}
	return err;
}

/* Splits the window in @tail->buf. Returns false when the last line begins before it. */
static bool split_window(struct tail *tail, off_t from)
{
	const char *data = tail->buf.data;
	const char *last = memrchr(data, '\n', tail->buf.len);
	const char *before = last ? memrchr(data, '\n', (size_t)(last - data)) : NULL;

	if (from && !before)
		return false;
	tail->torn = last ? last + 1 : data;
	tail->torn_len = tail->buf.len - (size_t)(tail->torn - data);
	tail->end = from + (tail->torn - data);
	tail->line = !last ? NULL : before ? before + 1 : data;
	tail->line_len = last ? (size_t)(last - tail->line) : 0;
	return true;
}

/* A killed writer leaves less than a line. More than one means that its newline was changed. */
static void tell_torn_from_damaged(struct tail *tail)
{
	if (!tail->torn_len || !chain_sealed(tail->torn, tail->torn_len - 1))
		return;
	tail->line = tail->torn;
	tail->line_len = tail->torn_len;
	tail->end += (off_t)tail->torn_len;
	tail->torn_len = 0;
	tail->open = true;
}

static int find_tail(int fd, off_t size, struct tail *ret)
{
	size_t window = TAIL_FIRST;
	int err;

	if (!size)
		return 0;
	for (; window <= 4 * AUDIT_LINE_MAX; window *= 4) {
		off_t from = size > (off_t)window ? size - (off_t)window : 0;

		err = read_window(fd, from, (size_t)(size - from), &ret->buf);
		if (err)
			return err;
		if (split_window(ret, from)) {
			tell_torn_from_damaged(ret);
			return 0;
		}
	}
	return -EBADMSG; /* no log of ours has such lines */
}

/* Is @text what the log ends with? Read through an open of its own: a disk may only claim it. */
static int check_end(const struct places *places, const char *name, const struct buf *text,
		     off_t end)
{
	autoclose int fd = disk_open(places, name, O_RDONLY);
	auto_buf struct buf found = { 0 };
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != end + (off_t)text->len)
		return -EIO;
	err = read_window(fd, end, text->len, &found);
	return err ? err : memcmp(found.data, text->data, text->len) ? -EIO : 0;
}

/* Where text is appended: a log of this name, open, that ends there. */
struct place {
	const struct places *places;
	const char *name;
	int fd;
	off_t end;
};

/* A part of it is taken back. */
static int append_durably(const struct place *at, const struct buf *text)
{
	int fd = at->fd;
	int err = file_write_fd(fd, text->data, text->len);

	if (!err && fsync(fd))
		err = -errno;
	if (!err)
		err = check_end(at->places, at->name, text, at->end);
	/* When even this fails the next writer finds a torn line. */
	if (err && !ftruncate(fd, at->end))
		fsync(fd);
	return err;
}

/* A file that is new has to be readable for the group whatever the umask, and its name durable. */
static int finish_new(const struct places *places, const char *name, int fd)
{
	char path[PATH_MAX];
	int err = disk_path(places, name, path);

	if (err)
		return err;
	return fchmod(fd, DISK_FILE_MODE) ? -errno : file_sync_directory(path);
}

static int open_log(const struct places *places, const char *name, off_t *ret_size)
{
	autoclose int fd = disk_open(places, name, O_RDWR | O_CREAT | O_APPEND);
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	err = st.st_size ? 0 : finish_new(places, name, fd);
	if (err)
		return err;
	*ret_size = st.st_size;
	return TAKE_FD(fd);
}

/* The torn bytes are evidence: they are safe elsewhere before they are cut off. */
static int repair(const struct places *places, int fd, const struct tail *tail)
{
	auto_buf struct buf text = { 0 };
	off_t size = 0;
	autoclose int torn = -1;
	int err;

	if (!tail->torn_len)
		return 0;
	torn = open_log(places, TORN_NAME, &size);
	if (torn < 0)
		return torn;
	err = buf_append(&text, tail->torn, tail->torn_len) ?: buf_append(&text, "\n", 1);
	if (!err)
		err = append_durably(&(struct place){ places, TORN_NAME, torn, size }, &text);
	if (err)
		return err;
	return ftruncate(fd, tail->end) || fsync(fd) ? -errno : 0;
}

/* Lines in the log, an unfinished last one included. */
static int count_lines(int fd, json_int_t *ret)
{
	auto_reader struct chain_reader reader = { .fd = fd };
	struct chain_line line;
	json_int_t count = 0;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((r = chain_read(&reader, &line)) == 1)
		count++;
	if (r)
		return r;
	*ret = count + (line.len ? 1 : 0);
	return 0;
}

static int find_seq(int fd, const struct tail *tail, json_int_t *ret)
{
	auto_json json_t *record = NULL;
	json_int_t seq = 0;
	int err = 0;

	if (tail->line)
		record = chain_parse(tail->line, tail->line_len);
	if (record)
		seq = json_integer_value(json_object_get(record, "seq"));
	if (tail->line && (seq < 1 || seq >= SEQ_MAX))
		err = count_lines(fd, &seq);
	if (err)
		return err;
	*ret = seq + 1;
	return 0;
}

static json_t *time_now(void)
{
	char text[40];
	struct timespec now;
	struct tm utc;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &utc))
		return NULL;
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
	return json_string(text);
}

/* The caller's members come behind ours and cannot replace them. */
static int build_line(json_t *record, json_int_t seq, const struct tail *tail, struct buf *ret)
{
	auto_json json_t *line = json_object();
	char prev[CHAIN_HEX] = CHAIN_START;

	if (!json_is_object(record))
		return -EINVAL;
	if (tail->line)
		chain_digest(tail->line, tail->line_len, prev);
	if (json_object_set_new(line, "seq", json_integer(seq)) ||
	    json_object_set_new(line, "time", time_now()) ||
	    json_object_set_new(line, "uid", json_integer(getuid())) ||
	    json_object_set_new(line, "pid", json_integer(getpid())) ||
	    json_object_set_new(line, "prev", json_string(prev)))
		return -ENOMEM;
	if (tail->torn_len &&
	    json_object_set_new(line, "torn", json_integer((json_int_t)tail->torn_len)))
		return -ENOMEM;
	if (json_object_update_missing(line, record))
		return -ENOMEM;
	json_object_del(line, "hash");
	if (tail->open && buf_append(ret, "\n", 1))
		return -ENOMEM;
	return chain_seal(line, ret) ?: buf_append(ret, "\n", 1);
}

static int append_locked(const struct places *places, json_t *record)
{
	cleanup(tail_free) struct tail tail = { 0 };
	auto_buf struct buf text = { 0 };
	json_int_t seq = 0;
	off_t size = 0;
	autoclose int fd = open_log(places, AUDIT_LOG, &size);
	int err;

	if (fd < 0)
		return fd;
	err = find_tail(fd, size, &tail);
	if (!err)
		err = repair(places, fd, &tail);
	if (!err)
		err = find_seq(fd, &tail, &seq);
	if (!err)
		err = build_line(record, seq, &tail, &text);
	if (err)
		return err;
	if (text.len > AUDIT_LINE_MAX)
		return -EMSGSIZE;
	return append_durably(&(struct place){ places, AUDIT_LOG, fd, tail.end }, &text);
}

int audit_append(const struct places *places, json_t *record)
{
	auto_json json_t *own = record;
	char path[PATH_MAX];
	autoclose int lock = -1;
	int err = disk_path(places, LOCK_NAME, path);

	if (err)
		return err;
	lock = disk_lock_file(path, LOCK_WAIT_MS);
	return lock < 0 ? lock : append_locked(places, own);
}
