# SPDX-License-Identifier: GPL-2.0-or-later
# restore: what comes back after a restart of the machine, whatever the disk has become.
# shellcheck disable=SC2016 # backquotes of a message

load ../lib/e2e
load ../lib/shim
load ../lib/restart

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	numbered_policies
}

teardown() {
	instance_remove
}

@test "the newest generation that was kept is live again, the one before it last-known-good" {
	apply_all 1 2 3
	restart
	run -0 --separate-stderr stanch restore
	[ "$output" = "restored: generation 3 is live, 2 is last-known-good" ]
	[ -z "$stderr" ]
	judges 3 3
	stanch -q verify >/dev/null
	[ "$(audit '.[-1] | [.event, .result, .generation, .good, .pointer] | join(" ")')" = \
		"restore applied 3 2 live" ]
	run -0 stanch rollback
	judges 2 2
	# the number goes on from there
	stanch -q apply --now "$DIR/p4.yaml"
	judges 4 4
}

@test "where a generation is live already nothing is changed and nothing recorded" {
	apply_all 1 2
	before=$(everything)
	records=$(audit length)
	run -0 --separate-stderr stanch -j restore
	[ "$(json '.schema + " " + .result + " " + .generation')" = "stanch.restore/1 unchanged 2" ]
	[ "$(everything)" = "$before" ]
	[ "$(audit length)" = "$records" ]
}

@test "where nothing was ever applied everything passes, exit 0" {
	run -0 --separate-stderr stanch restore
	[[ $output == *"passes everything"* ]]
	[ -z "$stderr" ]
	[ "$(stanch -j explain --src 203.0.113.1 | jq -r '.verdict + .generation')" = pass0 ]
	run -0 stanch restore
}

@test "a generation that was rolled back from stays so over a restart" {
	apply_all 1 2 3
	stanch -q rollback
	restart
	stanch -q restore
	judges 2 2
	stanch -q rollback
	judges 3 3
}

@test "who went back to the factory generation is not brought forward again" {
	apply_all 1
	stanch -q rollback
	restart
	run -0 --separate-stderr stanch -j restore
	[ "$(json '.result + " " + .generation')" = "unchanged 0" ]
	[ -z "$stderr" ]
}

@test "a generation that was live but never kept is not trusted" {
	apply_all 1 2
	cp "$STATE"/good-? "$DIR"
	apply_all 3
	cp "$DIR"/good-? "$STATE" # as if the machine had gone down in its soak
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"generation 3 (live) is not used: it was on trial"* ]]
	judges 2 2
	[ "$(audit '.[-1].skipped[0] | .pointer + " " + .generation')" = "live 3" ]
}

@test "a pointer that a disk failed to replace is older than what was kept, and not followed" {
	apply_all 1
	cp "$STATE/live" "$DIR"
	sleep 1.1
	apply_all 2 3
	cp "$DIR/live" "$STATE"
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"generation 1 (live) is not used: generation 3 was kept after it was live"* ]]
	judges 3 3
}

# damage HOW FILE
damage() {
	case $1 in
	empty) : >"$2" ;;
	torn) truncate -s $(($(stat -c %s "$2") / 2)) "$2" ;;
	longer) echo >>"$2" ;;
	gone) rm "$2" ;;
	zeroes) head -c "$(stat -c %s "$2")" /dev/zero >"$2.z" && mv "$2.z" "$2" ;;
	flipped) printf '\xff' | dd of="$2" bs=1 seek=300 conv=notrunc status=none ;;
	other) cp "$(image 1)" "$2" ;;
	folder) rm "$2" && mkdir "$2" ;;
	link) mv "$2" "$2.x" && ln -s "$2.x" "$2" ;;
	esac
}

@test "an image that does not verify is named, and the next one is live" {
	apply_all 1 2 3
	for how in empty torn longer gone zeroes flipped other folder link; do
		cp "$(image 3)" "$DIR/whole"
		damage "$how" "$(image 3)"
		restart
		run -0 --separate-stderr stanch restore
		echo "$how: $stderr"
		[[ $stderr == *"generation 3 (live) is not used: its image is "* ]]
		judges 2 2
		[ "$(live_pointer)" = 2 ]
		rm -rf "$(image 3)" "$(image 3).x"
		cp "$DIR/whole" "$(image 3)"
		stanch -q rollback 3
	done
}

@test "with every image damaged the factory generation passes everything, loudly, exit 0" {
	apply_all 1 2 3
	for file in "$STATE"/images/*.img; do damage flipped "$file"; done
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"NO STORED GENERATION VERIFIES"* ]]
	[ "$(grep -c 'is damaged' <<<"$stderr")" = 3 ]
	for n in 1 2 3; do
		[ "$(stanch -j explain --src "203.0.113.$n" | jq -r '.verdict + .generation')" = pass0 ]
	done
	[ "$(audit '.[-1] | [.event, .result, .generation, (.skipped | length)] | join(" ")')" = \
		"restore factory 0 3" ]
	# and the way out of it
	stanch -q apply --now "$DIR/p4.yaml"
	judges 4 4
}

@test "damaged pointers are removed, said, and passed over" {
	apply_all 1 2 3
	for how in empty torn longer zeroes; do
		damage "$how" "$STATE/live"
		damage "$how" "$STATE/good-1"
		restart
		run -0 --separate-stderr stanch restore
		echo "$how: $stderr"
		[[ $stderr == *"removed the pointer \`live\`, which was damaged"* ]]
		[[ $stderr == *"removed the pointer \`good-1\`, which was damaged"* ]]
		judges 2 2
		[ "$(live_pointer)" = 2 ]
		stanch -q rollback 3
	done
	rm "$STATE/live" "$STATE"/good-*
	restart
	run -0 stanch restore
	[[ $output == *"passes everything"* ]]
}

@test "a generation in quarantine is not brought back" {
	apply_all 1 2
	jq -nc --arg digest "$(digest 2)" --arg now "$(date +%s)" \
		'{schema: "stanch.quarantine/1", digests: {($digest): {since: $now, why: "newly_dropped"}}}' \
		>"$STATE/quarantine.json"
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"generation 2 (live) is not used: it is in quarantine: newly_dropped"* ]]
	judges 1 1
}

@test "what the loaded program has no room for is not brought back" {
	skip_for "$([ -e "$B/tests/bpf/small.bpf.o" ] || echo "the small program is not built")"
	apply_all 1
	{
		printf 'version: 1\nmode: enforce\nlists:\n'
		for n in $(seq 70); do
			echo "  - {name: l$n, action: drop, entries: [], allow_empty: true}"
		done
	} >"$DIR/large.yaml"
	stanch -q apply --now "$DIR/large.yaml"
	restart
	STANCH_OBJECT=$B/tests/bpf/small.bpf.o run -0 --separate-stderr stanch restore
	echo "$stderr"
	[[ $stderr == *"generation 2 (live) is not used:"*"70 lists"*"64"* ]]
	judges 1 1
}

@test "mode and kill bits come back, whichever command makes the instance" {
	apply_all 1
	stanch -q kill flag header
	stanch -q mode monitor
	for verb in restore "attach --mode generic lo" "apply --now $DIR/p1.yaml"; do
		restart
		# shellcheck disable=SC2086 # words
		stanch -q $verb
		[ "$(stanch -j mode | jq -r .mode)" = monitor ]
		[ "$(stanch -j status | jq -c .killed)" = '["header","flag"]' ]
	done
	stanch -q mode enforce
	stanch -q unkill all
	restart
	stanch -q restore
	[ "$(stanch -j mode | jq -r .mode)" = enforce ]
	[ "$(stanch -j status | jq -c .killed)" = '[]' ]
}

@test "whoever is killed while making the instance leaves mode and kill bits to the next one" {
	apply_all 1
	stanch -q mode bypass
	stanch -q kill drop
	for call in open:switches.json rename:default bpf:OBJ_PIN; do
		restart
		shim "$call" 1 AFTER:KILL "$STANCH" restore 2>/dev/null || true
		stanch -q restore 2>/dev/null
		[ "$(stanch -j mode | jq -r .mode)" = bypass ]
		[ "$(stanch -j status | jq -c .killed)" = '["drop"]' ]
	done
}

@test "where the operator's mode cannot be read nothing is dropped, and that is said" {
	apply_all 1
	stanch -q mode bypass
	echo garbage >"$STATE/switches.json"
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"MODE MONITOR"* ]]
	[ "$(stanch -j mode | jq -r .mode)" = monitor ]
	stanch -q mode enforce
	[ "$(cat "$STATE/switches.bad")" = garbage ]
}

@test "a disk that takes nothing stops neither restore nor the switches" {
	apply_all 1 2
	for fault in ENOSPC EIO EROFS; do
		restart
		run -0 --separate-stderr shim write:"$STATE" 1+ "$fault" "$STANCH" restore
		echo "$fault: $stderr"
		[[ $stderr == *"audit log"* ]]
		judges 2 2
		run -0 --separate-stderr shim write:"$STATE" 1+ "$fault" "$STANCH" kill flag
		[[ $stderr == *"will forget this"* ]]
		run -0 shim write:"$STATE" 1+ "$fault" "$STANCH" mode monitor
		[ "$(stanch -j mode | jq -r .mode)" = monitor ]
		run -0 shim write:"$STATE" 1+ "$fault" "$STANCH" rollback
		judges 1
		stanch -q mode enforce
		stanch -q unkill all
		stanch -q rollback 2
	done
}

@test "two at once: one restores, the other finds it done" {
	apply_all 1 2
	restart
	"$STANCH" restore >"$DIR/a" 3>&- &
	pid=$!
	run -0 stanch restore
	wait "$pid"
	[ "$(cat "$DIR/a" <(echo "$output") | grep -c '^restored')" = 1 ]
	[ "$(cat "$DIR/a" <(echo "$output") | grep -c '^unchanged')" = 1 ]
	judges 2 2
}

@test "killed at any of its writes, the next one completes it" {
	apply_all 1 2
	for call in write fsync rename bpf:MAP_FREEZE bpf:OBJ_PIN; do
		for k in 1 2 3 4 5 6; do
			restart
			shim "$call" "$k" KILL "$STANCH" -q restore 2>/dev/null || true
			run -0 stanch restore
			echo "$call $k: $output"
			judges 2 2
			stanch -q history --verify >/dev/null
		done
	done
}

# unit_value NAME - of the unit, without its name.
unit_value() { sed -n "s/^$1=//p" "$ROOT/packaging/stanch.service"; }

@test "the unit is one that systemd understands, and its capabilities suffice" {
	apply_all 1 2
	restart
	umount "$STANCH_BPF_DIR"
	caps=$(unit_value CapabilityBoundingSet | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
	[[ $(unit_value ExecStart) == "/usr/sbin/stanch restore" ]]
	run -0 setpriv "--bounding-set=-all,$caps" "--inh-caps=-all" --no-new-privs "$STANCH" restore
	echo "$output"
	judges 2 2
	command -v systemd-analyze >/dev/null || skip "needs systemd-analyze"
	for unit in stanch.service stanch@.service; do
		sed "s|/usr/sbin/stanch|$STANCH|" "$ROOT/packaging/$unit" >"$DIR/$unit"
	done
	run -0 systemd-analyze verify --man=no "$DIR/stanch.service" "$DIR/stanch@eth0.service"
	[ -z "$output" ]
}
