#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F10b: the applying tool is killed or stopped while its policy, which drops half of the crowd, is
# on trial. Nothing of ours is alive then that could take it back: the program does, by the lease.
# test-timeout: 600

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

LEASE_S=5 # what a watcher gives itself

setup() { trial_setup; }

teardown() {
	[ -z "${APPLY:-}" ] || kill -KILL "$APPLY" 2>/dev/null || true
	outage_teardown
}

# trial_begin STEPS - nobody is sending yet, so nobody finds out; without steps all are judged by it.
trial_begin() {
	STEPS=50% STEP=60s SOAK=60s trial_policy harm "$FLOW_B" 198.18.0.0/25
	sed -i "s/steps: \[.*\], step/steps: [$1], step/" "$DIR/harm.yaml"
	apply_behind "$DIR/harm.yaml"
	until_true on_trial
}

lease_is_over() { stanch -j status | jq -e .lease.expired; }

# lost_in_a_crowd - of the crowd and of P, while the bad source is dropped, in $lost.
lost_in_a_crowd() {
	crowd_start
	sleep 2
	flows_stop
	flows_text
	[ "$(sent G)" -gt 1000 ]
	[ "$(leaked)" = 0 ]
	lost=$(($(lost_g) + $(lost_p) - $(overflows)))
}

# back_by_itself - within the lease, and then nobody is harmed.
back_by_itself() {
	local began=$SECONDS
	until_true lease_is_over
	took=$((SECONDS - began))
	[ "$took" -le $((LEASE_S + 1)) ]
	lost_in_a_crowd
	[ "$lost" -le 0 ]
	stanch -q verify >/dev/null
	chain_whole
}

chain_whole() { stanch -q history --verify >/dev/null; }

# put_right - the next change says what it found, and goes through.
put_right() {
	trial_policy later "$FLOW_B" 203.0.113.98
	run -0 --separate-stderr stanch apply --now "$DIR/later.yaml"
	[[ "$stderr" == *repaired* ]]
	[ "$(audit '[.[] | select(.event == "repair") | .result] | join(" ")')" = expired ]
	run ! on_trial
	chain_whole
}

@test "F10b: killed in its canary: the lease ends, and what was kept judges everybody" {
	trial_begin 50%
	kill -KILL "$APPLY"
	wait "$APPLY" || true
	back_by_itself
	put_right
	seen F10b "killed in a canary: back after $took s, $lost of $(sent G) lost then"
}

@test "F10b: killed while everybody is judged: the same" {
	trial_begin ''
	[ "$(word_field share)" = 0 ]
	kill -KILL "$APPLY"
	wait "$APPLY" || true
	back_by_itself
	put_right
	seen F10b "killed in its soak: back after $took s, $lost of $(sent G) lost then"
}

@test "F10b: stopped: the lease ends all the same, and who wakes up revives nothing, exit 7" {
	trial_begin 50%
	kill -STOP "$APPLY"
	back_by_itself
	kill -CONT "$APPLY"
	apply_end 7
	APPLY=''
	[ "$(live_word)" = "$KEPT" ]
	[ "$(newest '.event + " " + .result')" = "apply reverted" ]
	lost_in_a_crowd
	[ "$lost" -le 0 ]
	seen F10b "stopped: back after $took s; woken it exits 7"
}

@test "F10b control: with a lease that does not end the harm goes on" {
	trial_begin 50%
	kill -KILL "$APPLY"
	wait "$APPLY" || true
	bpftool map update pinned "$PINS/control" key 1 0 0 0 value 255 255 255 255 255 255 255 127
	sleep $((LEASE_S + 1))
	run ! lease_is_over
	lost_in_a_crowd
	[ "$lost" -gt $(($(sent G) / 20)) ]
}
