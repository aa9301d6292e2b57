#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# allow, block and their undoing: what the operator says about single sources, beside every policy.
# test-timeout: 300

load ../lib/e2e
load ../lib/netns
load ../lib/shim

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy one <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [10.9.0.0/16]}
		lists:
		  - {name: crawlers, action: allow, entries: [$ALLOWED_V4]}
		  - {name: bad, action: drop, entries: [$BAD_V4, "$BAD_V6"]}
	END
	policy two <<-END
		version: 1
		mode: enforce
		lists: [{name: other, action: drop, entries: [198.18.0.0/24]}]
	END
}

teardown() {
	if mountpoint -q "$STATE"; then umount "$STATE"; fi
	instance_remove
	netns_remove
}

# network - the instance on a veth whose other end sends from the addresses of netns.bash.
network() {
	skip_for "$(netns_reason)"
	netns_make
	stanch -q --netns "$SERVER" attach eth0
}

# why SOURCE - verdict and reason of what is live.
why() { stanch -j explain --src "$1" | jq -r '.verdict + " " + .reason'; }
# listed VERB - the prefixes that it lists, on one line.
listed() { stanch -j "$1" | jq -r '[.entries[].prefix] | join(" ")'; }
on_disk() {
	[ -e "$STATE/overrides.json" ] || return 0
	jq -r '[.overrides[] | .action + " " + .prefix] | join(", ")' "$STATE/overrides.json"
}
attention() { stanch -j status | jq -r '.attention[]'; }
nothing_shouted() { [ "$(attention | grep -ci overrides)" = 0 ]; }

@test "a block drops a source, and an unblock lets it pass again" {
	run -0 --separate-stderr stanch block 203.0.113.0/24 --for 10m --reason 'scraper, ticket 7'
	[ "$output" = "203.0.113.0/24 is blocked for 10 min" ]
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	[ "$(why 203.0.112.9)" = "pass no_match" ]
	run -0 --separate-stderr stanch unblock 203.0.113.0/24
	[ "$output" = "203.0.113.0/24 is no longer blocked" ]
	[ "$(why 203.0.113.9)" = "pass no_match" ]
}

@test "IPv6 sources are blocked and allowed as well" {
	stanch -q block 2001:db8:bad::/48
	stanch -q allow 2001:db8:bad::1
	[ "$(why 2001:db8:bad::2)" = "drop override_block" ]
	[ "$(why 2001:db8:bad::1)" = "pass override_allow" ]
	[ "$(why 2001:db8:bae::1)" = "pass no_match" ]
}

@test "without a source the verbs list what there is" {
	stanch -q apply --now "$DIR/two.yaml"
	[ "$(stanch block)" = "nothing is blocked by the operator" ]
	stanch -q block 203.0.113.0/24 --for 1h --reason 'scraper'
	stanch -q block 198.51.100.7
	stanch -q allow 203.0.113.8
	run -0 --separate-stderr stanch block
	[ "${#lines[@]}" = 3 ]
	[[ "${lines[1]}" == "198.51.100.7/32 "*"for good"*root* ]]
	[[ "${lines[2]}" == "203.0.113.0/24 "*"min"*scraper ]]
	[ "$(listed allow)" = 203.0.113.8/32 ]
	run -0 --separate-stderr stanch -j block
	[ "$(json .schema)" = stanch.block/1 ]
	[ "$(json '.entries[1] | [.action, .reason, (.uid | tostring)] | join(" ")')" = "block scraper 0" ]
	[ "$(json '.entries[1].left_s | tonumber | . > 3500 and . <= 3600')" = true ]
	[ "$(json '.entries[0].left_s')" = null ]
}

@test "an allow comes before every block and every list, and that is said" {
	stanch -q apply --now "$DIR/one.yaml"
	[ "$(why "$BAD_V4")" = "drop list_drop" ]
	stanch -q allow "$BAD_V4"
	[ "$(why "$BAD_V4")" = "pass override_allow" ]
	run -0 --separate-stderr stanch block "$BAD_V4"
	[[ "$stderr" == *"$BAD_V4/32 stays allowed"* ]]
	[ "$(why "$BAD_V4")" = "pass override_allow" ]
	run -0 --separate-stderr stanch -j allow 203.0.113.0/24
	[[ "$(json '.notes[0]')" == *"$BAD_V4/32 is blocked, too: the allow comes first" ]]
	stanch -q unallow "$BAD_V4"
	stanch -q unallow 203.0.113.0/24
	[ "$(why "$BAD_V4")" = "drop override_block" ]
}

@test "what is said again replaces what was said" {
	stanch -q block 203.0.113.0/24 --for 1h
	run -0 --separate-stderr stanch -j block 203.0.113.0/24 --for 2m --reason again
	[ "$(json '.result + " " + .override.left_s + " " + .override.reason')" = "replaced 120 again" ]
	[ "$(stanch -j block | jq '.entries | length')" = 1 ]
	run -0 stanch block 203.0.113.0/24
	[[ "$output" == *"blocked for good (before: "* ]]
}

@test "undoing what is not there is done, and says what holds still" {
	run -0 --separate-stderr stanch unblock 203.0.113.9
	[ "$output" = "203.0.113.9/32 was not blocked" ]
	[ ! -e "$PINS" ]
	stanch -q block 203.0.113.0/24
	run -0 --separate-stderr stanch unblock 203.0.113.9
	[[ "$stderr" == *"still blocked, by 203.0.113.0/24"* ]]
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	run -0 --separate-stderr stanch -j unallow 203.0.113.9
	[ "$(json .result)" = unchanged ]
}

@test "wrong words change nothing" {
	stanch -q block 198.51.100.9
	before=$(everything)
	for words in "block 203.0.113.1/24" "block nonsense" "block 203.0.113.1 --for 0s" \
		"block 203.0.113.1 --for soon" "block 203.0.113.1 --force guard" \
		"block 203.0.113.1 --force host" "block 203.0.113.1 --force host --for 11m" \
		"block --for 1h" "allow 203.0.113.1 --force host" "allow 203.0.113.1 203.0.113.2" \
		"unblock" "unallow 203.0.113.1/33"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch $words
		echo "$words: $status"
		[ "$status" -eq 2 ]
	done
	run -2 stanch block 203.0.113.1 --reason "$(printf 'x%.0s' {1..128})"
	run -2 stanch block 203.0.113.1 --reason $'two\nlines'
	[ "$(everything)" = "$before" ]
}

@test "every change and every refusal leaves a line in the log" {
	stanch -q block 203.0.113.0/24 --for 1h --reason why
	stanch -q allow 203.0.113.8
	stanch -q unblock 203.0.113.0/24
	stanch -q unallow 203.0.113.8
	run -3 stanch block 0.0.0.0/0
	[ "$(audit '[.[] | .event + " " + .result + " " + .prefix] | join(", ")')" = "$(
	)block applied 203.0.113.0/24, allow applied 203.0.113.8/32, $(
	)unblock applied 203.0.113.0/24, unallow applied 203.0.113.8/32, block refused 0.0.0.0/0" ]
	[ "$(audit '.[0].reason')" = why ]
	[ "$(audit '.[4].problems | any(. == "gate_coverage")')" = true ]
	stanch -q history --verify
}

@test "what the live policy allows or protects cannot be blocked, and its list is named" {
	stanch -q apply --now "$DIR/one.yaml"
	for source in "$ALLOWED_V4" 203.0.113.0/24 10.9.3.0/24 10.0.0.0/12; do
		run --separate-stderr stanch block "$source"
		echo "$source: $status $stderr"
		[ "$status" -eq 3 ]
		[[ "$stderr" == *"crawlers"* || "$stderr" == *"protect"* ]]
	done
	[ "$(listed block)" = "" ]
	stanch -q block 203.0.113.16/28
	stanch -q apply --now "$DIR/two.yaml"
	stanch -q block "$ALLOWED_V4"
}

@test "what the host lives by is blocked by force alone, and for a short time" {
	own=$(ip -j -4 address show | jq -r '[.[] | select(.ifname != "lo").addr_info[].local][0] // empty')
	[ -n "$own" ] || skip "no address here but loopback"
	run -3 --separate-stderr stanch block "$own"
	[[ "$stderr" == *"$own (own address of this host)"* ]]
	run -0 stanch block "$own" --force host --for 2s
	[ "$(audit '.[-1].forced[0]')" = host ]
	stanch -q unblock "$own"
	stanch -q allow "$own"
	run -0 stanch block "$own/32"
}

@test "too much of the address space is refused, all blocks taken together" {
	run -3 --separate-stderr stanch block 128.0.0.0/6
	[[ "$stderr" == *"1.5625%"*"the limit is 1%"* ]]
	run -0 stanch block 128.0.0.0/7
	run -3 stanch block 130.0.0.0/7
	run -0 stanch block 130.0.0.0/7 --force coverage
	[ "$(why 131.0.0.1)" = "drop override_block" ]
}

@test "status shows what is in force, explain says which it was, stats count it" {
	network
	stanch -q block "$BAD_V4" --for 1h --reason 'because of this'
	stanch -q allow "$GOOD_V4"
	run -0 stanch status
	[[ "$output" == *"overrides   1 allowed, 1 blocked by the operator; the next ends in "* ]]
	[ "$(stanch -j status | jq -c '.overrides | [.allowed, .blocked, .next.prefix, .in_force]')" = \
		"[1,1,\"$BAD_V4/32\",true]" ]
	run -0 stanch explain --src "$BAD_V4"
	[[ "$output" == *"override    block $BAD_V4/32, "*" left: because of this"* ]]
	run ! answers "$BAD_V4"
	answers "$GOOD_V4"
	[ "$(stanch -j stats --by reason | jq -r '.rows[] | select(.name == "override_block").dropped')" = 2 ]
	[ "$(stanch -j stats --by reason | jq -r '.rows[] | select(.name == "override_allow").packets')" = 2 ]
}

@test "a policy that is tried out knows nothing of overrides" {
	stanch -q block "$GOOD_V4"
	[ "$(why "$GOOD_V4")" = "drop override_block" ]
	[ "$(stanch -j explain --src "$GOOD_V4" --policy "$DIR/two.yaml" | jq -r .reason)" = no_match ]
}

@test "apply and rollback neither lose nor revive them" {
	network
	stanch -q apply --now "$DIR/one.yaml"
	stanch -q block "$GREY_V4"
	stanch -q allow "$BAD_V4"
	for step in "apply --now $DIR/two.yaml" "rollback" "apply --now $DIR/two.yaml" "rollback 1"; do
		# shellcheck disable=SC2086 # words are meant to split
		stanch -q $step
		echo "$step"
		run ! answers "$GREY_V4"
		answers "$BAD_V4"
		answers "$GOOD_V4"
	done
	stanch -q unblock "$GREY_V4"
	stanch -q unallow "$BAD_V4"
	for step in "apply --now $DIR/two.yaml" "rollback"; do
		# shellcheck disable=SC2086 # words are meant to split
		stanch -q $step
		echo "$step"
		answers "$GREY_V4"
	done
	run ! answers "$BAD_V4"
}

@test "an end comes by itself, whoever is alive, and then there is nothing left" {
	network
	stanch -q block "$GREY_V4" --for 3s
	stanch -q block 198.18.7.0/24
	run ! answers "$GREY_V4"
	sleep 3.2
	answers "$GREY_V4"
	[ "$(listed block)" = 198.18.7.0/24 ]
	[ "$(stanch -j status | jq .overrides.blocked)" = 1 ]
	stanch -q unblock 198.18.7.0/24
	[ "$(on_disk)" = "" ]
	nothing_shouted
}

@test "of nested ones the one that lasts longest ends last" {
	stanch -q block 203.0.113.0/24 --for 1h
	stanch -q block 203.0.113.9 --for 5s # hidden by the other
	stanch -q allow 203.0.113.64/26 --for 5s
	stanch -q allow 203.0.113.0/25 --for 1h
	[ "$(why 203.0.113.70)" = "pass override_allow" ]
	[ "$(listed block)" = "203.0.113.0/24 203.0.113.9/32" ]
	sleep 5.2
	[ "$(why 203.0.113.70)" = "pass override_allow" ]
	stanch -q unallow 203.0.113.0/25
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	[ "$(listed block)" = 203.0.113.0/24 ]
}

@test "they come back with the next instance, and until then nobody claims that they hold" {
	stanch -q block 203.0.113.0/24 --for 1h --reason kept
	stanch -q block 198.51.100.0/24 --for 1s
	stanch -q allow 203.0.113.8
	stanch -q detach --all --purge
	run -5 stanch block
	sleep 1
	stanch -q apply --now "$DIR/two.yaml"
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	[ "$(why 203.0.113.8)" = "pass override_allow" ]
	[ "$(why 198.51.100.8)" = "pass no_match" ]
	[ "$(stanch -j block | jq -r '.entries[].reason')" = kept ]
}

@test "what a killed command left out of force is said, and restore brings it back" {
	stanch -q block 203.0.113.0/24
	cp "$STATE/overrides.json" "$DIR/list"
	stanch -q unblock 203.0.113.0/24
	cp "$DIR/list" "$STATE/overrides.json"
	[[ "$(attention)" == *"NOT IN FORCE: 1 on disk"*"stanch restore"* ]]
	[ "$(stanch -j status | jq -c '.overrides | [.blocked, .in_force]')" = '[0,false]' ]
	stanch -q restore
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	nothing_shouted
}

@test "without an instance a block can be lifted" {
	stanch -q block 203.0.113.0/24
	stanch -q block 198.51.100.0/24
	stanch -q detach --all --purge
	stanch -q unblock 203.0.113.0/24
	[ ! -e "$PINS" ]
	stanch -q apply --now "$DIR/two.yaml"
	[ "$(listed block)" = 198.51.100.0/24 ]
}

@test "4,096 fit and work, one more is refused with the number" {
	mkdir -p "$STATE"
	jq -nc '{schema: "stanch.overrides/1", overrides: [range(4095) |
		{prefix: "203.\(. / 256 | floor).\(. % 256).1/32", action: "block", expires: "0",
		 since: "1", uid: 0, reason: ""}]}' >"$STATE/overrides.json"
	stanch -q block 198.51.100.1
	[ "$(stanch -j status | jq .overrides.blocked)" = 4096 ]
	[ "$(why 203.15.254.1)" = "drop override_block" ]
	run -3 --separate-stderr stanch block 198.51.100.2
	[[ "$stderr" == *"4097 overrides, the loaded program holds 4096"* ]]
	[ "$(why 198.51.100.2)" = "pass no_match" ]
	stanch -q unblock 203.0.7.1
	stanch -q block 198.51.100.2
	[ "$(why 198.51.100.2)" = "drop override_block" ]
}

# small_disk - the state is on a disk of its own, with two blocks, full to the last byte.
small_disk() {
	mkdir -p "$STATE"
	mount -t tmpfs -o size=256k,mode=0750 none "$STATE"
	stanch -q block 203.0.113.0/24
	stanch -q block 198.51.100.0/24
	cat /dev/zero >"$STATE/full" 2>/dev/null || true
}

@test "a full disk refuses what is new before anything changes" {
	small_disk
	before=$(everything)
	for words in "block 203.0.112.0/24" "allow 203.0.113.8" "block 203.0.113.0/24 --for 1h"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch $words
		echo "$words: $status $stderr"
		[ "$status" -eq 1 ]
		[[ "$stderr" == *"nothing was changed"*"No space left"* ]]
	done
	[ "$(everything)" = "$before" ]
	[ "$(why 203.0.112.1)" = "pass no_match" ]
	[ "$(why 203.0.113.8)" = "drop override_block" ]
}

@test "on a full disk a block can be lifted, loudly, and nothing revives it later" {
	small_disk
	run -0 --separate-stderr stanch unblock 203.0.113.0/24
	[[ "$stderr" == *"RETURNS with the next restart"* ]]
	[ "$(why 203.0.113.8)" = "pass no_match" ]
	[ "$(why 198.51.100.8)" = "drop override_block" ]
	[[ "$(attention)" == *"not in force: 1"* ]]
	rm "$STATE/full"
	run -0 --separate-stderr stanch block 203.0.112.0/24
	[[ "$stderr" == *"repaired"*"forgotten"* ]]
	[ "$(why 203.0.113.8)" = "pass no_match" ]
	[ "$(on_disk)" = "block 198.51.100.0/24, block 203.0.112.0/24" ]
}

@test "on a full disk the last block can be lifted for good" {
	small_disk
	stanch -q unblock 203.0.113.0/24
	run -0 --separate-stderr stanch unblock 198.51.100.0/24
	[ "$(why 198.51.100.8)" = "pass no_match" ]
	rm "$STATE/full"
	stanch -q detach --all --purge
	stanch -q apply --now "$DIR/two.yaml"
	[ "$(why 198.51.100.8)" = "pass no_match" ]
}

@test "a list that is damaged on disk is said, and what is in force stays" {
	stanch -q block 203.0.113.0/24 --for 1h --reason lost
	echo nonsense >"$STATE/overrides.json"
	[[ "$(attention)" == *"OVERRIDES DAMAGED on disk"* ]]
	[ "$(why 203.0.113.8)" = "drop override_block" ]
	[ "$(listed block)" = 203.0.113.0/24 ]
	run -0 --separate-stderr stanch allow 203.0.113.8
	[[ "$stderr" == *"counts for nothing"* ]]
	[ "$(on_disk)" = "block 203.0.113.0/24, allow 203.0.113.8/32" ]
	[ "$(why 203.0.113.9)" = "drop override_block" ]
	nothing_shouted
}

@test "a damaged list brings nothing into a new instance, and that is said" {
	stanch -q block 203.0.113.0/24
	stanch -q detach --all --purge
	echo nonsense >"$STATE/overrides.json"
	run -0 --separate-stderr stanch apply --now "$DIR/two.yaml"
	[[ "$stderr" == *"overrides on disk are not in force"* ]]
	[ "$(why 203.0.113.8)" = "pass no_match" ]
}

@test "killed at its steps, a block is there or not, and the next command puts it right" {
	stanch -q block 198.51.100.0/24
	for call in rename:overrides.json fsync:audit.jsonl bpf:MAP_CREATE bpf:MAP_FREEZE bpf:OBJ_PIN; do
		run shim "$call" 1 AFTER:KILL "$STANCH" block 203.0.113.0/24
		[ "$status" -eq 137 ]
		before=$(why 203.0.113.8)
		echo "$call: $before"
		[ "$(why 198.51.100.8)" = "drop override_block" ]
		stanch -q allow 192.0.2.1
		[ "$(why 203.0.113.8)" = "$before" ]
		[ "$(why 198.51.100.8)" = "drop override_block" ]
		[ "$(why 192.0.2.1)" = "pass override_allow" ]
		if [ "$before" = "drop override_block" ]; then
			[[ "$(listed block)" == *203.0.113.0/24* ]]
		else
			[[ "$(listed block)" != *203.0.113.0/24* ]]
		fi
		nothing_shouted
		stanch -q history --verify
		stanch -q unallow 192.0.2.1
		stanch -q unblock 203.0.113.0/24
	done
}

@test "killed at its steps, an unblock has lifted the block or not, and nobody is left out" {
	stanch -q block 198.51.100.0/24
	for call in rename:overrides.json fsync:audit.jsonl bpf:MAP_FREEZE bpf:OBJ_PIN; do
		stanch -q block 203.0.113.0/24
		run shim "$call" 1 AFTER:KILL "$STANCH" unblock 203.0.113.0/24
		[ "$status" -eq 137 ]
		before=$(why 203.0.113.8)
		echo "$call: $before"
		stanch -q allow 192.0.2.1
		[ "$(why 203.0.113.8)" = "$before" ]
		[ "$(why 198.51.100.8)" = "drop override_block" ]
		nothing_shouted
		stanch -q unblock 203.0.113.0/24
		[ "$(why 203.0.113.8)" = "pass no_match" ]
		stanch -q unallow 192.0.2.1
	done
}

@test "the kernel refuses at any step: the overrides stay as they were" {
	stanch -q block 198.51.100.0/24
	before=$(everything)
	calls=$(shim_count bpf "$STANCH" -q block 198.51.100.0/24)
	[ "$calls" -gt 10 ]
	refused=0
	for k in $(seq "$calls"); do
		run shim bpf "$k" ENOMEM "$STANCH" -q block 203.0.113.0/24
		[ "$status" -ne 0 ] || { stanch -q unblock 203.0.113.0/24; continue; }
		refused=$((refused + 1))
		[ "$(why 198.51.100.8) $(why 203.0.113.8) $(on_disk)" = \
			"drop override_block pass no_match block 198.51.100.0/24" ] ||
			{ echo "call $k: $output"; return 1; }
	done
	echo "$refused of $calls refused"
	[ "$refused" -gt 5 ]
	stanch -q allow 192.0.2.1
	stanch -q unallow 192.0.2.1
	[ "$(everything | grep -v overrides.json)" = "$(grep -v overrides.json <<<"$before")" ]
}

@test "somebody without privileges changes nothing" {
	command -v setpriv >/dev/null || skip "needs setpriv"
	stanch -q block 203.0.113.0/24
	chmod 0755 "$DIR"
	cp "$STANCH" "$DIR/stanch"
	chmod 0755 "$DIR/stanch"
	for words in "block 198.51.100.1" "allow 198.51.100.1" "unblock 203.0.113.0/24" block; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$DIR/stanch" $words
		echo "$words: $status $stderr"
		[ "$status" -eq 4 ]
	done
	[ "$(listed block)" = 203.0.113.0/24 ]
}
