/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutator that knows words. Byte mutations alone hardly ever turn one accepted text into another;
 * exchanging, adding and repeating whole words and lines does, and half of the time the usual byte
 * mutations still apply. The target hands in its vocabulary.
 */
#ifndef TESTS_FUZZ_FUZZ_WORDS_H
#define TESTS_FUZZ_FUZZ_WORDS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

struct fuzz_text {
	char *text;
	size_t len, room;
	unsigned int seed;
};

static inline size_t fuzz_pick(struct fuzz_text *text, size_t below)
{
	return below ? (size_t)rand_r(&text->seed) % below : 0;
}

static inline int fuzz_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("._-/:", c));
}

/* Replaces text[from, to) by @put; does nothing where there is no room. */
static inline void fuzz_splice(struct fuzz_text *text, size_t from, size_t to, const char *put,
			       size_t put_len)
{
	if (text->len - (to - from) + put_len > text->room)
		return;
	memmove(text->text + from + put_len, text->text + to, text->len - to);
	memcpy(text->text + from, put, put_len);
	text->len = text->len - (to - from) + put_len;
}

/* The word at or after a random place: its bounds. Empty at the end when there is none. */
static inline void fuzz_find_word(struct fuzz_text *text, size_t *from, size_t *to)
{
	size_t at = fuzz_pick(text, text->len + 1);

	while (at > 0 && fuzz_is_word(text->text[at - 1]))
		at--;
	while (at < text->len && !fuzz_is_word(text->text[at]))
		at++;
	*from = at;
	while (at < text->len && fuzz_is_word(text->text[at]))
		at++;
	*to = at;
}

static inline void fuzz_repeat_line(struct fuzz_text *text)
{
	size_t from = fuzz_pick(text, text->len + 1), to;
	char line[256];

	while (from > 0 && text->text[from - 1] != '\n')
		from--;
	to = from;
	while (to < text->len && to - from < sizeof(line) - 1 && text->text[to] != '\n')
		to++;
	memcpy(line, text->text + from, to - from);
	line[to - from] = '\n';
	fuzz_splice(text, from, from, line, to - from + 1);
}

static inline void fuzz_change_word(struct fuzz_text *text, const char *word)
{
	size_t from, to;

	fuzz_find_word(text, &from, &to);
	switch (fuzz_pick(text, 5)) {
	case 0:
		fuzz_splice(text, from, to, "", 0);
		break;
	case 1: /* one more in a sequence */
		fuzz_splice(text, from, from, ", ", 2);
		fuzz_splice(text, from, from, word, strlen(word));
		break;
	case 2:
		fuzz_repeat_line(text);
		break;
	default:
		fuzz_splice(text, from, to, word, strlen(word));
		break;
	}
}

struct fuzz_dictionary {
	const char *const *words;
	size_t count;
};

static inline size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, unsigned int seed,
				 const struct fuzz_dictionary *words)
{
	struct fuzz_text text = { (char *)data, size, max_size, seed };
	size_t rounds = fuzz_pick(&text, 3);

	if (fuzz_pick(&text, 2))
		return LLVMFuzzerMutate(data, size, max_size);
	do
		fuzz_change_word(&text, words->words[fuzz_pick(&text, words->count)]);
	while (rounds--);
	return text.len ? text.len : LLVMFuzzerMutate(data, size, max_size);
}

#endif
