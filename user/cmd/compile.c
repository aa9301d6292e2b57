/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch compile`: a policy as an image on disk, whole or not at all. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "base/file.h"
#include "describe.h"

/* Does @path hold an image, or nothing yet? Anything else is likelier a slip than a wish. */
static bool may_replace(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint64_t magic = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	if (!st.st_size)
		return true;
	return read(fd, &magic, sizeof(magic)) == sizeof(magic) && magic == IMAGE_MAGIC;
}

static unsigned int usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666u & ~mask;
}

static size_t size_of(const struct image *image)
{
	return (size_t)image->lines * LINE_SIZE;
}

static int write_image(const struct options *options, const char *path, const struct image *image)
{
	autofree char *target = realpath(path, NULL); /* behind a symbolic link: keep the link */
	int err;

	if (!may_replace(path))
		return say_error(options, EXIT_REFUSED,
				 "%s exists and is no image; remove it first, or write elsewhere",
				 path);
	err = file_write_atomic(target ? target : path, image->bytes, size_of(image), usual_mode());
	if (!err)
		return EXIT_DONE;
	return say_error(options, exit_code_of(err) == EXIT_DENIED ? EXIT_DENIED : EXIT_FAILED,
			 "%s: %s", path, say_reason(err));
}

static int say_compiled(const struct options *options, const char *output,
			const struct image *image)
{
	json_t *document;

	if (!options->json) {
		say_text("%s is written\n", output);
		describe_text(image);
		return EXIT_DONE;
	}
	document = describe_json(image);
	json_object_set_new(document, "output", json_string(output));
	say_result(options, "compile", document);
	return EXIT_DONE;
}

int cmd_compile(const struct options *options, int argc, char **argv)
{
	const char *output = NULL;
	const struct arg list[] = { { "output", 'o', NULL, &output } };
	const struct args args = { list, ARRAY_SIZE(list), 1, 1 };
	auto_image struct image_file file = { 0 };
	int first = args_parse(options, argc, argv, &args), code;
	bool to_stdout;

	if (first < 0)
		return EXIT_USAGE;
	if (!output)
		return args_wrong(options, argv[0], "compile needs -o FILE, or -o - for stdout");
	to_stdout = !strcmp(output, "-");
	if (to_stdout && (options->json || isatty(STDOUT_FILENO)))
		return args_wrong(options, argv[0],
				  "an image on stdout goes with no -j and to no terminal");
	code = source_load(options, argv[first], NULL, &file);
	if (code != EXIT_DONE)
		return code;
	if (to_stdout) {
		say_bytes(file.image.bytes, size_of(&file.image));
		return EXIT_DONE;
	}
	code = write_image(options, output, &file.image);
	return code == EXIT_DONE ? say_compiled(options, output, &file.image) : code;
}
