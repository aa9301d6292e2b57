#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# People browse while policies take turns and a broken one is refused. The policies drop different
# live bad flows, so that a packet let in by the wrong one would show.
# test-timeout: 180

load ../lib/e2e.bash
load ../lib/town.bash
load ../lib/turns.bash

export TRAFFIC=$B/tools/traffic TURN=$B/tools/turn

stanch() { in_server timeout -k 5 60 "$STANCH" "$@"; }

setup() {
	local tool

	skip_for "$(kernel_reason)"
	for tool in nginx wrk nft jq; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
	instance_make
	export TOWN=sw$$ TOWN_TMP=$DIR
	town_up
	turns_policies 'version: 1
mode: enforce
lists:
  - {name: others, action: drop, entries: [198.18.0.0/16]}'
	sed 's|198.18.0.0/16|&, &|' "$DIR/x.yaml" >"$DIR/doubled.yaml"
}

teardown() {
	[ -n "${DIR:-}" ] || return 0
	stanch -q detach --all --purge >/dev/null 2>&1 || true
	town_down
	instance_remove
}

wrk_start() { # SECONDS
	town_start people timeout -k 1 $(($1 + 10)) wrk -t1 -c8 "-d${1}s" --timeout 2s \
		"http://$TOWN_SERVER/" >"$DIR/wrk" 2>&1
}

@test "people lose no request and bad flows gain no packet while policies take turns" {
	[ "$(town_get people "$TOWN_SERVER")" = 200 ]
	stanch -q attach "$TOWN-p" "$TOWN-b"
	turns_begin
	wrk_start 9
	turns_take 3
	turns_swap 5
	wait "${town_jobs[-1]}"
	turns_end
	echo "$turns_done turns, $(town_wrk_done "$DIR/wrk") requests"
	[ "$turns_done" -ge 2 ]
	[ "$(town_wrk_failed "$DIR/wrk")" = 0 ]
	[ "$(town_wrk_done "$DIR/wrk")" -ge 100 ]
	for flow in x y; do
		turns_sum "$flow"
		echo "$flow: $turns_dropped dropped, $turns_leaked leaked, $turns_lost lost"
		[ "$turns_dropped" -gt 100 ]
		[ "$turns_leaked" = 0 ]
		[ "$turns_lost" = 0 ]
	done
}

@test "people lose no request while broken policies are refused" {
	local before

	stanch -q attach "$TOWN-p" "$TOWN-b"
	apply x drop-x
	before=$(stanch -j status | jq -c '.live')
	wrk_start 3
	for _ in 1 2 3 4 5; do
		run stanch apply --now "$DIR/doubled.yaml"
		[ "$status" -eq 3 ]
	done
	wait "${town_jobs[-1]}"
	[ "$(town_wrk_failed "$DIR/wrk")" = 0 ]
	[ "$(stanch -j status | jq -c '.live')" = "$before" ]
}
