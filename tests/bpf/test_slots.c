/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generations in their slots: staged, frozen (F24), read back, withdrawn, damaged by hand (F53). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "dataplane/inside.h"
#include "rig.h"

#define POLICY(prefix)    \
	"version: 1\n"    \
	"mode: enforce\n" \
	"lists:\n"        \
	"  - {name: bad, action: drop, entries: [" prefix "]}\n"

static void stage(struct instance *instance, const char *text, uint64_t generation,
		  unsigned int slot)
{
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	int r;

	rig_image(text, &image);
	r = slot_stage(instance, &image, generation, slot, &diag);
	rig_show(&diag);
	assert_int_equal(r, 0);
}

static int generation_fd(const struct rig *rig, unsigned int slot)
{
	char name[PIN_NAME];
	int fd;

	snprintf(name, sizeof(name), "gen-%u", slot);
	fd = bpffs_get(rig->places.pins, name);
	assert_true(fd >= 0);
	return fd;
}

static void a_staged_generation_is_found_described_and_read_back(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_image struct image_file image = { 0 }, copy = { 0 };
	struct slot_info info;

	rig_image(POLICY("203.0.113.0/24"), &image);
	stage(instance, POLICY("203.0.113.0/24"), 41, 2);
	assert_int_equal(slot_find(instance, 41), 2);
	assert_int_equal(slot_find(instance, 40), -ENOENT);
	assert_int_equal(slot_read(instance, 2, &info), 0);
	assert_int_equal(info.generation, 41);
	assert_int_equal(info.lines, image.image.lines);
	assert_memory_equal(info.digest, image_id(&image.image)->digest, sizeof(info.digest));
	assert_int_not_equal(info.staged_ns, 0);
	assert_int_equal(slot_verify(instance, 2), 0);
	assert_int_equal(slot_check(instance, 2), 0);
	assert_int_equal(slot_copy(instance, 2, &copy), 0);
	assert_int_equal(copy.image.lines, image.image.lines);
	assert_memory_equal(copy.bytes, image.bytes, (size_t)info.lines * LINE_SIZE);
	assert_true(rig_pinned(rig, "gen-2"));
	assert_int_equal(slot_copy(instance, 3, &copy), -ENOENT);
	assert_int_equal(slot_read(instance, SLOTS, &info), -EINVAL);
}

static void a_slot_that_packets_may_be_judged_by_is_not_written(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };
	unsigned int live = rig_apply(rig, instance, POLICY("203.0.113.0/24"), 1);

	rig_image(POLICY("192.0.2.0/24"), &image);
	assert_int_equal(slot_stage(instance, &image, 2, live, &diag), -EBUSY);
	assert_int_equal(slot_stage(instance, &image, 2, 0, &diag), -EBUSY); /* last-known-good */
	assert_int_equal(slot_stage(instance, &image, 2, SLOTS, &diag), -EINVAL);
	assert_int_equal(slot_withdraw(instance, live), -EBUSY);
	assert_int_equal(slot_withdraw(instance, 0), -EBUSY);
	assert_int_equal(slot_find(instance, 2), -ENOENT);
	assert_int_equal(slot_verify(instance, live), 0);
	assert_int_equal(slot_verify(instance, 0), 0);
}

static void the_free_slot_is_an_empty_one_then_the_oldest(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	struct word word = { .live = 0, .good = 0 };

	assert_int_equal(slot_free(instance, &word), 1);
	stage(instance, POLICY("192.0.2.0/24"), 7, 1);
	stage(instance, POLICY("192.0.2.0/25"), 6, 2);
	assert_int_equal(slot_free(instance, &word), 3);
	stage(instance, POLICY("192.0.2.0/26"), 5, 3);
	assert_int_equal(slot_free(instance, &word), 3);
	word = (struct word){ .live = 3, .good = 0 };
	assert_int_equal(slot_free(instance, &word), 2);
	word.candidate = 2; /* with a share of zero nobody is its candidate */
	assert_int_equal(slot_free(instance, &word), 2);
	word.share = 10;
	assert_int_equal(slot_free(instance, &word), 1);
	word = (struct word){ .live = 3, .good = 2 };
	assert_int_equal(slot_free(instance, &word), 0);
}

static void a_generation_cannot_be_edited(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int slot = rig_apply(rig, instance, POLICY("203.0.113.0/24"), 1);
	autoclose int fd = generation_fd(rig, slot);
	uint8_t line[LINE_SIZE] = { 0xff };
	uint32_t key = IMAGE_HOT_LINE;

	assert_int_equal(bpf_map_update_elem(fd, &key, line, BPF_ANY), -EPERM);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_int_equal(slot_verify(instance, slot), 0);
}

static void staging_again_replaces_and_leaves_nothing(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int held = rig_held();

	for (unsigned int i = 1; i <= 12; i++) {
		stage(instance, i % 2 ? POLICY("192.0.2.0/24") : POLICY("192.0.2.0/25"), i, 2);
		assert_int_equal(slot_find(instance, i), 2);
		assert_int_equal(slot_find(instance, i - 1), i == 1 ? 0 : -ENOENT);
		assert_int_equal(slot_verify(instance, 2), 0);
		assert_int_equal(rig_pins(rig), RIG_WHOLE + 1);
		assert_int_equal(rig_held(), held);
	}
}

static void a_withdrawn_generation_is_gone(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	uint32_t key = 2, id;

	stage(instance, POLICY("192.0.2.0/24"), 9, 2);
	assert_int_equal(slot_withdraw(instance, 2), 0);
	assert_int_equal(slot_find(instance, 9), -ENOENT);
	assert_int_equal(slot_verify(instance, 2), -ENOENT);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
	assert_int_equal(bpf_map_lookup_elem(instance_map_fd(instance, "slots"), &key, &id),
			 -ENOENT);
	assert_int_equal(slot_withdraw(instance, 2), 0);
}

/* Everything that may be wrong with the target of a rollback is found before it is one. */
static void a_damaged_slot_is_found(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	int slots = instance_map_fd(instance, "slots");
	autoclose int other = image_map_scratch();
	uint32_t key = 1;
	struct slot_info info;

	stage(instance, POLICY("192.0.2.0/24"), 1, 1);
	assert_int_equal(bpf_map_update_elem(slots, &key, &other, BPF_ANY), 0);
	assert_int_equal(slot_check(instance, 1), -EBADMSG);
	assert_int_equal(slot_verify(instance, 1), -EBADMSG);
	assert_int_equal(bpf_map_delete_elem(slots, &key), 0);
	assert_int_equal(slot_check(instance, 1), -EBADMSG);
	stage(instance, POLICY("192.0.2.0/24"), 1, 1);
	assert_int_equal(slot_check(instance, 1), 0);
	assert_int_equal(slot_read(instance, 1, &info), 0);
	info.digest[7] ^= 1;
	assert_int_equal(
		bpf_map_update_elem(instance_map_fd(instance, "slot_info"), &key, &info, BPF_ANY),
		0);
	assert_int_equal(slot_check(instance, 1), -EBADMSG);
	assert_int_equal(slot_verify(instance, 1), -EBADMSG);
	stage(instance, POLICY("192.0.2.0/24"), 1, 1);
	assert_int_equal(bpffs_unpin(rig->places.pins, "gen-1"), 0);
	assert_int_equal(slot_check(instance, 1), -EBADMSG);
}

static void a_digest_that_is_not_the_image_s_is_refused(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	auto_image struct image_file image = { 0 };
	auto_diag struct diag diag = { 0 };

	rig_image(POLICY("192.0.2.0/24"), &image);
	image.bytes[IMAGE_HEADER_LINES * LINE_SIZE] ^= 1;
	assert_int_equal(slot_stage(instance, &image, 1, 1, &diag), -EBADMSG);
	assert_true(rig_has(&diag, "image_digest"));
	assert_int_equal(slot_verify(instance, 1), -ENOENT);
	assert_int_equal(rig_pins(rig), RIG_WHOLE);
}

/* Larger than one batch, over a descriptor that may only read. */
static void a_reader_gets_every_line(void **state)
{
	const uint32_t lines = 70001;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	LIBBPF_OPTS(bpf_obj_get_opts, reading, .file_flags = BPF_F_RDONLY);
	struct rig *rig = rig_of(state);
	struct instance *instance = rig_create(rig);
	auto_image struct image_file by_map = { 0 }, by_batch = { 0 };
	autoclose int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "image", 4, LINE_SIZE, lines, &opts);
	autoclose int reader = -1;
	char path[PATH_MAX + 64];
	uint32_t *bytes = mmap(NULL, lines * LINE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	instance_close(&instance);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	for (uint32_t i = 0; i < lines * (LINE_SIZE / 4); i++)
		bytes[i] = i * 2654435761u;
	munmap(bytes, lines * LINE_SIZE);
	assert_int_equal(bpffs_pin(map, rig->places.pins, "big", 0640), 0);
	snprintf(path, sizeof(path), "%s/big", rig->places.pins);
	reader = bpf_obj_get_opts(path, &reading);
	assert_true(reader >= 0);
	assert_int_equal(image_map_copy(map, &by_map), 0);
	assert_int_equal(image_map_copy(reader, &by_batch), 0);
	assert_int_equal(by_batch.image.lines, lines);
	assert_int_equal(((uint32_t *)by_map.bytes)[12345], 12345 * 2654435761u);
	assert_int_equal(memcmp(by_map.bytes, by_batch.bytes, (size_t)lines * LINE_SIZE), 0);
}

/* ---- a member of the group, without any privilege ---- */

static int check(bool right, int number)
{
	return right ? 0 : number;
}

static int observe(const struct rig *rig)
{
	auto_instance struct instance *instance = NULL;
	auto_control struct control *control = NULL;
	auto_image struct image_file image = { 0 };
	autofree struct attachment *items = NULL;
	auto_diag struct diag diag = { 0 };
	struct counter counters[COUNTERS];
	uint32_t count = 7;
	int r = check(!instance_open(&rig->places, &instance, &diag), 1);

	if (r)
		return r;
	r = r ? r : check(!slot_copy(instance, 1, &image), 2);
	r = r ? r : check(!slot_verify(instance, 1), 3);
	r = r ? r : check(!counters_read(instance, counters), 4);
	r = r ? r : check(!control_open(&rig->places, &control), 5);
	r = r ? r : check(control_load(control, CONTROL_WORD) & WORD_SLOT_MASK, 6);
	r = r ? r : check(control_set_mode(control, MODE_BYPASS) == -EACCES, 7);
	r = r ? r : check(control_set_break_glass(control, true) == -EACCES, 8);
	r = r ? r : check(slot_withdraw(instance, 2) < 0, 9);
	r = r ? r : check(instance_map_fd(instance, "seed") == -EACCES, 10);
	r = r ? r : check(!attach_list(instance, &items, &count) && !count, 11);
	/* whoever holds a program can run it: its counters would count, its frames would arrive */
	for (int i = 0; i < PROGRAMS; i++)
		r = r ? r
		      : check(bpffs_get(rig->places.pins, program_kinds[i].name) == -EACCES, 12);
	return r;
}

static void the_group_observes_and_changes_nothing(void **state)
{
	struct rig *rig = rig_of(state);
	auto_instance struct instance *instance = rig_create(rig);
	unsigned int slot = rig_apply(rig, instance, POLICY("192.0.2.0/24"), 1);

	assert_int_equal(slot, 1);
	assert_int_equal(rig_as_reader(rig, observe), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_staged_generation_is_found_described_and_read_back),
		TEST(a_slot_that_packets_may_be_judged_by_is_not_written),
		TEST(the_free_slot_is_an_empty_one_then_the_oldest),
		TEST(a_generation_cannot_be_edited),
		TEST(staging_again_replaces_and_leaves_nothing),
		TEST(a_withdrawn_generation_is_gone),
		TEST(a_damaged_slot_is_found),
		TEST(a_digest_that_is_not_the_image_s_is_refused),
		TEST(a_reader_gets_every_line),
		TEST(the_group_observes_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
