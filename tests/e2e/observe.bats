#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# status, capacity, history, diff with what is live, doctor: looking at an instance, which changes
# nothing.

load ../lib/e2e.bash

setup() {
	instance_make
	skip_for "$(kernel_reason)"
	policy one <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [203.0.113.0/24, 198.51.100.0/24]}
		  - {name: good, action: allow, entries: [203.0.113.7]}
	END
	sed 's/mode: enforce/mode: monitor/; s/198.51.100/198.18.5/' "$DIR/one.yaml" >"$DIR/two.yaml"
	stanch -q apply "$DIR/one.yaml" >/dev/null
}
teardown() { instance_remove; }

# status_json FILTER
status_json() { stanch -j status | jq -c "$1"; }

@test "status says which generation judges and which is last-known-good" {
	digest=$(stanch -j check "$DIR/one.yaml" | jq -r .digest)
	[ "$(status_json '[.live.generation, .live.digest, .last_known_good.generation]')" = \
		"[\"1\",\"$digest\",\"0\"]" ]
	stanch -q apply "$DIR/two.yaml"
	[ "$(status_json '[.live.generation, .last_known_good.generation, .last_known_good.digest]')" = \
		"[\"2\",\"1\",\"$digest\"]" ]
	stanch -q rollback
	[ "$(status_json '[.live.generation, .live.digest]')" = "[\"1\",\"$digest\"]" ]
}

@test "the effective mode is the more permissive of the policy's and the operator's" {
	for wanted in "one enforce enforce" "one monitor monitor" "one bypass bypass" \
		"two enforce monitor" "two monitor monitor" "two bypass bypass"; do
		read -r name operator effective <<<"$wanted"
		stanch -q apply "$DIR/$name.yaml"
		stanch -q mode "$operator"
		[ "$(stanch -j status | jq -r .mode.effective)" = "$effective" ]
		[[ "$(stanch status)" == *"mode        $effective (operator $operator, policy "* ]]
	done
}

@test "status shouts about what must not be overlooked, and about nothing else" {
	[ "$(status_json '.attention | length')" = 1 ]
	[[ "$(stanch status)" == *"! NOT ATTACHED"* ]]
	stanch -q mode monitor
	stanch -q kill drop
	run stanch status
	[[ "$output" == *"! MODE monitor"* ]]
	[[ "$output" == *"! KILLED: drop"* ]]
	stanch -q mode enforce
	stanch -q unkill all
	[ "$(status_json '.attention | length')" = 1 ]
}

@test "status shouts when the lease is over, and names the generation that judges then" {
	lease_over
	[ "$(status_json .lease.expired)" = true ]
	[[ "$(stanch status)" == *"! LEASE EXPIRED"* ]]
	run --separate-stderr stanch diff --exit-code live "$DIR/one.yaml"
	[ "$status" -eq 10 ]
	stanch -q rollback
	[ "$(status_json .lease.provisional)" = false ]
}

@test "looking changes nothing" {
	before=$(everything)
	log=$(sha256sum <"$STATE/audit.jsonl")
	for words in status stats "stats --by reason" "stats --by list" capacity history "diff live live" doctor; do
		# shellcheck disable=SC2086 # words are meant to split
		stanch -q $words >/dev/null || [ "$words" = doctor ]
	done
	[ "$(everything)" = "$before" ]
	[ "$(sha256sum <"$STATE/audit.jsonl")" = "$log" ]
}

@test "everything that looks has a document with its schema" {
	for words in status stats "stats --by reason" "stats --by list" capacity history "diff live live" \
		"history --verify" "kill --list" mode doctor; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch -j $words
		[ "$(jq -s length <<<"$output")" = 1 ]
		[ "$(json .schema)" = "stanch.${words%% *}/1" ]
	done
}

@test "without an instance everything that looks says so with exit code 5, history is empty" {
	for words in status stats capacity "diff live live"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch --instance other $words
		[ "$status" -eq 5 ]
		[[ "$stderr" == *"no instance"* ]]
	done
	run --separate-stderr stanch -j --instance other history
	[ "$status" -eq 0 ]
	[ "$(json .total)" = 0 ]
}

@test "capacity counts what the policy holds, and the memory of every slot" {
	size=$(stanch -j check "$DIR/one.yaml" | jq .lines)
	run --separate-stderr stanch -j capacity
	[ "$(json '.tables[] | select(.name == "prefixes") | [.used, .limit, .headroom] | join(" ")')" = \
		"3 1000000 999997" ]
	[ "$(json '.tables[] | select(.name == "lists").used')" = 2 ]
	[ "$(json '.tables[] | select(.name == "lines").used')" = "$size" ]
	[ "$(json '.slots[] | select(.holds == "live").bytes')" = $((size * 64)) ]
	[ "$(json '[.slots[].bytes | tonumber] | add | tostring')" = "$(json .memory_bytes)" ]
	[ "$(json .memory_limit_bytes)" = $((4 * 96 << 20)) ]
	run stanch capacity
	[[ "$output" == *"prefixes "*" 3 "*1000000* ]]
}

@test "diff with what is live" {
	run --separate-stderr stanch diff --exit-code live "$DIR/one.yaml"
	[ "$status" -eq 0 ]
	[ "$output" = "no difference" ]
	run --separate-stderr stanch diff --exit-code live "$DIR/two.yaml"
	[ "$status" -eq 10 ]
	[[ "$output" == *"mode: enforce -> monitor"* ]]
	[[ "$output" == *198.51.100.0/24* ]]
	run --separate-stderr stanch diff live "$DIR/two.yaml"
	[ "$status" -eq 0 ]
}

@test "history is newest first, with refusals, and knows what is live" {
	stanch -q apply "$DIR/two.yaml"
	echo "colour: red" >>"$DIR/two.yaml"
	stanch -q apply "$DIR/two.yaml" 2>/dev/null || true
	run --separate-stderr stanch -j history
	[ "$(json '[.records[] | .result] | join(" ")')" = "refused applied applied" ]
	[ "$(json '[.records[] | .state // "-"] | join(" ")')" = "- live last-known-good" ]
	stanch -q rollback
	run --separate-stderr stanch -j history -n 1
	[ "$(json '.records | length')" = 1 ]
	[ "$(json '.records[0].event')" = rollback ]
	[ "$(json .total)" = 4 ]
	run stanch history -n 2
	[ "${#lines[@]}" = 3 ]
	[[ "${lines[0]}" == *generation*state* ]]
}

@test "history works without the kernel's part" {
	find "$PINS" -type f -delete
	run --separate-stderr stanch -j history
	[ "$status" -eq 0 ]
	[ "$(json '.records | length')" = 1 ]
	[ "$(json '.records[0].state')" = null ]
}

@test "a log with one changed byte is found out, with the line" {
	stanch -q apply "$DIR/two.yaml"
	run --separate-stderr stanch history --verify
	[ "$status" -eq 0 ]
	[[ "$output" == *"2 records"* ]]
	sed -i '1s/applied/applieD/' "$STATE/audit.jsonl"
	run --separate-stderr stanch history --verify
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"damaged: line 1 "* ]]
	run --separate-stderr stanch history
	[ "$status" -eq 1 ]
}

@test "history refuses a number that is none" {
	for number in 0 x -1 1x 99999999999999999999; do
		run --separate-stderr stanch history -n "$number"
		[ "$status" -eq 2 ]
	done
}

@test "doctor looks at a host, and exits 1 exactly when it finds something" {
	run --separate-stderr stanch -j doctor
	[ "$(json '[.checks[] | select(.grade == "finding")] | length')" = "$(json .findings)" ]
	[ "$status" -eq $(($(json .findings) > 0)) ]
	[ "$(json '[.checks[].subject] | index("kernel") != null')" = true ]
	[ "$(json '.checks[] | select(.subject == "instance").grade')" = good ]
	[ "$(json 'all(.checks[]; .grade != "finding" or (.remedy // "") != "")')" = true ]
	run --separate-stderr stanch doctor no-such-iface
	[ "$status" -eq 5 ]
}

@test "doctor finds an instance with missing pins and names the remedy" {
	rm "$PINS/hits"
	run --separate-stderr stanch -j doctor
	[ "$status" -eq 1 ]
	[ "$(json '.checks[] | select(.subject == "instance").grade')" = finding ]
	[[ "$(json '.checks[] | select(.subject == "instance").remedy')" == *apply* ]]
}

@test "what status advises is for the instance that it is about" {
	stanch --instance other -q apply "$DIR/one.yaml"
	stanch --instance other -q mode monitor
	stanch --instance other -q kill drop
	run stanch --instance other status
	[ "$(grep -c '^! .*: stanch' <<<"$output")" = 3 ]
	[ "$(grep -c '^! .*: stanch --instance other ' <<<"$output")" = 3 ]
	# as it is advised, so it works
	eval "$(sed -n 's/^! MODE.*undo: //p' <<<"$output")"
	[ "$(stanch --instance other mode)" = "mode enforce" ]
	run ! grep -e --instance <<<"$(stanch status)"
	stanch -q --instance other detach --all --purge
}
