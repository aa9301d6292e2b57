# SPDX-License-Identifier: GPL-2.0-or-later
# F46: at start-up no stored image is sound. The factory generation passes everything: loudly, with
# exit code 0, and nobody is locked out.

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
}

teardown() {
	outage_teardown
}

start_up() {
	restart
	run -0 --separate-stderr stanch restore
	stanch -q --netns "$SERVER" attach eth0
}

@test "F46: every stored image corrupt: everything passes, loudly, exit 0" {
	for file in "$STATE"/images/*.img; do
		head -c "$(stat -c %s "$file")" /dev/urandom >"$file.x"
		mv "$file.x" "$file"
	done
	start_up
	[[ $stderr == *"NO STORED GENERATION VERIFIES"* ]]
	[ "$(audit '[.[] | select(.event == "restore")][-1].result')" = factory ]
	flows_start
	sleep 0.5
	flows_stop
	flows_text
	[ "$(lost_p)" -le "$(overflows)" ]
	[ "$(lost_g)" -le "$(overflows)" ]
	[ "$(leaked)" -gt 300 ]
	seen F46 "$(flows_text), which is open"
}

@test "F46: one sound image is enough to filter again" {
	rm "$STATE/images/$(stanch -j inspect "$DIR/next.yaml" | jq -r .digest).img"
	start_up
	[[ $stderr == *"generation 2 (live) is not used: its image is missing"* ]]
	flows_start
	sleep 0.5
	flows_stop
	flows_text
	[ "$(lost_g)" -le "$(overflows)" ]
	[ "$(leaked)" = 0 ]
	seen F46 "one of two sound: $(flows_text)"
}

@test "control of F46: a start-up that trusts the newest file stops G" {
	policy worse <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [$FLOW_G]}]
	END
	stanch compile "$DIR/worse.yaml" -o "$DIR/worse.img"
	for file in "$STATE"/images/*.img; do cp "$DIR/worse.img" "$file"; done
	# ours looks whether the file is what its pointer says
	start_up
	[[ $stderr == *"NO STORED GENERATION VERIFIES"* ]]
	[ "$(stanch -j explain --src "$FLOW_G" | jq -r .verdict)" = pass ]
	# the naive one takes the newest
	newest=$(find "$STATE/images" -name '*.img' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
	stanch -q apply --now "$newest"
	flows_start
	sleep 0.5
	flows_stop
	[ "$(lost_g)" -gt 300 ]
	seen F46 "control, the newest file is trusted: $(flows_text)"
}
