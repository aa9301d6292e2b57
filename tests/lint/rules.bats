#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A rule that has never refused anything is no rule: each is shown a violation in a small tree of
# its own, and must name it. The same tree without the violation passes.

setup() {
	root=$(realpath "$BATS_TEST_DIRNAME/../..")
	: "${LINT_FLAGS:=$(make -s -C "$root" lint-flags)}"
	export LINT_FLAGS
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree"/{bpf,include/stanch,user/{base,policy,store,dataplane,cmd},tests/unit,tools}
	cp "$root"/.clang-format "$root"/.clang-tidy "$root"/.shellcheckrc "$tree"
	cp "$root"/bpf/.clang-tidy "$tree"/bpf
	cd "$tree" || return
	for folder in bpf include user/{base,policy,store,dataplane,cmd} tests tools; do
		echo "# $folder" >"$folder/README.md"
	done
	plant user/base/sum.h <<-'C'
		/* SPDX-License-Identifier: GPL-2.0-or-later */
		/* Sums. */
		#ifndef SUM_H
		#define SUM_H

		int sum(int a, int b);

		#endif
	C
	plant user/base/sum.c <<-'C'
		/* SPDX-License-Identifier: GPL-2.0-or-later */
		/* Sums. */
		#include "base/sum.h"

		int sum(int a, int b)
		{
		@	return a + b;
		}
	C
	sed -i 's/^@//' user/base/sum.c
}

plant() { # PATH < TEXT
	cat >"$1"
}

source_file() { # PATH < CODE: with the licence that belongs to its folder
	local licence=GPL-2.0-or-later

	[[ $1 != bpf/* ]] || licence=GPL-2.0-only
	{ echo "/* SPDX-License-Identifier: $licence */" && cat; } >"$1"
}

refused() { # LINTER PATTERN: the linter fails and names what is wrong
	run "$root/tools/lint" "$1"
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"not ok 1 - lint $1"* ]]
	[[ $output =~ $2 ]]
}

@test "a tree without violations passes every linter" {
	plant tools/hello <<<$'#!/bin/bash\n# SPDX-License-Identifier: GPL-2.0-or-later\necho "$1"'
	source_file user/policy/port.c <<<'#include <stanch/port.h>'
	plant include/stanch/port.h <<<'/* SPDX-License-Identifier: GPL-2.0-or-later */'
	run "$root/tools/lint"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^ok' <<<"$output")" -eq 6 ]
}

@test "format: four spaces are not a tab" {
	source_file user/base/a.c <<<$'int a(void);\n\nint a(void)\n{\n    return 1;\n}'
	refused format 'user/base/a.c:5'
}

@test "tidy: a function of more than 60 lines is too long" {
	{
		printf 'int a(int x);\n\nint a(int x)\n{\n'
		for i in {1..58}; do printf '\tx += %d;\n' "$i"; done
		printf '\treturn x;\n}\n'
	} | source_file user/base/a.c
	run "$root/tools/lint" tidy
	echo "$output"
	[ "$status" -eq 0 ]
	sed -i 's/^\treturn x;/\tx -= 1;\n&/' user/base/a.c
	refused tidy "function 'a' exceeds"
}

@test "tidy: six parameters are too many" {
	source_file user/base/a.c <<-'C'
		int a(int b, int c, int d, int e, int f, int g);

		int a(int b, int c, int d, int e, int f, int g)
		{
			return b + c + d + e + f + g;
		}
	C
	refused tidy "6 parameters"
}

@test "tidy: four levels of nesting are too deep" {
	source_file user/base/a.c <<-'C'
		int a(int b);

		int a(int b)
		{
			while (b--) {
				if (b & 1) {
					while (b > 7) {
						if (b > 9) {
							b -= 2;
						}
					}
				}
			}
			return b;
		}
	C
	refused tidy 'nesting level 4'
}

@test "tidy: a parser of numbers that cannot fail is refused" {
	source_file user/base/a.c <<-'C'
		#include <stdlib.h>
		int a(const char *b);

		int a(const char *b)
		{
			return atoi(b);
		}
	C
	refused tidy 'cert-err34-c'
}

@test "tidy: every check that is off has its reason" {
	for config in "$root"/.clang-tidy "$root"/*/.clang-tidy "$root"/*/*/.clang-tidy; do
		[ -e "$config" ] || continue
		for check in $(grep -o -- "[ ',]-[a-z][A-Za-z0-9.*-]*" "$config" | tr -d " ',"); do
			grep -q "^# .*${check#-}" "$config" || {
				known=${check##*.}
				grep -q "^# .*\.$known" "$config" || { echo "$config: $check" && false; }
			}
		done
	done
}

@test "gcc: what only gcc warns of is refused" {
	source_file user/base/a.c <<-'C'
		#include <stdio.h>
		void a(const char *b);

		void a(const char *b)
		{
			char text[4];

			snprintf(text, sizeof(text), "abcdef%s", b);
			puts(text);
		}
	C
	refused gcc 'format-truncation'
}

@test "sparse: network byte order in a host's number is refused" {
	plant include/stanch/port.h <<-'C'
		/* SPDX-License-Identifier: GPL-2.0-or-later */
		#include <linux/types.h>
		static inline __u16 port(__be16 wire)
		{
			return wire;
		}
	C
	source_file user/policy/a.c <<<$'#include "stanch/port.h"\nint a(__be16 b)\n{\n\treturn port(b);\n}'
	refused sparse 'include/stanch/port.h:5.*base types'
}

@test "layers: policy may not know the data plane" {
	source_file user/policy/a.c <<<'#include "dataplane/dataplane.h"'
	refused layers 'user/policy/a.c:2: \[arrow\]'
}

@test "layers: the store may not know the data plane, nor the data plane the store" {
	source_file user/store/a.c <<<'#include "dataplane/dataplane.h"'
	source_file user/dataplane/a.c <<<'#include "store/store.h"'
	refused layers 'user/store/a.c:2: \[arrow\]'
	refused layers 'user/dataplane/a.c:2: \[arrow\]'
}

@test "layers: nobody includes what stands above" {
	source_file user/base/a.c <<<'#include "policy/policy.h"'
	source_file user/dataplane/a.c <<<'#include "cmd/cmd.h"'
	refused layers 'user/base/a.c:2: \[arrow\]'
	refused layers 'user/dataplane/a.c:2: \[arrow\]'
}

@test "layers: only the data plane knows libbpf" {
	source_file user/cmd/a.c <<<'#include <bpf/libbpf.h>'
	refused layers 'user/cmd/a.c:2: \[arrow\]'
}

@test "layers: policy has no clock and no descriptors" {
	source_file user/policy/a.c <<<$'#include <time.h>\n#include <fcntl.h>'
	refused layers 'user/policy/a.c:2: \[arrow\]'
	refused layers 'user/policy/a.c:3: \[arrow\]'
}

@test "layers: bpf and the shared headers stand alone" {
	source_file bpf/a.h <<<'#include "policy/policy.h"'
	source_file include/stanch/a.h <<<'#include "base/sum.h"'
	refused layers 'bpf/a.h:2: \[arrow\]'
	refused layers 'include/stanch/a.h:2: \[arrow\]'
}

@test "layers: only commands print" {
	source_file user/store/a.c <<<$'void a(void)\n{\n\tprintf("a");\n\tfputs("a", stderr);\n}'
	source_file user/cmd/a.c <<<$'void a(void)\n{\n\tprintf("a");\n}'
	refused layers 'user/store/a.c:4: \[speaks\]'
	refused layers 'user/store/a.c:5: \[speaks\]'
	[[ $output != *user/cmd/a.c* ]]
}

@test "layers: only commands exit" {
	source_file user/dataplane/a.c <<<$'void a(void)\n{\n\texit(1);\n}'
	refused layers 'user/dataplane/a.c:4: \[speaks\]'
}

@test "layers: each banned function is refused, in comments it is a word" {
	for name in strcpy strcat sprintf vsprintf gets atoi system; do
		source_file user/cmd/a.c <<<$'void a(void)\n{\n\t'"$name"$'(x);\n\t/* '"$name"$'(x) */\n}'
		refused layers "user/cmd/a.c:4: \\[banned\\] $name"
		[[ $output != *user/cmd/a.c:5* ]]
	done
}

@test "layers: no goto, no typedef of a struct, no line comments" {
	source_file user/base/a.c <<<$'void a(void)\n{\n\tgoto out;\n}\ntypedef struct a b; // c'
	refused layers 'user/base/a.c:4: \[goto\]'
	refused layers 'user/base/a.c:6: \[typedef\]'
	refused layers 'user/base/a.c:6: \[comment\]'
}

@test "layers: no conditional compilation inside a function" {
	source_file user/base/a.c <<<$'#ifdef A\n#endif\nvoid a(void)\n{\n#ifdef B\n#endif\n}'
	refused layers 'user/base/a.c:6: \[ifdef\]'
	[[ $output != *user/base/a.c:2* ]]
}

@test "layers: the kernel would cut a map's name of 16 characters" {
	source_file bpf/a.h <<<$'struct {\n} abcdefghijklmnop SEC(".maps");'
	refused layers 'bpf/a.h:3: \[map\]'
}

@test "layers: a file without its licence line is refused, and one with another folder's" {
	plant user/base/a.c <<<'int a;'
	plant bpf/b.h <<<'/* SPDX-License-Identifier: GPL-2.0-or-later */'
	plant tools/c <<<$'#!/bin/bash\necho'
	refused layers 'user/base/a.c:1: \[spdx\]'
	refused layers 'bpf/b.h:1: \[spdx\]'
	refused layers 'tools/c:2: \[spdx\]'
}

@test "layers: 600 lines are allowed, 601 are not" {
	yes '' | head -n 599 | source_file user/base/a.c
	run "$root/tools/layers"
	[ "$status" -eq 0 ]
	echo >>user/base/a.c
	refused layers 'user/base/a.c:601: \[size\]'
}

@test "layers: a folder's README has at most 30 lines" {
	yes text | head -n 31 >user/README.md
	refused layers 'user/README.md:31: \[size\]'
}

@test "layers: a folder without a README is refused" {
	rm user/base/README.md
	refused layers 'user/base/README.md:1: \[readme\]'
}

@test "layers: nothing names one machine or a registry's host" {
	printf "see /%s/shared/notes\n" work >user/README.md
	printf "from deb.%s.org\n" debian >tools/README.md
	refused layers 'user/README.md:1: \[place\]'
	refused layers 'tools/README.md:1: \[place\]'
}

@test "layers: a task without an issue is refused" {
	source_file user/base/a.c <<<"/* TO""DO: later */"
	refused layers 'user/base/a.c:2: \[todo\]'
}

@test "shell: an unquoted variable is refused, in bats files too" {
	plant tools/a <<<$'#!/bin/bash\n# SPDX-License-Identifier: GPL-2.0-or-later\nrm $1'
	plant tests/b.bats <<<$'#!/usr/bin/env bats\n@test "b" {\n\trm $1\n}'
	refused shell 'tools/a line 3'
	rm tools/a
	refused shell 'tests/b.bats line 3'
}

@test "what passed is looked at again when a header or the rule changes" {
	source_file user/base/a.c <<<'#include "base/sum.h"'
	run "$root/tools/lint" gcc
	[ "$status" -eq 0 ]
	echo 'int sum(void);' >>user/base/sum.h
	refused gcc 'conflicting types'
}
