#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F72: a CPU goes away and comes back, again and again, while policies take turns under three flows.
# No packet is lost or let in, and the counters, which are kept by each CPU, miss none.
# test-timeout: 300

load ../lib/e2e
load ../lib/netns
load ../lib/flows

ONLINE=/sys/devices/system/cpu/cpu1/online

# Writing what is there already changes nothing, and says whether it could be changed.
hotplug_reason() {
	[ -w "$ONLINE" ] || { echo "no second CPU that can go away"; return; }
	# shellcheck disable=SC2094 # read first, then written
	(echo "$(<"$ONLINE")" >"$ONLINE") 2>/dev/null || echo "CPUs cannot be switched off here"
}

setup() {
	skip_for "$(hotplug_reason)"
	outage_setup
	good_policy
	sed "s/bad.list/turn.list/" "$DIR/good.yaml" >"$DIR/turn.yaml"
	{ cat "$DIR/bad.list"; rows_of 300 310; } >"$DIR/turn.list"
}

teardown() {
	[ ! -w "$ONLINE" ] || echo 1 >"$ONLINE"
	outage_teardown
}

# counted VERDICT - packets, by the tool, which asks every CPU that there could be.
counted() { stanch -j stats | jq -r --arg v "$1" '[.rows[] | select(.verdict == $v or .name == $v) | .packets | tonumber] | add // 0'; }

# take_turns - policies, until there is a file.
take_turns() {
	while [ ! -e "$DIR/enough" ]; do
		stanch -q apply --now "$DIR/turn.yaml"
		stanch -q apply --now "$DIR/good.yaml"
	done >"$DIR/turns"
}

# hotplug_and_swap N - so many times the CPU goes, for a moment, and comes.
hotplug_and_swap() {
	local turns _
	rm -f "$DIR/enough"
	take_turns 3>&- &
	turns=$!
	for _ in $(seq "$1"); do
		sleep 0.3
		echo 0 >"$ONLINE"
		sleep 0.1
		echo 1 >"$ONLINE"
	done
	touch "$DIR/enough"
	wait "$turns"
}

@test "F72: a CPU that goes and comes during swaps costs no packet and no count" {
	local dropped try
	for try in $(seq "$TRIES"); do
		dropped=$(counted drop)
		flows_start
		hotplug_and_swap 5
		flows_stop
		stanch history --verify >/dev/null
		[ "$(overflows)" = 0 ] || continue
		flows_whole
		dropped=$(($(counted drop) - dropped))
		echo "try $try: $(sent B) sent to be dropped, $dropped counted"
		[ "$dropped" = "$(sent B)" ]
		[ "$(cat "$ONLINE")" = 1 ]
		stanch -q verify >/dev/null
		seen F72 "$(wc -l <"$DIR/turns") swaps: $(flows_text); $dropped counted"
		return 0
	done
	echo "the receiver's socket overflowed in each of $TRIES tries"
	return 1
}

# counted_by CPU - packets that it dropped.
counted_by() {
	bpftool -j map dump pinned "$PINS/counters" | jq --argjson cpu "$1" '
		def number: map(ltrimstr("0x")) | reverse | join("") | explode |
			reduce .[] as $c (0; . * 16 + (if $c > 96 then $c - 87 else $c - 48 end));
		[.[].values[] | select(.cpu == $cpu) | .value[32:40] | number] | add'
}

@test "F72 control: who asks only the CPUs that are there misses packets" {
	local first second
	flows_start
	sleep 2
	flows_stop
	first=$(counted_by 0) second=$(counted_by 1)
	[ "$((first + second))" = "$(counted drop)" ]
	if [ "$second" = 0 ]; then skip "the second CPU judged nothing"; fi
	echo 0 >"$ONLINE"
	[ "$(counted drop)" = "$((first + second))" ]
	echo 1 >"$ONLINE"
	[ "$first" -lt "$((first + second))" ]
}
