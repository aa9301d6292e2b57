# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 3600
# F64: every write, sync and rename of an apply in turn goes wrong in every way. Afterwards the old
# or the new generation is live, whole; and after a restart the newest image that verifies.

load ../lib/e2e
load ../lib/shim
load ../lib/restart
load ../lib/outage

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	numbered_policies
	apply_all 1 2
	cp -a "$STATE" "$DIR/start"
}

teardown() {
	instance_remove
}

# As it was: 2 is live and kept, 1 before it.
begin() {
	restart
	rm -rf "$STATE"
	cp -a "$DIR/start" "$STATE"
	stanch -q restore >/dev/null
}

# one CALL K DEED - returns 1 when there is no such call any more.
one() {
	local code=0 live
	begin
	shim "$1" "$2" "$3" "$STANCH" -q apply --now "$DIR/p3.yaml" >"$DIR/out" 2>"$DIR/err" || code=$?
	live=$(live)
	chain || { echo "$*: the log is broken"; cat "$DIR/err"; exit 1; }
	[ "$code$live" = 03 ] || [ "$code$live" = 12 ] ||
		{ echo "$*: exit code $code, and $live is live"; cat "$DIR/err"; exit 1; }
	[ -z "$(nothing_published "$(snapshot)" "$(snapshot)")" ]
	# it is kept, or that it is not was said
	restart
	stanch -q restore >/dev/null 2>&1
	[ "$(live)" = "$live" ] || grep -q "after a restart" "$DIR/err" ||
		{ echo "$*: $live was live, after a restart $(live) is"; cat "$DIR/err"; exit 1; }
	judges "$(live)"
	WRONG=$((WRONG + (code != 0)))
}

live() { stanch -j explain --src 203.0.113.99 | jq -r .generation; }

# sweep CALL DEED...
sweep() {
	local call=$1 deed k calls
	shift
	begin
	calls=$(shim_count "$call:$STATE" "$STANCH" -q apply --now "$DIR/p3.yaml")
	[ "$calls" -ge 4 ]
	for deed in "$@"; do
		WRONG=0
		for k in $(seq "$calls"); do one "$call:$STATE" "$k" "$deed"; done
		echo "# seen F64 0 s: $call, $calls calls, $deed: $WRONG refused, none half done" >&3
	done
}

@test "F64: every write fails, is lost, or comes up short" {
	sweep write ENOSPC EIO LOSE SHORT
}

@test "F64: every sync fails" {
	sweep fsync EIO
}

@test "F64: every rename fails or is lost" {
	sweep rename EIO ENOSPC LOSE
}
