# SPDX-License-Identifier: GPL-2.0-or-later
#
# stage - what the demos share: a town of their own with an instance of their own in it, removed
# again whatever happens, and sentences about it. Sourced with town.bash, from the root of the tree.
# shellcheck shell=bash disable=SC2034,SC2154 # shared with the caller and town.bash

STANCH=${STANCH:-$PWD/build/stanch}
TRAFFIC=${TRAFFIC:-$PWD/build/tools/traffic}
TURN=${TURN:-$PWD/build/tools/turn}
TOWN_TMP=

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

# Ours, in the server's namespace: where its interfaces are.
stanch() { in_server "$STANCH" "$@"; }

# shellcheck disable=SC2317  # by the traps
stage_clear() {
	trap '' INT TERM
	[ -n "$TOWN_TMP" ] || return
	stanch -q detach --all --purge >/dev/null 2>&1
	town_down >/dev/null 2>&1
	umount "$STANCH_BPF_DIR" 2>/dev/null
	rm -rf "$TOWN_TMP"
}

stage_set() { # NAME: of the caller, for messages
	if [ "$(id -u)" != 0 ]; then
		say "$1: needs root: it makes network namespaces and loads programs"
		exit 1
	fi
	trap stage_clear EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	TOWN_TMP=$(mktemp -d)
	export STANCH_STATE_DIR=$TOWN_TMP/state STANCH_RUN_DIR=$TOWN_TMP/run
	export STANCH_BPF_DIR=$TOWN_TMP/bpf
}
