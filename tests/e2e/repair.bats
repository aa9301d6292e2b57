# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 900
# What a killed command leaves is put right by the next one that changes something, which says so.

load ../lib/e2e
load ../lib/shim
load ../lib/restart
load ../lib/outage

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	numbered_policies
}

teardown() {
	[ -z "${APPLY:-}" ] || kill -9 "$APPLY" 2>/dev/null || true
	instance_remove
}

# killed CALL AT DO COMMAND... - the tool, killed there
killed() { run -137 shim "$1" "$2" "$3" "$STANCH" -q "${@:4}"; }

# The next command that changes something; what it repaired is in $stderr. Then all is well.
repair() {
	local before after
	before=$(records)
	run -0 --separate-stderr stanch hold somebody
	stanch -q release somebody
	after=$(records)
	echo "$stderr"
	[ $((after - before)) = $((2 + $(grep -q repaired: <<<"$stderr" && echo 1 || echo 0))) ]
	chain
	[ -z "$(half_made)" ]
	[ "$(live_pointer)" = "$(live_generation)" ]
	[ -z "$(find "$STATE" -name '*.new-*')" ]
	# there is nothing left to do
	run -0 --separate-stderr stanch -q hold somebody
	[ -z "$stderr" ]
	stanch -q release somebody
}

live_generation() { stanch -j status | jq -r .live.generation; }
half_made() { nothing_published "$(snapshot)" "$(snapshot)"; }

@test "where nothing was left nothing is said and nothing recorded" {
	apply_all 1 2
	stanch -q rollback
	run -0 --separate-stderr stanch -q hold somebody
	[ -z "$stderr" ]
	[ "$(audit 'map(select(.event == "repair")) | length')" = 0 ]
}

@test "killed while staging: the slot is emptied" {
	apply_all 1 2
	for call in bpf:OBJ_PIN bpf:MAP_FREEZE; do
		for deed in KILL AFTER:KILL; do
			killed "$call" 1 "$deed" apply --now "$DIR/p3.yaml"
			repair
			judges 2 2
		done
	done
	for k in 1 2 3 4 5 6; do
		shim bpf:MAP_UPDATE_ELEM "$k" AFTER:KILL "$STANCH" -q apply --now "$DIR/p3.yaml" || true
		repair
		judges 2 2
	done
}

@test "killed before the record: the generation never was" {
	apply_all 1 2
	for point in "rename:/live KILL" "rename:/live AFTER:KILL" "write:/audit.jsonl KILL"; do
		# shellcheck disable=SC2086 # words
		set -- $point
		killed "$1" 1 "$2" apply --now "$DIR/p3.yaml"
		repair
		[[ $(audit '[.[] | select(.event == "repair")][-1].repaired | join(" ")') == \
			*"generation 3 was staged and never kept"* ]]
		[ "$(audit '[.[] | select(.event == "repair")][-1].result')" = "done" ]
		judges 2 2
	done
	stanch -q apply --now "$DIR/p3.yaml"
	judges 3 3
}

@test "killed between the record and the swap: the log is put right" {
	apply_all 1 2
	for point in "write:/audit.jsonl AFTER:KILL" "fsync:/audit.jsonl KILL" "fsync:/audit.jsonl AFTER:KILL"; do
		# shellcheck disable=SC2086 # words
		set -- $point
		killed "$1" 1 "$2" apply --now "$DIR/p3.yaml"
		[ "$(last_result)" = applied ]
		judges 2 2
		repair
		[[ $(audit '[.[] | select(.event == "repair")][-1] | .result + " " + .generation') == \
			"not_applied "* ]]
		judges 2 2
		generation=$(audit '[.[] | select(.event == "repair")][-1].generation')
		run -5 stanch rollback "$generation"
	done
	restart
	stanch -q restore
	judges 2 2
}

@test "killed between the swap and the pointers: what is live is kept for a restart" {
	apply_all 1 2
	for n in 3 4 5; do
		killed "rename:/good-$((6 - n))" 1 KILL apply --now "$DIR/p$n.yaml"
		judges "$n"
		repair
		[[ $(audit '[.[] | select(.event == "repair")][-1].repaired | join(" ")') == \
			*"is kept for a restart now"* ]]
		restart
		stanch -q restore
		judges "$n"
	done
}

@test "killed in a rollback: the pointer follows what is live" {
	apply_all 1 2 3
	killed rename:/live 1 KILL rollback
	judges 2 2
	[ "$(live_pointer)" = 3 ]
	repair
	[ "$(live_pointer)" = 2 ]
	restart
	stanch -q restore
	judges 2 2
}

@test "killed in the first apply of all: nothing is live, and nothing comes back" {
	for point in "write:audit.jsonl KILL" "rename:/live AFTER:KILL"; do
		# shellcheck disable=SC2086 # words
		set -- $point
		killed "$1" 1 "$2" apply --now "$DIR/p1.yaml"
		run -0 stanch hold somebody
		[ "$(live_generation)" = 0 ]
		[ -z "$(half_made)" ]
		restart
		run -0 stanch restore
		[ "$(live_generation)" = 0 ]
	done
	stanch -q apply --now "$DIR/p1.yaml"
	judges 1
}

on_trial() { [ $((16#$(word) >> 6 & 1)) = 1 ]; }

# trial_killed SECONDS - an apply that waits so long for a confirmation is killed while it waits.
trial_killed() {
	"$STANCH" -q apply --now --confirm "$1s" "$DIR/p3.yaml" >"$DIR/out" 2>&1 3>&- &
	APPLY=$!
	for _ in $(seq 100); do
		! on_trial || break
		sleep 0.1
	done
	on_trial
	kill -9 "$APPLY"
	wait "$APPLY" || true
	APPLY=
}

@test "a trial whose lease runs is nobody else's to end" {
	apply_all 1 2
	trial_killed 60
	before=$(word)
	run -0 --separate-stderr stanch -q hold somebody
	[ -z "$stderr" ]
	[ "$(word)" = "$before" ]
	run -6 stanch apply --now "$DIR/p4.yaml"
	[ "$(word)" = "$before" ]
	judges 3 3
	stanch -q rollback
	judges 2 2
}

@test "a trial that nobody ended is ended once its lease has passed" {
	apply_all 1 2
	trial_killed 2
	sleep 2.2
	judges 2 2
	repair
	[ "$(audit '[.[] | select(.event == "repair")] | length')" = 1 ]
	[ "$(audit '[.[] | select(.event == "repair")][0] | .result + " " + .generation')" = "expired 3" ]
	run ! on_trial
	judges 2 2
	stanch -q apply --now "$DIR/p4.yaml"
	judges 4
}

@test "files of killed writers are removed and named" {
	apply_all 1
	killed rename:/images/ 1 KILL apply --now "$DIR/p2.yaml"
	[ -n "$(find "$STATE/images" -name '*.new-*')" ]
	repair
	[[ $(audit '[.[] | select(.event == "repair")][-1].repaired | join(" ")') == \
		*"which process "*" was writing when it ended"* ]]
	judges 1 1
}

@test "what cannot be repaired is said and stops nobody" {
	apply_all 1 2
	killed rename:/live 1 AFTER:KILL apply --now "$DIR/p3.yaml"
	run -0 --separate-stderr shim rename:/live 1+ EROFS "$STANCH" hold another
	[[ $stderr == *"could not be repaired"* ]]
	repair
	judges 2 2
}
