/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten million lookups in tables of many shapes: natively against binary search over the prefixes,
 * and in the kernel against both. That such a comparison notices one start that is off by one.
 * test-timeout: 600
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "lookups.h"
#include "policy/image_node.h"
#include "shapes.h"

#define FRAME 64u

/* What is looked up in: prefixes, and how many batches of addresses. */
struct course {
	const char *shape;
	uint32_t prefixes, batches;
};

static const struct course courses[] = {
	{ "IPv4 blocklist", 1000000, 24 },
	{ "IPv4 every length", 100000, 12 },
	{ "IPv4 /25", 1000000, 12 },
	{ "IPv4 /31", 100000, 12 },
	{ "IPv4 /32 in one /11, 4096 lists", 300000, 12 },
	{ "IPv6 /64 in 2000::/3", 100000, 12 },
	{ "IPv6 /128 in 2000::/3", 1000000, 12 },
	{ "IPv6 /128, pairs in /48", 100000, 12 },
	{ "IPv6 /128, fives in /64", 100000, 12 },
	{ "IPv6 /128 in ladders of 7 bits", 100000, 12 },
	{ "IPv6 /128 in one /64", 100000, 12 },
	{ "IPv6 blocklist in 2000::/3", 30000, 6 },
	{ "IPv6 /29../128", 30000, 6 },
	{ "IPv6 every length in each of many nests", 30000, 6 },
};

/* A table, three ways to ask it. */
struct bed {
	const struct shape *shape;
	struct made made;
	struct image_file file;
	struct reference reference;
	enum table table;
	struct bpf_object *object;
	struct lookup *lookups; /* of the program */
	int program;
	uint64_t random;
};

static void *map_memory(const struct bed *bed, const char *name, size_t size)
{
	void *ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 bpf_object__find_map_fd_by_name(bed->object, name), 0);

	assert_ptr_not_equal(ret, MAP_FAILED);
	return ret;
}

static void show_image(const struct bed *bed)
{
	size_t size = (size_t)bed->file.image.lines * LINE_SIZE;
	void *memory = map_memory(bed, "image", size);

	memcpy(memory, bed->file.bytes, size);
	munmap(memory, size);
}

static void load_program(struct bed *bed)
{
	const char *build = getenv("BUILD");
	char path[PATH_MAX];
	struct bpf_map *image;

	snprintf(path, sizeof(path), "%s/tests/bpf/lookups.bpf.o", build ? build : "build");
	bed->object = bpf_object__open_file(path, NULL);
	assert_non_null(bed->object);
	image = bpf_object__find_map_by_name(bed->object, "image");
	assert_int_equal(bpf_map__set_max_entries(image, bed->file.image.lines), 0);
	assert_int_equal(bpf_object__load(bed->object), 0);
	bed->program = bpf_program__fd(bpf_object__find_program_by_name(bed->object, "look_up"));
	bed->lookups = map_memory(bed, "lookups", LOOKUPS * sizeof(*bed->lookups));
	show_image(bed);
}

static void bed_open(struct bed *bed, const char *shape, uint32_t prefixes)
{
	*bed = (struct bed){ .shape = shape_named(shape), .random = 17 };
	bed->table = bed->shape->family == 4 ? TABLE_V4_SRC : TABLE_V6_SRC;
	shape_make(bed->shape, prefixes, &bed->made);
	made_compile(&bed->made, &bed->file);
	reference_make(&bed->made.policy, &bed->reference);
	load_program(bed);
}

static void bed_close(struct bed *bed)
{
	munmap(bed->lookups, LOOKUPS * sizeof(*bed->lookups));
	bpf_object__close(bed->object);
	image_free(&bed->file);
	made_free(&bed->made);
}

static void ask(struct bed *bed, uint32_t i, unsigned __int128 address)
{
	bed->lookups[i] = (struct lookup){
		.hi = (uint64_t)(address >> 64),
		.lo = (uint64_t)address,
		.root = image_hot(&bed->file.image)->root[bed->table],
		.leaf = ~0u,
	};
}

static void run_program(const struct bed *bed)
{
	unsigned char frame[FRAME] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	assert_int_equal(bpf_prog_test_run_opts(bed->program, &opts), 0);
}

struct wrong {
	uint32_t native, kernel; /* answers that the reference does not give */
};

/* The list that a leaf drops by; one that no image has for what is no leaf. */
static uint32_t list_of(const struct bed *bed, uint32_t leaf)
{
	const struct leaf *lists = image_leaf(&bed->file.image, leaf);

	return lists ? lists->drop : ~0u;
}

/* All that was asked, answered three times. */
static void count_wrong(const struct bed *bed, struct wrong *wrong)
{
	struct image *image = (struct image *)&bed->file.image;

	run_program(bed);
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		const struct lookup *lookup = &bed->lookups[i];
		uint16_t list = reference_find(&bed->reference,
					       (unsigned __int128)lookup->hi << 64 | lookup->lo);
		uint32_t leaf = table_lookup(image, lookup->root, lookup->hi, lookup->lo);

		wrong->native += list_of(bed, leaf) != list;
		wrong->kernel += lookup->leaf != leaf || list_of(bed, lookup->leaf) != list;
	}
}

static void every_way_to_look_up_an_address_gives_the_same(void **state)
{
	uint64_t lookups = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(courses); i++) {
		struct wrong wrong = { 0 };
		struct bed bed;

		bed_open(&bed, courses[i].shape, courses[i].prefixes);
		for (uint32_t batch = 0; batch < courses[i].batches; batch++) {
			for (uint32_t j = 0; j < LOOKUPS; j++)
				ask(&bed, j,
				    shape_key(bed.shape, &bed.made.policy, j % KEY_KINDS,
					      &bed.random));
			count_wrong(&bed, &wrong);
			lookups += LOOKUPS;
		}
		print_message("%s: %u prefixes, %u batches\n", courses[i].shape,
			      courses[i].prefixes, courses[i].batches);
		assert_int_equal(wrong.native, 0);
		assert_int_equal(wrong.kernel, 0);
		bed_close(&bed);
	}
	print_message("%llu lookups\n", (unsigned long long)lookups);
	assert_true(lookups >= 10000000);
}

/* ---- the control ---- */

/* Moves the first start of the line that @address ends in by one address. */
static void shift_start(struct bed *bed, unsigned __int128 address)
{
	struct image *image = &bed->file.image;
	uint32_t entry = image_hot(image)->root[bed->table];
	uint32_t stride = node_stride(entry), index = (uint32_t)(address >> (128 - stride));
	void *line;

	assert_int_equal(node_kind(entry), NODE_DIRECT);
	line = (void *)image_line(image, node_line(entry) + index / ENTRIES_PER_LINE);
	entry = ((uint32_t *)line)[index % ENTRIES_PER_LINE];
	line = (void *)image_line(image, node_line(entry));
	if (node_kind(entry) == NODE_RANGE16) {
		assert_int_equal(stride, 17); /* so that an address is a unit */
		((struct range16 *)line)->keys[0]++;
	} else {
		assert_int_equal(node_kind(entry), NODE_RANGE32);
		((struct range32 *)line)->keys[0] += 1u << stride;
	}
}

static void ask_edges(struct bed *bed)
{
	const struct policy *policy = &bed->made.policy;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		const struct prefix *prefix = &policy->prefixes[i / 2 % policy->prefix_count];
		unsigned __int128 start = (unsigned __int128)prefix->hi << 64;

		ask(bed, i, start + ((unsigned __int128)(i & 1) << 96));
	}
}

static void one_start_that_is_off_by_one_is_noticed(void **state)
{
	struct wrong right = { 0 }, wrong = { 0 };
	struct bed bed;

	(void)state;
	bed_open(&bed, "IPv4 /32", 10000);
	ask_edges(&bed);
	count_wrong(&bed, &right);
	assert_int_equal(right.native + right.kernel, 0);
	shift_start(&bed, (unsigned __int128)bed.made.policy.prefixes[5000].hi << 64);
	show_image(&bed);
	count_wrong(&bed, &wrong);
	assert_true(wrong.native > 0);
	assert_int_equal(wrong.kernel, wrong.native);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_look_up_an_address_gives_the_same),
		cmocka_unit_test(one_start_that_is_off_by_one_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
