# SPDX-License-Identifier: GPL-2.0-or-later
# selftest: this kernel judges as it must, and a damaged live slot is found.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	instance_make
}

teardown() {
	instance_remove
}

@test "the conformance table holds on this kernel without an instance" {
	run -0 --separate-stderr stanch -j selftest
	[ "$(json '.schema + " " + (.good | tostring)')" = "stanch.selftest/1 true" ]
	[ "$(json .packets)" -gt 200 ]
	[ "$(json .failed)" = 0 ]
	[ ! -e "$PINS" ]
}

@test "-v lists every packet, otherwise only what failed" {
	run -0 --separate-stderr stanch -v selftest
	[ "$(grep -c ^ok <<<"$output")" -gt 200 ]
	run -0 --separate-stderr stanch selftest
	[ "$(wc -l <<<"$output")" = 1 ]
}

@test "golden packets of what is live are run, too" {
	policy main <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
	run -0 --separate-stderr stanch -j selftest
	table=$(json .packets)
	stanch apply "$DIR/main.yaml"
	run -0 --separate-stderr stanch -j selftest
	[ "$(json .packets)" -gt "$table" ]
}

@test "a damaged live slot fails the self-test" {
	policy main <<-'END'
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [203.0.113.0/24]}]
	END
	stanch apply "$DIR/main.yaml"
	bpftool map delete pinned "$PINS/slots" key 1 0 0 0
	run -1 --separate-stderr stanch -j selftest
	[ "$(json .good)" = false ]
	[ "$(json .failed)" -gt 0 ]
	[[ $(json '.failures[0].message') == *slot_empty* ]]
}

@test "a program that judges otherwise fails the self-test" {
	cp -r "$ROOT/include" "$ROOT/bpf" "$ROOT/Makefile" "$DIR"
	sed -i 's/(TCP_SYN | TCP_FIN)) == (TCP_SYN | TCP_FIN)/(TCP_SYN | TCP_FIN)) == 0xff/' \
		"$DIR/include/stanch/packet.h"
	make -s -C "$DIR" B="$DIR/b" "$DIR/b/bpf/stanch.bpf.o"
	STANCH_OBJECT=$DIR/b/bpf/stanch.bpf.o run -1 --separate-stderr stanch selftest
	[[ $output == *FAIL*tcp_syn_fin* ]]
}
