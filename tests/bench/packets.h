/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matrix of `make bench`: classes of packets, by several programs, over lists of several
 * lengths, from several mixes of sources. What its files share.
 */
#ifndef TESTS_BENCH_PACKETS_H
#define TESTS_BENCH_PACKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/spread.h"
#include "dataplane/dataplane.h"
#include "keyed.h"
#include "policies.h"
#include "policy/frame.h"

#define ROUNDS 15 /* odd, so that a median is one of them */
#define ROUNDS_QUICK 11 /* of the cells that a budget is about */
#define REPEAT 30000 /* packets of one measurement */

enum family { V4, V6, FAMILIES };
enum mix {
	MIX_SPREAD, /* each source at random from the whole list */
	MIX_ACTIVE, /* 10,000 of them */
	MIX_ZIPF, /* 65,536 of them, the n-th about 1/n as often as the first */
	MIX_UNLISTED, /* at random from all addresses that are on no list */
	MIX_FLAGGED, /* one source, which another list flags */
	MIXES
};
enum by { BY_DROP, BY_NOTHING, BY_TABLE, BY_TRIE, BY_HASH, BY_STANCH, BYS };
#define SIZES 4

extern const uint32_t sizes[SIZES]; /* entries that drop */
extern const char *const mix_names[MIXES], *const by_names[BYS];

/* ---- packets_lists.c: lists, and sources to look up in them ---- */
struct range {
	uint32_t start, count; /* of lists.keys */
};

/* The lists of a family are one: a shorter one is the beginning of the longest. */
struct lists {
	struct made made[FAMILIES];
	struct image_file images[FAMILIES][SIZES];
	struct key *keys;
	uint32_t count, cap;
	struct range ranges[FAMILIES][SIZES][MIXES];
};

/* lists_make - all of it, from a fixed seed. Ends the program without memory. */
void lists_make(struct lists *ret);
void lists_free(struct lists *lists);
/* key_of - the first address of a prefix, as it stands in a packet. */
struct key key_of(const struct prefix *prefix);

/* ---- packets_subjects.c: what is measured ---- */
int fail(const char *what, int error, const struct diag *diag);

/* stanch with room for four generations, in places of its own. */
struct subject {
	struct places places;
	struct instance *instance;
	struct control *control;
	int program;
};
/* subject_open - @object: another program file than the one built in, or NULL. */
int subject_open(struct subject *subject, const char *name, const char *object);
/* subject_stage - @image into @slot, and the packets to it. */
int subject_stage(struct subject *subject, const struct image_file *image, unsigned int slot);
int subject_swap(struct subject *subject, unsigned int slot);
void subject_close(struct subject *subject);
/* subject_flags_failed - packets of @slot that could not be flagged and passed instead. */
uint64_t subject_flags_failed(const struct subject *subject, unsigned int slot);

/* The programs of reference.bpf.c for the first entries of the list of a family. */
struct reference {
	enum family family;
	int size;
	struct bpf_object *object;
};
/* reference_load - what @reference says, from @path; the table is the one that @stanch has. */
int reference_load(const char *path, const struct lists *lists, const struct subject *stanch,
		   struct reference *reference);

/* ---- packets_matrix.c: measuring ---- */
struct bench_class {
	const char *key, *name;
	enum family family;
	uint32_t at; /* offset of the source address */
	uint32_t action; /* what XDP must answer */
	uint32_t mixes, bys; /* sets of bits */
	struct frame_step steps[FRAME_STEPS];
};
#define CLASSES 8
extern const struct bench_class classes[CLASSES];

struct cell {
	const struct bench_class *class;
	enum by by;
	int size;
	enum mix mix;
	int program;
	uint32_t action;
	size_t base; /* the cell of BY_DROP that this is compared with, in the same round */
	bool watched; /* a metric is about it */
	double ns[ROUNDS];
};
#define CELLS_MOST 256

struct matrix {
	struct lists lists;
	struct bpf_object *bare, *keyed;
	struct reference references[FAMILIES][SIZES];
	struct subject stanch[FAMILIES];
	struct frame frames[CLASSES];
	int prologue, turns, next, live[FAMILIES], current;
	struct cell cells[CELLS_MOST];
	size_t count;
	double empty[ROUNDS], drop[ROUNDS]; /* without the prologue */
	uint64_t random;
	int rounds;
	bool all;
};

/* What is loaded from where. */
struct objects {
	const char *bare, *keyed, *reference, *without;
};

int matrix_open(struct matrix *matrix, const struct objects *objects);
/* matrix_run - so many rounds, of all cells or only of those that metrics_watch() chose. */
int matrix_run(struct matrix *matrix, int rounds, bool all);
void matrix_close(struct matrix *matrix);
struct cell *matrix_cell(struct matrix *matrix, const char *class, enum by by, int size,
			 enum mix mix);

/*
 * run_frame - @repeat packets through @program; a wrong answer makes the figure worthless, and ends
 * the run. @ret_ns: processor time of one, in which nobody else's is.
 */
int run_frame(int program, const struct frame *frame, uint32_t repeat, uint32_t action,
	      double *ret_ns);

/* ---- packets_control.c ---- */
/*
 * control_cost - stanch beside itself without control word, overrides, trials and samples: how much
 * longer a packet takes with them. Returns the rows, NULL when something failed.
 */
json_t *control_cost(const char *without);

/* ---- packets_report.c ---- */
#define METRICS 18
struct metric {
	const char *name;
	double goal; /* at most; 0: none, only watched */
	const char *what;
	double value;
};
void metrics_watch(struct matrix *matrix);
void metrics_find(struct matrix *matrix, struct metric ret[METRICS]);
json_t *report(struct matrix *matrix, const struct metric *metrics);

#endif
