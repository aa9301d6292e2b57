#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The counters that people see, compared with packets that were really sent.

load ../lib/e2e.bash
load ../lib/netns.bash

setup() {
	skip_for "$(kernel_reason)"
	skip_for "$(netns_reason)"
	instance_make
	netns_make
	policy p <<-END
		version: 1
		mode: enforce
		lists:
		  - {name: abusers, action: drop, entries: [$BAD_V4]}
		  - {name: friends, action: allow, entries: [$ALLOWED_V4]}
	END
	stanch -q apply --now "$DIR/p.yaml" >/dev/null
	stanch -q --netns "$SERVER" attach eth0
}

teardown() {
	instance_remove
	netns_remove
}

# send SOURCE COUNT - that many echo requests.
send() { in_client ping -q -c "$2" -i 0.01 -W 0.3 -I "$1" "$SERVER_V4" >/dev/null 2>&1 || true; }

# of_list NAME, of_reason NAME, of_verdict NAME - packets.
of_list() { stanch -j stats --by list | jq -r --arg n "$1" '.rows[] | select(.name == $n).packets'; }
of_reason() { stanch -j stats --by reason | jq -r --arg n "$1" '.rows[] | select(.name == $n).packets'; }
of_verdict() { stanch -j stats | jq -r --arg n "$1" '.rows[] | select(.name == $n).packets'; }

# total - of a table: `stats` read from stdin.
total() { jq '[.rows[].packets | tonumber] | add'; }

@test "verdicts, reasons and status count the same packets, and exactly those that were sent" {
	send "$BAD_V4" 7
	send "$ALLOWED_V4" 5
	[ "$(of_verdict drop)" = 7 ]
	[ "$(of_reason list_drop)" = 7 ]
	[ "$(of_list abusers)" = 7 ]
	[ "$(of_list friends)" = 5 ]
	[ "$(of_reason list_allow)" = 5 ]
	[ "$(stanch -j status | jq -r .counters.verdicts.drop)" = 7 ]
	# Other packets (neighbour discovery, say) may come between two looks, so link goes down first.
	ip -n "$CLIENT" link set eth0 down
	all=$(stanch -j status | jq -r .counters.packets)
	[ "$(stanch -j stats --by verdict | total)" = "$all" ]
	[ "$(stanch -j stats --by reason | total)" = "$all" ]
}

@test "a list's numbers go on under its name, through apply and rollback" {
	send "$BAD_V4" 3
	for round in 1 2 3 4 5 6; do
		{
			cat "$DIR/p.yaml"
			echo "protect: {ports: [$round]}"
		} | policy "p$round"
		stanch -q apply --now "$DIR/p$round.yaml" >/dev/null
		send "$BAD_V4" 2
		[ "$(of_list abusers)" = $((3 + 2 * round)) ]
	done
	stanch -q rollback
	send "$BAD_V4" 1
	[ "$(of_list abusers)" = 16 ]
	[ "$(of_verdict drop)" = 16 ]
}

@test "monitor mode counts what it would have done" {
	stanch -q mode monitor
	send "$BAD_V4" 4
	[ "$(of_verdict drop)" = 0 ]
	[ "$(stanch -j stats --by reason | jq -r '.rows[] | select(.name == "list_drop") | .packets + " " + .monitored')" = "4 4" ]
	[ "$(stanch -j status | jq -r .counters.monitored)" = 4 ]
	[[ "$(stanch status)" == *"4 passed only because of monitor mode"* ]]
}

@test "break-glass and bypass have reasons of their own" {
	stanch -q mode bypass
	send "$BAD_V4" 3
	[ "$(of_reason bypass)" -ge 3 ]
	stanch -q mode enforce --break-glass on
	send "$BAD_V4" 3
	[ "$(of_reason break_glass)" -ge 3 ]
	[ "$(of_verdict drop)" = 0 ]
}

@test "status names the interface, its mode and its namespace" {
	run --separate-stderr stanch -j status
	[ "$(json '.interfaces | length')" = 1 ]
	[ "$(json '.interfaces[0] | [.mode, (.netns | type)] | join(" ")')" = "native string" ]
	inode=$(stat -L -c %i "/run/netns/$SERVER")
	[ "$(json '.interfaces[0].netns')" = "$inode" ]
	[ "$(json '.attention | length')" = 0 ]
	[[ "$(stanch status)" == *"native, marks: "* ]]
}

@test "people see rows that counted first, and all of them when asked" {
	send "$BAD_V4" 9
	send "$ALLOWED_V4" 2
	run stanch stats --by list
	[[ "${lines[1]}" == abusers* ]]
	[[ "${lines[2]}" == friends* ]]
	run stanch stats --by reason
	[[ "$output" != *tcp_xmas* ]]
	[[ "$output" == *"more without a packet"* ]]
	run stanch stats --by reason --all
	[[ "$output" == *tcp_xmas* ]]
	[[ "$output" != *"more without"* ]]
	run --separate-stderr stanch stats --by colour
	[ "$status" -eq 2 ]
}

@test "doctor knows our own program from a stranger's" {
	run --separate-stderr stanch --netns "$SERVER" -j doctor eth0
	[ "$(json '[.checks[] | select(.subject == "eth0" and .grade == "finding")] | length')" = 0 ]
	[ "$(json '[.checks[] | select(.subject == "eth0" and .text == "attached")] | length')" = 1 ]
	stanch -q --netns "$SERVER" detach eth0
	stranger
	run --separate-stderr stanch --netns "$SERVER" -j doctor eth0
	[ "$status" -eq 1 ]
	[ "$(json '[.checks[] | select(.subject == "eth0" and .grade == "finding"
		and (.text | contains("somebody else")))] | length')" = 1 ]
}
