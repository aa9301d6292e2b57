# SPDX-License-Identifier: GPL-2.0-or-later
# rollback: one store back to last-known-good, or an older generation through the gates again.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	for n in 1 2 3 4 5 6; do
		policy "p$n" <<-END
			version: 1
			mode: enforce
			lists: [{name: bad, action: drop, entries: [203.0.113.$n]}]
		END
	done
}

teardown() {
	instance_remove
}

apply_all() { for n in "$@"; do stanch -q apply "$DIR/p$n.yaml"; done; }

# live N - policy N judges, as generation $2 when given.
live() {
	[ "$(stanch -j explain --src "203.0.113.$1" | jq -r .verdict)" = drop ]
	[ "$(stanch -j explain --src 203.0.113.99 | jq -r .verdict)" = pass ]
	[ -z "${2:-}" ] || [ "$(stanch -j explain --src 203.0.113.99 | jq -r .generation)" = "$2" ]
}

@test "a rollback goes back to last-known-good and says from where to where" {
	apply_all 1 2
	run -0 --separate-stderr stanch rollback
	[ "$output" = "rolled back: generation 2 -> 1" ]
	live 1 1
	[ "$(audit '.[-1] | [.event, .result, .generation, .previous] | join(" ")')" = \
		"rollback applied 1 2" ]
}

@test "a second rollback has nothing to do and exits 0" {
	apply_all 1 2
	stanch rollback
	records=$(audit length)
	run -0 --separate-stderr stanch -j rollback
	[ "$(json .result)" = unchanged ]
	[ "$(audit length)" = "$records" ]
	live 1 1
}

@test "rolling back without an instance exits 5" {
	run -5 stanch rollback
	run -5 stanch rollback 1
	[ ! -e "$PINS" ]
}

@test "mode and kill bits survive a rollback" {
	apply_all 1 2
	stanch mode monitor
	stanch kill flag
	before=$(word | cut -c5-13)
	stanch rollback
	[ "$(word | cut -c5-13)" = "$before" ]
	stanch mode enforce
	apply_all 3
	stanch mode monitor
	stanch rollback 2
	[ "$(stanch -j explain --src 203.0.113.2 | jq -c '[.verdict, .enforced]')" = '["drop",false]' ]
}

@test "a rollback needs nothing but the control word" {
	apply_all 1 2
	run -0 stanch explain --src 203.0.113.1
	for pin in slot_info limits counters hits events budget; do
		rm "$PINS/$pin"
	done
	mv "$STATE" "$STATE.away"
	before=$(word)
	run -0 --separate-stderr stanch rollback
	[[ $output == "rolled back: slot 2 -> 1" ]]
	[ "$(word)" != "$before" ]
}

@test "a log that cannot be written does not stop a rollback" {
	apply_all 1 2
	rm "$STATE/audit.jsonl"
	mkdir "$STATE/audit.jsonl"
	run -0 --separate-stderr stanch rollback
	[[ $output == "rolled back: generation 2 -> 1" ]]
	[[ $stderr == *"audit log"* ]]
	live 1 1
}

# microseconds COMMAND... - how long it took; other work on this machine counts, too
microseconds() {
	local start=${EPOCHREALTIME/./}
	"$@" >/dev/null
	echo $((${EPOCHREALTIME/./} - start))
}

@test "a rollback takes less than 100 ms more than starting a process does" {
	best=1000000 start=1000000
	for _ in 1 2 3 4 5; do
		apply_all 1 2
		took=$(microseconds "$STANCH" version)
		[ "$took" -ge "$start" ] || start=$took
		took=$(microseconds "$STANCH" -q rollback)
		[ "$took" -ge "$best" ] || best=$took
	done
	echo "$best us, of which $start us to start"
	[ $((best - start)) -lt 100000 ]
}

@test "a rollback does not wait for the lock" {
	apply_all 1 2
	exec 9>"$STANCH_RUN_DIR/default.lock"
	flock -n 9
	run -0 timeout 2 "$STANCH" rollback
	exec 9>&-
	live 1 1
}

@test "a rollback target that is missing is found before, and refused" {
	apply_all 1 2
	bpftool map delete pinned "$PINS/slots" key 1 0 0 0
	before=$(word)
	run -3 --separate-stderr stanch rollback
	[[ $stderr == *"slot 1 is damaged"* ]]
	[ "$(word)" = "$before" ]
	live 2 2
	[ "$(audit '.[-1] | .event + ":" + .result')" = rollback:refused ]
}

@test "a rollback target that was exchanged is found before, and refused" {
	apply_all 1 2
	bpftool map update pinned "$PINS/slots" key 1 0 0 0 value pinned "$PINS/gen-0"
	before=$(word)
	run -3 --separate-stderr stanch rollback
	[[ $stderr == *damaged* ]]
	[ "$(word)" = "$before" ]
	live 2 2
	run -1 stanch verify
}

@test "an older generation comes back from the store, under its number" {
	apply_all 1 2 3 4 5 6
	run -0 --separate-stderr stanch rollback 1
	[[ $output == "generation 1 is live, 6 is last-known-good" ]]
	live 1 1
	run -0 stanch verify
	[ "$(audit '.[-1] | [.event, .result, .generation, .previous] | join(" ")')" = \
		"rollback applied 1 6" ]
	[ "$(audit '.[-1].golden')" -gt 10 ]
	# and the next new one is none that was there before
	run -0 --separate-stderr stanch apply "$DIR/p2.yaml"
	[[ $output == "generation 7 is live, 1 is last-known-good" ]]
}

@test "an older generation that still has a slot is staged over itself" {
	apply_all 1 2 3 4
	run -0 stanch rollback 2
	live 2 2
	run -0 stanch rollback 3
	live 3 3
	run -0 stanch verify
}

@test "rolling back to what is live is unchanged" {
	apply_all 1 2
	before=$(everything)
	run -0 --separate-stderr stanch -j rollback 2
	[ "$(json '.result + " " + .generation')" = "unchanged 2" ]
	[ "$(everything)" = "$before" ]
}

@test "a generation that never was, or was never live, exits 5 and changes nothing" {
	apply_all 1 2
	echo nonsense >"$DIR/bad.yaml"
	run -3 stanch apply "$DIR/bad.yaml"
	before=$(everything)
	run -5 --separate-stderr stanch rollback 3
	[[ $stderr == *"generation 3"* ]]
	run -5 stanch rollback 99
	[ "$(everything)" = "$before" ]
	run -2 stanch rollback one
	run -2 stanch rollback 1 2
}

@test "a stored image that is damaged is refused, and changes nothing" {
	apply_all 1 2 3
	image=$STATE/images/$(audit '.[0].digest').img
	chmod u+w "$image"
	printf '\377' | dd of="$image" bs=1 seek=600 conv=notrunc status=none
	before=$(everything)
	run -3 --separate-stderr stanch rollback 1
	[ "$(everything)" = "$before" ]
	live 3 3
	[ "$(audit '.[-1] | .event + ":" + .result')" = rollback:refused ]
}
