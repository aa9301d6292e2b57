#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the guest (tools/vm), as root, on an empty machine with eth0 and eth1 on one wire: the
# programs load, judge the conformance table, and filter what really arrives. TAP on stdout.
cd "$(dirname "$0")" || exit
export PATH=$PWD:$PATH CMOCKA_MESSAGE_OUTPUT=TAP
# good is a neighbour, and the router to the others: a policy may not block neighbours
good=10.9.0.2 bad=198.51.100.66 grey=198.51.100.77 here=10.9.0.1
failed=0 n=0

ok() { # SENTENCE COMMAND...: one test
	local sentence=$1 said

	shift
	n=$((n + 1))
	if said=$("$@" 2>&1); then
		echo "ok $n - $sentence"
		return
	fi
	echo "not ok $n - $sentence"
	printf '%s\n' "$*" "$said" | sed 's/^/# /'
	failed=1
}

not() {
	! "$@"
}

says() { # PATTERN COMMAND...
	local pattern=$1 said

	shift
	said=$("$@" 2>&1)
	echo "$said"
	grep -Eq "$pattern" <<<"$said"
}

arrives() { # SOURCE: its echo requests are answered
	ip netns exec far busybox ping -c 3 -w 5 -I "$1" "$here"
}

apply() { # LISTS
	cat >policy.yaml <<-END
		version: 1
		mode: enforce
		mark: {mask: 0xff000000, value: 0x5b000000}
		lists: [$1]
	END
	stanch apply --now policy.yaml
}

wire() {
	ip netns add far
	ip link set eth1 netns far
	ip addr add $here/24 dev eth0
	ip link set eth0 up
	ip -n far link set eth1 up
	ip -n far addr add $good/24 dev eth1
	for address in $bad $grey; do
		ip -n far addr add "$address"/32 dev eth1
	done
	ip route add 198.51.100.0/24 via $good
	# Rule 0, the local table, comes last, so that a mark can decide before it.
	ip rule add pref 100 lookup local
	ip rule del pref 0
}

# As nftables or a routing rule of the operator's would see the mark.
marked_are_dropped() {
	ip rule add pref 50 fwmark 0x5b000000/0xff000000 blackhole
	sleep 1
	not arrives "$grey"
}

break_glass() { # with bpftool alone
	bpftool map update pinned /run/stanch/bpf/default/control \
		key 2 0 0 0 value 1 0 0 0 0 0 0 0
}

echo 1..15
wire
ok "this kernel judges the conformance table as it must" stanch selftest
ok "a packet arrives while nothing is attached" arrives $bad
ok "the program is attached to a virtio interface in native mode" stanch attach eth0
ok "it says that it is native" says '"native"' stanch -j status
ok "everything passes before there is a policy" arrives $bad
ok "a policy is applied" apply "{name: bad, action: drop, entries: [$bad/32]},
	{name: grey, action: flag, entries: [$grey/32]}"
ok "a good source still gets through" arrives $good
ok "a listed source does not" not arrives $bad
ok "every drop is counted" says '^drop +3$' stanch stats
ok "a flagged source gets through" arrives $grey
ok "and carries the mark" marked_are_dropped
ok "a policy that is wrong is refused" not apply "{name: bad, action: drop, entries: [300.1.2.3]}"
ok "bpftool alone stops all judging" break_glass
ok "then the listed source gets through" arrives $bad
ok "detaching leaves no program behind" eval "stanch detach eth0 && not says xdp ip link show eth0"

for program in test_*; do
	"./$program" || failed=1
done
exit $failed
