#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F19: a policy that blocks everything passes ARP, neighbour discovery, path-MTU messages and DHCP
# all the same: the guard is in the program, no policy and no --force reaches it. Shown with the
# policy, with a hand-made image that no compiler and no check has seen, and on live interfaces.
# Control: whatever is next to these packets is dropped.

load ../lib/e2e
load ../lib/netns
load ../lib/outage

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy wall <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: wall, action: drop, entries: ["0.0.0.0/0", "::/0"]}
		  - {name: all, action: drop, match: destination, entries: ["0.0.0.0/0", "::/0"]}
	END
}

teardown() {
	instance_remove
	[ -z "${LIVE_NETNS:-}" ] || netns_remove
}

# guarded_frames - $DIR/guarded.pcap, and what each of its frames is.
guarded_frames() {
	/usr/bin/python3 -c 'import scapy' 2>/dev/null || skip "needs scapy"
	"$BATS_TEST_DIRNAME/../lib/guarded" "$DIR/guarded.pcap" "$DIR/names"
}

# replayed ARGUMENT... - every guarded frame passed under its guard, every other one was dropped.
replayed() {
	stanch -j -q replay "$@" "$DIR/guarded.pcap" >"$DIR/replayed"
	jq -r '.verdict + " " + .reason' "$DIR/replayed" | paste -d' ' "$DIR/names" - |
		tee "$DIR/judged"
	[ "$(grep -c '^none .* drop list_drop$' "$DIR/judged")" = 14 ]
	for class in arp:3 nd:5 pmtu:2 dhcp:9; do
		[ "$(grep -c "^${class%:*} .* pass guard_${class%:*}\$" "$DIR/judged")" = "${class#*:}" ]
	done
	[ "$(wc -l <"$DIR/judged")" = 33 ]
}

@test "F19: everything is blocked but what the guard names, and its neighbours are dropped" {
	guarded_frames
	replayed --policy "$DIR/wall.yaml"
}

@test "F19: the guard is no gate that could be forced" {
	for verb in apply plan; do
		run -2 stanch "$verb" --force guard "$DIR/wall.yaml"
		[[ "$output" == *guard* ]]
	done
	run -2 stanch apply --now --force coverage --force guard "$DIR/wall.yaml"
	[ ! -e "$STATE/audit.jsonl" ]
	run -2 stanch kill guard
	# control: another gate can be
	run -3 stanch plan --force coverage "$DIR/wall.yaml"
}

# handmade_wall - $DIR/handmade.img: nine lines, every table one leaf, the leaf on list 1 for drop.
# No check would let it in: it has no sections, no digest, no list.
handmade_wall() {
	python3 - "$DIR/handmade.img" <<-'END'
		import struct, sys
		lines = [bytes(64) for _ in range(9)]
		lines[0] = struct.pack("<QII", 0x474d49484e415453, 1, 9).ljust(64, b"\0")
		hot = struct.pack("<IBBHII4IIIII", 0x53544e48, 2, 3, 0, 0, 0, 1, 1, 1, 1, 8, 2, 0, 1)
		lines[1] = hot.ljust(64, b"\0")
		lines[8] = bytes(32) + struct.pack("<4H", 0, 0, 1, 0).ljust(32, b"\0")
		open(sys.argv[1], "wb").write(b"".join(lines))
	END
}

# live_by_hand - the hand-made image is what judges, as no command of ours would have it.
live_by_hand() {
	LIVE=$((16#$(word | tail -c 2) & 3))
	handmade_wall
	run -3 stanch apply --now "$DIR/handmade.img"
	force_image "$LIVE" "$DIR/handmade.img"
}

@test "F19: nor does a hand-made image reach it" {
	guarded_frames
	policy open <<<'version: 1'
	stanch -q apply --now "$DIR/open.yaml"
	live_by_hand
	replayed
}

# resolved ADDRESS - a ping that is not answered, but whoever owns the address says so.
resolved() {
	in_client ip neigh flush dev eth0
	run ! in_client ping -q -c 2 -i 0.1 -W 0.3 "$1"
	in_client ip -j neigh show "$1" dev eth0 | jq -e '.[0].lladdr'
}

# answered SOURCE - within seconds: who has just come up may have to find the way first.
answered() {
	local try
	for try in 1 2 3 4 5; do
		answers "$1" && return
	done
	echo "no answer to $1 ($try tries)"
	return 1
}

@test "F19: behind the wall neighbours still find each other, and nothing else is answered" {
	skip_for "$(netns_reason)"
	LIVE_NETNS=yes
	netns_make
	stanch -q --netns "$SERVER" attach eth0
	answered "$GOOD_V4"
	answered "$GOOD_V6"
	live_by_hand
	resolved "$SERVER_V4"
	resolved "$SERVER_V6"
	[ "$(stanch -j stats --by reason | jq -r '[.rows[] | select(.name == "guard_arp" or
		.name == "guard_nd") | .packets | tonumber > 0] | all')" = true ]
	# control: without the program that has the guard, or with it and open, they are answered
	stanch -q mode bypass
	answered "$GOOD_V4"
	answered "$GOOD_V6"
}
