# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 400
# A harmful policy under 10,000 packets a second is taken back within 50 ms of enough evidence: the
# median, seen from outside, of the best of three series. `make bench-times` has fifty of them.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(live_reason)"
}

@test "harm is taken back within 50 ms of enough evidence" {
	run timeout -k 20 300 "$ROOT/tests/bench/times" --quick "$B"
	echo "$output"
	[ "$status" = 0 ]
}

@test "control: a tool that is stopped meanwhile takes longer, and that is seen" {
	run -1 timeout -k 20 90 "$ROOT/tests/bench/times" --quick --series 1 --trials 3 --stall 600 "$B"
	echo "$output"
	[ "$(jq .p50 <<<"${lines[-1]}" | cut -d. -f1)" -gt 50 ]
}
