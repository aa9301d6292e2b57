#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 600
# F53: the target of a rollback is damaged. It is found before anything is stored: the rollback is
# refused, the live generation goes on. Control: the word written by hand, as a tool would that does
# not look, lets bad packets in.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/outage

# Generation 1 and 2 both drop B; 2 is live and 1 is what a rollback goes to.
setup() {
	outage_setup
	good_policy
	{ cat "$DIR/bad.list"; rows_of 201 220; } >"$DIR/more.list"
	sed 's/bad.list/more.list/' "$DIR/good.yaml" >"$DIR/more.yaml"
	stanch -q apply --now "$DIR/more.yaml"
	TARGET=$((16#$(word | tail -c 2) >> 2 & 3))
	[ "$(bpftool -j map lookup pinned "$PINS/slot_info" key "$TARGET" 0 0 0 |
		jq .formatted.value.generation)" = 1 ]
}

teardown() {
	outage_teardown
}

# put_generation N - the outer entry of the target gets that generation's map.
put_generation() {
	bpftool map update pinned "$PINS/slots" key "$TARGET" 0 0 0 value pinned "$PINS/gen-$1"
}

entry_deleted() { bpftool map delete pinned "$PINS/slots" key "$TARGET" 0 0 0; }

# refused_as WHAT - the rollback exits 3, names the slot, and leaves one record.
refused_as() {
	local before records
	before=$(word)
	records=$(audit length)
	run -3 --separate-stderr stanch rollback
	[[ "$stderr" == *"slot $TARGET is $1"* ]] || { echo "$stderr"; return 1; }
	[ "$(word)" = "$before" ]
	[ "$(audit length)" = $((records + 1)) ]
	[ "$(audit '.[-1].event + " " + .[-1].result')" = "rollback refused" ]
}

@test "F53: a target whose outer entry was deleted is found; the live generation goes on" {
	entry_deleted
	row F53 refused_as damaged
}

@test "F53: a target that holds the map of another generation is found" {
	put_generation 2
	row F53 refused_as damaged
	# control: with its own map back the same command works
	put_generation 1
	run -0 stanch rollback
	[ "$(stanch -j status | jq -r .live.generation)" = 1 ]
}

@test "F53: a target that holds a map of noise is found" {
	bpftool map create "$PINS/noise" type array key 4 value 64 entries 64 name image flags 0x1400
	# shellcheck disable=SC2046 # sixty-four bytes
	bpftool map update pinned "$PINS/noise" key 0 0 0 0 value \
		$(head -c 64 /dev/urandom | od -An -v -tu1)
	bpftool map update pinned "$PINS/slots" key "$TARGET" 0 0 0 value pinned "$PINS/noise"
	rm "$PINS/noise"
	row F53 refused_as damaged
}

# word_by_hand SLOT - as a tool that only writes: what is live from now on, one byte of the word.
word_by_hand() {
	local bytes
	mapfile -t bytes < <(bpftool -j map lookup pinned "$PINS/control" key 0 0 0 0 | jq -r '.value[]')
	bytes[0]=$((bytes[0] & ~3 | $1))
	bpftool map update pinned "$PINS/control" key 0 0 0 0 value "${bytes[@]}"
}

in_no_slot() {
	stanch -j stats --by reason |
		jq -r '[.rows[] | select(.name == "slot_empty") | .packets | tonumber] | add // 0'
}

@test "control of F53: the word written by hand lets B in, and every such packet is counted" {
	local live
	live=$((16#$(word | tail -c 2) & 3))
	entry_deleted
	[ "$(in_no_slot)" = 0 ]
	flows_start
	word_by_hand "$TARGET"
	sleep 0.3
	word_by_hand "$live"
	flows_stop
	[ "$(leaked)" -gt 0 ]
	[ "$(lost_p)" = 0 ]
	[ "$(lost_g)" = 0 ]
	[ "$(in_no_slot)" -ge "$(leaked)" ]
	run ! flows_whole
	seen F53 "control, by hand: $(flows_text); $(in_no_slot) counted as slot_empty"
}
