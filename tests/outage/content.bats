# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 1200
# What is wrong with a policy itself (F01 F02 F06 F29 F35 F40), applied by the tool while packets
# flow. tests/lib/flows.bash says what must be so after every row; controls.bats shows that the
# rig sees what it must see.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

setup() {
	outage_setup
}

teardown() {
	outage_teardown
}

# list_policy NAME [SETTING] - $DIR/NAME.yaml, one drop list in $DIR/NAME.list, P protected.
list_policy() {
	policy "$1" <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [$FLOW_P/32]}
		lists: [{name: bad, action: drop, file: $1.list${2:+, $2}}]
	END
}

doubled() {
	local times
	list_policy twice
	for times in 2 5 10; do
		for _ in $(seq "$times"); do
			cat "$DIR/bad.list"
		done >"$DIR/twice.list"
		# the first five that come again, with their lines, and how many they are in all
		refused "$DIR/twice.yaml" twice.list:101: twice.list:102: twice.list:103: \
			twice.list:104: twice.list:105: "$((times * 100 - 100)) in all"
		[ "$(audit '.[-1].problems | unique | join(" ")')" = duplicate_prefix ]
	done
}

@test "F01: the doubled file is refused, the first five rows named" {
	good_policy
	cp "$DIR/bad.list" "$DIR/twice.list"
	list_policy twice
	run -0 stanch check "$DIR/twice.yaml"
	row F01 doubled
}

contradicted() {
	policy both <<-END
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [$FLOW_B]}
		  - {name: mild, action: score, family: reputation, points: 5, entries: [198.51.100.0/24]}
		  - {name: harsh, action: score, family: reputation, points: 50, file: harsh.list}
	END
	printf '192.0.2.0/24\n198.51.100.0/24\n' >"$DIR/harsh.list"
	refused "$DIR/both.yaml" both.yaml:5 harsh.list:2 "5 points" "50 points" reputation
	[ "$(audit '.[-1].problems | join(" ")')" = conflict ]
}

# That the same feature may not be defined twice belongs to the scorecard: `features` is refused as
# a key that is not built (F06 below). Equal points are no conflict, as the end of this test shows.
@test "F02: one prefix with two different points is refused, both places named" {
	good_policy
	row F02 contradicted
	sed -i 's/points: 50/points: 5/' "$DIR/both.yaml"
	run -0 stanch check "$DIR/both.yaml"
}

too_much() {
	list_policy many
	{ echo "$FLOW_B"; rows_of 1 1000000; } >"$DIR/many.list"
	refused "$DIR/many.yaml" 1000001 1000000
	lists_policy 4097
	refused "$DIR/lists.yaml" 4097 4096
}

# Word 0 of line 2 is the number of prefixes, word 3 of line 0 the number of lines.
claimed() {
	stanch -q compile "$DIR/good.yaml" -o "$DIR/claim.img"
	cp "$DIR/claim.img" "$DIR/lines.img"
	image_set "$DIR/claim.img" 128 4294967295
	refused "$DIR/claim.img" 4294967295 1000000
	image_set "$DIR/lines.img" 12 4294967295
	refused "$DIR/lines.img" 4294967295
}

# The rest of the row, 256 features, belongs to the scorecard, which is not built: as long as it is
# not, no feature at all is the limit.
feature() {
	policy features <<-'END'
		version: 1
		features: {file: scorecard.yaml}
	END
	refused "$DIR/features.yaml" features.yaml:2:1: "'features'"
}

@test "F06: one past a limit is refused with number and limit" {
	good_policy
	row F06 too_much
	row F06 claimed
	row F06 feature
}

at_the_limit() {
	rows_of 1 999999 >"$DIR/many.list"
	echo "$FLOW_B" >>"$DIR/many.list"
	apply_confirmed --force growth "$DIR/many.yaml"
	[ "$(audit '[.[] | select(.counts)] | .[-1].counts.prefixes')" = 1000000 ]
	lists_policy 4096
	apply_confirmed --force shrinkage "$DIR/lists.yaml"
	[ "$(audit '[.[] | select(.counts)] | .[-1].counts.lists')" = 4096 ]
	run -0 stanch verify
	# another try begins where this one did
	apply_confirmed --force shrinkage --force growth "$DIR/good.yaml"
}

# Not a row() as such: it changes what stands. P, G and B must not notice.
@test "F06: the limit itself loads, a million prefixes and 4,096 lists, while packets flow" {
	good_policy
	list_policy many
	for _ in $(seq "$TRIES"); do
		flows_start
		at_the_limit
		flows_stop
		stanch history --verify
		[ "$(overflows)" = 0 ] && break
	done
	flows_whole
	seen F06 "limits loaded; $(flows_text)"
}

strace_reason() {
	command -v strace >/dev/null || { echo "needs strace"; return; }
	strace -o /dev/null true 2>/dev/null || echo "ptrace is not permitted here"
}

# created POLICY - kernel objects that an apply of it makes.
created() {
	strace -f -qq -o "$DIR/calls" -e trace=bpf timeout 120 "$STANCH" -q apply --now "$1" \
		>/dev/null 2>&1 || true
	grep -cE 'BPF_(MAP_CREATE|PROG_LOAD|BTF_LOAD|LINK_CREATE|OBJ_PIN)' "$DIR/calls" || true
}

@test "F06: what is refused is refused before any kernel object exists" {
	skip_for "$(strace_reason)"
	list_policy many
	rows_of 1 1000001 >"$DIR/many.list"
	[ "$(created "$DIR/many.yaml")" = 0 ]
	lists_policy 4097
	[ "$(created "$DIR/lists.yaml")" = 0 ]
	lists_policy 2
	stanch -q compile "$DIR/lists.yaml" -o "$DIR/claim.img"
	image_set "$DIR/claim.img" 128 4294967295
	[ "$(created "$DIR/claim.img")" = 0 ]
	[ ! -e "$PINS" ]
	[ "$(audit '[.[].result] | join(" ")')" = "refused refused refused" ]
	[ "$(find "$STANCH_RUN_DIR" -mindepth 1 ! -name default.lock ! -path "$STANCH_BPF_DIR" | wc -l)" = 0 ]
	# control: the same trace sees what an apply that is not refused makes
	[ "$(created "$DIR/lists.yaml")" -gt 20 ]
	seen F06 "0 objects made by three refusals, $(grep -c MAP_CREATE "$DIR/calls") maps by an apply"
}

emptied() {
	list_policy empty
	: >"$DIR/empty.list"
	refused "$DIR/empty.yaml" "list 'bad'" allow_empty
	printf '# nothing here\n\n  # nor here\n' >"$DIR/empty.list"
	refused "$DIR/empty.yaml" "list 'bad'" allow_empty
	rm "$DIR/empty.list"
	refused "$DIR/empty.yaml" "cannot read empty.list" empty.yaml:4:
	mkdir "$DIR/empty.list"
	refused "$DIR/empty.yaml" empty.list "is a directory"
	rmdir "$DIR/empty.list"
}

@test "F29: a list that is empty, missing or unreadable is refused" {
	good_policy
	row F29 emptied
}

@test "F29: an empty list that was asked for matches nobody" {
	good_policy
	list_policy empty "allow_empty: true"
	: >"$DIR/empty.list"
	apply_confirmed --force shrinkage "$DIR/empty.yaml"
	flows_start
	flows_stop
	[ "$(lost_p)" = 0 ]
	[ "$(lost_g)" = 0 ]
	[ "$(flow 2 received)" = "$(sent B)" ]
	seen F29 "asked for: G $(lost_g) and B $(($(sent B) - $(leaked))) stopped"
}

# Both directions: older and newer images, and programs, than the tool speaks.
other_image() {
	local version
	stanch -q compile "$DIR/good.yaml" -o "$DIR/same.img"
	for version in 0 2 4294967295; do
		cp "$DIR/same.img" "$DIR/other.img"
		image_set "$DIR/other.img" 8 "$version"
		refused "$DIR/other.img" "version $version" " 1"
	done
}

other_program() {
	local word
	for word in 0 1; do
		object_set "$DIR/other.o" "$word" 2
		export STANCH_OBJECT=$DIR/other.o
		refused "$DIR/next.yaml" "version 2" "version 1"
		unset STANCH_OBJECT
	done
}

# limits_pin WORD VALUE - what is loaded says so of itself, by a pin in the place of its own.
limits_pin() {
	local bytes
	bytes=$(bpftool -j map lookup pinned "$PINS/limits" key 0 0 0 0 |
		jq -r --argjson at $((4 * $1)) --arg v "$2" '.value | .[$at] = $v | join(" ")')
	bpftool map create "$PINS/other" type array key 4 value 64 entries 1 name limits
	# shellcheck disable=SC2086 # bytes are words
	bpftool map update pinned "$PINS/other" key 0 0 0 0 value $bytes
	mv "$PINS/limits" "$STANCH_BPF_DIR/limits_kept"
	mv "$PINS/other" "$PINS/limits"
}

# The instance of a newer, then of an older tool.
other_instance() {
	local version
	for version in 2 0; do
		limits_pin 0 "$version"
		refused "$DIR/next.yaml" "version $version" "this tool 1"
		mv "$STANCH_BPF_DIR/limits_kept" "$PINS/limits"
	done
}

@test "F35: an image of another version is refused, both named; the same one is not" {
	good_policy
	row F35 other_image
	image_set "$DIR/same.img" 8 1
	run -0 stanch apply --now "$DIR/same.img"
	[[ "$output" == *unchanged* ]]
}

@test "F35: a program of another version is refused, both named, by tools older and newer" {
	good_policy
	sed "s/bad.list/next.list/" "$DIR/good.yaml" >"$DIR/next.yaml"
	{ cat "$DIR/bad.list"; rows_of 99 99; } >"$DIR/next.list"
	row F35 other_program
	row F35 other_instance
	# control: neither was refused for what it says itself
	run -0 stanch apply --now "$DIR/next.yaml"
}

# hostile FILE - refused in bounded time and memory, by words and not by a signal.
hostile() {
	local began=$SECONDS
	refused "$1"
	[ -n "$stderr" ]
	[ $((SECONDS - began)) -le 30 ]
}

hostile_texts() {
	printf 'version: 1\nlists: [\0]\n' >"$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	printf 'version: 1\nmode: \377\376\n' >"$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	printf 'version: 18446744073709551616\n' >"$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	{ printf 'version: 1\nlists: '; head -c 200000 /dev/zero | tr '\0' '['; } >"$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	{
		echo 'a: &a [x,x,x,x,x,x,x,x,x]'
		echo b c d e f g h i | tr ' ' '\n' | awk 'BEGIN { p = "a" } {
			printf "%s: &%s [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\n", $0, $0, p, p, p, p, p, p, p, p, p
			p = $0 }'
	} >"$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	truncate -s 1G "$DIR/h.yaml"
	hostile "$DIR/h.yaml"
	rm "$DIR/h.yaml"
}

hostile_lists() {
	list_policy h
	truncate -s 1G "$DIR/h.list"
	hostile "$DIR/h.yaml"
	head -c 1000000 /dev/urandom >"$DIR/h.list"
	hostile "$DIR/h.yaml"
	echo 203.0.113.18446744073709551616 >"$DIR/h.list"
	hostile "$DIR/h.yaml"
	rm "$DIR/h.list"
}

# Memory: 1 GiB of addresses is several times what the tool needs, and a file of 1 GB has no room.
limited() {
	(ulimit -v 1048576 && exec "$B/stanch" "$@")
}

bounded() {
	STANCH=limited
	stanch() { limited "$@"; }
	hostile_texts
	hostile_lists
	stanch() { timeout -k 5 120 "$B/stanch" "$@"; }
}

# The fuzzers have the rest of this row, and `make fuzz-plants` their controls.
@test "F40: hostile policies and lists are refused in bounded time and memory" {
	good_policy
	row F40 bounded
}
