# SPDX-License-Identifier: GPL-2.0-or-later
# outage.bash - what must hold after a row of the fault matrix; needs e2e.bash.

# snapshot - what an instance stands on, as one document: the word, what the kernel says about
# each slot, the map in each slot, the pins, and every file but logs and locks.
snapshot() {
	[ -e "$PINS/control" ] || { echo '{"word": "none"}'; return; }
	jq -nc --arg word "$(word)" \
		--argjson info "$(bpftool -j map dump pinned "$PINS/slot_info")" \
		--argjson maps "$(bpftool -j map dump pinned "$PINS/slots")" \
		--arg pins "$(find "$STANCH_BPF_DIR" -mindepth 1 -printf '%P\n' | sort)" \
		--arg files "$(find "$STATE" "$STANCH_RUN_DIR" -path "$STANCH_BPF_DIR" -prune -o \
			-type f ! -name 'audit.*' ! -name totals.json ! -name '*.lock' -print | sort)" '
		def at: .key | map(ltrimstr("0x")) | reverse | join("");
		def bytes: map(ltrimstr("0x")) | reverse | join("");
		{ $word, pins: $pins | split("\n"), files: $files | split("\n"),
		  slots: [range(4) as $n | ($info[$n].formatted.value | {generation, lines, digest}) +
			{ map: ([$maps[] | select(at == "0000000\($n)") | .value | bytes][0]) }] }'
}

# nothing_published BEFORE AFTER - says in what way something was, from two snapshots. The slots
# that serve are the same maps with the same content under the same word; a free slot may have been
# emptied, but holds nothing newer and nothing half-made; nothing has been left over.
nothing_published() {
	jq -nr --argjson before "$1" --argjson after "$2" '
		def newest: [.slots[].generation] | max;
		def serving: .word[-1:] as $low | ("0123456789abcdef" | index($low)) as $bits |
			[.slots[$bits % 4], .slots[$bits / 4 | floor]];
		def half_made: .pins as $pins | .slots | to_entries[] |
			((.value.lines > 0) as $used | (.value.map != null) as $mapped |
			("default/gen-\(.key)" as $pin | any($pins[]; . == $pin)) as $pinned |
			select($used != $mapped or $used != $pinned) |
			"slot \(.key): in use \($used), has a map \($mapped), is pinned \($pinned)");
		if $after.word == "none" then "the instance is gone" else
		($before.word != $after.word | select(.) | "the word was \($before.word), is \($after.word)"),
		(($before | serving) != ($after | serving) | select(.) | "other maps serve"),
		(($after | newest) > ($before | newest) | select(.) | "something newer is in a slot"),
		($after | half_made),
		(($after.pins - $before.pins)[] | select(test("/gen-[0-3]$") | not) | "new pin: " + .),
		(($after.files - $before.files)[] | "new file: " + .) end'
}

# The log: `history --verify` reads all of it and fails when a record is not whole or in its place.
chain() { stanch -q history --verify >/dev/null; }
records() { wc -l <"$STATE/audit.jsonl"; }
last_result() { tail -1 "$STATE/audit.jsonl" | jq -r .result; }

# force_image SLOT FILE - its bytes in that slot by bpftool alone, as no command of ours would.
force_image() {
	local lines
	lines=$(($(stat -c %s "$2") / 64))
	bpftool map create "$PINS/forced" type array key 4 value 64 entries "$lines" \
		name image flags 0x1400
	xxd -p -c 64 "$2" | awk '{
		printf "map update pinned %s key %d %d 0 0 value hex", PINS, (NR - 1) % 256, int((NR - 1) / 256)
		for (i = 1; i <= 128; i += 2)
			printf " %s", substr($0, i, 2)
		print ""
	}' PINS="$PINS/forced" >"$DIR/batch"
	bpftool batch file "$DIR/batch" >/dev/null
	bpftool map update pinned "$PINS/slots" key "$1" 0 0 0 value pinned "$PINS/forced"
	rm "$PINS/forced"
}
