#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F08: the kernel refuses (E2BIG, ENOMEM, EPERM) a bpf call of an apply. Nothing is published, the
# old generation serves, the message says what happened, the exit code is the documented one,
# nothing is left over, and there is exactly one record. Here each call gets one of the three;
# f08_every_errno.bats has all of them.
# test-timeout: 900

load f08

@test "the kernel may refuse any call of an apply: the old generation serves, nothing is left" {
	refuse_over 2 E2BIG ENOMEM EPERM
	cat "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
	refused_enough 30
}

@test "the kernel may refuse any call that makes the instance: none is left, or a whole one" {
	refuse_first 2 4 ENOMEM EPERM E2BIG
	cat "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
	refused_enough 10
}

@test "control: a reload that first takes away what serves is caught" {
	local before
	serve_old
	before=$(snapshot)
	stanch -q detach --all --purge >/dev/null
	run shim bpf:MAP_CREATE 1+ ENOMEM "$STANCH" -q apply "$DIR/new.yaml"
	[ "$status" = 1 ]
	[ "$(nothing_published "$before" "$(snapshot)")" = "the instance is gone" ]
}

@test "control: a slot that is exchanged before the new one is proved is caught" {
	local before live
	serve_old
	before=$(snapshot)
	live=$(printf '%d' $((0x$(word) & 3)))
	bpftool map update pinned "$PINS/slots" key "$live" 0 0 0 value pinned "$PINS/gen-0"
	[ "$(nothing_published "$before" "$(snapshot)")" = "other maps serve" ]
	rm "$PINS/gen-0"
	[[ $(nothing_published "$before" "$(snapshot)") == *"slot 0: in use true, has a map true, is pinned false"* ]]
}
