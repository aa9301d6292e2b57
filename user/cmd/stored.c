/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Older generations: the audit log knows their digests, the store has their images. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd/describe.h"
#include "cmd/live.h"
#include "store/store.h"

/* The digest under which the audit log knows a generation. */
struct search {
	char generation[24];
	char digest[DIGEST_TEXT];
};

static int search_record(void *context, json_t *record)
{
	struct search *search = context;
	const char *generation = json_string_value(json_object_get(record, "generation"));
	const char *result = json_string_value(json_object_get(record, "result"));
	const char *digest = json_string_value(json_object_get(record, "digest"));

	if (generation && result && digest && !strcmp(generation, search->generation) &&
	    !strcmp(result, "applied") && strlen(digest) == DIGEST_TEXT - 1)
		snprintf(search->digest, sizeof(search->digest), "%s", digest);
	return 0;
}

static bool digest_bytes(const char *text, uint8_t ret[32])
{
	for (unsigned int i = 0; i < 32; i++) {
		unsigned int byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		ret[i] = (uint8_t)byte;
	}
	return true;
}

int stored_generation(const struct options *options, uint64_t generation,
		      const struct limits *limits, struct image_file *ret, struct diag *diag)
{
	struct search search = { 0 };
	uint8_t digest[32];
	uint64_t line = 0;
	int r;

	snprintf(search.generation, sizeof(search.generation), "%" PRIu64, generation);
	r = audit_each(&options->places, search_record, &search, &line);
	if (r == -EBADMSG) {
		diag_add(diag, NULL, "audit_chain", "the audit log is broken at line %" PRIu64,
			 line);
		return r;
	}
	if (r)
		return r;
	if (!*search.digest || !digest_bytes(search.digest, digest))
		return -ENOENT;
	return store_image_read(&options->places, digest, limits, ret, diag);
}
