/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a verb was given to judge: a policy or an image, told apart by the first bytes. The only
 * place that opens policies and their list files.
 */
#include "cmd.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"

/* One source on its way to an image. */
struct reading {
	const char *path;
	const struct limits *limits;
	struct diag *diag;
	struct buf content; /* of the file, while it is ours */
	size_t size; /* of the file */
	bool image;
	struct buf notes; /* a line for each list that was accepted with duplicates */
};

static void reading_free(struct reading *reading)
{
	buf_free(&reading->content);
	buf_free(&reading->notes);
}

static bool is_image(const struct buf *content)
{
	uint64_t magic = 0;

	if (content->len >= sizeof(magic))
		memcpy(&magic, content->data, sizeof(magic));
	return magic == IMAGE_MAGIC;
}

static int read_content(struct reading *reading)
{
	struct diag_place place = { .file = reading->path };
	int err = file_read(reading->path, FILE_MAX_IMAGE, &reading->content);

	if (!err && !is_image(&reading->content) && reading->content.len > FILE_MAX_POLICY)
		err = -EFBIG;
	if (!err || err == -ENOMEM)
		return err;
	if (err == -EFBIG)
		diag_add(reading->diag, &place, "unreadable_policy",
			 "cannot read it: longer than a policy (%zu MiB) or an image (%zu MiB) is",
			 FILE_MAX_POLICY >> 20, FILE_MAX_IMAGE >> 20);
	else
		diag_add(reading->diag, &place, "unreadable_policy", "cannot read it: %s",
			 err == -EINVAL ? "not a regular file" : say_reason(err));
	return -EINVAL;
}

static struct named_text content_of(const struct reading *reading)
{
	return (struct named_text){ reading->path, reading->content.data, reading->content.len };
}

/* List files are named relative to their policy, wherever the tool runs. */
static int read_list(void *context, const char *path, struct buf *ret)
{
	const char *policy = context, *slash = strrchr(policy, '/');
	autofree char *whole = NULL;

	if (*path == '/' || !slash)
		return file_read(path, FILE_MAX_LIST, ret);
	if (asprintf(&whole, "%.*s/%s", (int)(slash - policy), policy, path) < 0)
		return -ENOMEM;
	return file_read(whole, FILE_MAX_LIST, ret);
}

static int note_merged(struct reading *reading, const struct policy *policy)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < policy->list_count && !err; i++)
		if (policy->lists[i].merged)
			err = buf_printf(&reading->notes, "list '%s': %u duplicates merged\n",
					 policy->lists[i].name, policy->lists[i].merged);
	return err;
}

static int read_policy(struct reading *reading, struct image_file *ret)
{
	struct policy_source source = { read_list, (void *)reading->path };
	auto_policy struct policy policy = { 0 };
	struct named_text text = content_of(reading);
	int err = policy_parse(&text, &source, reading->limits, &policy, reading->diag);

	if (!err)
		err = note_merged(reading, &policy);
	return err ? err : policy_compile(&policy, reading->limits, ret, reading->diag);
}

static int read_source(struct reading *reading, struct image_file *ret, struct buf *ret_text)
{
	int err = read_content(reading);
	struct named_text bytes = content_of(reading);

	if (err)
		return err;
	reading->size = reading->content.len;
	reading->image = is_image(&reading->content);
	if (reading->image)
		return image_load(&bytes, reading->limits, ret, reading->diag);
	err = read_policy(reading, ret);
	if (err || !ret_text)
		return err;
	*ret_text = reading->content;
	reading->content = (struct buf){ 0 };
	return 0;
}

int source_read(const char *path, const struct limits *limits, struct image_file *ret,
		struct buf *ret_text, struct diag *diag)
{
	cleanup(reading_free) struct reading reading = {
		.path = path,
		.limits = limits ? limits : &limits_builtin,
		.diag = diag,
	};

	return read_source(&reading, ret, ret_text);
}

static void say_notes(const struct options *options, const struct buf *notes)
{
	const char *line = notes->data, *end = notes->data + notes->len, *stop;

	for (; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		say_progress(options, "%.*s", (int)(stop - line), line);
	}
}

int source_load(const struct options *options, const char *path, const struct limits *limits,
		struct image_file *ret, struct buf *ret_text)
{
	auto_diag struct diag diag = { 0 };
	cleanup(reading_free) struct reading reading = {
		.path = path,
		.limits = limits ? limits : &limits_builtin,
		.diag = &diag,
	};
	char message[DIAG_TEXT];
	int err = read_source(&reading, ret, ret_text);

	say_notes(options, &reading.notes);
	if (!err) {
		say_detail(options, "%s: %zu bytes read as %s, image of %u lines", path,
			   reading.size, reading.image ? "an image" : "a policy", ret->image.lines);
		return EXIT_DONE;
	}
	if (!diag.total)
		return say_errno(options, err, path);
	snprintf(message, sizeof(message), "%s is refused", path);
	return say_problems(options, message, &diag, EXIT_REFUSED);
}
