#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F54: two applies at once; one stalls for five seconds and resumes with a plan that has become old.
# The lock keeps them apart; where it does not (a rollback takes none, and somebody may remove the
# file), the compare-and-swap does: the loser exits 6 and the newest stays live, whole.

load ../lib/e2e
load ../lib/shim
load ../lib/outage

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	local name
	for name in first second slow fast; do
		policy "$name" <<-END
			version: 1
			mode: enforce
			lists: [{name: $name, action: drop, entries: [203.0.113.0/24]}]
		END
	done
	stanch -q apply --now "$DIR/first.yaml" >/dev/null
	stanch -q apply --now "$DIR/second.yaml" >/dev/null
	slow_pid=
}

teardown() {
	[ -z "$slow_pid" ] || kill -KILL "$slow_pid" 2>/dev/null || true
	instance_remove
}

# Whose list drops, and in which generation.
judging() { stanch -j explain --src 203.0.113.9 | jq -r '.detail + " " + .generation'; }

# slow_apply CALL DO - apply `slow` in the background and return when it stands at that call.
slow_apply() {
	local _
	SHIM_LOG=$DIR/calls shim_exec "$1" 1 "$2" "$STANCH" -q apply --now "$DIR/slow.yaml" \
		>"$DIR/slow.out" 2>&1 </dev/null 3>&- &
	slow_pid=$!
	for _ in $(seq 400); do
		[ ! -s "$DIR/calls" ] || return 0
		sleep 0.05
	done
	return 1
}

# slow_result - its exit code, in $code.
slow_result() {
	code=0
	wait "$slow_pid" || code=$?
	slow_pid=
	cat "$DIR/slow.out"
}

# Two of setup(), and so many more.
check_log() {
	[ "$(records)" = $((2 + $1)) ]
	chain
}

@test "with the lock: the one that waits comes second, and the newest is live" {
	slow_apply fsync:images SLEEP:5000
	run -0 stanch -q apply --now "$DIR/fast.yaml"
	slow_result
	[ "$code" = 0 ]
	[ "$(judging)" = "fast 4" ]
	stanch -q rollback >/dev/null
	[ "$(judging)" = "slow 3" ]
	stanch verify >/dev/null
	check_log 3
}

@test "with the lock: who waits in vain exits 6, is told who works, and changes nothing" {
	slow_apply fsync:images STOP
	shim_wait_stopped "$slow_pid"
	local before
	before=$(snapshot)
	run -6 stanch apply --now "$DIR/fast.yaml"
	[[ $output == *"process $slow_pid"* ]]
	[ "$(snapshot)" = "$before" ]
	[ "$(judging)" = "second 2" ]
	kill -CONT "$slow_pid"
	slow_result
	[ "$code" = 0 ]
	[ "$(judging)" = "slow 3" ]
	check_log 1
}

# lose_to_rollback CALL - the stall is there, the rollback meanwhile.
lose_to_rollback() {
	slow_apply "$1" SLEEP:5000
	run -0 stanch -q rollback
	[ "$(judging)" = "first 1" ]
	local before after
	before=$(word)
	slow_result
	[ "$code" = 6 ]
	grep -q "somebody else changed what is live" "$DIR/slow.out"
	[ "$(word)" = "$before" ]
	after=$(snapshot)
	[ "$(jq '[.slots[] | select(.generation > 2)] | length' <<<"$after")" = 0 ]
	[ -z "$(nothing_published "$after" "$after")" ] # and nothing is half-made
	[ "$(judging)" = "first 1" ]
	[ "$(audit '[.[].result] | any(. == "conflict")')" = true ]
	stanch -q verify >/dev/null
	chain
}

@test "without it: an apply that stalls before its staging loses to a rollback" {
	lose_to_rollback open:totals.json
	check_log 2
}

@test "without it: an apply that stalls before its last look loses to a rollback" {
	lose_to_rollback rename:.yaml
	check_log 2
}

@test "without it: an apply that stalls between its record and the swap loses to a rollback" {
	lose_to_rollback fsync:audit.jsonl
	check_log 3 # the swap that was recorded, then that it was lost
}

@test "without it: a rollback that an apply overtakes says which generations it moved between" {
	local code=0
	shim_exec bpf:OBJ_GET 2 STOP "$STANCH" rollback >"$DIR/slow.out" 2>&1 </dev/null 3>&- &
	slow_pid=$!
	shim_wait_stopped "$slow_pid"
	run -0 stanch -q apply --now "$DIR/fast.yaml"
	kill -CONT "$slow_pid"
	slow_result
	[ "$code" = 0 ]
	[ "$(judging)" = "second 2" ]
	grep -q "generation 3 -> 2" "$DIR/slow.out"
	[ "$(audit '.[-1] | .event + " " + .previous + " " + .generation')" = "rollback 3 2" ]
}

# lose_to_apply CALL - somebody removes the lock's file: a second apply goes through meanwhile.
lose_to_apply() {
	slow_apply "$1" SLEEP:5000
	rm "$STANCH_RUN_DIR/default.lock"
	run -0 stanch -q apply --now "$DIR/fast.yaml"
	kill -0 "$slow_pid" # still asleep
	local before after
	before=$(snapshot)
	slow_result
	[ "$code" = 6 ]
	after=$(snapshot)
	[ "$(jq -r .word <<<"$after")" = "$(jq -r .word <<<"$before")" ]
	[[ "$(judging)" == "fast "* ]]
	stanch -q verify >/dev/null
	stanch -q rollback >/dev/null
	[ "$(judging)" = "second 2" ]
	chain
}

@test "without it: an older plan that resumes before its staging does not overtake the newest" {
	lose_to_apply open:totals.json
}

@test "without it: an older plan that resumes after its staging does not overtake the newest" {
	lose_to_apply rename:.img
}

# naive_apply - what a tool without the compare does: it writes the word that it had planned.
naive_apply() {
	local word bytes='' at
	word=$(word)
	for at in 14 12 10 8 6 4 2 0; do
		bytes+="0x${word:at:2} "
	done
	sleep "$1"
	# shellcheck disable=SC2086 # eight bytes
	bpftool map update pinned "$PINS/control" key 0 0 0 0 value $bytes
}

@test "control: a swap that compares nothing undoes the newest" {
	naive_apply 5 3>&- &
	slow_pid=$!
	sleep 0.5
	run -0 stanch -q apply --now "$DIR/fast.yaml"
	[ "$(judging)" = "fast 3" ]
	wait "$slow_pid"
	slow_pid=
	[ "$(judging)" = "second 2" ]
}
