#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Figures in README.md come from the results, and from nowhere else: tests/bench/render.

bats_require_minimum_version 1.5.0

render=tests/bench/render
results=tests/bench/results/packets.json

@test "README.md says what the results say" {
	"$render" --check "$results" bench-packets
}

@test "a figure that was changed by hand is seen" {
	sed '/<!-- bench-packets -->/,/<!-- .bench-packets -->/s/IPv4 | \*\*1/IPv4 | **7/' README.md \
		>"$BATS_TEST_TMPDIR/README.md"
	run ! cmp -s README.md "$BATS_TEST_TMPDIR/README.md"
	run ! "$render" --check "$results" bench-packets "$BATS_TEST_TMPDIR/README.md"
}

@test "what stands outside the markers is kept, and without them nothing is written" {
	printf 'before\n<!-- bench-packets -->\nold\n<!-- /bench-packets -->\nafter\n' \
		>"$BATS_TEST_TMPDIR/with"
	printf 'nothing\n' >"$BATS_TEST_TMPDIR/without"
	cp "$results" "$BATS_TEST_TMPDIR/packets.json"
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\ncat\n' >"$BATS_TEST_TMPDIR/bin/gnuplot"
	chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH "$render" "$BATS_TEST_TMPDIR/packets.json" bench-packets \
		"$BATS_TEST_TMPDIR/with"
	[ "$(head -n 1 "$BATS_TEST_TMPDIR/with")" = before ]
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/with")" = after ]
	run ! grep -qx old "$BATS_TEST_TMPDIR/with"
	grep -q 'plot ' "$BATS_TEST_TMPDIR/packets-v4.svg"
	run ! "$render" "$BATS_TEST_TMPDIR/packets.json" bench-packets "$BATS_TEST_TMPDIR/without"
	[ "$(cat "$BATS_TEST_TMPDIR/without")" = nothing ]
}
