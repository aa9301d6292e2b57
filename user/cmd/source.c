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
};

static void reading_free(struct reading *reading)
{
	buf_free(&reading->content);
}

void source_free(struct source *source)
{
	image_free(&source->image);
	buf_free(&source->text);
	buf_free(&source->notes);
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

static int note_merged(const struct policy *policy, struct source *source)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < policy->list_count && !err; i++) {
		if (!policy->lists[i].merged)
			continue;
		source->merged += policy->lists[i].merged;
		err = buf_printf(&source->notes, "list '%s': %u duplicates merged\n",
				 policy->lists[i].name, policy->lists[i].merged);
	}
	return err;
}

static int parse(const struct reading *reading, struct policy *ret)
{
	struct policy_source files = { read_list, (void *)reading->path };
	struct named_text text = content_of(reading);

	return policy_parse(&text, &files, reading->limits, ret, reading->diag);
}

static int read_policy(struct reading *reading, struct source *source)
{
	auto_policy struct policy policy = { 0 };
	int err = parse(reading, &policy);

	if (!err)
		err = note_merged(&policy, source);
	if (!err)
		err = policy_compile(&policy, reading->limits, &source->image, reading->diag);
	if (err)
		return err;
	source->settings = policy.settings;
	source->text = reading->content;
	reading->content = (struct buf){ 0 };
	return 0;
}

static int read_source(struct reading *reading, struct source *source)
{
	int err = read_content(reading);
	struct named_text bytes = content_of(reading);

	if (err)
		return err;
	reading->size = reading->content.len;
	reading->image = is_image(&reading->content);
	settings_default(&source->settings);
	if (!reading->image)
		return read_policy(reading, source);
	return image_load(&bytes, reading->limits, &source->image, reading->diag);
}

int source_read(const char *path, const struct limits *limits, struct source *ret,
		struct diag *diag)
{
	cleanup(reading_free) struct reading reading = {
		.path = path,
		.limits = limits ? limits : &limits_builtin,
		.diag = diag,
	};
	auto_source struct source source = { 0 };
	int err = read_source(&reading, &source);

	if (err)
		return err;
	*ret = source;
	source = (struct source){ 0 };
	return 0;
}

int source_policy(const char *path, const struct limits *limits, struct policy *ret,
		  struct diag *diag)
{
	cleanup(reading_free) struct reading reading = { .path = path,
							 .limits = limits,
							 .diag = diag };
	const struct diag_place place = { .file = path };
	int err = read_content(&reading);

	if (err)
		return err;
	if (!is_image(&reading.content))
		return parse(&reading, ret);
	diag_add(diag, &place, "not_a_policy", "an image has no rows to name: give its policy");
	return -EINVAL;
}

void source_say_notes(const struct options *options, const struct source *source)
{
	const char *line = source->notes.data, *stop;
	size_t left = source->notes.len;

	for (; left; left -= (size_t)(stop + 1 - line), line = stop + 1) {
		stop = memchr(line, '\n', left);
		say_progress(options, "%.*s", (int)(stop - line), line);
	}
}

static int say_refused(const struct options *options, const char *path, int error,
		       struct diag *diag)
{
	char message[DIAG_TEXT];

	if (!diag->total)
		return say_errno(options, error, path);
	snprintf(message, sizeof(message), "%s is refused", path);
	return say_problems(options, message, diag, EXIT_REFUSED);
}

int source_load(const struct options *options, const char *path, const struct limits *limits,
		struct image_file *ret)
{
	auto_diag struct diag diag = { 0 };
	auto_source struct source source = { 0 };
	cleanup(reading_free) struct reading reading = {
		.path = path,
		.limits = limits ? limits : &limits_builtin,
		.diag = &diag,
	};
	int err = read_source(&reading, &source);

	source_say_notes(options, &source);
	if (err)
		return say_refused(options, path, err, &diag);
	say_detail(options, "%s: %zu bytes read as %s, image of %u lines", path, reading.size,
		   reading.image ? "an image" : "a policy", source.image.image.lines);
	*ret = source.image;
	source.image = (struct image_file){ 0 };
	return EXIT_DONE;
}
