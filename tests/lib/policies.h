/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies made in memory, and what each address is on by a linear scan over their prefixes. */
#ifndef TESTS_LIB_POLICIES_H
#define TESTS_LIB_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

#include <stanch/image.h>

#include "policy/compile.h"
#include "policy/policy.h"

/* A growing policy; release with policy_free(&made.policy). Fails the test without memory. */
struct made {
	struct policy policy;
	uint32_t cap;
};

static inline void made_free(struct made *made)
{
	policy_free(&made->policy);
}
#define auto_made cleanup(made_free)

/* make_list - append a list; its id is returned. @family is for score lists, else NULL. */
uint16_t make_list(struct made *made, enum action action, enum match match, const char *family,
		   uint8_t points);
/* make_prefix - append a prefix to list @list, host bits cleared. Family 4 uses the top of @hi. */
void make_prefix(struct made *made, uint16_t list, uint8_t family, unsigned __int128 address,
		 uint8_t len);
/* make_protect - append a protected prefix. Call it after every make_list(). */
void make_protect(struct made *made, uint8_t family, unsigned __int128 address, uint8_t len);
/* make_protected_port - ports must rise. */
void make_protected_port(struct made *made, uint16_t port);

/* made_compile - with the built-in limits; fails the test unless it works. */
void made_compile(const struct made *made, struct image_file *ret);

/* oracle_leaf - the lists that win for @address, found without any table. */
struct leaf oracle_leaf(const struct policy *policy, enum table table, unsigned __int128 address);
/* image_lookup - the lists that the tables of @image give. Fails the test on a broken image. */
struct leaf image_lookup(const struct image *image, enum table table, unsigned __int128 address);

/* A reproducible stream of random numbers. */
uint64_t random_next(uint64_t *state);
unsigned __int128 random_address(uint64_t *state, uint8_t family);

/* make_random_lists - one to twelve lists of any action and match. */
void make_random_lists(struct made *made, uint64_t *random);
/*
 * make_random_prefix - one more prefix on any list or on `protect`, as often as not near an earlier
 * one, so that they nest, touch and repeat. Call it after make_random_lists().
 */
void make_random_prefix(struct made *made, uint64_t *random);

#endif
