#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F08, all of it: every bpf call of an apply refused with every errno. What must hold is said in
# f08_kernel_refuses.bats.
# test-slow test-timeout: 7200

load f08

refuse_all_with() {
	refuse_over 30 "$1"
	cat "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
	refuse_first 30 1 "$1"
	cat "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
}

@test "E2BIG at any bpf call of an apply: the old generation serves, nothing is left" {
	refuse_all_with E2BIG
}

@test "ENOMEM at any bpf call of an apply: the old generation serves, nothing is left" {
	refuse_all_with ENOMEM
}

@test "EPERM at any bpf call of an apply: the old generation serves, nothing is left" {
	refuse_all_with EPERM
}
