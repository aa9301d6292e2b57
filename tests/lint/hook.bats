#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hook that `make hooks` switches on: it looks at what is staged, not at what lies about, and
# changes nothing.

setup() {
	root=$(realpath "$BATS_TEST_DIRNAME/../..")
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	cd "$BATS_TEST_TMPDIR" || return
	git init -q tree
	cd tree || return
	mkdir -p user/base tools tests
	cp -r "$root/tools/layers" "$root/tools/hooks" tools
	cp "$root/.clang-format" .
	printf 'user/policy\t90\n' >tests/coverage.budget
	source_file $'int a(void);\n'
	git add -A
	git commit -qm first
	git config core.hooksPath tools/hooks
}

source_file() { # CODE
	printf '/* SPDX-License-Identifier: GPL-2.0-or-later */\n%s' "$1" >user/base/a.c
}

refused() { # PATTERN: the staged change is not committed, for this reason
	run git commit -qm second
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output =~ $1 ]]
	[ "$(git rev-list --count HEAD)" -eq 1 ]
}

@test "a change in the house style is committed" {
	source_file $'int b(void);\n'
	git commit -qam second
	[ "$(git rev-list --count HEAD)" -eq 2 ]
}

@test "a file out of format is refused and left as it is" {
	source_file $'int  b(void);\n'
	git add -A
	refused 'user/base/a.c:2.*clang-format'
	grep -q 'int  b' user/base/a.c
	[ -z "$(git diff)" ]
}

@test "a broken rule is refused" {
	source_file $'#include "policy/policy.h"\n'
	git add -A
	refused 'user/base/a.c:2: \[arrow\]'
}

@test "what is staged counts, not what was mended after" {
	source_file $'int  b(void);\n'
	git add -A
	source_file $'int b(void);\n'
	refused 'user/base/a.c:2'
	git add -A
	git commit -qm second
}

@test "a budget that falls is refused, one that rises is not" {
	printf 'user/policy\t89\n' >tests/coverage.budget
	git add -A
	refused 'budget of user/policy falls to 89'
	printf 'user/policy\t91\n' >tests/coverage.budget
	git commit -qam second
}
