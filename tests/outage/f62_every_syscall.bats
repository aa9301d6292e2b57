#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F62, all of it: an apply killed at every entry and every exit of its system calls.
# test-slow test-timeout: 14400

load f62

setup() { f62_setup; }
teardown() { instance_remove; }

# The log grows, and with it the calls that read it: so the stops are not counted but tried, until
# three in a row find that the apply was over before them.
@test "F62: killed at every stop, an apply leaves the old generation or the new one" {
	local k over=0
	for ((k = 1; over < 3; k++)); do
		if kill_apply "$k"; then over=0; else over=$((over + 1)); fi
	done
	[ "$killed" -ge "$stops" ]
	f62_end
}
