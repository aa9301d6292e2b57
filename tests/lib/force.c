/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting the kernel's maps into states that stanch itself never leaves them in. */
#include "force.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"

void force_slot(int slots, unsigned int slot, const void *bytes, uint32_t lines)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	autoclose int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "image", 4, LINE_SIZE, lines, &opts);
	size_t size = (size_t)lines * LINE_SIZE;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	uint32_t key = slot;

	assert_ptr_not_equal(memory, MAP_FAILED);
	memcpy(memory, bytes, size);
	munmap(memory, size);
	assert_int_equal(bpf_map_freeze(map), 0);
	assert_int_equal(bpf_map_update_elem(slots, &key, &map, BPF_ANY), 0);
}

static int set_word(struct word *word, void *context)
{
	*word = *(const struct word *)context;
	return 0;
}

void force_word(struct rig *rig, const struct word *word)
{
	auto_control struct control *control = NULL;

	assert_int_equal(control_open(&rig->places, &control), 0);
	assert_int_equal(control_update(control, set_word, (void *)word, NULL, NULL), 0);
}

void force_lease(const struct instance *instance, uint64_t deadline)
{
	uint32_t key = CONTROL_LEASE;
	int fd = instance_map_fd(instance, "control");

	assert_int_equal(bpf_map_update_elem(fd, &key, &deadline, BPF_ANY), 0);
}

void force_root(unsigned char *bytes, uint32_t lines, uint32_t entry)
{
	struct image_hot *hot = (struct image_hot *)(bytes + (size_t)IMAGE_HOT_LINE * LINE_SIZE);

	memset(bytes, 0, (size_t)lines * LINE_SIZE);
	hot->magic = IMAGE_HOT_MAGIC;
	hot->mode = MODE_ENFORCE;
	hot->root[TABLE_V4_SRC] = entry;
}
