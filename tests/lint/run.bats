#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/run counts what went wrong in every way in which a test can: it is what all else relies on.

setup() {
	run=$(realpath "$BATS_TEST_DIRNAME/../run")
	export TEST_LOGS=$BATS_TEST_TMPDIR/logs
	unset TEST_TIMEOUT
	cd "$BATS_TEST_TMPDIR" || return
}

program() { # NAME BODY
	printf '#!/bin/bash\n%s\n' "$2" >"$1"
	chmod 755 "$1"
}

ends() { # STATUS LAST-LINE FILE...
	local status_wanted=$1 last=$2

	shift 2
	run "$run" "$@"
	echo "$output"
	[ "$status" -eq "$status_wanted" ]
	[ "${lines[-1]}" = "$last" ]
}

gone() { # PID: ended, even where nobody collects it
	for _ in {1..50}; do
		grep -Eqs '^State:\s+[^Z]' "/proc/$1/status" || return 0
		sleep 0.1
	done
	return 1
}

@test "TAP is counted, over several plans" {
	program a $'echo 1..2; echo "ok 1 - x"; echo "ok 2 - y"; echo 1..1; echo "ok 1 - z"'
	ends 0 "3 passed, 0 failed, 0 skipped" a
}

@test "a failed test fails the run and its whole output is shown" {
	program a $'echo 1..2; echo "ok 1 - x"; echo "not ok 2 - y"; echo "# because"; exit 1'
	program b $'echo 1..1; echo "ok 1 - z"'
	ends 1 "2 passed, 1 failed, 0 skipped" a b
	[[ $output == *"| # because"* ]]
	[[ $output == *"a: y"* ]]
}

@test "a planned test that did not run failed" {
	program a $'echo 1..3; echo "ok 1 - x"'
	ends 1 "1 passed, 2 failed, 0 skipped" a
}

@test "a crash after the last test is a failure" {
	program a $'echo 1..1; echo "ok 1 - x"; kill -SEGV $$'
	ends 1 "1 passed, 1 failed, 0 skipped" a
	[[ $output == *SIGSEGV* ]]
}

@test "an exit code that belies the results is a failure" {
	program a $'echo 1..1; echo "ok 1 - x"; exit 3'
	ends 1 "1 passed, 1 failed, 0 skipped" a
}

@test "a test that takes too long failed, and nothing of it is left" {
	program a $'# test-timeout: 1\nsleep 61 & echo $! >child; sleep 62'
	ends 1 "0 passed, 1 failed, 0 skipped" a
	[[ $output == *"time was up after 1 s"* ]]
	gone "$(cat child)"
}

@test "what a test leaves running is ended" {
	program a $'sleep 63 & echo $! >child; echo 1..1; echo "ok 1 - x"'
	ends 0 "1 passed, 0 failed, 0 skipped" a
	gone "$(cat child)"
}

@test "without TAP the exit code decides" {
	program a 'exit 0'
	program b 'exit 1'
	program c 'echo no such thing here; exit 77'
	ends 1 "1 passed, 1 failed, 1 skipped" a b c
	[[ $output == *"c: no such thing here"* ]]
}

@test "skips are counted with their reasons" {
	program a $'echo 1..2; echo "ok 1 - x # SKIP no root"; echo "ok 2 - y"'
	program b $'echo 1..1; echo "skipped: no data"; echo "not ok 1 # SKIP in_cmocka"'
	program c $'echo "1..0 # SKIP no kernel"'
	ends 0 "1 passed, 0 failed, 3 skipped" a b c
	[[ $output == *"a: x: no root"* ]]
	[[ $output == *"b: in_cmocka: no data"* ]]
	[[ $output == *"c: no kernel"* ]]
}

@test "a file without any test failed, and so did one that is not there" {
	program a 'echo 1..0'
	ends 1 "0 passed, 2 failed, 0 skipped" a b
}

@test "nothing at all is not a success" {
	ends 1 "0 passed, 0 failed, 0 skipped"
}

@test "a bats file is run by bats" {
	printf '@test "x" {\n\ttrue\n}\n@test "y" {\n\tfalse\n}\n' >a.bats
	ends 1 "1 passed, 1 failed, 0 skipped" a.bats
}
