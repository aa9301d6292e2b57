# SPDX-License-Identifier: GPL-2.0-or-later
# explain: what happens to a packet like this, and why.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	policy main <<-'END'
		version: 1
		mode: enforce
		protect: {prefixes: [192.0.2.200], ports: [22]}
		lists:
		  - {name: crawlers, action: allow, entries: [203.0.113.8]}
		  - {name: abusers, action: drop, entries: [203.0.113.0/24, "2001:db8:bad::/48"]}
		  - {name: grey, action: flag, entries: [192.0.2.66]}
		  - {name: elsewhere, action: drop, match: destination, entries: [198.51.100.0/24]}
	END
}

teardown() {
	instance_remove
}

# says EXPECTED OPTION... - "verdict reason detail generation" of a packet
says() {
	local expected=$1
	shift
	run -0 --separate-stderr stanch -j explain "$@"
	[ "$(json '[.verdict, .reason, .detail // "-", .generation // "-"] | join(" ")')" = "$expected" ]
}

@test "every verdict comes with reason, list and generation" {
	stanch apply "$DIR/main.yaml"
	says "drop list_drop abusers 1" --src 203.0.113.9
	says "drop list_drop abusers 1" --src 2001:db8:bad::1 --proto udp
	says "pass list_allow crawlers 1" --src 203.0.113.8
	says "flag list_flag grey 1" --src 192.0.2.66
	says "drop list_drop elsewhere 1" --src 192.0.2.7 --dst 198.51.100.3
	says "pass protect_prefix protect 1" --src 192.0.2.200
	says "pass protect_port - 1" --src 203.0.113.9 --dport 22
	says "pass no_match - 1" --src 192.0.2.7
}

@test "the packet is the one that was described" {
	stanch apply "$DIR/main.yaml"
	run -0 --separate-stderr stanch -j explain --src 192.0.2.7 --dst 192.0.2.8 --proto udp \
		--sport 1234 --dport 53 --vlan 7
	[ "$(json '.packet | [.src, .dst, .proto, .sport, .dport] | join(" ")')" = \
		"192.0.2.7 192.0.2.8 udp 1234 53" ]
	run -0 --separate-stderr stanch explain --src 192.0.2.7 --proto icmp
	[[ $output == *"192.0.2.7 -> 192.0.2.1 icmp"* ]]
	run -0 --separate-stderr stanch explain --src 2001:db8::7 --proto icmp
	[[ $output == *"2001:db8::7 -> 2001:db8::1 icmpv6"* ]]
}

@test "TCP flags are read from letters" {
	stanch apply "$DIR/main.yaml"
	says "drop tcp_syn_fin - 1" --src 192.0.2.7 --flags SF
	says "drop tcp_xmas - 1" --src 192.0.2.7 --flags FPU
	says "drop tcp_null - 1" --src 192.0.2.7 --flags ""
	says "pass no_match - 1" --src 192.0.2.7 --flags SA
	run -2 stanch explain --src 192.0.2.7 --flags SX
}

@test "the help of a reason is said" {
	stanch apply "$DIR/main.yaml"
	run -0 --separate-stderr stanch explain --src 203.0.113.9
	[[ $output == *"list_drop: on a drop list"* ]]
	[[ $output == *abusers* ]]
}

@test "what is not enforced is said to pass" {
	stanch apply "$DIR/main.yaml"
	sed 's/enforce/monitor/' "$DIR/main.yaml" >"$DIR/monitor.yaml"
	stanch apply "$DIR/monitor.yaml"
	run -0 --separate-stderr stanch -j explain --src 203.0.113.9
	[ "$(json '[.verdict, .enforced] | map(tostring) | join(" ")')" = "drop false" ]
	run -0 --separate-stderr stanch explain --src 203.0.113.9
	[[ $output == *"not enforced"* ]]
}

@test "another generation and a policy that never was live can be asked" {
	stanch apply "$DIR/main.yaml"
	policy open <<-'END'
		version: 1
		mode: enforce
	END
	stanch apply "$DIR/open.yaml"
	says "pass no_match - 2" --src 203.0.113.9
	says "drop list_drop abusers 1" --src 203.0.113.9 --generation 1
	says "pass no_match - 0" --src 203.0.113.9 --generation 0
	says "drop list_drop abusers -" --src 203.0.113.9 --policy "$DIR/main.yaml"
	run -5 stanch explain --src 203.0.113.9 --generation 77
	run -2 stanch explain --src 203.0.113.9 --generation 1 --policy "$DIR/main.yaml"
}

@test "a generation that has no slot any more is read from the store" {
	stanch apply "$DIR/main.yaml"
	for n in 1 2 3 4; do
		policy "p$n" <<-END
			version: 1
			mode: enforce
			lists: [{name: bad, action: drop, entries: [198.51.100.$n]}]
		END
		stanch -q apply "$DIR/p$n.yaml"
	done
	says "drop list_drop abusers 1" --src 203.0.113.9 --generation 1
	stanch detach --all --purge
	says "drop list_drop abusers 1" --src 203.0.113.9 --generation 1
}

@test "live state is not touched" {
	stanch apply "$DIR/main.yaml"
	before=$(everything; bpftool -j map dump pinned "$PINS/counters" | sha256sum)
	for _ in 1 2 3; do
		stanch explain --src 203.0.113.9
	done
	[ "$(everything; bpftool -j map dump pinned "$PINS/counters" | sha256sum)" = "$before" ]
}

@test "what cannot be a packet is a usage error" {
	stanch apply "$DIR/main.yaml"
	run -2 stanch explain
	run -2 stanch explain --src 300.1.1.1
	run -2 stanch explain --src 192.0.2.0/24
	run -2 stanch explain --src 192.0.2.1 --dst 2001:db8::1
	run -2 stanch explain --src 192.0.2.1 --dport 70000
	run -2 stanch explain --src 192.0.2.1 --proto pigeon
	run -2 stanch explain --src 192.0.2.1 --proto 256
	run -2 stanch explain --src 192.0.2.1 --vlan 4095
}

@test "nothing is live without an instance, but a policy can be asked" {
	run -5 stanch explain --src 192.0.2.1
	says "drop list_drop abusers -" --src 203.0.113.9 --policy "$DIR/main.yaml"
	[ ! -e "$PINS" ]
}
