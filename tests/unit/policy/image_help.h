/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of images share. */
#ifndef TESTS_UNIT_POLICY_IMAGE_HELP_H
#define TESTS_UNIT_POLICY_IMAGE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/compile.h"
#include "policy/policy.h"

static inline void show_image_problems(const struct diag *diag)
{
	for (uint32_t i = 0; i < diag->stored; i++)
		print_message("[%s] %s\n", diag->problems[i].code, diag->problems[i].message);
}

#endif
