/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Older generations: the audit log knows their digests, the store has their images. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

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

	if (!generation || !result || !digest || strcmp(generation, search->generation))
		return 0;
	if (!strcmp(result, "applied"))
		snprintf(search->digest, sizeof(search->digest), "%s", digest);
	else if (strcmp(result,
			"unchanged")) /* it came to nothing after all, or is only on trial */
		*search->digest = '\0';
	return 0;
}

int stored_generation(const struct options *options, uint64_t generation,
		      const struct limits *limits, struct image_file *ret, struct diag *diag)
{
	struct search search = { 0 };
	uint8_t digest[32];
	uint64_t line = 0;
	size_t len = 0;
	int r;

	snprintf(search.generation, sizeof(search.generation), "%" PRIu64, generation);
	r = audit_each(&options->places, search_record, &search, &line);
	if (r == -EBADMSG) {
		diag_add(diag, NULL, "audit_chain",
			 "the audit log is broken at line %" PRIu64
			 ", so numbers cannot be trusted; `stanch apply` an image of %s/images",
			 line, options->places.state);
		return r;
	}
	if (r)
		return r;
	if (sodium_hex2bin(digest, sizeof(digest), search.digest, strlen(search.digest), NULL, &len,
			   NULL) ||
	    len != sizeof(digest))
		return -ENOENT;
	return store_image_read(&options->places, digest, limits, ret, diag);
}
