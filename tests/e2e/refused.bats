# SPDX-License-Identifier: GPL-2.0-or-later
# Attempts that must change nothing, and say why. Every one leaves exactly one audit record.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy good <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
}

teardown() {
	instance_remove
}

# refuses CODE POLICY [PROBLEM] - apply exits with CODE, nothing but one audit record changes.
refuses() {
	local before records
	before=$(everything)
	records=$(audit length)
	run -"$1" --separate-stderr stanch -j apply "$2"
	[ "$(json .schema)" = stanch.error/1 ]
	[ "$(everything)" = "$before" ] || { diff <(echo "$before") <(everything); return 1; }
	[ "$(audit length)" = $((records + 1)) ]
	[ -z "${3:-}" ] || audit '.[-1].problems | join(" ")' | grep -qw "$3"
}

@test "a refused policy changes nothing" {
	stanch apply "$DIR/good.yaml"
	policy broken <<-'END'
		version: 1
		mode: enforce
		speed: fast
		lists:
		  - {name: bad, action: drop, entries: [300.1.2.3, 203.0.113.9/24]}
		  - {name: worse, action: explode, entries: [192.0.2.1]}
	END
	refuses 3 "$DIR/broken.yaml"
	[ "$(audit '.[-1].result')" = refused ]
	[ "$(audit '.[-1].problem_count')" = 4 ]
	[ "$(audit '.[-1].problems | length')" = 4 ]
	[ "$(audit '.[-1] | has("generation")')" = false ]
	[[ $stderr == *"$DIR/broken.yaml:3:1:"* ]]
	[[ $stderr == *"$DIR/broken.yaml:6:27:"* ]]
}

@test "the doubled policy is refused: every row twice" {
	seq -f '198.51.%g.0/24' 0 60 >"$DIR/rows"
	cat >"$DIR/doubled.yaml" <<-'END'
		version: 1
		mode: enforce
		lists: [{name: feed, action: drop, file: rows}]
	END
	stanch apply "$DIR/doubled.yaml"
	cat "$DIR/rows" "$DIR/rows" >"$DIR/twice"
	mv "$DIR/twice" "$DIR/rows"
	refuses 3 "$DIR/doubled.yaml" duplicate_prefix
	# the first five are named with their lines
	for line in 62 63 64 65 66; do
		[[ $stderr == *"rows:$line:"* ]]
	done
}

@test "a refused first policy creates no instance" {
	echo 'version: 2' >"$DIR/bad.yaml"
	run -3 stanch apply "$DIR/bad.yaml"
	[ ! -e "$PINS" ]
	[ "$(audit length)" = 1 ]
	[ "$(audit '.[0].result')" = refused ]
}

@test "missing files and folders are refused" {
	stanch apply "$DIR/good.yaml"
	refuses 3 "$DIR/nothing.yaml" unreadable_policy
	refuses 3 "$DIR" unreadable_policy
	policy nolist <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, file: not-there}]
	END
	refuses 3 "$DIR/nolist.yaml"
	[[ $stderr == *not-there* ]]
}

@test "an empty list is refused, whatever emptied it" {
	stanch apply "$DIR/good.yaml"
	policy empty <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, file: rows}]
	END
	: >"$DIR/rows"
	refuses 3 "$DIR/empty.yaml"
	printf '# nothing\n; left\n' >"$DIR/rows"
	refuses 3 "$DIR/empty.yaml"
	policy allowed <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, allow_empty: true, file: rows}]
	END
	run -0 stanch apply "$DIR/allowed.yaml"
	[ "$(stanch -j explain --src 203.0.113.1 | jq -r .verdict)" = pass ]
}

# object NAME FLAG... - the program built with other limits, as $DIR/NAME.o
object() {
	local name=$1
	shift
	make -s -C "$ROOT" B="$DIR/$name" BPF_EXTRA="$*" "$DIR/$name/bpf/stanch.bpf.o" &&
		mv "$DIR/$name/bpf/stanch.bpf.o" "$DIR/$name.o"
}

@test "the limits are those of the loaded program, not of the tool" {
	object small -DLIMIT_PREFIXES=4u -DLIMIT_LISTS=2u
	export STANCH_OBJECT=$DIR/small.o
	run -0 stanch apply "$DIR/good.yaml"
	unset STANCH_OBJECT
	policy five <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5]}]
	END
	run -0 stanch check "$DIR/five.yaml"
	refuses 3 "$DIR/five.yaml" too_many_prefixes
	[[ $stderr == *"5 "*"4"* ]]
	# an image is checked against them, too
	stanch compile "$DIR/five.yaml" -o "$DIR/five.img"
	refuses 3 "$DIR/five.img"
}

@test "limits are read from what is loaded even when the first apply loads it" {
	object small -DLIMIT_PREFIXES=4u
	policy five <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5]}]
	END
	STANCH_OBJECT=$DIR/small.o run -3 stanch apply "$DIR/five.yaml"
	[ "$(audit '.[-1].problems[0]')" = too_many_prefixes ]
	run -0 stanch verify
}

@test "one prefix past a million is refused before any kernel object exists" {
	awk 'BEGIN { for (i = 0; i <= 1000000; i++) printf "%d.%d.%d.%d\n", 20 + i / 16777216, i / 65536 % 256, i / 256 % 256, i % 256 }' >"$DIR/rows"
	policy million <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, file: rows}]
	END
	run -3 --separate-stderr stanch apply "$DIR/million.yaml"
	[[ $stderr == *1000001* ]]
	[[ $stderr == *1000000* ]]
	[ ! -e "$PINS" ]
}

# A tree of its own with another version in the contract.
other_build() {
	mkdir "$DIR/tree"
	cp -r "$ROOT/include" "$ROOT/bpf" "$ROOT/Makefile" "$DIR/tree"
	sed -i "s/^#define $1[[:space:]]*[0-9]*u/#define $1 9u/" "$DIR/tree/include/stanch/abi.h"
	make -s -C "$DIR/tree" B="$DIR/tree/b" "$DIR/tree/b/bpf/stanch.bpf.o"
}

@test "a program of another version is refused with both versions" {
	other_build IMAGE_VERSION
	STANCH_OBJECT=$DIR/tree/b/bpf/stanch.bpf.o run --separate-stderr stanch apply "$DIR/good.yaml"
	[ "$status" = 3 ]
	[[ $stderr == *9* && $stderr == *2* && $stderr == *version* ]]
	[ ! -e "$PINS" ]
	[ "$(audit '.[-1].result')" = refused ]
}

@test "an image of another version is refused with both versions" {
	stanch apply "$DIR/good.yaml"
	stanch compile "$DIR/good.yaml" -o "$DIR/good.img"
	printf '\007' | dd of="$DIR/good.img" bs=1 seek=8 conv=notrunc status=none
	refuses 3 "$DIR/good.img"
	[[ $stderr == *7* && $stderr == *2* && $stderr == *version* ]]
}

@test "a cut or damaged image is refused" {
	stanch apply "$DIR/good.yaml"
	stanch compile "$DIR/good.yaml" -o "$DIR/good.img"
	size=$(stat -c %s "$DIR/good.img")
	for cut in 8 64 100 $((size - 64)) $((size - 1)); do
		head -c "$cut" "$DIR/good.img" >"$DIR/cut.img"
		refuses 3 "$DIR/cut.img"
	done
	cp "$DIR/good.img" "$DIR/bit.img"
	printf '\377' | dd of="$DIR/bit.img" bs=1 seek=$((size - 5)) conv=notrunc status=none
	refuses 3 "$DIR/bit.img"
}

@test "two applies at once are done one after the other" {
	sed 's/203.0.113.0/198.51.100.0/' "$DIR/good.yaml" >"$DIR/other.yaml"
	stanch apply "$DIR/good.yaml"
	stanch -q apply "$DIR/other.yaml" 3>&- &
	first=$!
	stanch -q rollback 1 3>&- &
	second=$!
	wait $first
	wait $second
	[ "$(audit '[.[].result] | join(" ")')" != "" ]
	[ "$(audit '[.[] | select(.result == "applied" or .result == "unchanged")] | length')" = 3 ]
	run -0 stanch verify
}

@test "a lock that is held names the holder and is a conflict" {
	stanch apply "$DIR/good.yaml"
	before=$(everything)
	exec 9>"$STANCH_RUN_DIR/default.lock"
	flock -n 9
	run -6 --separate-stderr stanch apply "$DIR/good.yaml"
	exec 9>&-
	[[ $stderr == *"another command"* ]]
	[ "$(everything)" = "$before" ]
}

strace_reason() {
	command -v strace >/dev/null || { echo "needs strace"; return; }
	strace -o /dev/null true 2>/dev/null || echo "ptrace is not permitted here"
}

# slow_apply DELAY_US - an apply that sleeps at every fsync, in the background.
slow_apply() {
	strace -qq -o /dev/null -e trace=fsync,fdatasync \
		-e inject=fsync,fdatasync:delay_exit="$1" \
		"$STANCH" apply "$DIR/other.yaml" >"$DIR/slow" 2>&1 3>&- &
	slow=$!
}

@test "an apply that was overtaken by a rollback loses, says so and leaves nothing" {
	skip_for "$(strace_reason)"
	sed 's/203.0.113.0/198.51.100.0/' "$DIR/good.yaml" >"$DIR/other.yaml"
	stanch apply "$DIR/good.yaml"
	slow_apply 400000
	for _ in $(seq 100); do
		grep -q ^prove "$DIR/slow" && break
		sleep 0.05
	done
	stanch rollback
	code=0
	wait $slow || code=$?
	[ $code = 6 ]
	grep -q "somebody else" "$DIR/slow"
	[ "$(stanch -j explain --src 198.51.100.1 | jq -r '.verdict + .generation')" = pass0 ]
	[ "$(audit '[.[] | .event + ":" + .result] | join(" ")')" = \
		"apply:applied rollback:applied apply:conflict" ]
	[ ! -e "$PINS/gen-2" ]
	run -0 stanch apply "$DIR/other.yaml"
}

@test "an apply that is overtaken between its record and the store says so in the log" {
	skip_for "$(strace_reason)"
	sed 's/203.0.113.0/198.51.100.0/' "$DIR/good.yaml" >"$DIR/other.yaml"
	stanch apply "$DIR/good.yaml"
	slow_apply 700000
	for _ in $(seq 200); do
		[ "$(grep -c applied "$STATE/audit.jsonl")" -ge 2 ] && break
		sleep 0.02
	done
	stanch rollback
	code=0
	wait $slow || code=$?
	[ $code = 6 ]
	[ "$(audit '.[] | select(.result == "conflict") | .generation')" = 2 ]
	[ "$(stanch -j explain --src 198.51.100.1 | jq -r '.verdict + .generation')" = pass0 ]
	run -0 stanch history --verify
}

@test "an apply killed at any moment leaves the old or the new generation" {
	sed 's/203.0.113.0/198.51.100.0/' "$DIR/good.yaml" >"$DIR/other.yaml"
	stanch apply "$DIR/good.yaml"
	for ms in 5 20 40 60 80 110 140 170 200 230 260; do
		"$STANCH" -q apply "$DIR/other.yaml" >/dev/null 2>&1 3>&- &
		victim=$!
		sleep "$(printf '0.%03d' "$ms")"
		kill -9 $victim 2>/dev/null || true
		wait $victim 2>/dev/null || true
		run -0 stanch verify
		a=$(stanch -j explain --src 203.0.113.1 | jq -r .verdict)
		b=$(stanch -j explain --src 198.51.100.1 | jq -r .verdict)
		[[ "$a $b" == "drop pass" || "$a $b" == "pass drop" ]]
		stanch -q apply "$DIR/good.yaml"
	done
	[ "$(find "$PINS" -name 'gen-*' | wc -l)" -le 4 ]
	[ "$(find "$STATE" -name '*.tmp*' | wc -l)" = 0 ]
}

@test "a place for pins that cannot be made is named, not called a missing instance" {
	ln -s "$DIR/nowhere/bpf" "$DIR/dangling"
	for place in "$DIR/dangling/bpf" /proc/stanch/bpf; do
		for words in "apply $DIR/good.yaml" "attach lo"; do
			# shellcheck disable=SC2086 # words are meant to split
			STANCH_BPF_DIR=$place run -1 --separate-stderr stanch $words
			echo "$words: $stderr"
			[[ $stderr == *"$place: no bpffs"* ]]
			[[ $stderr != *"there is no instance"* ]]
		done
	done
}
