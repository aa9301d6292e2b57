/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes images. The first byte says what is made right before the rest is checked: the digest, the
 * fields that are compared before it, or nothing. What image_check() accepts must be readable to
 * the last byte and judge every packet without trouble; what it refuses is put where a generation
 * would be all the same, and must do no harm there.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz_check.h"
#include "fuzz_judge.h"
#include "policy/conformance.h"
#include "policy/golden.h"

#define FIX_DIGEST 1
#define FIX_ID 2
#define LOW_LIMITS 4
#define FRAMES 512u
#define KILLS 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/*
 * Half of the time one number of the image becomes another that may well stand there: one more, one
 * less, a small one, one from elsewhere. Mutations of bytes hardly ever leave an image whole.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint8_t *bytes = data + 1;
	uint32_t width = 1u << rand_r(&seed) % 4, places, from, to;
	uint64_t value = 0;

	if (size < 1 + sizeof(value) || rand_r(&seed) % 2)
		return LLVMFuzzerMutate(data, size, max_size);
	places = (uint32_t)(size - 1) / width;
	from = (uint32_t)rand_r(&seed) % places * width;
	to = rand_r(&seed) % 4 ? from : (uint32_t)rand_r(&seed) % places * width;
	memcpy(&value, bytes + from, width);
	if (from == to)
		value = rand_r(&seed) % 3 ? value + (uint64_t)(rand_r(&seed) % 5) - 2
					  : (uint64_t)rand_r(&seed) % 16;
	memcpy(bytes + to, &value, width);
	return size;
}

/* Every packet of the conformance table, from both sides. */
static struct frame frames[FRAMES];
static uint32_t frame_count;

static void make_frames(void)
{
	assert(conformance_row_count * SIDES <= FRAMES);
	for (; frame_count < conformance_row_count * SIDES; frame_count++) {
		const struct conformance_row *row = &conformance_rows[frame_count / SIDES];
		int err = conformance_frame(row, frame_count % SIDES, &frames[frame_count]);

		assert(!err);
	}
}

/* As a file is read: in whole lines where it has them, aligned, nothing behind its end. */
static unsigned char *take_image(const uint8_t *data, size_t size, uint8_t fix)
{
	unsigned char *bytes = aligned_alloc(LINE_SIZE, (size + LINE_SIZE) / LINE_SIZE * LINE_SIZE);
	struct image_id *id = (struct image_id *)bytes;
	struct image image = { bytes, (uint32_t)(size / LINE_SIZE) };
	uint8_t digest[sizeof(id->digest)];

	assert(bytes);
	memcpy(bytes, data, size);
	if (size < LINE_SIZE)
		return bytes;
	if (fix & FIX_ID) {
		id->magic = IMAGE_MAGIC;
		id->version = IMAGE_VERSION;
		id->lines = image.lines;
	}
	if (fix & (FIX_ID | FIX_DIGEST)) {
		image_digest(&image, digest);
		memcpy(id->digest, digest, sizeof(digest));
	}
	return bytes;
}

static void judge_frames(const struct image *image,
			 void (*check)(const struct image *image, const struct judgement *j))
{
	static const uint32_t kills[KILLS] = { 0, 0xffff, 1u << STAGE_DROP };

	for (uint32_t i = 0; i < frame_count; i++) {
		struct judgement j;

		for (uint32_t k = 0; k < KILLS; k++) {
			frame_judge(image, frames[i].bytes, frames[i].len, kills[k], &j);
			check(image, &j);
		}
	}
}

/* As an image of overrides it orders what it may, and nothing when it is broken. */
static void ask_overrides(const struct image *image)
{
	for (uint32_t i = 0; i < frame_count; i++) {
		struct packet p = { 0 };
		uint32_t early, late;

		packet_parse(frames[i].bytes, frames[i].bytes + frames[i].len, frames[i].len, &p);
		early = override_orders((struct image *)image, &p, 0);
		late = override_orders((struct image *)image, &p, UINT64_MAX);
		assert(!(early & ~(ORDER_ALLOW | ORDER_BLOCK)));
		assert(!(late & ~early)); /* time takes away */
		assert(p.family || !early);
	}
}

static int judge_golden(void *context, const struct golden *golden)
{
	struct judgement j;

	frame_judge(context, golden->frame.bytes, golden->frame.len, 0, &j);
	fuzz_check_checked(context, &j);
	return 0;
}

struct walk {
	const struct image *image;
	enum table table;
	unsigned __int128 last;
	bool started;
};

static int walk_range(void *context, uint64_t hi, uint64_t lo, uint32_t leaf)
{
	struct walk *walk = context;
	unsigned __int128 first = (unsigned __int128)hi << 64 | lo;
	uint32_t root = image_hot(walk->image)->root[walk->table];

	assert(walk->started ? first > walk->last : !first);
	assert(table_lookup((struct image *)walk->image, root, hi, lo) == leaf);
	assert(image_leaf(walk->image, leaf));
	walk->started = true;
	walk->last = first;
	return 0;
}

static void read_all(const struct image *image)
{
	const struct image_counts *counts = image_counts(image);
	cleanup(image_diff_free) struct image_diff diff = { 0 };

	for (enum table table = 0; table < TABLES; table++) {
		struct walk walk = { .image = image, .table = table };

		assert(!image_each_range(image, table, walk_range, &walk));
	}
	for (uint32_t id = 1; id <= image_hot(image)->lists; id++) {
		const struct list_record *list = image_list(image, id);

		assert(list->name_len && image_text(image, list->name)[list->name_len - 1]);
	}
	assert(!image_list(image, image_hot(image)->lists + 1));
	assert(counts->leaves == image_hot(image)->leaves);
	assert(!image_diff(image, image, &diff));
	assert(!diff.count && !diff.omitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits limits = limits_builtin;
	autofree unsigned char *bytes = NULL;
	auto_diag struct diag diag = { 0 };
	struct image image;
	int r;

	if (!frame_count)
		make_frames();
	if (!size)
		return 0;
	bytes = take_image(data + 1, size - 1, data[0]);
	image = (struct image){ bytes, (uint32_t)((size - 1) / LINE_SIZE) };
	if (data[0] & LOW_LIMITS)
		limits.prefixes = limits.lists = limits.leaves = limits.steps = 3;
	r = image_check("fuzz.img", bytes, size - 1, &limits, &diag);
	assert(r == 0 || r == -EINVAL);
	assert((r == 0) == (diag.total == 0));
	fuzz_check_diag(&diag);
	ask_overrides(&image);
	judge_frames(&image, r ? fuzz_check_verdict : fuzz_check_checked);
	if (r)
		return 0;
	assert(image_counts(&image)->steps <= limits.steps);
	read_all(&image);
	assert(!golden_each(&image, judge_golden, &image));
	return 0;
}
