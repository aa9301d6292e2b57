/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How an image is shown, by every verb that shows one. Reads checked images only. */
#ifndef STANCH_CMD_DESCRIBE_H
#define STANCH_CMD_DESCRIBE_H

#include "cmd.h"

#define DIGEST_TEXT 65

/* digest_text - in hexadecimal; @out has DIGEST_TEXT bytes and is returned. */
const char *digest_text(const uint8_t digest[32], char *out);

/* list_name - of list @id of @image as a string of its own; JSON null for none. Never NULL. */
json_t *list_name(const struct image *image, uint32_t id);

/* describe_json - digest, size, settings and counts as an object. */
json_t *describe_json(const struct image *image);
/* describe_text - the same in a few lines for people. */
void describe_text(const struct image *image);

/* describe_list_json - name, action, match, sizes, first and last entry of list @id. */
json_t *describe_list_json(const struct image *image, uint32_t id);
/* describe_list_row - the same as a row under describe_list_head(). */
void describe_list_head(void);
void describe_list_row(const struct image *image, uint32_t id);

/* describe_changes_json - the stored changes between two images, in order. */
json_t *describe_changes_json(const struct image_diff *diff);

/* action_name - "drop"; of an enum action out of a checked image. */
const char *action_name(unsigned int action);

#endif
