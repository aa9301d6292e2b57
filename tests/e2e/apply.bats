# SPDX-License-Identifier: GPL-2.0-or-later
# apply: the transaction. What it does when all is well; refused.bats has the rest.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy one <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [$BAD_V4, $BAD_V6]}]
	END
	policy two <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [$GOOD_V4]}]
	END
}

teardown() {
	instance_remove
	netns_remove
}

verdict() { stanch -j explain --src "$1" | jq -r '.verdict + " " + (.detail // "-") + " " + .generation'; }

@test "applying with nothing attached works" {
	run -0 --separate-stderr stanch apply "$DIR/one.yaml"
	[[ $output == *"generation 1 is live"* ]]
	[ "$(verdict "$BAD_V4")" = "drop bad 1" ]
	[ "$(verdict "$BAD_V6")" = "drop bad 1" ]
	[ "$(verdict "$GOOD_V4")" = "pass - 1" ]
}

@test "each step says on stderr how long it took, nothing with -q" {
	run -0 --separate-stderr stanch apply "$DIR/one.yaml"
	for step in check look stage prove store swap; do
		grep -Eq "^$step +[0-9.]+ ms" <<<"$stderr"
	done
	run -0 --separate-stderr stanch -q apply "$DIR/two.yaml"
	[ -z "$stderr" ]
}

@test "the document says what became live" {
	run -0 --separate-stderr stanch -j apply "$DIR/one.yaml"
	[ "$(json .schema)" = stanch.apply/1 ]
	[ "$(json '.result + " " + .generation + " " + .previous')" = "applied 1 0" ]
	[ "$(json .counts.prefixes)" = 2 ]
	[ "$(json .golden)" -gt 10 ]
	stanch compile "$DIR/one.yaml" -o "$DIR/one.img"
	[ "$(json .digest)" = "$(stanch -j inspect "$DIR/one.img" | jq -r .digest)" ]
}

@test "an audit record has everything about the attempt" {
	stanch apply "$DIR/one.yaml"
	[ "$(audit length)" = 1 ]
	[ "$(audit '.[0] | [.event, .result, .generation, .previous] | join(" ")')" = \
		"apply applied 1 0" ]
	[ "$(audit '.[0].policy')" = "$DIR/one.yaml" ]
	[ "$(audit '.[0].problem_count')" = 0 ]
	[ "$(audit '.[0].counts | "\(.prefixes) \(.lists)"')" = "2 1" ]
	[ "$(audit '.[0].timings_us | keys | length')" -ge 5 ]
	[ "$(audit '.[0] | has("slot") and has("epoch") and has("digest")')" = true ]
}

@test "the image and the text are stored under the digest" {
	stanch apply "$DIR/one.yaml"
	digest=$(audit '.[0].digest')
	stanch compile "$DIR/one.yaml" -o "$DIR/one.img"
	cmp "$STATE/images/$digest.img" "$DIR/one.img"
	cmp "$STATE/policies/$digest.yaml" "$DIR/one.yaml"
}

@test "the same policy again is unchanged" {
	stanch apply "$DIR/one.yaml"
	before=$(everything)
	run -0 --separate-stderr stanch -j apply "$DIR/one.yaml"
	[ "$(json '.result + " " + .generation')" = "unchanged 1" ]
	[ "$(everything)" = "$before" ]
	[ "$(audit '[.[].result] | join(" ")')" = "applied unchanged" ]
}

@test "generations count on, past refusals and rollbacks" {
	stanch apply "$DIR/one.yaml"
	echo nonsense >"$DIR/bad.yaml"
	run -3 stanch apply "$DIR/bad.yaml"
	stanch apply "$DIR/two.yaml"
	stanch rollback
	run -0 stanch apply "$DIR/two.yaml"
	[[ $output == *"generation 3 is live, 1 is last-known-good"* ]]
}

@test "numbers go on from the kernel's when the audit log was lost" {
	stanch apply "$DIR/one.yaml"
	stanch apply "$DIR/two.yaml"
	rm "$STATE/audit.jsonl"
	run -0 stanch apply "$DIR/one.yaml"
	[[ $output == *"generation 3 is live"* ]]
}

@test "an image is applied like the policy it was compiled from" {
	stanch compile "$DIR/one.yaml" -o "$DIR/one.img"
	run -0 stanch apply "$DIR/one.img"
	[ "$(verdict "$BAD_V4")" = "drop bad 1" ]
	run -0 --separate-stderr stanch apply "$DIR/one.yaml"
	[[ $output == unchanged* ]]
}

@test "mode and kill bits survive an apply" {
	stanch apply "$DIR/one.yaml"
	stanch mode monitor
	stanch kill flag
	stanch apply "$DIR/two.yaml"
	[ "$(stanch -j explain --src "$GOOD_V4" | jq -c '[.verdict, .enforced]')" = '["drop",false]' ]
	stanch mode enforce
	[ "$(stanch -j explain --src "$GOOD_V4" | jq -c '[.verdict, .enforced]')" = '["drop",true]' ]
	run -0 stanch kill drop
	[ "$(verdict "$GOOD_V4")" = "pass bad 2" ]
}

@test "ten applies leave four slots and what they need, no more" {
	for _ in $(seq 10); do
		stanch -q apply "$DIR/one.yaml"
		stanch -q apply "$DIR/two.yaml"
	done
	[ "$(find "$PINS" -name 'gen-*' | wc -l)" -le 4 ]
	[ "$(find "$STATE/images" -type f | wc -l)" = 2 ]
	run -0 stanch verify
}

@test "not one packet is lost while policies are swapped under traffic" {
	skip_for "$(netns_reason)"
	netns_make
	stanch --netns "$SERVER" attach eth0
	stanch apply --now "$DIR/one.yaml"
	# two policies that agree about the good source and not about another
	policy other <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [$BAD_V4, $GREY_V4]}]
	END
	in_client ping -q -i 0.002 -c 1500 -I "$GOOD_V4" "$SERVER_V4" >"$DIR/good" 3>&- &
	good=$!
	in_client ping -q -i 0.002 -c 1500 -I "$BAD_V4" "$SERVER_V4" >"$DIR/bad" 3>&- &
	bad=$!
	swaps=0
	while kill -0 $good 2>/dev/null; do
		stanch -q apply --now "$DIR/other.yaml" >/dev/null
		stanch -q apply --now "$DIR/one.yaml" >/dev/null
		swaps=$((swaps + 2))
	done
	wait $good
	wait $bad || true
	echo "$swaps swaps"
	[ $swaps -ge 4 ]
	grep -q '1500 packets transmitted, 1500 received' "$DIR/good"
	grep -q '1500 packets transmitted, 0 received' "$DIR/bad"
}

@test "apply says how many duplicates it merged, in its record, too" {
	{ seq -f '203.0.113.%g' 1 100; seq -f '203.0.113.%g' 7 9; } >"$DIR/list"
	policy p <<-'END'
		version: 1
		lists:
		  - {name: bad, action: drop, file: list, duplicates: merge}
	END
	run -0 --separate-stderr stanch -j apply "$DIR/p.yaml"
	[[ "$stderr" == *"list 'bad': 3 duplicates merged"* ]]
	[ "$(json '"\(.merged) of \(.counts.prefixes)"')" = "3 of 100" ]
	[ "$(audit '.[-1].merged')" = 3 ]
	policy q <<<"version: 1"
	stanch -q apply --force shrinkage "$DIR/q.yaml"
	[ "$(audit '.[-1].merged')" = 0 ]
}
