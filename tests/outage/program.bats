# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 900
# What the loaded program holds and how it is edited by others (F07 F10 F24), by the tool and by
# bpftool while packets flow. The same rows packet by packet, and F09 and F43, are in tests/bpf.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial
load ../lib/outage

setup() {
	outage_setup
}

teardown() {
	outage_teardown
}

# The tool itself has room for all of it, and says so.
past_the_loaded() {
	lists_policy 65
	run -0 stanch check "$DIR/lists.yaml"
	refused "$DIR/lists.yaml" 65 64
	[ "$(audit '.[-1].problems | join(" ")')" = too_many_lists ]
	sed 's/bad.list/many.list/' "$DIR/good.yaml" >"$DIR/many.yaml"
	{ echo "$FLOW_B"; rows_of 1 1000; } >"$DIR/many.list"
	run -0 stanch check "$DIR/many.yaml"
	refused "$DIR/many.yaml" 1001 1000
	[ "$(audit '.[-1].problems | join(" ")')" = too_many_prefixes ]
	stanch -q compile "$DIR/many.yaml" -o "$DIR/many.img"
	refused "$DIR/many.img" 1001 1000
}

@test "F07: a loaded program with room for less is obeyed, whatever the tool believes" {
	export STANCH_OBJECT=$B/tests/bpf/small.bpf.o
	good_policy
	unset STANCH_OBJECT
	row F07 past_the_loaded
	# control: as many as it holds are taken
	lists_policy 64
	apply_confirmed --force shrinkage "$DIR/lists.yaml"
}

# hollow BYTE|random - an image whose header lines 0 and 2 are good and the rest is not; its digest
# is right.
hollow() {
	cp "$DIR/good.img" "$DIR/hollow.img"
	python3 - "$DIR/hollow.img" "$1" <<-'END'
		import random, sys
		path, what = sys.argv[1], sys.argv[2]
		data = bytearray(open(path, "rb").read())
		size = len(data) - 64
		random.seed(7)
		data[64:] = random.randbytes(size) if what == "random" else bytes([int(what)]) * size
		open(path, "wb").write(data)
	END
	image_set "$DIR/hollow.img" 8 1
}

hollow_images() {
	local what
	stanch -q compile "$DIR/good.yaml" -o "$DIR/good.img"
	for what in 0 255 random; do
		hollow "$what"
		refused "$DIR/hollow.img" hollow.img
		[[ "$(audit '.[-1].problems | join(" ")')" != *image_digest* ]]
	done
	head -c 4096 /dev/zero >"$DIR/raw.img"
	refused "$DIR/raw.img"
	head -c 4096 /dev/zero | tr '\0' '\377' >"$DIR/raw.img"
	refused "$DIR/raw.img"
	head -c 4096 /dev/urandom >"$DIR/raw.img"
	refused "$DIR/raw.img"
}

@test "F10: images of zeroes, of ones and of noise with a right digest are refused" {
	good_policy
	row F10 hollow_images
	# control: the digest is right, and the bytes alone were refused
	image_set "$DIR/good.img" 8 1
	run -0 stanch apply --now "$DIR/good.img"
	[[ "$output" == *unchanged* ]]
}

counted() { stanch -j stats --by reason | jq -r '[.rows[] | select(.name | startswith("image_")) | .packets | tonumber] | add'; }

@test "F10: forced into the live slot by hand, none of them loses a packet, and each is counted" {
	good_policy
	stanch -q compile "$DIR/good.yaml" -o "$DIR/good.img"
	LIVE=$((0x$(word | tail -c 2) & 3))
	for what in 0 255 random; do
		hollow "$what"
		before=$(counted)
		flows_start
		force_image "$LIVE" "$DIR/hollow.img"
		sleep 0.3
		run -1 stanch verify
		bpftool map update pinned "$PINS/slots" key "$LIVE" 0 0 0 value pinned "$PINS/gen-1"
		flows_stop
		[ "$(overflows)" = 0 ]
		[ "$(lost_p)" = 0 ]
		[ "$(lost_g)" = 0 ]
		# open, as the row says: B is let in as long as nothing can be judged, and no longer
		[ "$(leaked)" -gt 0 ]
		[ "$(leaked)" -lt "$(sent B)" ]
		[ "$(counted)" -gt "$before" ]
		seen F10 "forced $what: $(flows_text); $(($(counted) - before)) counted"
	done
	run -0 stanch verify
}

ZEROES=$(printf '00 %.0s' $(seq 64))

edited() {
	local what
	for what in key\ 1 key\ 9; do
		# shellcheck disable=SC2086 # words
		run ! bpftool map update pinned "$PINS/gen-1" $what 0 0 0 value hex $ZEROES
		[[ "$output" == *"not permitted"* ]]
	done
	run -0 stanch verify
}

@test "F24: the live generation cannot be edited with bpftool, and still verifies" {
	good_policy
	row F24 edited
	# control: the same command edits a map that is not frozen
	bpftool map create "$PINS/open" type array key 4 value 64 entries 16 name image flags 0x1400
	# shellcheck disable=SC2086 # words
	bpftool map update pinned "$PINS/open" key 9 0 0 0 value hex $ZEROES
	rm "$PINS/open"
}
