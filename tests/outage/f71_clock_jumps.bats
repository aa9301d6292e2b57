#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F71: the wall clock jumps a day, there and back, while a generation is on a lease, and while an
# override is. Leases and ends are of a clock that does not jump: nothing comes of it.
# test-timeout: 300

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

DAY=86400

setup() {
	trial_setup
	export LD_PRELOAD=$B/tests/shim/clock.so CLOCK_FILE=$DIR/shift
	jump 0
}

teardown() {
	unset LD_PRELOAD
	[ -z "${APPLY:-}" ] || kill -KILL "$APPLY" 2>/dev/null || true
	outage_teardown
}

# jump SECONDS - from the true time; for every command of this test from now on.
jump() { echo "$1" >"$DIR/shift.new" && mv "$DIR/shift.new" "$DIR/shift"; }

@test "the clock of the rig jumps, and takes only the wall clock with it" {
	local before after
	before=$(date +%s)
	jump "$DAY"
	after=$(date +%s)
	[ $((after - before)) -ge "$DAY" ]
	[ $((after - before)) -le $((DAY + 60)) ]
	[ "$(python3 -c 'import time; t = time.monotonic(); time.time(); print(time.monotonic() - t < 60)')" = True ]
}

@test "F71: a trial goes on through jumps of a day and is kept" {
	crowd_start
	STEP=2s SOAK=3s trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind "$DIR/next.yaml"
	until_true on_trial
	for seconds in "$DAY" "-$DAY" "$DAY" 0; do
		jump "$seconds"
		sleep 0.7
		on_trial
	done
	apply_end 0
	APPLY=''
	flows_stop
	[ "$(newest .trial.result)" = kept ]
	echo "$(flows_text); socket lost $(overflows)"
	[ "$(leaked)" = 0 ] && [ "$(lost_g)" -le "$(overflows)" ] && [ "$(lost_p)" -le "$(overflows)" ]
	chain_whole
	seen F71 "four jumps in a trial: kept; $(flows_text)"
}

chain_whole() { stanch -q history --verify >/dev/null; }

@test "F71: a lease ends when it would have, whatever the clock says" {
	local began
	for seconds in "$DAY" "-$DAY"; do
		jump 0
		trial_policy "n$seconds" "$FLOW_B" "203.0.113.$((seconds > 0 ? 98 : 97))"
		began=$(awk '{ print int($1 * 1000) }' /proc/uptime)
		apply_behind --now --confirm 4s "$DIR/n$seconds.yaml"
		until_true judges_everybody
		jump "$seconds"
		sleep 1
		judges_everybody
		apply_end 7
		APPLY=''
		took=$(($(awk '{ print int($1 * 1000) }' /proc/uptime) - began))
		echo "$seconds: $took ms"
		[ "$took" -ge 4000 ] && [ "$took" -le 12000 ]
		[ "$(live_word)" = "$KEPT" ]
	done
	chain_whole
}

@test "F71: a lease can be confirmed after a jump of a day" {
	trial_policy next "$FLOW_B" 203.0.113.99
	apply_behind --now --confirm 60s "$DIR/next.yaml"
	until_true judges_everybody
	jump "$DAY"
	run -0 stanch confirm
	apply_end 0
	APPLY=''
	run ! on_trial
}

@test "F71: an override ends when it would have, and is said to" {
	why() { stanch -j explain --src "$1" | jq -r .reason; }
	stanch -q block 203.0.113.99 --for 6s
	stanch -q block 203.0.113.98
	for seconds in "$DAY" "-$DAY"; do
		jump "$seconds"
		[ "$(why 203.0.113.99)" = override_block ]
		left=$(stanch -j block | jq '.entries[] | select(.prefix == "203.0.113.99/32").left_s | tonumber')
		echo "$seconds: $left s left"
		[ "$left" -le 6 ]
	done
	sleep 6.2
	[ "$(why 203.0.113.99)" = no_match ]
	[ "$(stanch -j block | jq -r '[.entries[].prefix] | join(" ")')" = 203.0.113.98/32 ]
	[ "$(why 203.0.113.98)" = override_block ]
}

@test "F71 control: a lease by the wall clock is over at once, or a day too late" {
	local end
	end=$(($(date +%s) + 60))
	jump "$DAY"
	[ "$(date +%s)" -ge "$end" ]
	jump "-$DAY"
	[ $((end - $(date +%s))) -gt 3600 ]
}
