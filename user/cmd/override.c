/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overrides as they are: in the kernel, on disk. Changes them only to restore them. */
#include "cmd/override.h"

#include <errno.h>
#include <time.h>

#include "cmd/look.h"
#include "store/store.h"

void override_view_free(struct override_view *view)
{
	free(view->merge.items);
	image_free(&view->kernel);
}

static struct override_clock clock_now(void)
{
	return (struct override_clock){ .realtime_s = now_ns(CLOCK_REALTIME) / 1000000000u,
					.monotonic_ns = now_ns(CLOCK_MONOTONIC) };
}

/* Nothing published is no error. */
static int read_kernel(const struct instance *instance, struct image_file *ret)
{
	auto_image struct image_file raw = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = overrides_copy(instance, &raw);

	if (r)
		return r == -ENOENT ? 0 : r;
	r = image_check("overrides", raw.bytes, (size_t)raw.image.lines * LINE_SIZE,
			instance_limits(instance), &diag);
	if (r)
		return r == -EINVAL ? -EBADMSG : r;
	*ret = raw;
	raw = (struct image_file){ 0 };
	return 0;
}

int override_view_load(const struct options *options, const struct instance *instance,
		       struct override_view *ret)
{
	autofree struct override *items = NULL;
	struct override_set disk = { 0 };
	uint32_t count = 0;

	ret->now = clock_now();
	ret->disk_error = override_list_read(&options->places, &items, &count);
	if (!ret->disk_error)
		disk = (struct override_set){ items, count };
	ret->kernel_error = instance ? read_kernel(instance, &ret->kernel) : 0;
	if (ret->disk_error == -ENOMEM || ret->kernel_error == -ENOMEM)
		return -ENOMEM;
	return overrides_merge(&disk, ret->kernel.bytes ? &ret->kernel.image : NULL, &ret->now,
			       &ret->merge);
}

const struct override *override_find(const struct override_view *view, const struct prefix *address,
				     bool block)
{
	const struct override *found = NULL;

	for (uint32_t i = 0; i < view->merge.count; i++) {
		const struct override *item = &view->merge.items[i];

		if (item->block == block && prefix_covers(&item->prefix, address) &&
		    (!found || item->prefix.len > found->prefix.len))
			found = item;
	}
	return found;
}

int override_compile(const struct override_set *set, const struct override_clock *now,
		     const struct instance *instance, struct image_file *ret, struct diag *diag)
{
	const struct limits *limits = instance_limits(instance);
	auto_image struct image_file image = { 0 };
	int r = overrides_compile(set, now, limits, &image, diag);

	if (r == -ENOENT)
		return 0;
	if (!r)
		r = image_check("overrides", image.bytes, (size_t)image.image.lines * LINE_SIZE,
				limits, diag);
	if (r)
		return r;
	*ret = image;
	image = (struct image_file){ 0 };
	return 0;
}

static int publish_disk(struct instance *instance, const struct override_view *view,
			struct diag *diag)
{
	const struct override_set set = { view->merge.items, view->merge.count };
	auto_image struct image_file image = { 0 };
	int r = override_compile(&set, &view->now, instance, &image, diag);

	return r ? r : overrides_publish(instance, image.bytes ? &image : NULL, diag);
}

int override_restore(const struct options *options, struct instance *instance)
{
	auto_override_view struct override_view view = { 0 };
	auto_diag struct diag diag = { 0 };
	int r = override_view_load(options, instance, &view);

	if (!r)
		r = view.disk_error;
	if (!r && (view.kernel.bytes || (!view.merge.count && !view.kernel_error)))
		return 0;
	if (!r)
		r = publish_disk(instance, &view, &diag);
	if (r)
		say_warning("overrides on disk are not in force: %s",
			    diag.stored ? diag.problems[0].message : say_reason(r));
	else
		say_progress(options, "overrides in force again: %u", view.merge.count);
	return r;
}
