/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside dataplane/: what its parts share and nobody else includes. An instance is opened pins; an
 * object is the program file on its way into the kernel.
 */
#ifndef STANCH_DATAPLANE_INSIDE_H
#define STANCH_DATAPLANE_INSIDE_H

#include <dirent.h>
#include <errno.h>
#include <sys/types.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"

/* errno after a call that failed, never 0. */
static inline int last_error(void)
{
	int r = -errno;

	return r < 0 ? r : -EIO;
}

static inline void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define autoclosedir cleanup(close_dir)

/* Maps in the order in which they are pinned. `judged` belongs to a twin and has no pin. */
enum pin {
	PIN_CONTROL,
	PIN_SLOTS,
	PIN_SLOT_INFO,
	PIN_COUNTERS,
	PIN_HITS,
	PIN_BUDGET,
	PIN_EVENTS,
	PIN_SEED,
	PIN_LIMITS,
	PIN_OVERRIDES,
	PIN_RESERVOIR,
	PIN_RESERVOIR_AT,
	PIN_SOURCES,
	PIN_SOURCE_GROUPS,
	PINS,
};

enum program { PROGRAM_NATIVE, PROGRAM_GENERIC, PROGRAM_MARK, PROGRAMS };

struct pin_kind {
	const char *name; /* of the pin */
	const char *object; /* what it is called in the object */
	mode_t mode;
};
extern const struct pin_kind pin_kinds[PINS];
extern const struct pin_kind program_kinds[PROGRAMS];

#define PIN_NAME 64 /* bytes of the longest name of a pin */
#define PIN_ASIDE "+new" /* behind the name of a pin that is being made */

struct instance {
	struct places places;
	struct limits limits;
	int maps[PINS]; /* read-only ones for readers; -1 what this user may not open */
	int programs[PROGRAMS]; /* -1 for readers */
};

/* ---- bpffs.c: pins as files ---- */
/* bpffs_mount - a bpffs at places->bpf: what is there already, else one of our own. */
int bpffs_mount(const struct places *places, struct diag *diag);
/* bpffs_folder - a directory for pins, 0750, of the group `stanch` where there is one. */
int bpffs_folder(const char *path);
/* bpffs_pin - pin under @name, in one step over whatever has that name now. */
int bpffs_pin(int fd, const char *folder, const char *name, mode_t mode);
/* bpffs_get - a pinned map or program: to write when this user may, else to read. fd or -errno. */
int bpffs_get(const char *folder, const char *name);
/* bpffs_unpin - remove a pin. Returns 0, -ENOENT when there is none. */
int bpffs_unpin(const char *folder, const char *name);
/* bpffs_each - every name in @folder until @fn returns non-zero, which is returned. */
int bpffs_each(const char *folder, int (*fn)(void *context, const char *name), void *context);
/* bpffs_empty - remove a folder and the pins in it. 0 when there is none. */
int bpffs_empty(const char *folder);

/* ---- object.c: the program file ---- */
struct object {
	struct bpf_object *bpf;
	struct limits limits; /* what it says it holds */
	char *log; /* of the verifier */
};
#define auto_object cleanup(object_close)

/*
 * object_open - the embedded object, or the file that STANCH_OBJECT names; nothing is loaded yet.
 * Returns -EPROTO when it speaks another ABI, -ENOENT and others when the file cannot be read.
 */
int object_open(bool twin, struct object *ret, struct diag *diag);
/* object_load - create its maps and load its programs. */
int object_load(struct object *object, struct diag *diag);
void object_close(struct object *object);
int object_map_fd(const struct object *object, const char *name);
int object_program_fd(const struct object *object, const char *name);
/* limits_agree - do these limits come from this ABI and image layout? 0 or -EPROTO. */
int limits_agree(const struct limits *limits, const char *whose, struct diag *diag);

/* ---- refusal.c: what the kernel means ---- */
/*
 * refused - say that the kernel did not do @what, in words that mean something here.
 * Returns @err (negative), but -EFBIG for -E2BIG, whose usual text speaks of argument lists.
 */
int refused(struct diag *diag, const char *code, int err, const char *what);

/* ---- control.c ---- */
/* control_map - map a control array. A read-only fd is kept and looked up instead. */
int control_map(int fd, struct control **ret);
/* control_set - -EACCES for a reader. */
int control_set(struct control *control, enum control_entry entry, uint64_t value);
/* control_end_trial - what a rollback makes of the word. */
void control_end_trial(struct word *word);

/* ---- image_map.c: an image as a frozen map ---- */
/* image_map_create - map of @image, filled, frozen, read back. Returns its fd or -errno. */
int image_map_create(const struct image *image, const uint8_t digest[32], struct diag *diag);
/* image_map_copy - the bytes of such a map, however this user may read them. */
int image_map_copy(int fd, struct image_file *ret);
/* image_map_digest - digest of the kernel's memory. */
int image_map_digest(int fd, uint8_t ret[32]);
/* image_map_scratch - the smallest map that fits the outer map. fd or -errno. */
int image_map_scratch(void);
/* image_map_fits - is this image within @limits? Refused before any kernel object exists. */
int image_map_fits(const struct image *image, const struct limits *limits, struct diag *diag);
/*
 * pin_map - the values of a pinned array as memory, to be read while the program writes them.
 * @size: of all of them. -EACCES for those who may only read the pin. munmap() undoes it.
 */
int pin_map(const struct instance *instance, enum pin pin, size_t size, const void **ret);
/* seed_fill - another secret into a map `seed`. */
int seed_fill(int fd);
/* map_shape - which map this is, and what fits in. */
struct map_shape {
	uint32_t id, value_size, entries;
};
int map_shape(int fd, struct map_shape *ret);

#endif
