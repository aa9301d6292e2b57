#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# mode, kill, unkill and break-glass: one store each, with everything else broken if need be.

load ../lib/e2e.bash

setup() {
	instance_make
	skip_for "$(kernel_reason)"
	policy p <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [203.0.113.0/24]}
	END
	stanch -q apply "$DIR/p.yaml" >/dev/null
}
teardown() { instance_remove; }

# verdict_of ADDRESS - what the live generation does with a packet from there, mode and kills applied.
verdict_of() { stanch -j explain --src "$1" | jq -r '.verdict + " " + (.enforced | tostring)'; }

@test "the mode is one field of the word, and the old one comes back" {
	before=$(word)
	for mode in bypass monitor enforce; do
		run --separate-stderr stanch -j mode "$mode"
		[ "$status" -eq 0 ]
		[ "$(json .mode)" = "$mode" ]
		[ "$(stanch mode)" = "mode $mode" ]
	done
	[ "$(word)" = "$before" ]
	stanch -q mode bypass
	[ "$(word)" != "$before" ]
}

@test "a mode that is none changes nothing" {
	before=$(word)
	run --separate-stderr stanch mode off
	[ "$status" -eq 2 ]
	[[ "$stderr" == *"enforce, monitor or bypass"* ]]
	run --separate-stderr stanch mode bypass --break-glass maybe
	[ "$status" -eq 2 ]
	[ "$(word)" = "$before" ]
}

@test "kill bits are those that are published, and add up" {
	bit=0
	for stage in drop header inner flag score; do
		stanch -q kill "$stage"
		[ "$(($((16#$(word) >> 32)) & 0xffff))" -eq $(((2 << bit) - 1)) ]
		bit=$((bit + 1))
	done
	[ "$(stanch -j kill --list | jq '[.stages[] | select(.killed)] | length')" = 5 ]
	stanch -q unkill header flag
	[ "$(($((16#$(word) >> 32)) & 0xffff))" -eq $((0x15)) ]
	stanch -q kill all
	[ "$(($((16#$(word) >> 32)) & 0xffff))" -eq $((0xffff)) ]
	stanch -q unkill all
	[ "$(($((16#$(word) >> 32)) & 0xffff))" -eq 0 ]
}

@test "a killed stage stops nothing any more, an unkilled one does again" {
	[ "$(verdict_of 203.0.113.5)" = "drop true" ]
	stanch -q kill drop
	[[ "$(verdict_of 203.0.113.5)" == pass* ]]
	stanch -q unkill drop
	[ "$(verdict_of 203.0.113.5)" = "drop true" ]
}

@test "an unknown stage kills nothing, not even those named beside it" {
	before=$(word)
	run --separate-stderr stanch kill drop guard
	[ "$status" -eq 2 ]
	[[ "$stderr" == *"'guard' is no stage"* ]]
	run --separate-stderr stanch kill
	[ "$status" -eq 2 ]
	run --separate-stderr stanch kill --list drop
	[ "$status" -eq 2 ]
	[ "$(word)" = "$before" ]
}

@test "undoing what is not there is done" {
	before=$(word)
	run --separate-stderr stanch unkill drop
	[ "$status" -eq 0 ]
	[ "$(word)" = "$before" ]
}

@test "mode and kill bits stay through apply and rollback" {
	stanch -q mode monitor
	stanch -q kill flag
	sed -i s/203.0.113/198.51.100/ "$DIR/p.yaml"
	stanch -q apply "$DIR/p.yaml"
	[ "$(stanch mode)" = "mode monitor" ]
	[ "$(stanch -j status | jq -c .killed)" = '["flag"]' ]
	stanch -q rollback
	[ "$(stanch mode)" = "mode monitor" ]
	[ "$(stanch -j status | jq -c .killed)" = '["flag"]' ]
}

@test "the switches work with the control pin alone" {
	find "$PINS" -type f ! -name control -delete
	run --separate-stderr stanch status
	[ "$status" -ne 0 ]
	run --separate-stderr stanch mode bypass
	[ "$status" -eq 0 ]
	run --separate-stderr stanch kill all
	[ "$status" -eq 0 ]
	[ "$(($((16#$(word) >> 32)) & 0xffff))" -eq $((0xffff)) ]
	[ "$(stanch mode)" = "mode bypass" ]
}

@test "a log that cannot be written does not stop a switch, and is said" {
	rm -rf "$STANCH_STATE_DIR"
	echo "in the way" >"$STANCH_STATE_DIR"
	run --separate-stderr stanch mode bypass
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"audit log could not be written"* ]]
	[ "$(stanch mode)" = "mode bypass" ]
	run --separate-stderr stanch kill drop
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"audit log could not be written"* ]]
}

@test "a command that holds the lock does not stop a switch" {
	(
		exec 9>"$STANCH_RUN_DIR/default.lock"
		flock 9
		touch "$DIR/held"
		exec sleep 30
	) 3>&- &
	holder=$!
	for _ in $(seq 100); do [ -e "$DIR/held" ] || sleep 0.1; done
	SECONDS=0
	run --separate-stderr stanch mode bypass
	took=$SECONDS
	kill "$holder"
	[ "$status" -eq 0 ]
	[ "$took" -le 5 ]
	[ "$(stanch mode)" = "mode bypass" ]
}

@test "every switch leaves a line in the log" {
	stanch -q mode monitor
	stanch -q kill drop flag
	stanch -q unkill all
	[ "$(audit '[.[] | select(.event == "mode")] | length')" = 1 ]
	[ "$(audit '[.[] | select(.event == "mode")][0] | .previous_mode + " " + .mode')" = "enforce monitor" ]
	[ "$(audit '[.[] | select(.event == "kill")][0].killed | join(" ")')" = "drop flag" ]
	[ "$(audit '[.[] | select(.event == "unkill")][0].killed | length')" = 0 ]
	stanch -q history --verify
}

@test "break-glass by the command of stanch-image(5) stops judging, and the tool undoes it" {
	command=$(awk '/^```$/ { n++; next } n == 1' "$ROOT/man/stanch-image.5.scd" |
		sed 's/\\\\$/\\/' | sed "s|/run/stanch/bpf/default|$PINS|")
	before=$(word)
	eval "$command"
	[ "$(word)" = "$before" ]
	[[ "$(stanch mode)" == *BREAK-GLASS* ]]
	[ "$(stanch -j status | jq -r .mode.effective)" = bypass ]
	[[ "$(stanch status)" == *"! BREAK-GLASS"* ]]
	sed -i s/203.0.113/198.51.100/ "$DIR/p.yaml"
	stanch -q apply "$DIR/p.yaml"
	[ "$(stanch -j mode | jq .break_glass)" = true ]
	stanch -q mode --break-glass off
	[ "$(stanch mode)" = "mode enforce" ]
}

@test "without an instance the switches say so" {
	for words in "mode bypass" "kill drop" "unkill drop" "kill --list"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch --instance other $words
		[ "$status" -eq 5 ]
		[[ "$stderr" == *"no instance \`other\`"* ]]
	done
}

@test "somebody without privileges can switch nothing" {
	command -v setpriv >/dev/null || skip "needs setpriv"
	before=$(word)
	chmod 0755 "$DIR"
	cp "$STANCH" "$DIR/stanch"
	chmod 0755 "$DIR/stanch"
	for words in "mode bypass" "kill all" "status"; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$DIR/stanch" $words
		echo "$words: $status $stderr"
		[ "$status" -eq 4 ]
		[ -n "$stderr" ]
	done
	[ "$(word)" = "$before" ]
}

@test "a control pin that is gone is not taken for an instance that is not there" {
	rm "$PINS/control"
	for words in "mode bypass" mode "kill drop" "unkill all" "kill --list" rollback; do
		# shellcheck disable=SC2086 # words are meant to split
		run --separate-stderr stanch $words
		echo "$words: $status $stderr"
		[ "$status" -eq 3 ]
		[[ "$stderr" == *"incomplete"* ]]
		[[ "$stderr" != *"there is no instance"* ]]
	done
}

@test "explain knows of break-glass and of a lease that is over" {
	[ "$(verdict_of 203.0.113.5)" = "drop true" ]
	stanch -q mode bypass
	bypassed=$(verdict_of 203.0.113.5)
	[ "$bypassed" != "drop true" ]
	stanch -q mode enforce
	stanch -q mode --break-glass on
	[ "$(verdict_of 203.0.113.5)" = "$bypassed" ]
	stanch -q mode --break-glass off
	lease_over
	[ "$(stanch -j explain --src 203.0.113.5 | jq -r '.verdict + " " + .generation')" = "pass 0" ]
}
