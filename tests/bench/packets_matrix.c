/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every class of packets, by every program, over every list: each cell once a round, so that
 * whatever else the machine does meets all of them, and a cell is compared with others of its round.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>

#include "packets.h"

#define WARM 12000 /* packets before those that count: caches, predictors, active sources */
#define WARM_SWAP 200000 /* after a swap stanch samples closely until it knows the rate again */
#define DROPS 1u /* XDP_DROP, XDP_PASS */
#define PASSES 2u
#define AT_V4 26u /* Ethernet, and what stands before the source in an IP header */
#define AT_V6 22u
#define TAG 4u

#define BIT(n) (1u << (n))
#define LISTED (BIT(MIX_SPREAD) | BIT(MIX_ACTIVE) | BIT(MIX_ZIPF))
#define EVERYBODY (BIT(BYS) - 1)
#define OURS (BIT(BY_DROP) | BIT(BY_STANCH))

const char *const by_names[BYS] = {
	[BY_DROP] = "counting drop", [BY_NOTHING] = "no lookup", [BY_TABLE] = "table of stanch",
	[BY_TRIE] = "LPM_TRIE",	     [BY_HASH] = "HASH",	 [BY_STANCH] = "stanch",
};
static const char *const programs[BYS] = {
	[BY_NOTHING] = "no_lookup",
	[BY_TABLE] = "by_table",
	[BY_TRIE] = "by_trie",
	[BY_HASH] = "by_hash",
};

const struct bench_class classes[CLASSES] = {
	{ "drop4",
	  "drop by list, IPv4",
	  V4,
	  AT_V4,
	  DROPS,
	  LISTED,
	  EVERYBODY,
	  { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "drop6",
	  "drop by list, IPv6",
	  V6,
	  AT_V6,
	  DROPS,
	  LISTED,
	  EVERYBODY,
	  { { FRAME_IPV6, 0 }, { FRAME_UDP, 0 } } },
	{ "pass4",
	  "pass, IPv4",
	  V4,
	  AT_V4,
	  PASSES,
	  BIT(MIX_UNLISTED),
	  EVERYBODY,
	  { { FRAME_IPV4, 0 }, { FRAME_TCP, 0x10 } } },
	{ "pass6",
	  "pass, IPv6",
	  V6,
	  AT_V6,
	  PASSES,
	  BIT(MIX_UNLISTED),
	  EVERYBODY,
	  { { FRAME_IPV6, 0 }, { FRAME_TCP, 0x10 } } },
	{ "syn",
	  "SYN with options, pass",
	  V4,
	  AT_V4,
	  PASSES,
	  BIT(MIX_UNLISTED),
	  OURS,
	  { { FRAME_IPV4, 0 }, { FRAME_TCP, 5 << 8 | 0x02 } } },
	{ "flag",
	  "flag",
	  V4,
	  AT_V4,
	  PASSES,
	  BIT(MIX_FLAGGED),
	  OURS,
	  { { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "tunnel",
	  "IPv4 in IPv4, pass",
	  V4,
	  AT_V4,
	  PASSES,
	  BIT(MIX_UNLISTED),
	  OURS,
	  { { FRAME_IPV4, 0 }, { FRAME_IPV4, 0 }, { FRAME_UDP, 0 } } },
	{ "chain",
	  "VLAN + IPv6 chain, pass",
	  V6,
	  AT_V6 + TAG,
	  PASSES,
	  BIT(MIX_UNLISTED),
	  OURS,
	  { { FRAME_VLAN, 0x8100 },
	    { FRAME_IPV6, 0 },
	    { FRAME_HOP_OPTIONS, 0 },
	    { FRAME_DEST_OPTIONS, 0 },
	    { FRAME_TCP, 0x10 } } },
};

/* ---- what is run ---- */

static double processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int run_frame(int program, const struct frame *frame, uint32_t repeat, uint32_t action,
	      double *ret_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = (int)repeat);
	double before = processor_ns();

	if (bpf_prog_test_run_opts(program, &opts))
		return fail("test run", -errno, NULL);
	*ret_ns = (processor_ns() - before) / repeat;
	if (opts.retval == action)
		return 0;
	fprintf(stderr, "bench: XDP answered %u, %u is right\n", opts.retval, action);
	return -EBADMSG;
}

/* The next packets are of this cell's sources, and go to its program. */
static int turn_to(struct matrix *matrix, const struct cell *cell)
{
	struct range range = matrix->lists.ranges[cell->class->family][cell->size][cell->mix];
	struct turn turn = { .start = range.start,
			     .count = range.count,
			     .cursor = (uint32_t)(random_next(&matrix->random) % range.count),
			     .at = cell->class->at,
			     .words = cell->class->family == V4 ? 1 : 4,
			     .fresh = cell->mix == MIX_FLAGGED };
	uint32_t zero = 0;

	if (bpf_map_update_elem(matrix->turns, &zero, &turn, BPF_ANY))
		return -errno;
	if (matrix->current == cell->program)
		return 0;
	matrix->current = cell->program;
	return bpf_map_update_elem(matrix->next, &zero, &cell->program, BPF_ANY) ? -errno : 0;
}

static int run_cell(struct matrix *matrix, const struct cell *cell, uint32_t repeat, double *ret_ns)
{
	const struct bench_class *class = cell->class;
	int r = turn_to(matrix, cell);

	if (!r)
		r = run_frame(matrix->prologue, &matrix->frames[class - classes], repeat,
			      cell->action, ret_ns);
	return r ? fail(class->name, r, NULL) : 0;
}

static int go_live(struct matrix *matrix, const struct cell *cell)
{
	enum family family = cell->class->family;
	double warm;
	int r = 0;

	if (cell->by != BY_STANCH)
		return 0;
	if (matrix->live[family] != cell->size)
		r = subject_swap(&matrix->stanch[family], (unsigned int)cell->size);
	else if (cell->mix != MIX_UNLISTED)
		return 0;
	matrix->live[family] = cell->size;
	return r ? r : run_cell(matrix, cell, WARM_SWAP, &warm);
}

static int measure_round(struct matrix *matrix, int round)
{
	static const struct bench_class *const bare = &classes[0];
	const struct frame *frame = &matrix->frames[bare - classes];
	int fd = bpf_program__fd(bpf_object__find_program_by_name(matrix->bare, "empty"));
	int r = run_frame(fd, frame, REPEAT, PASSES, &matrix->empty[round]);

	fd = bpf_program__fd(bpf_object__find_program_by_name(matrix->bare, "counting_drop"));
	if (!r)
		r = run_frame(fd, frame, REPEAT, DROPS, &matrix->drop[round]);
	for (size_t i = 0; i < matrix->count && !r; i++) {
		struct cell *cell = &matrix->cells[i];
		double warm;

		if (!matrix->all && !cell->watched)
			continue;
		r = go_live(matrix, cell);
		if (!r)
			r = run_cell(matrix, cell, WARM, &warm);
		if (!r)
			r = run_cell(matrix, cell, REPEAT, &cell->ns[round]);
	}
	return r;
}

int matrix_run(struct matrix *matrix, int rounds, bool all)
{
	int r = 0;

	matrix->rounds = rounds;
	matrix->all = all;
	for (int round = 0; round < rounds && !r; round++)
		r = measure_round(matrix, round);
	for (int size = 0; size < SIZES && !r; size++)
		if (subject_flags_failed(&matrix->stanch[V4], (unsigned int)size))
			r = fail("flags that could not be written", -EBADMSG, NULL);
	return r;
}

/* ---- what there is to run ---- */

static int program_of(const struct matrix *matrix, const struct cell *cell)
{
	const struct bpf_object *object =
		cell->by == BY_DROP ? matrix->bare
				    : matrix->references[cell->class->family][cell->size].object;
	const char *name = cell->by == BY_DROP ? "counting_drop" : programs[cell->by];

	if (cell->by == BY_STANCH)
		return matrix->stanch[cell->class->family].program;
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

/* With one entry there is only one listed source. */
static bool is_asked(const struct bench_class *class, int size, enum mix mix)
{
	return class->mixes & BIT(mix) &&
	       (sizes[size] > 1 || mix == MIX_SPREAD || mix == MIX_UNLISTED || mix == MIX_FLAGGED);
}

static void add_cells(struct matrix *matrix, const struct bench_class *class, int size,
		      enum mix mix)
{
	size_t base = matrix->count;

	for (enum by by = 0; by < BYS; by++) {
		struct cell *cell = &matrix->cells[matrix->count];

		if (!(class->bys & BIT(by)) || matrix->count == CELLS_MOST)
			continue;
		*cell = (struct cell){
			.class = class, .by = by, .size = size, .mix = mix, .base = base
		};
		cell->action = by == BY_DROP || by == BY_NOTHING ? DROPS : class->action;
		cell->program = program_of(matrix, cell);
		matrix->count++;
	}
}

/* Cells of one family and length stand together: few swaps. */
static void make_cells(struct matrix *matrix)
{
	for (enum family family = 0; family < FAMILIES; family++)
		for (int size = 0; size < SIZES; size++)
			for (size_t i = 0; i < CLASSES; i++)
				for (enum mix mix = 0; mix < MIXES; mix++)
					if (classes[i].family == family &&
					    is_asked(&classes[i], size, mix))
						add_cells(matrix, &classes[i], size, mix);
}

struct cell *matrix_cell(struct matrix *matrix, const char *class, enum by by, int size,
			 enum mix mix)
{
	for (size_t i = 0; i < matrix->count; i++) {
		struct cell *cell = &matrix->cells[i];

		if (!strcmp(cell->class->key, class) && cell->by == by && cell->size == size &&
		    cell->mix == mix)
			return cell;
	}
	return NULL;
}

/* The source is the prologue's; who is inside a tunnel is on no list. */
static int make_frames(struct matrix *matrix)
{
	struct range unlisted = matrix->lists.ranges[V4][0][MIX_UNLISTED];
	struct frame_ends ends = {
		.src4 = address_v4(0xc000020a),
		.dst4 = address_v4(0xc0000201),
		.src6 = address_v6(0x20010db8600d0000, 16),
		.dst6 = address_v6(0x20010db800010000, 1),
		.inner_src4 = address_v4(ntohl(matrix->lists.keys[unlisted.start].bytes[0])),
		.inner_dst4 = address_v4(0xc0000201),
		.sport = 40000,
		.dport = 80,
	};
	int r = 0;

	for (size_t i = 0; i < CLASSES && !r; i++)
		r = frame_build(classes[i].steps, &ends, &matrix->frames[i]);
	return r ? fail("frames", r, NULL) : 0;
}

/*
 * A test run tells the kernel's dispatcher of its program and waits for two grace periods, unless
 * that knows it already, as it does those that are attached: hundreds of runs take seconds less.
 */
static int attach_somewhere(int program)
{
	const int loopback = 1;

	if (unshare(CLONE_NEWNET) || bpf_xdp_attach(loopback, program, XDP_FLAGS_SKB_MODE, NULL))
		return fail("a network namespace with the prologue", -errno, NULL);
	return 0;
}

static int fill_keys(const struct lists *lists, int map)
{
	size_t bytes = lists->count * sizeof(struct key);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (at == MAP_FAILED)
		return fail("keys", -errno, NULL);
	memcpy(at, lists->keys, bytes);
	munmap(at, bytes);
	return 0;
}

static int open_keyed(struct matrix *matrix, const char *path)
{
	struct bpf_map *keys;
	int r;

	matrix->keyed = bpf_object__open_file(path, NULL);
	keys = matrix->keyed ? bpf_object__find_map_by_name(matrix->keyed, "keys") : NULL;
	if (!keys || bpf_map__set_max_entries(keys, matrix->lists.count) ||
	    bpf_object__load(matrix->keyed))
		return fail(path, -errno, NULL);
	matrix->prologue =
		bpf_program__fd(bpf_object__find_program_by_name(matrix->keyed, "keyed"));
	matrix->turns = bpf_object__find_map_fd_by_name(matrix->keyed, "turns");
	matrix->next = bpf_object__find_map_fd_by_name(matrix->keyed, "next");
	r = fill_keys(&matrix->lists, bpf_map__fd(keys));
	return r ? r : attach_somewhere(matrix->prologue);
}

static int open_family(struct matrix *matrix, const char *reference, enum family family)
{
	struct subject *stanch = &matrix->stanch[family];
	int r = subject_open(stanch, family == V4 ? "bench-v4" : "bench-v6", NULL);

	for (int i = 0; i < SIZES && !r; i++) { /* slot 0 is live, and so the last */
		int size = (i + 1) % SIZES;

		r = subject_stage(stanch, &matrix->lists.images[family][size], (unsigned int)size);
		matrix->live[family] = size;
	}
	for (int size = 0; size < SIZES && !r; size++) {
		struct reference *one = &matrix->references[family][size];

		*one = (struct reference){ .family = family, .size = size };
		r = reference_load(reference, &matrix->lists, stanch, one);
	}
	return r;
}

int matrix_open(struct matrix *matrix, const struct objects *objects)
{
	int r = 0;

	matrix->current = -1;
	lists_make(&matrix->lists);
	matrix->bare = bpf_object__open_file(objects->bare, NULL);
	if (!matrix->bare || bpf_object__load(matrix->bare))
		return fail(objects->bare, -errno, NULL);
	r = open_keyed(matrix, objects->keyed);
	for (enum family family = 0; family < FAMILIES && !r; family++)
		r = open_family(matrix, objects->reference, family);
	if (!r)
		r = make_frames(matrix);
	make_cells(matrix);
	lists_free(&matrix->lists);
	return r;
}

void matrix_close(struct matrix *matrix)
{
	for (enum family family = 0; family < FAMILIES; family++) {
		for (int size = 0; size < SIZES; size++)
			bpf_object__close(matrix->references[family][size].object);
		subject_close(&matrix->stanch[family]);
	}
	bpf_object__close(matrix->keyed);
	bpf_object__close(matrix->bare);
}
