# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 600
# Controls of the rows in content.bats and program.bats: the naive ways, in which packets are lost
# or let in, must be seen by the same rig. The way table by table is the control of F59.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

setup() {
	outage_setup
	good_policy
}

teardown() {
	outage_teardown
}

@test "control of F01: applying the doubled file between detach and attach lets B in" {
	cat "$DIR/bad.list" "$DIR/bad.list" >"$DIR/twice"
	mv "$DIR/twice" "$DIR/bad.list"
	flows_start
	stanch -q --netns "$SERVER" detach eth0
	run -3 stanch -q apply --now "$DIR/good.yaml"
	stanch -q --netns "$SERVER" attach eth0
	flows_stop
	[ "$(leaked)" -gt 0 ]
	run ! flows_whole
	seen F01 "control, detach and attach: B $(leaked) of $(sent B) leaked"
}

# live_by_hand SLOT - the rest of the word, the epoch too, stays.
live_by_hand() {
	local low rest
	read -r low rest < <(bpftool -j map lookup pinned "$PINS/control" key 0 0 0 0 |
		jq -r '.value | join(" ")')
	# shellcheck disable=SC2086 # bytes are meant to split
	bpftool map update pinned "$PINS/control" key 0 0 0 0 value $((low & ~3 | $1)) $rest
}

@test "control of F29: an empty list taken for everybody stops G, and P without the guard" {
	policy wall <<-END
		version: 1
		mode: enforce
		lists: [{name: all, action: drop, entries: [0.0.0.0/0]}]
	END
	# Three gates stand in the way of just this, and under traffic it would be taken back at once:
	# the naive way is to store the word by hand.
	run -3 stanch -q apply --now "$DIR/wall.yaml"
	apply_confirmed --force shrinkage --force coverage --force host "$DIR/wall.yaml"
	wall=$(word_field live)
	stanch -q rollback
	flows_start
	live_by_hand "$wall"
	sleep 0.3
	stanch -q rollback
	flows_stop
	[ "$(lost_g)" -gt 0 ]
	[ "$(lost_p)" -gt 0 ]
	[ "$(silence)" -gt "$GAP_US" ]
	[ "$(leaked)" = 0 ]
	run ! flows_whole
	seen F29 "control, empty means all: $(flows_text)"
}

@test "control: whatever is left over or changed is seen" {
	before=$(standing)
	: >"$STANCH_RUN_DIR/left"
	[ "$(standing)" != "$before" ]
	rm "$STANCH_RUN_DIR/left"
	bpftool map create "$PINS/left" type array key 4 value 64 entries 8 name left
	[ "$(standing)" != "$before" ]
	rm "$PINS/left"
	: >"$STATE/images/left.tmp"
	[ "$(standing)" != "$before" ]
	rm "$STATE/images/left.tmp"
	[ "$(standing)" = "$before" ]
	stanch -q kill flag
	[ "$(standing)" != "$before" ]
}
