/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs that touch a running instance share. Decides nothing about packets or policies. */
#include "cmd/live.h"

#include <errno.h>

#include "cmd/override.h"
#include "store/store.h"

int live_open_failed(const struct options *options, int error, struct diag *diag)
{
	const char *name = options->places.instance;

	if (error == -ENOENT && !diag->total)
		return say_error(options, EXIT_NO_SUCH,
				 "there is no instance `%s`: neither attach nor apply made one",
				 name);
	if (error == -EPROTO)
		return say_problems(options, "the instance is not one that this tool can use", diag,
				    EXIT_REFUSED);
	if (diag->total)
		return say_problems(options, "the instance cannot be used", diag,
				    error == -ENOENT ? EXIT_FAILED : exit_code_of(error));
	return say_errno(options, error, "the instance cannot be used");
}

int live_open(const struct options *options, struct instance **ret)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&options->places, ret, &diag);

	return r ? live_open_failed(options, r, &diag) : EXIT_DONE;
}

int live_create(const struct options *options, struct instance **ret)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_create(&options->places, ret, &diag);

	if (r)
		return live_open_failed(options, r, &diag);
	override_restore(options, *ret); /* a failure was said, and must not stop the rest */
	return EXIT_DONE;
}

int live_control(const struct options *options, struct control **ret)
{
	auto_instance struct instance *instance = NULL;
	auto_diag struct diag diag = { 0 };
	int rest, r = control_open(&options->places, ret);

	rest = r == -ENOENT ? instance_open(&options->places, &instance, &diag) : 0;
	if (rest)
		r = rest;
	return r ? live_open_failed(options, r, &diag) : EXIT_DONE;
}

static void say_repaired(void *context, const char *text)
{
	(void)context;
	say_warning("repaired: %s", text);
}

static int take_lock(const struct options *options, int *ret_fd)
{
	pid_t holder = 0;
	int r = store_lock(&options->places, LIVE_LOCK_MS, &holder);
	if (r == -EBUSY)
		return say_error(options, EXIT_CONFLICT,
				 "another command is at work on instance `%s`: process %d",
				 options->places.instance, (int)holder);
	if (r < 0)
		return say_errno(options, r, options->places.lock);
	*ret_fd = r;
	r = store_repair(&options->places, say_repaired, NULL);
	if (r)
		say_warning("%s: %s", options->places.state, say_reason(r));
	return EXIT_DONE;
}

int live_lock(const struct options *options, int *ret_fd)
{
	int r = store_prepare(&options->places);

	return r ? say_errno(options, r, options->places.state) : take_lock(options, ret_fd);
}

int live_lock_anyway(const struct options *options, int *ret_fd)
{
	int r = store_prepare(&options->places);

	if (r)
		say_warning("%s: %s", options->places.state, say_reason(r));
	return take_lock(options, ret_fd);
}

int live_record(const struct options *options, json_t *record)
{
	int r = audit_append(&options->places, record);

	if (r)
		say_warning("the audit log could not be written: %s", say_reason(r));
	return r;
}

int live_image(const struct instance *instance, unsigned int slot, struct image_file *ret)
{
	auto_image struct image_file raw = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = slot_copy(instance, slot, &raw);

	if (!r)
		r = image_check("slot", raw.bytes, (size_t)raw.image.lines * LINE_SIZE,
				instance_limits(instance), &diag);
	if (r)
		return r == -EINVAL ? -EBADMSG : r;
	*ret = raw;
	raw = (struct image_file){ 0 };
	return 0;
}
