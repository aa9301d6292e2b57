#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 600
# F38: the native model and the program in the kernel disagree about a packet, since one byte of the
# staged image is another. Before the digest of the kernel's memory is taken that fails the apply;
# behind it golden packets or recent traffic find it: refused, the packets kept.

load ../lib/e2e
load ../lib/netns
load ../lib/flows

# The candidate has one row more; B lies between its first and its last, which golden packets are.
setup() {
	outage_setup
	good_policy
	{ cat "$DIR/bad.list"; echo 220.0.0.1; } >"$DIR/more.list"
	sed 's/bad.list/more.list/' "$DIR/good.yaml" >"$DIR/more.yaml"
	stanch -q compile "$DIR/more.yaml" -o "$DIR/more.img" 2>/dev/null
}

teardown() {
	outage_teardown
}

# flipped AT [HIDE] - apply the candidate with that byte of its image flipped.
flipped() {
	env LD_PRELOAD="$B/tests/shim/flip.so" FLIP_AT="$1" ${2:+FLIP_HIDE="$2"} \
		timeout -k 5 120 "$STANCH" -q apply --now "$DIR/more.yaml"
}

# boundary_of ADDRESS - where its range begins in the image: a 32-bit key that is there once.
boundary_of() {
	python3 - "$DIR/more.img" "$1" <<-'END'
		import ipaddress, sys
		data = open(sys.argv[1], "rb").read()
		key = ipaddress.ip_address(sys.argv[2]).packed[::-1]
		assert data.count(key) == 1, data.count(key)
		print(data.index(key))
	END
}

# drop_of_leaf_1 - where the first leaf says which list drops.
drop_of_leaf_1() {
	python3 -c '
import struct, sys
print(struct.unpack_from("<I", open(sys.argv[1], "rb").read(), 64 + 32)[0] * 64 + 32 + 4)
' "$DIR/more.img"
}

# flip_refused CODE TEXT AT [HIDE] - exits so, says so, and leaves one record.
flip_refused() {
	local records
	records=$(audit length)
	run "-$1" --separate-stderr flipped "${@:3}"
	[[ "$stderr" == *"$2"* ]] || { echo "$stderr"; return 1; }
	[ "$(audit length)" = $((records + 1)) ]
}

@test "F38: a byte that flips before freezing fails the apply by the digest of the kernel's memory" {
	row F38 flip_refused 1 "does not have the digest" "$(boundary_of "$FLOW_B")"
	[ "$(audit '.[-1].result')" = failed ]
	# control: without the fault the same command works
	run -0 stanch apply --now "$DIR/more.yaml"
}

@test "F38: a byte that flips behind the digest is found by golden packets" {
	row F38 flip_refused 3 "golden packets" "$(drop_of_leaf_1)" 1
	[ "$(audit '.[-1].result')" = refused ]
}

# Seconds of traffic are in the reservoir when the candidate comes. What is kept is one more file.
disputed_once() {
	sleep 2
	flip_refused 3 "judges recent traffic otherwise" "$(boundary_of "$FLOW_B")" 1
	mv "$STATE/disputed.pcap" "$DIR"
}

@test "F38: where golden packets do not look, recent traffic finds it, and the packets are kept" {
	row F38 disputed_once
	[ "$(audit '.[-1].result')" = refused ]
	stanch -q -j replay --policy "$DIR/more.yaml" "$DIR/disputed.pcap" >"$DIR/replayed"
	[ "$(wc -l <"$DIR/replayed")" -gt 0 ]
	# all of them are the packets in question: the model says drop, whatever the fault made of them
	[ "$(jq -rs '[.[].verdict] | unique | join(" ")' "$DIR/replayed")" = drop ]
	tcpdump -nr "$DIR/disputed.pcap" 2>/dev/null | grep -q "IP $FLOW_B"
	run ! grep -v "IP $FLOW_B" <(tcpdump -nr "$DIR/disputed.pcap" 2>/dev/null)
}

@test "control of F38: without traffic that goes there the byte is not seen, and lets B in" {
	run -0 flipped "$(boundary_of "$FLOW_B")" 1
	run -1 stanch verify
	flows_start
	sleep 0.3
	flows_stop
	[ "$(leaked)" = "$(sent B)" ]
	seen F38 "control, no traffic to judge by: B $(leaked) of $(sent B) leaked"
}
