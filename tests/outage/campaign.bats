# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 400
# The campaign in its short form: good policies under floods are all kept, bad ones are all refused
# or taken back. `make campaign` plays the long one.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(live_reason)"
}

@test "20 good policies under floods are kept, 8 bad ones are refused or taken back" {
	run timeout -k 20 380 "$ROOT/tests/bench/campaign" --short "$B"
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *'"kept": 20'* ]]
}

@test "control: a bad policy that may drop anybody is kept, and that is a fault" {
	run -1 timeout -k 20 100 "$ROOT/tests/bench/campaign" --short --good 0 --bad 1 --blind "$B"
	echo "$output"
	[[ "$output" == *"FAULT bad 0"* ]]
}
