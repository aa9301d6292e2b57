/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * detach: the programs off interfaces. State stays, in the kernel too, so that attaching again goes
 * on with the same generation; --purge removes the instance from the kernel, never from the disk.
 */
#include <errno.h>

#include "cmd/args.h"
#include "cmd/outcome.h"

static void detach_names(struct outcome *outcome, struct instance *instance, char **names)
{
	for (; *names; names++) {
		auto_diag struct diag about = { 0 };
		int r = detach_interface(instance, *names, &about);

		if (r < 0)
			outcome_problem(outcome, *names, r, &about);
		else
			outcome_done(outcome, *names, r ? "was not attached" : "detached");
	}
}

/* "eth0", or what can be said about one of another namespace or one that is gone. */
static const char *attachment_name(const struct attachment *attachment, char out[48])
{
	if (*attachment->name)
		return attachment->name;
	snprintf(out, 48, "interface %u of namespace %llu", attachment->ifindex,
		 (unsigned long long)attachment->netns);
	return out;
}

static int detach_every(struct outcome *outcome, struct instance *instance, bool only_gone)
{
	autofree struct attachment *attachments = NULL;
	uint32_t count = 0;
	int r = attach_list(instance, &attachments, &count);

	if (r)
		return say_errno(outcome->options, r, "what is attached cannot be listed");
	for (uint32_t i = 0; i < count; i++) {
		auto_diag struct diag about = { 0 };
		char text[48];
		const char *name = attachment_name(&attachments[i], text);

		if (only_gone && !attachments[i].gone)
			continue;
		r = detach_attachment(instance, &attachments[i], &about);
		if (r < 0)
			outcome_problem(outcome, name, r, &about);
		else
			outcome_done(outcome, name, "detached");
	}
	return EXIT_DONE;
}

/* What remains when no interface is left: everything, or with --purge only the state on disk. */
static int purge(struct outcome *outcome)
{
	int r;

	if (outcome->code != EXIT_DONE)
		return EXIT_DONE; /* what could not be detached is reported, and stays */
	r = instance_destroy(&outcome->options->places);
	if (r && r != -ENOENT)
		return say_errno(outcome->options, r, "the instance cannot be removed");
	say_progress(outcome->options, "instance `%s` is gone from the kernel",
		     outcome->options->places.instance);
	return EXIT_DONE;
}

struct wish {
	char **names;
	bool all, gone, purge;
};

/* An instance that is broken or of another build can still be purged. */
static int detach_from(struct outcome *outcome, const struct wish *wish)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&outcome->options->places, &instance, &diag), code = EXIT_DONE;
	char **names = wish->names;

	if (r && r != -ENOENT && !(r == -EPROTO && wish->purge))
		return live_open_failed(outcome->options, r, &diag);
	if (instance && *names)
		detach_names(outcome, instance, names);
	else if (instance)
		code = detach_every(outcome, instance, wish->gone);
	else
		for (; *names; names++)
			outcome_done(outcome, *names, "was not attached");
	return code;
}

static int run(const struct options *options, const struct wish *wish)
{
	auto_outcome struct outcome outcome = { .options = options, .interfaces = json_array() };
	autoclose int lock = -1;
	/* Somebody wants them off: the disk has no say in that. */
	int code = live_lock_anyway(options, &lock);

	if (code == EXIT_DONE)
		code = detach_from(&outcome, wish);
	if (code == EXIT_DONE && wish->purge)
		code = purge(&outcome);
	if (code != EXIT_DONE)
		return code;
	outcome_record(&outcome, "detach");
	return outcome_say(&outcome, "detach");
}

int cmd_detach(const struct options *options, int argc, char **argv)
{
	struct wish wish = { 0 };
	const struct arg args[] = { { .name = "all", .flag = &wish.all },
				    { .name = "gone", .flag = &wish.gone },
				    { .name = "purge", .flag = &wish.purge } };
	int at = args_parse(options, argc, argv,
			    &(struct args){ .options = args, .count = 3, .max = -1 });

	if (at < 0)
		return EXIT_USAGE;
	if ((at < argc) + wish.all + wish.gone != 1)
		return args_wrong(options, argv[0],
				  "name interfaces, or say --all, or --gone: one of these");
	if (wish.purge && !wish.all)
		return args_wrong(options, argv[0], "--purge goes with --all only");
	wish.names = argv + at;
	return run(options, &wish);
}
