#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the command line itself does: options, usage errors, help, output that cannot be written.
# Needs no privileges and no kernel.

load ../lib/e2e.bash

setup() { instance_make; }
teardown() { rm -rf "$DIR"; }

# error_document - stdout is the error document and says MESSAGE.
error_document() {
	[ "$(json .schema)" = stanch.error/1 ]
	[[ "$(json .error.message)" == *"$1"* ]]
	[ "$(json '.error.problems | type')" = array ]
}

@test "no verb is a usage error that names help" {
	run --separate-stderr stanch
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[[ "$stderr" == *"stanch help"* ]]
}

@test "a mistyped verb names the nearest one" {
	run --separate-stderr stanch chekc x
	[ "$status" -eq 2 ]
	[[ "$stderr" == *"no verb 'chekc'"*"'check'"* ]]
	run --separate-stderr stanch frobnicate
	[ "$status" -eq 2 ]
	[[ "$stderr" != *"did you mean"* ]]
}

@test "an unknown option, a missing operand and one too many show the synopsis" {
	for words in "check --frob x" "check" "check a b" "compile a -o"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch $words
		[ "$status" -eq 2 ]
		[ -z "$output" ]
		[[ "$stderr" == *"usage: stanch ${words%% *}"* ]]
	done
}

@test "an unknown global option is a usage error" {
	run --separate-stderr stanch --frob version
	[ "$status" -eq 2 ]
	[[ "$stderr" == *--frob* ]]
}

@test "global options count before and after the verb" {
	run --separate-stderr stanch -j version
	[ "$status" -eq 0 ]
	[ "$(json .schema)" = stanch.version/1 ]
	before=$output
	run --separate-stderr stanch version --json
	[ "$output" = "$before" ]
	run --separate-stderr stanch version -qj
	[ "$output" = "$before" ]
	run --separate-stderr stanch version --instance=Not-A-Name
	[ "$status" -eq 2 ]
}

@test "what follows two dashes is no option" {
	run --separate-stderr stanch check -- -j
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	[[ "$stderr" == *"-j: cannot read it"* ]]
}

@test "under -j every kind of error is a document on stdout and text on stderr" {
	run --separate-stderr stanch -j chekc
	[ "$status" -eq 2 ]
	error_document "no verb"
	[[ "$stderr" == *"no verb"* ]]
	run --separate-stderr stanch check -j
	[ "$status" -eq 2 ]
	error_document "operand"
	run --separate-stderr stanch -j --frob version
	[ "$status" -eq 2 ]
	error_document "--frob"
	run --separate-stderr stanch -j --netns "$DIR/none" version
	[ "$status" -eq 5 ]
	error_document "$DIR/none"
}

@test "a network namespace that is not there is exit 5, a file that is none too" {
	run --separate-stderr stanch --netns stanch-no-such-namespace version
	[ "$status" -eq 5 ]
	[[ "$stderr" == */run/netns/stanch-no-such-namespace* ]]
	[ "$(id -u)" = 0 ] || skip "entering anything needs root"
	echo x >"$DIR/file"
	run --separate-stderr stanch --netns "$DIR/file" version
	[ "$status" -eq 5 ]
	[[ "$stderr" == *"is not a network namespace"* ]]
}

@test "help lists every verb and explains each" {
	run --separate-stderr stanch help
	[ "$status" -eq 0 ]
	list=$output
	for verb in $(stanch -j help | jq -r '.verbs[].name'); do
		[[ "$list" == *"  $verb "* ]]
		run --separate-stderr stanch help "$verb"
		[ "$status" -eq 0 ]
		[[ "$output" == "usage: stanch $verb"* ]]
		asked=$output
		run --separate-stderr stanch "$verb" --help
		[ "$status" -eq 0 ]
		[ "$output" = "$asked" ]
	done
}

@test "every verb refuses an option that it does not have" {
	for verb in $(stanch -j help | jq -r '.verbs[].name'); do
		run --separate-stderr stanch "$verb" --no-such-option
		echo "$verb: $status $stderr"
		[ "$status" -eq 2 ]
	done
}

@test "a result that cannot be written is a failure" {
	[ -e /dev/full ] || skip "no /dev/full"
	for words in "version" "-j version" "help"; do
		# shellcheck disable=SC2086 # words are meant to split
		run bash -c 'timeout 20 "$0" "$@" >/dev/full' "$STANCH" $words
		[ "$status" -eq 1 ]
		[[ "$output" == *"cannot write the result"* ]]
	done
}

@test "a closed stdout is a failure and no file is written into instead" {
	policy p <<<"version: 1"
	run bash -c 'timeout 20 "$0" check "$1" >&-' "$STANCH" "$DIR/p.yaml"
	[ "$status" -eq 1 ]
	[ "$(cat "$DIR/p.yaml")" = "version: 1" ]
}

@test "a reader who leaves early is no failure" {
	run bash -c 'set -o pipefail; timeout 20 "$0" inspect --ranges "$1" | head -c 10 >/dev/null' \
		"$STANCH" "$DIR/many.yaml"
	[ "$status" -eq 3 ]
	{
		printf 'version: 1\nlists:\n  - name: many\n    action: drop\n    entries:\n'
		for i in $(seq 0 2 250); do
			for k in $(seq 0 2 60); do echo "      - 198.18.$i.$k"; done
		done
	} | policy many
	run bash -c 'set -o pipefail; timeout 20 "$0" inspect --ranges "$1" | head -c 10 >/dev/null' \
		"$STANCH" "$DIR/many.yaml"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}
