# SPDX-License-Identifier: GPL-2.0-or-later
# test-timeout: 600
# F64: a disk that is full, fails, comes up short, or only claims to have done it. Nothing is
# activated then, and what judges goes on judging; neither rollback nor kill needs a disk.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/shim
load ../lib/restart

setup() {
	outage_setup
	good_policy
}

teardown() {
	outage_teardown
}

# next_policy N - as the good one, one row more; as $DIR/next.yaml.
next_policy() {
	{ cat "$DIR/bad.list"; rows_of $((200 + $1)) $((200 + $1)); } >"$DIR/next.list"
	sed 's/bad\.list/next.list/' "$DIR/good.yaml" >"$DIR/next.yaml"
}

# PLACE CALL DEED, all of which must be noticed before anything is live
faults() {
	local place
	for place in /images/ /policies/ /live; do
		echo "write:$place ENOSPC" "write:$place LOSE" "fsync:$place EIO" \
			"rename:$place EIO" "rename:$place LOSE" | tr ' ' '\n' | paste -d' ' - -
	done
	printf '%s\n' "write:/audit.jsonl ENOSPC" "write:/audit.jsonl LOSE" "fsync:/audit.jsonl EIO"
}

# What must stay. Images and texts of attempts that failed later are stored by content; the pointer
# says when it was written.
but_content() { standing | grep -vE '\./(images|policies)/|\./live$'; }

every_fault() {
	local call deed n=0 records
	while read -r call deed; do
		n=$((n + 1))
		next_policy "$n"
		records=$(audit length)
		run -1 --separate-stderr shim "$call" 1 "$deed" "$STANCH" -q apply --now "$DIR/next.yaml"
		echo "$call $deed: $stderr" >>"$DIR/said"
		[ "$(but_content)" = "$BEFORE" ] || { echo "after $call $deed:"; diff <(echo "$BEFORE") <(but_content); return 1; }
		[ "$(audit length)" = $((records + 1)) ]
		[ "$(audit '.[-1].event + " " + .[-1].result')" = "apply failed" ]
		[ -z "$(find "$STATE" -name '*.new-*')" ]
		[ "$(live_pointer)" = 1 ]
	done < <(faults)
	[ "$n" = 18 ]
}

@test "F64: whatever call of the disk fails or lies, nothing is activated" {
	BEFORE=$(but_content)
	flows_start
	every_fault
	flows_stop
	cat "$DIR/said"
	stanch history --verify >/dev/null
	stanch -q verify >/dev/null
	[ "$(overflows)" = 0 ] || skip "the receiver's own socket overflowed"
	flows_whole
	seen F64 "18 faults: $(flows_text)"
	# and with a disk that works again
	next_policy 99
	stanch -q apply --now "$DIR/next.yaml"
	[ "$(stanch -j status | jq -r .live.digest)" = "$(stanch -j inspect "$DIR/next.yaml" | jq -r .digest)" ]
}

@test "F64: short writes are gone on with" {
	next_policy 1
	for k in 1 2 3 4; do
		shim write:"$STATE" "$k" SHORT "$STANCH" -q apply --now "$DIR/next.yaml"
		stanch -q rollback
	done
	stanch -q history --verify >/dev/null
	stanch -q verify >/dev/null
}

full() { shim write:"$STATE" 1+ ENOSPC "$STANCH" "$@"; }

@test "F64: a full disk stops new commits, never rollback or kill" {
	next_policy 1
	stanch -q apply --now "$DIR/next.yaml"
	next_policy 2
	word=$(live_word)
	flows_start
	run -1 --separate-stderr full apply --now "$DIR/next.yaml"
	[[ $stderr == *"No space left on device"* ]]
	[ "$(live_word)" = "$word" ]
	run -1 full rollback 1
	[ "$(live_word)" = "$word" ]
	run -0 full rollback
	[ "$(stanch -j status | jq -r .live.generation)" = 1 ]
	flows_stop
	flows_whole
	run -0 full mode monitor
	run -0 full mode enforce
	run -0 full kill drop
	[ "$(stanch -j explain --src "$FLOW_B" | jq -r .verdict)" = pass ]
	run -0 full unkill all
	run -0 full mode --break-glass on
	run -0 full mode --break-glass off
	[ "$(stanch -j explain --src "$FLOW_B" | jq -r .verdict)" = drop ]
	seen F64 "full: apply fails, rollback, mode, kill and break-glass work"
}

# Written in place and in parts, as tools do that know no better.
careless_store() { head -c 40 "$1" >"$STATE/live"; }

@test "control of F64: a pointer written in place is torn, and found out" {
	next_policy 1
	cp "$STATE/live" "$DIR/old"
	stanch -q apply --now "$DIR/next.yaml"
	careless_store "$DIR/old"
	restart
	run -0 --separate-stderr stanch restore
	[[ $stderr == *"removed the pointer \`live\`, which was damaged"* ]]
	# the same pointer, taken for what it says, would have named the older one
	[ "$(od -An -tu8 -j8 -N8 "$DIR/old" | tr -d ' ')" = 1 ]
	[ "$(stanch -j status | jq -r .live.generation)" = 2 ]
	seen F64 "control, written in place: torn at 40 of 64 bytes, not followed"
}
