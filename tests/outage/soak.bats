# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 600
# The soak in its short form: each operation once and then at random for a minute, under three flows.
# `make soak` plays two hours.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(live_reason)"
}

teardown() {
	[ -z "${LOG:-}" ] || rm -f "$LOG"
}

@test "a minute of everything at random loses nothing, lets nothing in, and leaves nothing" {
	LOG=$(mktemp)
	run timeout -k 20 580 "$ROOT/tests/bench/soak" --seconds 60 --log "$LOG" "$B"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *"0 faults" ]]
	[ "$(wc -l <"$LOG")" -ge 30 ]
	echo "# ${lines[*]: -12}" | grep -o '[0-9]* operations, seed [0-9]*' | sed 's/^/# /' >&3
}

@test "control: B let in, G stopped, a file left over and a wrong exit are all seen" {
	LOG=$(mktemp)
	run -1 timeout -k 20 200 "$ROOT/tests/bench/soak" --seconds 1 --only verify --plant \
		--log "$LOG" "$B"
	echo "$output"
	for text in "planted: planted" "planted: B leaked" "G lost" "images/left.tmp"; do
		[[ "$output" == *"FAULT "*"$text"* ]]
	done
	[[ "$output" == *"4 faults" ]]
}
