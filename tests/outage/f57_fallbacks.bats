# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 600
# F57: a way back that is never taken does not work when it is needed. Each is taken here, from a
# generation that stops G, with traffic: previous, the one before, lease, kill, factory.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/restart
load ../lib/trial

setup() {
	outage_setup
	good_policy
	sed 's/bad\.list/next.list/' "$DIR/good.yaml" >"$DIR/next.yaml"
	{ cat "$DIR/bad.list"; rows_of 300 300; } >"$DIR/next.list"
	stanch -q apply --now "$DIR/next.yaml"
	sed 's/bad\.list/harm.list/' "$DIR/good.yaml" >"$DIR/harm.yaml"
	{ cat "$DIR/bad.list"; echo "$FLOW_G"; } >"$DIR/harm.list"
}

teardown() {
	outage_teardown
}

# Traffic so far may have been sampled, and then that gate has to be forced.
harm() {
	stanch -q apply --now "$DIR/harm.yaml" 2>/dev/null ||
		apply_confirmed --force newly_dropped --force quarantine "$DIR/harm.yaml"
	[ "$(stanch -j explain --src "$FLOW_G" | jq -r .verdict)" = drop ]
}

measure() {
	flows_start
	sleep 0.3
	flows_stop
	flows_text
}

# closed / open WHAT - G is through; B is stopped, or comes through as well.
closed() {
	measure
	[ "$(lost_p)" -le "$(overflows)" ] && [ "$(lost_g)" -le "$(overflows)" ]
	[ "$(leaked)" = 0 ]
	seen F57 "$1: $(flows_text)"
}
open() {
	measure
	[ "$(lost_p)" -le "$(overflows)" ] && [ "$(lost_g)" -le "$(overflows)" ]
	[ "$(leaked)" -gt 300 ]
	seen F57 "$1: $(flows_text), which is open"
}

# The control of each: without the way back G is stopped.
stopped() {
	measure
	[ "$(lost_g)" -gt 300 ] || { echo "the harmful generation does no harm"; return 1; }
}

live_generation() { stanch -j status | jq -r .live.generation; }

@test "F57: previous, the one before, lease, kill and factory, each with traffic" {
	harm
	stopped
	stanch -q rollback
	[ "$(live_generation)" = 2 ]
	closed "previous"

	harm
	stanch -q rollback 1
	[ "$(live_generation)" = 1 ]
	closed "the one before"

	apply_behind --now --confirm 2s --force newly_dropped --force quarantine "$DIR/harm.yaml"
	until_true judges_everybody
	kill -9 "$APPLY"
	wait "$APPLY" || true
	[ "$(stanch -j explain --src "$FLOW_G" | jq -r .verdict)" = drop ]
	sleep 2.2
	closed "lease, its owner killed"

	harm
	stanch -q kill drop
	open "kill"
	stanch -q unkill all
	stopped

	rm -f "$STATE"/images/*.img
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"NO STORED GENERATION VERIFIES"* ]]
	stanch -q --netns "$SERVER" attach eth0
	[ "$(live_generation)" = 0 ]
	open "factory"
}
