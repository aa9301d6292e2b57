# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 7200
# F34: the validator with one check less. tools/mutants deletes each in turn and says which of them
# no test noticed.

load ../lib/e2e
load ../lib/netns
load ../lib/flows

setup() {
	BEGAN=$(date +%s%N)
	export BEGAN
	cd "$ROOT" || return
}

@test "F34: without any one gate a row goes red" {
	skip_for "$(live_reason)"
	run -0 nice tools/mutants --rows --gates
	seen F34 "${lines[-1]}"
}

@test "F34: without any one check a test goes red" {
	run -0 nice tools/mutants --unit
	seen F34 "${lines[-1]}"
}

@test "control of F34: a check that no test looks at is told" {
	run -1 tools/mutants --unit --gates --only 'GATE_(GROWTH|HOST) is not asked' --tests '^test_frame$'
	[ "$(grep -c ^MISSED <<<"$output")" = 2 ]
	[ "${lines[-1]}" = "2 checks deleted one by one: 0 noticed, 2 MISSED" ]
	seen F34 "control, with none of the tests of gates: ${lines[-1]}"
}
