# SPDX-License-Identifier: GPL-2.0-or-later
# verify: what the kernel judges by against what was staged and stored.

load ../lib/e2e

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	for n in 1 2; do
		policy "p$n" <<-END
			version: 1
			mode: enforce
			lists: [{name: bad, action: drop, entries: [203.0.113.$n]}]
		END
		stanch -q apply "$DIR/p$n.yaml"
	done
}

teardown() {
	instance_remove
}

@test "a healthy instance verifies, live and last-known-good" {
	run -0 --separate-stderr stanch -j verify
	[ "$(json '.schema + " " + (.good | tostring)')" = "stanch.verify/1 true" ]
	[ "$(json '[.generations[] | .role + " " + .generation + " " + .kernel + " " + .file] | join(",")')" = \
		"live 2 ok ok,last-known-good 1 ok ok" ]
}

@test "the live generation cannot be edited, and still verifies" {
	run ! bpftool map update pinned "$PINS/gen-2" key 9 0 0 0 value hex \
		00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
		00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	[[ $output == *"not permitted"* ]]
	run -0 stanch verify
}

@test "a slot that holds something else is a mismatch" {
	bpftool map update pinned "$PINS/slots" key 2 0 0 0 value pinned "$PINS/gen-0"
	run -1 --separate-stderr stanch -j verify
	[ "$(json .good)" = false ]
	[ "$(json '.generations[0] | .role + " " + .kernel')" = "live damaged" ]
}

@test "a slot that is empty is a mismatch" {
	bpftool map delete pinned "$PINS/slots" key 1 0 0 0
	run -1 --separate-stderr stanch -j verify
	[ "$(json '.generations[1] | .role + " " + .kernel')" = "last-known-good damaged" ]
}

@test "a stored file that is damaged or gone is a mismatch" {
	image=$STATE/images/$(audit '.[1].digest').img
	chmod u+w "$image"
	printf '\377' | dd of="$image" bs=1 seek=600 conv=notrunc status=none
	run -1 --separate-stderr stanch -j verify
	[ "$(json '.generations[0].file')" = damaged ]
	rm "$image"
	run -1 --separate-stderr stanch -j verify
	[ "$(json '.generations[0].file')" = missing ]
	[ "$(json '.generations[0].kernel')" = ok ]
}

@test "the factory generation needs no file" {
	stanch detach --all --purge
	rm -r "$STATE"
	stanch -q apply "$DIR/p1.yaml"
	run -0 --separate-stderr stanch -j verify
	[ "$(json '.generations[1] | .generation + " " + .file')" = "0 none" ]
}

@test "verifying without an instance exits 5" {
	stanch detach --all --purge
	run -5 stanch verify
}
