/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify: is the memory that the program reads what was staged, and is the file that a restart
 * would read the same? Looks at the live and the last-known-good generation; changes nothing.
 */
#include <errno.h>
#include <string.h>

#include "cmd/args.h"
#include "cmd/describe.h"
#include "cmd/live.h"
#include "store/store.h"

struct finding {
	unsigned int slot;
	const char *role;
	struct slot_info info;
	const char *kernel; /* "ok", "damaged", "missing" */
	const char *file; /* the same, or "none" for the factory generation, which has no file */
};

static bool finding_good(const struct finding *finding)
{
	return !strcmp(finding->kernel, "ok") &&
	       (!strcmp(finding->file, "ok") || !strcmp(finding->file, "none"));
}

static int verify_kernel(const struct instance *instance, struct finding *finding)
{
	int r = slot_read(instance, finding->slot, &finding->info);

	if (r)
		return r;
	r = finding->info.lines ? slot_verify(instance, finding->slot) : -ENOENT;
	if (r && r != -ENOENT && r != -EBADMSG)
		return r;
	finding->kernel = r == -ENOENT ? "missing" : r ? "damaged" : "ok";
	return 0;
}

/* The file is found by its digest and checked against it, so being readable means being the same. */
static int verify_file(const struct options *options, const struct instance *instance,
		       struct finding *finding)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	int r;

	finding->file = "none";
	if (!finding->info.generation)
		return 0;
	r = store_image_read(&options->places, finding->info.digest, instance_limits(instance),
			     &image, &diag);
	if (r && r != -ENOENT && r != -EBADMSG && r != -EINVAL)
		return r;
	finding->file = r == -ENOENT ? "missing" : r ? "damaged" : "ok";
	return 0;
}

static int verify_slot(const struct options *options, const struct instance *instance,
		       struct finding *finding)
{
	int r = verify_kernel(instance, finding);

	if (!r)
		r = verify_file(options, instance, finding);
	return r ? say_errno(options, r, "the generation cannot be read") : EXIT_DONE;
}

static json_t *finding_json(const struct finding *finding)
{
	char digest[DIGEST_TEXT];

	return json_pack("{ss,si,so,ss,ss,ss}", "role", finding->role, "slot", finding->slot,
			 "generation", json_u64(finding->info.generation), "digest",
			 digest_text(finding->info.digest, digest), "kernel", finding->kernel,
			 "file", finding->file);
}

static void say_findings(const struct options *options, const struct finding *findings,
			 unsigned int count, bool good)
{
	json_t *slots = json_array();
	char digest[DIGEST_TEXT];

	for (unsigned int i = 0; i < count; i++) {
		const struct finding *f = &findings[i];

		json_array_append_new(slots, finding_json(f));
		if (!options->json)
			say_text("%-16s generation %llu, slot %u, %.16s: kernel %s, file %s\n",
				 f->role, (unsigned long long)f->info.generation, f->slot,
				 digest_text(f->info.digest, digest), f->kernel, f->file);
	}
	say_result(options, "verify", json_pack("{sb,so}", "good", good, "generations", slots));
}

int cmd_verify(const struct options *options, int argc, char **argv)
{
	auto_instance struct instance *instance = NULL;
	auto_control struct control *control = NULL;
	struct finding findings[] = { { .role = "live" }, { .role = "last-known-good" } };
	struct word word;
	unsigned int count;
	bool good = true;
	int r, code;

	if (args_parse(options, argc, argv, &(struct args){ 0 }) < 0)
		return EXIT_USAGE;
	code = live_open(options, &instance);
	if (code != EXIT_DONE)
		return code;
	r = control_open(&options->places, &control);
	if (r)
		return say_errno(options, r, "the control word cannot be opened");
	word = word_unpack(control_load(control, CONTROL_WORD));
	findings[0].slot = word.live;
	findings[1].slot = word.good;
	count = word.live == word.good ? 1 : 2;
	for (unsigned int i = 0; i < count; i++) {
		code = verify_slot(options, instance, &findings[i]);
		if (code != EXIT_DONE)
			return code;
		good = good && finding_good(&findings[i]);
	}
	say_findings(options, findings, count, good);
	return good ? EXIT_DONE : EXIT_FAILED;
}
