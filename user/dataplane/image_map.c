/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image as a kernel map: filled through a mapping, frozen, and read back from the memory that
 * the program will read. Knows no slot and no pin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/inside.h"

#define BATCH_LINES 65536u

struct mapping {
	void *bytes;
	size_t size;
};

static void mapping_close(struct mapping *mapping)
{
	if (mapping->bytes)
		munmap(mapping->bytes, mapping->size);
}

static int mapping_open(int fd, uint32_t lines, int protection, struct mapping *ret)
{
	size_t size = (size_t)lines * LINE_SIZE;
	void *bytes = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	if (bytes == MAP_FAILED || !bytes)
		return last_error();
	*ret = (struct mapping){ bytes, size };
	return 0;
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &size) ? last_error() : 0;
}

int map_shape(int fd, struct map_shape *ret)
{
	struct bpf_map_info info;
	int r = map_info(fd, &info);

	if (!r)
		*ret = (struct map_shape){ info.id, info.value_size, info.max_entries };
	return r;
}

/* How many lines this map has, when it is an image at all. */
static int image_map_lines(int fd, uint32_t *ret)
{
	struct bpf_map_info info;
	int r = map_info(fd, &info);

	if (r)
		return r;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != LINE_SIZE)
		return -EPROTO;
	*ret = info.max_entries;
	return 0;
}

static int create(uint32_t lines)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "image", sizeof(uint32_t), LINE_SIZE, lines,
			      &opts);
}

int image_map_scratch(void)
{
	return create(1);
}

/* One number of an image against what there is room for. */
static void fits(struct diag *diag, const char *what, uint64_t actual, uint64_t limit)
{
	const struct diag_limit numbers = { .actual = actual, .limit = limit };
	char code[32];

	if (actual <= limit)
		return;
	snprintf(code, sizeof(code), "too_many_%s", what);
	diag_add_limit(diag, NULL, code, numbers, "%llu %s, the loaded program holds %llu",
		       (unsigned long long)actual, what, (unsigned long long)limit);
}

int image_map_fits(const struct image *image, const struct limits *limits, struct diag *diag)
{
	const struct image_id *id = image->lines >= IMAGE_MIN_LINES ? image_id(image) : NULL;
	uint64_t before = diag->total;
	const struct image_counts *counts;

	if (!id || id->magic != IMAGE_MAGIC || id->lines != image->lines) {
		diag_add(diag, NULL, "image", "this is no image");
		return -EINVAL;
	}
	if (id->version != limits->image_version) {
		diag_add(diag, NULL, "image_version",
			 "image version %u, the loaded program reads %u", id->version,
			 limits->image_version);
		return -EINVAL;
	}
	counts = image_counts(image);
	fits(diag, "lines", image->lines, limits->lines);
	fits(diag, "prefixes", counts->prefixes, limits->prefixes);
	fits(diag, "lists", counts->lists, limits->lists);
	fits(diag, "leaves", counts->leaves, limits->leaves);
	fits(diag, "steps", counts->steps, limits->steps);
	fits(diag, "families", counts->families, limits->families);
	return diag->total == before ? 0 : -EINVAL;
}

static int fill(int fd, const struct image *image)
{
	cleanup(mapping_close) struct mapping mapping = { 0 };
	int r = mapping_open(fd, image->lines, PROT_READ | PROT_WRITE, &mapping);

	if (!r)
		memcpy(mapping.bytes, image->bytes, mapping.size);
	return r;
}

int image_map_digest(int fd, uint8_t ret[32])
{
	auto_image struct image_file copy = { 0 };
	cleanup(mapping_close) struct mapping mapping = { 0 };
	struct image image = { 0 };
	int r = image_map_lines(fd, &image.lines);

	if (r)
		return r;
	if (image.lines < IMAGE_MIN_LINES)
		return -EBADMSG;
	r = mapping_open(fd, image.lines, PROT_READ, &mapping);
	image.bytes = mapping.bytes;
	if (r) {
		r = image_map_copy(fd, &copy);
		image = copy.image;
	}
	if (!r)
		image_digest(&image, ret);
	return r;
}

static int compare(int fd, const uint8_t digest[32])
{
	uint8_t here[32];
	int r = image_map_digest(fd, here);

	if (r)
		return r;
	return memcmp(here, digest, sizeof(here)) ? -EBADMSG : 0;
}

int image_map_create(const struct image *image, const uint8_t digest[32], struct diag *diag)
{
	autoclose int fd = create(image->lines);
	char what[96];
	int r;

	snprintf(what, sizeof(what), "a map of %u lines (%u KiB) for the image", image->lines,
		 (image->lines + 15) / 16);
	if (fd < 0)
		return refused(diag, "image_create", fd, what);
	r = fill(fd, image);
	if (r)
		return refused(diag, "image_fill", r, "filling the map of the image");
	if (bpf_map_freeze(fd))
		return refused(diag, "image_freeze", -errno, "freezing the map of the image");
	r = compare(fd, digest);
	if (r == -EBADMSG)
		diag_add(diag, NULL, "image_digest",
			 "the kernel's memory does not have the digest of the image");
	else if (r)
		return refused(diag, "image_digest", r, "reading the map of the image back");
	return r ? r : TAKE_FD(fd);
}

/* For those who may read but not map: 96 MiB in 0.2 s. */
static int copy_lines(int fd, unsigned char *bytes, uint32_t lines)
{
	autofree uint32_t *keys = calloc(BATCH_LINES, sizeof(*keys));
	uint32_t at = 0, next = 0;

	if (!keys)
		return -ENOMEM;
	while (at < lines) {
		uint32_t count = lines - at < BATCH_LINES ? lines - at : BATCH_LINES;
		int r = bpf_map_lookup_batch(fd, at ? &next : NULL, &next, keys,
					     bytes + (size_t)at * LINE_SIZE, &count, NULL);

		if (r && errno != ENOENT) /* which says that these were the last */
			return last_error();
		if (!count)
			return -EPROTO;
		at += count;
	}
	return 0;
}

int image_map_copy(int fd, struct image_file *ret)
{
	cleanup(mapping_close) struct mapping mapping = { 0 };
	autofree unsigned char *bytes = NULL;
	uint32_t lines;
	int r = image_map_lines(fd, &lines);

	if (r)
		return r;
	bytes = aligned_alloc(LINE_SIZE, (size_t)lines * LINE_SIZE);
	if (!bytes)
		return -ENOMEM;
	mapping_open(fd, lines, PROT_READ, &mapping);
	if (mapping.bytes)
		memcpy(bytes, mapping.bytes, mapping.size);
	else
		r = copy_lines(fd, bytes, lines);
	if (r)
		return r;
	ret->image = (struct image){ .bytes = bytes, .lines = lines };
	ret->bytes = TAKE_PTR(bytes);
	return 0;
}
