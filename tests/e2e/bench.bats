# SPDX-License-Identifier: GPL-2.0-or-later
# bench: every figure is there and none is judged; nothing is left over, and live state is only read.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	unshare --net --mount true 2>/dev/null || skip "namespaces cannot be made"
	instance_make
}

teardown() {
	[ -z "${BENCH:-}" ] || kill -9 "$BENCH" 2>/dev/null || true
	instance_remove
}

policy_with_lists() {
	policy main <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
}

# surroundings - what bench could leave behind on the host.
surroundings() {
	ip -o link | grep -c bench- || true
	ip netns list | grep -c bench || true
	grep -c 'bench\|/run/stanch' /proc/self/mounts || true
	find "$DIR" /run/stanch /var/lib/stanch 2>/dev/null | sort
}

# gone - no program of a bench that has ended is there any more.
gone() { ! bpftool prog list | grep -q ' name yard_'; }
loaded() { ! gone; }

# capable CAPABILITIES COMMAND... - as a user with these and no others.
capable() {
	local caps=-all,$1
	shift
	chmod 0755 "$DIR"
	install -m 0755 "$STANCH" "$DIR/stanch"
	setpriv --reuid nobody --regid nogroup --clear-groups "--inh-caps=$caps" \
		"--ambient-caps=$caps" "--bounding-set=$caps" timeout -k 5 120 "$DIR/stanch" "$@"
}

@test "a quick run has every figure, and leaves nothing" {
	before=$(surroundings)
	run -0 --separate-stderr stanch -j bench --quick --size 5000
	[ -z "$stderr" ]
	until_true gone
	[ "$(surroundings)" = "$before" ]
	[ "$(json .schema)" = stanch.bench/1 ]
	[ "$(json .quick)" = true ]
	[ "$(json .policy.from)" = built-in ]
	[ "$(json '.machine.kernel | test("^Linux [0-9]")')" = true ]
	[ "$(json '.machine.cap_perfmon')" = true ]
	[ "$(json '.machine.mitigations | length')" = 4 ]
	[ "$(json '.ns.rows | length')" = 9 ]
	[ "$(json '[.ns.rows[] | select(.ns.median > 0 and .ratio.median > 0)] | length')" = 9 ]
	[ "$(json '.ns.rows[] | select(.packet == "counting drop").ratio.median == 1')" = true ]
	[ "$(json '.ns.rounds >= 3')" = true ]
	[ "$(json '.pps.rows | length')" = 4 ]
	[ "$(json '[.pps.rows[] | select((.packets | tonumber) > 1000)] | length')" = 4 ]
	[ "$(json '[.pps.rows[].packets_per_second.median | select(type == "string")] | length')" = 4 ]
	[ "$(json '.times.swap.swaps')" = 50 ]
	[ "$(json '.times.swap | .first_packet_us.median > 0 and .store_ns.median > 0')" = true ]
	[ "$(json '[.times.apply[].prefixes] | join(" ")')" = "1000 5000" ]
	[ "$(json '[.times.apply[] | .ms[].median] | length')" = 10 ]
	[ "$(json '[.times.apply[] | select(.golden_packets > 10 and .total_ms.median > 0)] | length')" = 2 ]
}

@test "a table for people, with what explains it" {
	run -0 --separate-stderr stanch bench --quick
	[ -z "$stderr" ]
	[[ $output == *"a small policy built in"* ]]
	[[ $output == *"$(uname -r)"* ]]
	[[ $output == *CAP_PERFMON* ]]
	[ "$(grep -cE '^(empty program|counting drop|pass|drop by|SYN|VLAN|flag|IPv4 in)' <<<"$output")" = 9 ]
	[ "$(grep -cE '^(bare|stanch),? ' <<<"$output")" = 4 ]
	[ "$(grep -c '^swap, ' <<<"$output")" = 2 ]
	[ "$(grep -cE '^1000 ' <<<"$output")" = 1 ]
}

@test "each part alone" {
	for part in ns pps times; do
		run -0 --separate-stderr stanch -j bench --quick --only "$part"
		[ "$(json "[.ns, .pps, .times] | map(select(. != null)) | length")" = 1 ]
		[ "$(json ".$part == null")" = false ]
	done
}

@test "progress is for terminals" {
	command -v script >/dev/null || skip "needs script"
	run -0 script -qec "$STANCH bench --quick --only times" /dev/null
	[[ $output == *"times: swaps"* ]]
	run -0 script -qec "$STANCH -q bench --quick --only times" /dev/null
	[[ $output != *"times: swaps"* ]]
}

@test "what is live judges, and nothing of it changes" {
	policy_with_lists
	stanch -q apply --now "$DIR/main.yaml"
	before=$(everything)
	counters=$(bpftool -j map dump pinned "$PINS/counters" | sha256sum)
	hits=$(bpftool -j map dump pinned "$PINS/hits" | sha256sum)
	records=$(audit length)
	run -0 --separate-stderr stanch -j bench --quick
	[ "$(json '.policy | [.from, .generation, .mode, (.prefixes | tostring)] | join(" ")')" = \
		"live 1 enforce 1" ]
	[ "$(json '.ns.rows[] | select(.packet == "drop by list, IPv4").ns.median > 0')" = true ]
	[ "$(json '[.ns.rows[] | select(.ns == null).packet] | join(" / ")')" = \
		"drop by list, IPv6 / flag by list" ]
	[ "$(everything)" = "$before" ]
	[ "$(bpftool -j map dump pinned "$PINS/counters" | sha256sum)" = "$counters" ]
	[ "$(bpftool -j map dump pinned "$PINS/hits" | sha256sum)" = "$hits" ]
	[ "$(audit length)" = "$records" ]
}

@test "a policy that is given judges, and comes before what is live" {
	policy_with_lists
	stanch -q apply --now "$DIR/main.yaml"
	sed "s/203.0.113.0\\/24/'2001:db8:bad::\\/48', 10.0.0.0\\/8/" "$DIR/main.yaml" | policy other
	run -0 --separate-stderr stanch -j bench --quick --only ns --policy "$DIR/other.yaml"
	[ "$(json '.policy.from')" = file ]
	[ "$(json '.policy.generation')" = null ]
	[ "$(json '[.ns.rows[] | select(.ns == null).packet] | join(" / ")')" = "flag by list" ]
}

@test "what only monitors drops nothing, and its drops have no rate" {
	policy_with_lists
	sed -i s/enforce/monitor/ "$DIR/main.yaml"
	run -0 --separate-stderr stanch -j bench --quick --policy "$DIR/main.yaml"
	[ "$(json '.policy.mode')" = monitor ]
	[ "$(json '.ns.rows[] | select(.packet == "drop by list, IPv4").ns.median > 0')" = true ]
	[ "$(json '[.pps.rows[] | select(.packets_per_second == null).way] | join(" / ")')" = \
		"bare counting drop / stanch, drop by list" ]
}

@test "a policy that is refused is exit 3, and nothing is measured" {
	echo 'version: 1' | policy main
	echo 'lists: [{name: bad, action: drop, entries: [203.0.113.1/24]}]' >>"$DIR/main.yaml"
	run -3 --separate-stderr stanch -j bench --quick --policy "$DIR/main.yaml"
	[ "$(json .schema)" = stanch.error/1 ]
	[ "$(json '[.error.problems[].code] | length > 0')" = true ]
	run -3 stanch bench --policy "$DIR/none.yaml"
}

@test "wrong usage is exit 2" {
	for words in "--only pop" "--size 0" "--size 1000001" "--size x" "--only ns --size 5" more; do
		# shellcheck disable=SC2086 # words
		run -2 stanch bench $words
	done
}

@test "without a capability that it needs it names it, with exit 4" {
	run -4 --separate-stderr capable -all -j bench --quick
	[ "$(json .schema)" = stanch.error/1 ]
	[[ $(json .error.message) == *CAP_BPF* ]]
	run -4 --separate-stderr capable +bpf,+perfmon bench --quick
	[[ $stderr == *CAP_NET_ADMIN* ]]
	run -4 --separate-stderr capable +bpf,+net_admin,+perfmon bench --quick
	[[ $stderr == *CAP_SYS_ADMIN*"--only ns"* ]]
}

@test "nanoseconds need no more than attaching does" {
	run -0 --separate-stderr capable +bpf,+net_admin,+perfmon -j bench --quick --only ns
	[ "$(json '[.ns.rows[] | select(.ns.median > 0)] | length')" = 9 ]
}

# elsewhere - a thread of the bench is in a network namespace of its own.
elsewhere() {
	local task
	for task in "/proc/$BENCH/task"/*; do
		NETNS=$(readlink "$task/ns/net" 2>/dev/null) || continue
		[ "$NETNS" = "$(readlink /proc/self/ns/net)" ] || return 0
	done
	return 1
}

# inhabited - does any process have that namespace?
inhabited() { find /proc/[0-9]*/task/*/ns/net -lname "$NETNS" 2>/dev/null | grep -q .; }

# interrupted SIGNAL CODE WHEN PART - once that is so, and then nothing is left.
interrupted() {
	local before code
	before=$(surroundings)
	env --default-signal=INT "$STANCH" bench --only "$4" >"$DIR/out" 2>"$DIR/err" 3>&- &
	BENCH=$!
	rm "$DIR/out" "$DIR/err" # they would be left
	until_true "$3"
	kill "-$1" "$BENCH"
	code=0
	wait "$BENCH" || code=$?
	[ "$code" = "$2" ]
	BENCH=
	# a chain of programs is taken apart by the kernel when it finds the time
	until_true gone || until_true gone || until_true gone
	[ "$(surroundings)" = "$before" ]
}

@test "interrupted while it counts nanoseconds it leaves nothing" {
	interrupted INT 130 loaded ns
}

@test "interrupted, or killed, in its namespaces it leaves nothing" {
	interrupted INT 130 elsewhere pps
	run ! inhabited
	interrupted KILL 137 elsewhere times
	run ! inhabited
}
