/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_compile(): the sections of an image, one after the other, and the header that describes
 * them. What goes into the sections is decided in compile_*.c; nothing here knows the kernel.
 */
#include "compile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_hash_sha256.h>

#include "base/cleanup.h"
#include "compile_parts.h"

const struct limits limits_builtin = {
	.abi = ABI_VERSION,
	.image_version = IMAGE_VERSION,
	.prefixes = LIMIT_PREFIXES,
	.lists = LIMIT_LISTS,
	.leaves = LIMIT_LEAVES,
	.lines = LIMIT_LINES,
	.steps = LIMIT_STEPS,
	.families = LIMIT_FAMILIES,
	.vlan_tags = LIMIT_VLAN_TAGS,
	.ext_headers = LIMIT_EXT_HEADERS,
	.reasons = REASONS,
	.stages = STAGES,
	.slots = SLOTS,
	.overrides = LIMIT_OVERRIDES,
	.samples = LIMIT_SAMPLES,
	.sources = LIMIT_SOURCES,
};

struct compile {
	const struct policy *policy;
	const uint64_t *expiry; /* NULL: nothing expires */
	struct lines lines;
	struct leaves leaves;
	uint8_t *families; /* by list index */
	uint32_t family_count, steps;
	uint32_t root[TABLES];
	struct section sections[IMAGE_SECTIONS]; /* by kind; no lines: not there */
};

static void compile_free(struct compile *compile)
{
	lines_free(&compile->lines);
	leaves_free(&compile->leaves);
	free(compile->families);
}

/* Everything appended since @first is section @kind. */
static void close_section(struct compile *compile, enum section_kind kind, uint32_t first,
			  uint32_t count)
{
	compile->sections[kind] = (struct section){
		.kind = kind, .first = first, .lines = compile->lines.count - first, .count = count
	};
}

static int take_bytes(struct lines *lines, size_t len, uint32_t *ret)
{
	return lines_take(lines, (uint32_t)((len + LINE_SIZE - 1) / LINE_SIZE), ret);
}

/* Copies by the line, as lines past the limit are nowhere. */
static int append_bytes(struct lines *lines, const void *bytes, size_t len, uint32_t *ret)
{
	uint32_t line;
	int err = take_bytes(lines, len, &line);

	if (err)
		return err;
	*ret = line;
	for (const char *from = bytes; len; line++) {
		size_t part = len < LINE_SIZE ? len : LINE_SIZE;

		memcpy(line_at(lines, line), from, part);
		from += part;
		len -= part;
	}
	return 0;
}

/* ---- sections ---- */

static int compile_table(struct compile *compile, enum table table)
{
	uint32_t bits = table == TABLE_V4_SRC || table == TABLE_V4_DST ? 32 : 128, steps;
	uint32_t first = compile->lines.count;
	auto_ranges struct ranges ranges = { 0 };
	int err;

	err = ranges_sweep(compile->policy, compile->families, table, &compile->leaves, &ranges);
	if (!err)
		err = table_build(&compile->lines, &ranges, bits, &compile->root[table], &steps);
	if (err)
		return err;
	if (steps > compile->steps)
		compile->steps = steps;
	close_section(compile, SECTION_V4_SRC + table, first, compile->lines.count - first);
	return 0;
}

static int compile_leaves(struct compile *compile)
{
	const struct leaves *leaves = &compile->leaves;
	uint32_t first;
	int err = append_bytes(&compile->lines, leaves->items,
			       leaves->count * sizeof(*leaves->items), &first);

	if (!err)
		close_section(compile, SECTION_LEAVES, first, leaves->count);
	return err;
}

static int compile_ports(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	uint64_t bits[65536 / 64] = { 0 };
	uint32_t first;
	int err;

	if (!policy->port_count)
		return 0;
	for (uint32_t i = 0; i < policy->port_count; i++)
		bits[policy->ports[i] / 64] |= 1ull << policy->ports[i] % 64;
	err = append_bytes(&compile->lines, bits, sizeof(bits), &first);
	if (!err)
		close_section(compile, SECTION_PORTS, first, policy->port_count);
	return err;
}

static int compile_lists(struct compile *compile)
{
	uint32_t count = lists_count(compile->policy), first;
	autofree struct list_record *records = calloc(count + 1u, sizeof(*records));
	auto_buf struct buf names = { 0 };
	int err;

	if (!records)
		return -ENOMEM;
	err = lists_write(compile->policy, compile->families, records, &names);
	if (!err)
		err = append_bytes(&compile->lines, records, count * sizeof(*records), &first);
	if (err)
		return err;
	close_section(compile, SECTION_LISTS, first, count);
	err = append_bytes(&compile->lines, names.data, names.len, &first);
	if (!err)
		close_section(compile, SECTION_NAMES, first, (uint32_t)names.len);
	return err;
}

/* `protect` has no expiry. */
static int compile_expiry(struct compile *compile)
{
	uint32_t count = lists_count(compile->policy) + 1, first;
	autofree uint64_t *expiry = NULL;
	int err;

	if (!compile->expiry)
		return 0;
	expiry = calloc(count, sizeof(*expiry));
	if (!expiry)
		return -ENOMEM;
	for (uint32_t id = 1; id <= compile->policy->list_count; id++)
		expiry[id] = compile->expiry[id];
	err = append_bytes(&compile->lines, expiry, count * sizeof(*expiry), &first);
	if (!err)
		close_section(compile, SECTION_EXPIRY, first, count);
	return err;
}

static int compile_sections(struct compile *compile)
{
	uint32_t header;
	int err = families_find(compile->policy, &compile->families, &compile->family_count);

	if (!err)
		err = leaves_start(&compile->leaves);
	if (!err)
		err = lines_take(&compile->lines, IMAGE_HEADER_LINES, &header);
	for (enum table table = 0; table < TABLES && !err; table++)
		err = compile_table(compile, table);
	if (!err)
		err = compile_leaves(compile);
	if (!err)
		err = compile_ports(compile);
	if (!err)
		err = compile_lists(compile);
	return err ? err : compile_expiry(compile);
}

/* ---- header ---- */

static void write_hot(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	struct image_hot *hot = line_at(&compile->lines, IMAGE_HOT_LINE);

	hot->magic = IMAGE_HOT_MAGIC;
	hot->mode = (uint8_t)policy->mode;
	hot->flags = (policy->inner ? IMAGE_INNER : 0) | (policy->headers ? IMAGE_HEADERS : 0) |
		     (policy->sources ? IMAGE_SOURCES : 0);
	hot->mark_mask = policy->mark_mask;
	hot->mark_value = policy->mark_value;
	memcpy(hot->root, compile->root, sizeof(hot->root));
	hot->leaves_line = compile->sections[SECTION_LEAVES].first;
	hot->leaves = compile->leaves.count;
	hot->ports_line = compile->sections[SECTION_PORTS].first;
	hot->lists = lists_count(policy);
	hot->expiry_line = compile->sections[SECTION_EXPIRY].first;
}

static void write_counts(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	struct image_counts *counts = line_at(&compile->lines, IMAGE_COUNTS_LINE);

	counts->prefixes = policy->prefix_count - policy->protect_count;
	counts->lists = policy->list_count;
	counts->leaves = compile->leaves.count;
	counts->steps = compile->steps;
	counts->families = compile->family_count;
	counts->ports = policy->port_count;
	counts->protects = policy->protect_count;
}

/* Only the sections that have lines, in the order of their kinds. */
static uint32_t write_sections(struct compile *compile)
{
	struct section *section = line_at(&compile->lines, IMAGE_SECTIONS_LINE);
	uint32_t count = 0;

	for (enum section_kind kind = SECTION_NONE; kind < SECTION_KINDS; kind++)
		if (compile->sections[kind].lines)
			section[count++] = compile->sections[kind];
	return count;
}

static void write_header(struct compile *compile)
{
	struct image_id *id = line_at(&compile->lines, IMAGE_ID_LINE);
	struct image image = { compile->lines.bytes, compile->lines.count };

	write_hot(compile);
	write_counts(compile);
	id->magic = IMAGE_MAGIC;
	id->version = IMAGE_VERSION;
	id->lines = compile->lines.count;
	id->sections = write_sections(compile);
	image_digest(&image, id->digest);
}

/* ---- what does not fit ---- */

static void check_limit(const struct compile *compile, struct diag *diag, const char *code,
			struct diag_limit limit)
{
	const struct diag_place place = { .file = compile->policy->file };
	const char *what =
		strcmp(code, "too_many_leaves") ? strrchr(code, '_') + 1 : "combinations of lists";

	if (limit.actual > limit.limit)
		diag_add_limit(diag, &place, code, limit,
			       "%" PRIu64 " %s, the loaded program holds %" PRIu64, limit.actual,
			       what, limit.limit);
}

static int check_limits(const struct compile *compile, const struct limits *limits,
			struct diag *diag)
{
	uint64_t before = diag->total;

	check_limit(compile, diag, "too_many_lines",
		    (struct diag_limit){ compile->lines.count, limits->lines });
	check_limit(compile, diag, "too_many_leaves",
		    (struct diag_limit){ compile->leaves.count, limits->leaves });
	check_limit(compile, diag, "too_many_steps",
		    (struct diag_limit){ compile->steps, limits->steps });
	return diag->total == before ? 0 : -EINVAL;
}

int policy_compile_overrides(const struct policy *policy, const struct limits *limits,
			     const uint64_t *expiry, struct image_file *ret, struct diag *diag)
{
	cleanup(compile_free) struct compile compile = { .policy = policy, .expiry = expiry };
	int err;

	compile.lines.limit = limits->lines;
	err = compile_sections(&compile);
	if (!err)
		err = check_limits(&compile, limits, diag);
	if (err)
		return err;
	write_header(&compile);
	ret->image = (struct image){ compile.lines.bytes, compile.lines.count };
	ret->bytes = TAKE_PTR(compile.lines.bytes);
	return 0;
}

int policy_compile(const struct policy *policy, const struct limits *limits, struct image_file *ret,
		   struct diag *diag)
{
	return policy_compile_overrides(policy, limits, NULL, ret, diag);
}

void image_free(struct image_file *image)
{
	free(image->bytes);
	*image = (struct image_file){ 0 };
}

void image_digest(const struct image *image, uint8_t ret[32])
{
	static const uint8_t zero[sizeof(((struct image_id *)0)->digest)];
	const size_t at = offsetof(struct image_id, digest), behind = at + sizeof(zero);
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, image->bytes, at);
	crypto_hash_sha256_update(&state, zero, sizeof(zero));
	crypto_hash_sha256_update(&state, image->bytes + behind,
				  (unsigned long long)image->lines * LINE_SIZE - behind);
	crypto_hash_sha256_final(&state, ret);
}
