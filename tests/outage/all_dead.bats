#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F41: every process of ours is dead, and worse. The kernel goes on filtering; the switches work
# within 100 ms with nothing but the pin of the control array left, and bpftool alone suffices.

load ../lib/e2e.bash
load ../lib/netns.bash

setup() {
	skip_for "$(kernel_reason)"
	skip_for "$(netns_reason)"
	instance_make
	netns_make
	policy bad <<-END
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [$BAD_V4]}
	END
	policy worse <<-END
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [$BAD_V4, $GOOD_V4]}
	END
	in_server "$STANCH" -q attach eth0 >/dev/null
	stanch -q apply --now "$DIR/bad.yaml" >/dev/null
}

teardown() {
	[ -n "${DIR:-}" ] || return 0
	instance_remove
	netns_remove
}

dropped() { ! answers "$1"; }

# filters / is_open - the bad source gets nothing, the good one its answer; both get theirs.
filters() { answers "$GOOD_V4" && dropped "$BAD_V4"; }
is_open() { answers "$GOOD_V4" && answers "$BAD_V4"; }

# milliseconds COMMAND... - into $took, of five times the quickest.
milliseconds() {
	local begin this

	took=999999
	for _ in 1 2 3 4 5; do
		begin=$(date +%s%N)
		"$@" >"$DIR/said" 2>&1 || { cat "$DIR/said"; return 1; }
		this=$((($(date +%s%N) - begin) / 1000000))
		[ "$this" -ge "$took" ] || took=$this
	done
}

# within_100ms ARGUMENT... - the tool does this, in 100 ms and what a busy machine needs to start it.
within_100ms() {
	local start

	milliseconds "$STANCH" version
	start=$took
	milliseconds "$STANCH" "$@"
	echo "$*: $took ms, of which $start to start"
	[ "$took" -le $((100 + start)) ]
}

# All that is not in the kernel is gone, and of the pins all but those named.
leave_only_pins() { # NAME...
	local pin name keep

	rm -rf "$STANCH_STATE_DIR"
	for pin in "$PINS"/*; do
		keep=
		for name in "$@"; do
			[[ ${pin##*/} != "$name" ]] || keep=yes
		done
		[ -n "$keep" ] || rm -rf "$pin"
	done
}

@test "killed processes leave a kernel that filters" {
	local observer applier

	# not through functions: the processes themselves are to be killed
	nsenter --net="/run/netns/$SERVER" "$STANCH" events >/dev/null 2>&1 3>&- &
	observer=$!
	nsenter --net="/run/netns/$SERVER" "$STANCH" -q apply --now "$DIR/worse.yaml" >/dev/null 2>&1 3>&- &
	applier=$!
	sleep 0.1
	[ "$(tr '\0' ' ' <"/proc/$observer/cmdline")" = "$STANCH events " ]
	kill -9 "$observer" "$applier"
	wait "$observer" "$applier" || true
	[ ! -e "/proc/$observer" ]
	dropped "$BAD_V4"
	stanch -q apply --now "$DIR/bad.yaml" >/dev/null
	filters
}

@test "kill and mode work within 100 ms when only the control array and the link are left" {
	local links

	links=$(cd "$PINS" && echo link*)
	# shellcheck disable=SC2086 # one word per pin
	leave_only_pins control mark* $links
	filters
	within_100ms -q kill drop
	is_open
	within_100ms -q unkill drop
	filters
	within_100ms -q mode bypass
	is_open
	within_100ms -q mode enforce
	filters
}

@test "rollback works within 100 ms without any state on disk" {
	stanch -q apply --now "$DIR/worse.yaml" >/dev/null
	dropped "$GOOD_V4"
	rm -rf "$STANCH_STATE_DIR"
	within_100ms -q rollback
	filters
}

@test "bpftool alone pulls the switch, and no swap puts it back" {
	bpftool map update pinned "$PINS/control" key 2 0 0 0 value 1 0 0 0 0 0 0 0
	is_open
	stanch -q apply --now "$DIR/worse.yaml" >/dev/null
	is_open
	bpftool map update pinned "$PINS/control" key 2 0 0 0 value 0 0 0 0 0 0 0 0
	dropped "$GOOD_V4"
}
