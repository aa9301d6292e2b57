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

# of_row KIND NAME FIELD - of `stats --by KIND`.
of_row() { stanch -j stats --by "$1" | jq -r --arg n "$2" --arg f "$3" '.rows[] | select(.name == $n)[$f]'; }

# count_sources - the policy asks for it from now on.
count_sources() {
	{
		cat "$DIR/p.yaml"
		echo "sources: true"
	} | policy counted
	stanch -q apply --now "$DIR/counted.yaml" >/dev/null
}

@test "sources and their networks are counted when the policy asks for it, and not before" {
	send "$BAD_V4" 3
	send "$ALLOWED_V4" 2
	[ "$(stanch -j stats --by source | jq '.rows | length')" = 0 ]
	[ "$(stanch -j stats --by network | jq '.rows | length')" = 0 ]
	count_sources
	send "$BAD_V4" 7
	send "$ALLOWED_V4" 5
	[ "$(of_row source "$BAD_V4/32" packets)" = 7 ]
	[ "$(of_row source "$BAD_V4/32" dropped)" = 7 ]
	[ "$(of_row source "$ALLOWED_V4/32" packets)" -ge 5 ]
	[ "$(of_row source "$ALLOWED_V4/32" dropped)" = 0 ]
	[ "$(of_row source "$BAD_V4/32" bytes)" = $((7 * 98)) ]
	[ "$(of_row source "$BAD_V4/32" idle_ms)" -lt 60000 ]
	network=${BAD_V4%.*}.0/24
	[ "$(of_row network "$network" dropped)" = 7 ]
	[ "$(of_row network "$network" packets)" -ge 7 ]
	run stanch stats --by source
	[[ "${lines[0]}" == source*packets*bytes*dropped*"last seen" ]]
	[[ "$output" == *"$BAD_V4/32 "*" ago"* ]]
}

@test "what was learned about sources survives swaps, and counting ends with the policy that asked" {
	count_sources
	send "$BAD_V4" 4
	stanch -q apply --now "$DIR/p.yaml" >/dev/null
	send "$BAD_V4" 4
	[ "$(of_row source "$BAD_V4/32" packets)" = 4 ]
	stanch -q rollback
	send "$BAD_V4" 2
	[ "$(of_row source "$BAD_V4/32" packets)" = 6 ]
}

@test "the busiest sources come first, and no more than asked for" {
	count_sources
	send "$BAD_V4" 9
	send "$ALLOWED_V4" 3
	run --separate-stderr stanch -j stats --by source --limit 1
	[ "$(json '.rows | length')" = 1 ]
	[ "$(json '.rows[0].name')" = "$BAD_V4/32" ]
	[ "$(json .left_out)" -ge 1 ]
	[[ "$(stanch stats --by source --limit 1)" == *"more (--limit)"* ]]
	[ "$(stanch -j stats --by source --limit 0 | jq '.rows | length')" = 0 ]
	[ "$(stanch -j capacity | jq -r '.learned[0] | .name + " " + .limit')" = "sources 524288" ]
	[ "$(stanch -j capacity | jq -r '.learned[0].known')" -ge 2 ]
	run -2 --separate-stderr stanch stats --by reason --limit 3
	run -2 --separate-stderr stanch stats --by source --limit many
}

@test "replay and explain leave what was learned about sources alone" {
	count_sources
	send "$BAD_V4" 3
	ip -n "$CLIENT" link set eth0 down
	before=$(stanch -j stats --by source | jq -S '[.rows[] | [.name, .packets]]')
	stanch -q explain --src "$BAD_V4" >/dev/null
	stanch -q selftest >/dev/null
	[ "$(stanch -j stats --by source | jq -S '[.rows[] | [.name, .packets]]')" = "$before" ]
}
