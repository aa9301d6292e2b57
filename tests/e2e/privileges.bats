# SPDX-License-Identifier: GPL-2.0-or-later
# What may be done by whom: nothing by nobody, and no need to be root.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	chmod 0755 "$DIR"
	policy main <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
	chmod a+r "$DIR/main.yaml"
	install -m 0755 "$STANCH" "$DIR/stanch"
}

teardown() {
	[ -z "${GROUP_MADE:-}" ] || groupdel stanch
	instance_remove
	netns_remove
}

# nobody COMMAND... - as a user without any privilege
nobody() {
	setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all \
		--ambient-caps=-all --bounding-set=-all timeout 60 "$DIR/stanch" "$@"
}

# places_in FOLDER BPF - state and run below a folder, pins in another
places_in() { export STANCH_STATE_DIR=$1/state STANCH_RUN_DIR=$1/run STANCH_BPF_DIR=$2; }

# A user with three capabilities, none of them root's.
CAPS=-all,+bpf,+net_admin,+perfmon
OPERATOR=(setpriv --reuid nobody --regid nogroup --clear-groups
	"--inh-caps=$CAPS" "--ambient-caps=$CAPS" "--bounding-set=$CAPS")

operator() { "${OPERATOR[@]}" timeout 60 "$DIR/stanch" "$@"; }
operator_in_server() { in_server "${OPERATOR[@]}" timeout 60 "$DIR/stanch" "$@"; }

@test "without privileges everything that acts exits 4 and changes nothing" {
	stanch apply --now "$DIR/main.yaml"
	before=$(everything)
	records=$(audit length)
	for verb in "apply $DIR/main.yaml" "attach lo" "detach --all" rollback "rollback 1" verify \
		"explain --src 192.0.2.1" events selftest; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr nobody -j $verb
		echo "$verb: $status $stderr"
		[ "$status" = 4 ]
		[ "$(json .schema)" = stanch.error/1 ]
		[ -n "$stderr" ]
	done
	[ "$(everything)" = "$before" ]
	[ "$(audit length)" = "$records" ]
}

@test "without privileges, in folders of one's own, the kernel's refusal is exit 4" {
	install -d -o nobody -g nogroup "$DIR/own" "$DIR/own/state" "$DIR/own/run"
	places_in "$DIR/own" "$DIR/own/run/bpf"
	run -4 --separate-stderr nobody apply "$DIR/main.yaml"
	run -4 --separate-stderr nobody attach lo
	[ -n "$stderr" ]
	[ "$(jq -rs '[.[].result] | join(" ")' "$DIR/own/state/default/audit.jsonl")" = failed ]
}

@test "without a bpffs and without the right to mount one the message says so" {
	install -d -o nobody -g nogroup "$DIR/own" "$DIR/own/state" "$DIR/own/run" "$DIR/own/bpf"
	places_in "$DIR/own" "$DIR/own/bpf"
	run -4 --separate-stderr operator apply --now "$DIR/main.yaml"
	[[ $stderr == *bpffs* || $stderr == *mount* ]]
	[ -z "$(ls "$DIR/own/bpf")" ]
}

@test "three capabilities suffice once the bpffs is mounted" {
	skip_for "$(netns_reason)"
	netns_make
	install -d -o nobody -g nogroup "$DIR/own" "$DIR/own/state" "$DIR/own/run" "$DIR/run/bpf"
	mount -t bpf bpf "$DIR/run/bpf"
	chown nobody:nogroup "$DIR/run/bpf"
	places_in "$DIR/own" "$STANCH_BPF_DIR"
	sed -i "s/203.0.113.0\\/24/$BAD_V4/" "$DIR/main.yaml"
	run -0 operator_in_server attach eth0
	run -0 operator apply --now "$DIR/main.yaml"
	run ! answers "$BAD_V4"
	answers "$GOOD_V4"
	run -0 operator verify
	run -0 --separate-stderr operator -j explain --src "$BAD_V4"
	[ "$(json .verdict)" = drop ]
	run -0 operator selftest
	run -0 operator events --count 1 --timeout 5
	run -0 operator kill drop
	answers "$BAD_V4"
	run -0 operator unkill drop
	run -0 operator rollback
	answers "$BAD_V4"
	run -0 operator rollback 1
	run ! answers "$BAD_V4"
	run -0 operator_in_server detach eth0
	answers "$BAD_V4"
	run -0 operator detach --all --purge
}

# member COMMAND... - as a member of the group stanch without any privilege
member() {
	setpriv --reuid nobody --regid nogroup --groups "$(getent group stanch | cut -d: -f3)" \
		--inh-caps=-all --ambient-caps=-all --bounding-set=-all timeout 60 "$DIR/stanch" "$@"
}

# of_group GROUP - every folder of the instance
of_group() { chgrp -R "$1" "$STANCH_STATE_DIR" "$STANCH_BPF_DIR" 2>/dev/null || true; }

@test "members of the group observe; folders older than the group are found, and mended as advised" {
	command -v groupadd >/dev/null || skip "needs groupadd"
	stanch -q apply --now "$DIR/main.yaml"
	if ! getent group stanch >/dev/null; then
		groupadd --system stanch
		GROUP_MADE=yes
	fi
	of_group root
	run -4 member status
	run -1 --separate-stderr stanch -j doctor lo
	[ "$(json '[.checks[] | select(.subject == "group").grade] | unique | join(" ")')" = finding ]
	while read -r remedy; do
		eval "$remedy" 2>/dev/null || true # the kernel's own files in a bpffs stay as they are
	done < <(json '.checks[] | select(.subject == "group").remedy')
	sed -i s/203.0.113/198.51.100/ "$DIR/main.yaml"
	stanch -q apply --now "$DIR/main.yaml"
	for verb in status "stats --by list" "stats --by source" capacity history verify "events --timeout 0" mode; do
		# shellcheck disable=SC2086 # words are meant to split
		run -0 member $verb
	done
	run --separate-stderr stanch -j doctor lo
	[ "$(json '[.checks[] | select(.subject == "group").grade] | join(" ")')" = good ]
}
