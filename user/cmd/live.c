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

/*
 * What the operator last wished outlives the machine's restart. Where that cannot be read nobody
 * knows whether packets were meant to be dropped, so none is.
 */
static int switch_back(const struct options *options)
{
	auto_control struct control *control = NULL;
	uint8_t mode = MODE_MONITOR;
	uint16_t kills = 0;
	int r, known = switches_read(&options->places, &mode, &kills);

	if (known == -ENOENT)
		return 0;
	if (known)
		say_warning("the operator's mode of before cannot be read (%s): MODE MONITOR, "
			    "nothing is dropped; `stanch mode enforce` ends that",
			    say_reason(known));
	r = control_open(&options->places, &control);
	r = r ? r : control_set_mode(control, mode);
	return r ? r : control_set_kills(control, kills, (uint16_t)~kills);
}

/* As it was made; whoever made it may have been killed before the switches were set. */
static bool is_untouched(const struct options *options)
{
	auto_control struct control *control = NULL;
	struct word word;

	if (control_open(&options->places, &control))
		return false;
	word = word_unpack(control_load(control, CONTROL_WORD));
	return !word.epoch && word.mode == MODE_ENFORCE && !word.kills;
}

int live_create(const struct options *options, struct instance **ret)
{
	auto_diag struct diag diag = { 0 };
	int r = instance_open(&options->places, ret, &diag);

	if (r) {
		diag_free(&diag);
		r = instance_create(&options->places, ret, &diag);
		if (r)
			return live_open_failed(options, r, &diag);
	}
	r = is_untouched(options) ? switch_back(options) : 0;
	if (r)
		return say_errno(options, r, "the operator's mode could not be set");
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
	live_repair(options);
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

int live_retire(const struct options *options, const struct instance *instance, unsigned int slot)
{
	uint32_t entries = instance_limits(instance)->lists + 2;
	autofree struct hit *hits = calloc(entries, sizeof(*hits));
	auto_totals struct totals *totals = NULL;
	auto_image struct image_file old = { 0 };
	char identity[INSTANCE_IDENTITY];
	int r;

	if (!hits)
		return -ENOMEM;
	r = instance_identity(instance, identity);
	if (!r)
		r = totals_load(&options->places, identity, &totals);
	if (!r)
		r = hits_read(instance, slot, hits);
	if (r)
		return r;
	r = live_image(instance, slot, &old);
	if (r && r != -ENOENT && r != -EBADMSG) /* without one, nobody knows what was counted */
		return r;
	return totals_retire(totals, slot, old.bytes ? &old.image : NULL, hits, entries);
}
