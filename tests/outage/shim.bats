#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The rig itself: the shim does to a program what it is told to, at the call it is told to, and
# nothing else. Its words are in tests/shim/README.md.

load ../lib/e2e
load ../lib/shim

setup() { DIR=$(mktemp -d); }
teardown() { rm -rf "$DIR"; }

victim() { "$B/tests/shim/victim" "$@"; }

# shimmed_victim CALL AT DO CALLS... - how each call went, on one line.
shimmed_victim() {
	run shim "$1" "$2" "$3" "$B/tests/shim/victim" "${@:4}"
	output=${output//$'\n'/, }
}

@test "without an order nothing happens, and matching calls are counted" {
	run shim_count bpf "$B/tests/shim/victim" getpid bpf:0 bpf:8 "open:$DIR/f" bpf:8
	[ "$status" = 0 ]
	[ "$output" = 3 ]
	run shim_count bpf:PROG_ATTACH "$B/tests/shim/victim" bpf:0 bpf:8 bpf:8
	[ "$output" = 2 ]
	run shim_count any "$B/tests/shim/victim" getpid "write:$DIR/f:x" "unlink:$DIR/f"
	[ "$output" = 4 ]
}

@test "the call with the number fails with the errno, no other" {
	local attach load
	attach=$(victim bpf:8) # whatever the kernel says to nonsense
	load=$(victim bpf:5)
	shimmed_victim bpf 2 ENOMEM bpf:8 bpf:8 bpf:8
	[ "$output" = "$attach, bpf ENOMEM, $attach" ]
	shimmed_victim bpf:PROG_LOAD 1 ENOMEM bpf:8 bpf:5 bpf:5
	[ "$output" = "$attach, bpf ENOMEM, $load" ]
	shimmed_victim bpf:5 1 ENOMEM bpf:8 bpf:5
	[ "$output" = "$attach, bpf ENOMEM" ]
}

@test "from a number on every call fails" {
	shimmed_victim fsync 2+ EIO "fsync:$DIR/f" "fsync:$DIR/f" "fsync:$DIR/f"
	[ "$output" = "fsync ok, fsync EIO, fsync EIO" ]
}

@test "every kind of call can fail" {
	touch "$DIR/f"
	shimmed_victim any 1+ ENOSPC bpf:8 getpid "open:$DIR/f" "rename:$DIR/f:$DIR/g" \
		"unlink:$DIR/f" mmap ioctl
	[ "$output" = "bpf ENOSPC, getpid ENOSPC, open ENOSPC, rename ENOSPC, unlink ENOSPC, $(
	)mmap ENOSPC, ioctl ENOSPC" ]
	for call in write fsync truncate; do
		shimmed_victim "$call" 1 EIO "$call:$DIR/f:x"
		[ "$output" = "$call EIO" ]
	done
	[ -e "$DIR/f" ]
	[ ! -s "$DIR/f" ]
}

@test "a part of a path selects the file" {
	shimmed_victim write:audit 1 EIO "write:$DIR/other:x" "write:$DIR/audit.jsonl:x"
	[ "$output" = "write ok, write EIO" ]
	shimmed_victim rename:/g 1 EIO "rename:$DIR/other:$DIR/f" "rename:$DIR/f:$DIR/g"
	[ "$output" = "rename ok, rename EIO" ]
}

@test "a lost call says that it worked" {
	echo old >"$DIR/f"
	shimmed_victim rename 1 LOSE "rename:$DIR/f:$DIR/g"
	[ "$output" = "rename ok" ]
	[ ! -e "$DIR/g" ]
	shimmed_victim write 1 LOSE "write:$DIR/f:new"
	[ "$output" = "write ok" ]
	[ "$(cat "$DIR/f")" = old ]
}

@test "a short write writes half and says so" {
	shimmed_victim write 1 SHORT "write:$DIR/f:12345678"
	[ "$output" = "write short" ]
	[ "$(cat "$DIR/f")" = 1234 ]
}

kill_at() { "$B/tests/shim/kill_at" "$@"; }

@test "kill_at finds every call, each before it is made and after it" {
	local stops k writes=
	stops=$(kill_at --count "$B/tests/shim/victim" getpid "write:$DIR/f:x" 2>/dev/null | tail -1)
	[ "$stops" -gt 20 ]
	for k in $(seq "$stops"); do
		rm -f "$DIR/f"
		run kill_at "$k" "$B/tests/shim/victim" getpid "write:$DIR/f:x"
		[ "$status" = 137 ]
		writes+=$([ -s "$DIR/f" ] && echo 1 || echo 0)
	done
	echo "$writes"
	[[ $writes =~ ^0+1+$ ]]
	run kill_at $((stops + 1)) "$B/tests/shim/victim" getpid "write:$DIR/f:x"
	[ "$status" = 0 ]
}

@test "kill_at follows children, keeps the exit code, and says when it is used wrongly" {
	# shellcheck disable=SC2016 # for the inner shell
	run kill_at --count sh -c 'sh -c true; exit 3'
	[ "$status" = 3 ]
	[ "${lines[-1]}" -gt 50 ]
	run kill_at 100000 sh -c 'kill -TERM $$'
	[ "$status" = 143 ]
	for words in "0 true" "x true" "1" "--count"; do
		# shellcheck disable=SC2086 # words are meant to split
		run kill_at $words
		[ "$status" = 99 ]
	done
}

@test "a program is killed before the call, or after it" {
	shimmed_victim write 2 KILL "write:$DIR/f:1" "write:$DIR/f:2" "write:$DIR/f:3"
	[ "$status" = 137 ]
	[ "$(cat "$DIR/f")" = 1 ]
	shimmed_victim write 2 AFTER:KILL "write:$DIR/f:1" "write:$DIR/f:2" "write:$DIR/f:3"
	[ "$status" = 137 ]
	[ "$(cat "$DIR/f")" = 112 ]
}

@test "a program waits at the call" {
	local before=$EPOCHREALTIME
	shimmed_victim syscall 1 SLEEP:300 getpid
	[ "$output" = "getpid ok" ]
	((${EPOCHREALTIME/./} - ${before/./} >= 300000))
}

@test "a program stops at the call and goes on when it is told to" {
	shim_exec write 1 STOP "$B/tests/shim/victim" "write:$DIR/f:1" >"$DIR/out" 3>&- &
	local pid=$!
	shim_wait_stopped "$pid"
	[ ! -s "$DIR/f" ]
	kill -CONT "$pid"
	wait "$pid"
	[ "$(cat "$DIR/f")" = 1 ]
}

@test "an order that is not understood ends the program before it does anything" {
	local order
	for order in "wrote 1 EIO" "write 0 EIO" "write x EIO" "write 1 EWHAT" "write 1 SLEEP:x" \
		"bpf:MAP_CREAT 1 EIO" "open 1 LOSE" "fsync 1 SHORT" "bpf 1 LOSE" "write 1 AFTER:EIO"; do
		# shellcheck disable=SC2086 # three words
		shimmed_victim $order "write:$DIR/f:1"
		[ "$status" = 99 ]
		[[ $output = "shim: "*"is not understood" ]]
		[ ! -e "$DIR/f" ]
	done
}
