#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F62 at twenty of its points, well spread, and its control; f62_every_syscall.bats has all of them.
# test-timeout: 300

load f62

setup() { f62_setup; }
teardown() { instance_remove; }

@test "F62: killed at any of twenty stops, an apply leaves the old generation or the new one" {
	local i
	for i in $(seq 20); do
		kill_apply $((i * stops / 21))
	done
	f62_end
}

# key SLOT, info SLOT - as bpftool wants them.
key() { echo "key $1 0 0 0"; }
info() { bpftool -j map lookup pinned "$PINS/slot_info" key "$1" 0 0 0 | jq -r '.value | join(" ")'; }

# naive_apply FROM TO K - what FROM holds becomes live in two stores, and the kill comes at K.
naive_apply() {
	cat >"$DIR/naive" <<-END
		bpftool map update pinned $PINS/slot_info $(key "$2") value $(info "$1")
		bpftool map update pinned $PINS/slots $(key "$2") value pinned $PINS/gen-$1
	END
	timeout -k 5 60 "$B/tests/shim/kill_at" "$3" sh "$DIR/naive" >/dev/null 2>&1
}

# put_back SLOT - its own map, and what was said of it.
put_back() {
	# shellcheck disable=SC2046,SC2086 # words are meant to split
	bpftool map update pinned "$PINS/slot_info" $(key "$1") value $2
	bpftool map update pinned "$PINS/slots" key "$1" 0 0 0 value pinned "$PINS/gen-$1"
}

@test "F62 control: an apply of two stores is caught between them" {
	local low to from was before wanted caught=0 whole=0 k total
	low=$((16#$(word | tail -c 2)))
	to=$((low % 4)) from=$((low / 4 % 4))
	was=$(info "$to")
	before=$(live)
	wanted=$(stanch -j status | jq -r .last_known_good.digest)
	total=$(naive_apply "$from" "$to" --count; "$B/tests/shim/kill_at" --count sh "$DIR/naive" | tail -1)
	for k in $(seq $((total / 13)) $((total / 13)) "$total"); do
		put_back "$to" "$was"
		naive_apply "$from" "$to" "$k" || true
		if [ -n "$(judge "$before" "$wanted")" ]; then caught=$((caught + 1)); else whole=$((whole + 1)); fi
	done
	put_back "$to" "$was"
	echo "caught $caught times, $whole times nothing was seen"
	[ "$caught" -gt 0 ] && [ "$whole" -gt 0 ]
}
