# SPDX-License-Identifier: GPL-2.0-or-later
# e2e.bash - what every end-to-end test needs: the tool, and an instance of its own in a folder of
# its own, of which nothing is left afterwards.

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$ROOT/$B ;; esac
STANCH=$B/stanch
bats_require_minimum_version 1.5.0

# stanch - the tool; a command that hangs fails.
stanch() { timeout -k 5 120 "$STANCH" "$@"; }

# instance_make - $DIR with state, lock and pins of an instance that no other test sees.
instance_make() {
	DIR=$(mktemp -d "${TMPDIR:-/tmp}/stanch-e2e.XXXXXX")
	export STANCH_STATE_DIR=$DIR/state STANCH_RUN_DIR=$DIR/run STANCH_BPF_DIR=$DIR/run/bpf
	STATE=$STANCH_STATE_DIR/default
	PINS=$STANCH_BPF_DIR/default
	mkdir "$DIR/run"
}

instance_remove() {
	[ -n "${DIR:-}" ] || return 0
	stanch -q detach --all --purge >/dev/null 2>&1 || true
	if mountpoint -q "$STANCH_BPF_DIR"; then
		umount "$STANCH_BPF_DIR"
	fi
	rm -rf "$DIR"
}

# kernel_reason - why programs cannot be loaded here; nothing when they can.
kernel_reason() {
	[ "$(id -u)" = 0 ] || { echo "needs root"; return; }
	command -v bpftool >/dev/null || { echo "needs bpftool"; return; }
	bpftool map list >/dev/null 2>&1 || echo "bpf(2) is not permitted here"
}

# skip_for REASON - skip the test when there is a reason.
skip_for() { [ -z "$1" ] || skip "$1"; }

# until_true COMMAND... - waits for it, at most 20 seconds.
until_true() {
	local try
	for try in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "still not after $try tries: $*" >&2
	return 1
}

# json FILTER - of the document or the lines that the last `run` printed on stdout.
# shellcheck disable=SC2154 # bats sets it
json() { jq -r "$1" <<<"$output"; }

# policy NAME - write stdin as $DIR/NAME.yaml.
policy() { cat >"$DIR/$1.yaml"; }

# audit FILTER - over the list of all records of the audit log.
audit() { jq -rs "$1" "$STATE/audit.jsonl"; }

# word - the control word as the kernel holds it, in hexadecimal.
word() {
	bpftool -j map lookup pinned "$PINS/control" key 0 0 0 0 |
		jq -r '.value | reverse | map(ltrimstr("0x")) | join("")'
}

# live_word - word() without the epoch: what judges, and how.
live_word() { word | cut -c5-; }

# lease_over - what is live becomes provisional on a lease that was over at boot; the rest of the
# word stays.
lease_over() {
	local low rest
	low=$(bpftool -j map lookup pinned "$PINS/control" key 0 0 0 0 | jq -r '.value[0]')
	rest=$(bpftool -j map lookup pinned "$PINS/control" key 0 0 0 0 | jq -r '.value[1:][]' | tr '\n' ' ')
	# shellcheck disable=SC2086 # bytes are meant to split
	bpftool map update pinned "$PINS/control" key 0 0 0 0 value $((low | 0x40)) $rest
}

# everything - what an instance consists of, to be compared before and after something that must
# change nothing: the word, every slot, the pins, every file of the state but the audit log.
everything() {
	word
	bpftool -j map dump pinned "$PINS/slot_info" | jq -cS .
	(cd "$PINS" && find . | sort)
	(cd "$STATE" && find . -type f ! -name audit.jsonl -exec sha256sum {} + | sort)
}
