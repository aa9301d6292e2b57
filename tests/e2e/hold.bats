# SPDX-License-Identifier: GPL-2.0-or-later
# hold and release: an unattended source that did harm, or that an operator does not want now.

load ../lib/e2e
load ../lib/restart

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	numbered_policies
	policy broken <<<"version: 7"
}

teardown() {
	instance_remove
}

from_feed() { stanch -q apply --now --source feed "$DIR/$1.yaml"; }

@test "a source on hold changes nothing until it is released" {
	from_feed p1
	run -0 stanch hold feed
	[ "$output" = "source feed on hold" ]
	before=$(everything)
	run -3 --separate-stderr from_feed p2
	[[ $stderr == *"hold"* ]]
	[ "$(everything)" = "$before" ]
	# another one, and an operator, are free
	stanch -q apply --now --source other "$DIR/p2.yaml"
	stanch -q apply --now "$DIR/p1.yaml"
	run -0 stanch release feed
	[ "$output" = "source feed is released" ]
	from_feed p2
	judges 2
}

@test "two refused policies of a source put it on hold, and a release forgets both" {
	run -3 from_feed broken
	run -3 from_feed broken
	run -3 --separate-stderr from_feed p1
	[[ $stderr == *"hold"* ]]
	stanch -q release feed
	run -3 from_feed broken
	from_feed p1
	judges 1
}

@test "undoing what is not there exits 0, doing it twice too, and only changes are recorded" {
	run -0 --separate-stderr stanch -j release feed
	[ "$(json '.schema + " " + .result + " " + (.held | tostring)')" = \
		"stanch.release/1 unchanged false" ]
	stanch -q hold feed
	run -0 --separate-stderr stanch -j hold feed
	[ "$(json '.schema + " " + .result + " " + .source + " " + (.held | tostring)')" = \
		"stanch.hold/1 unchanged feed true" ]
	stanch -q release feed
	run -0 stanch release feed
	[ "$output" = "source feed was not on hold" ]
	[ "$(audit 'map(.event + " " + .result + " " + .source) | join(", ")')" = \
		"hold applied feed, release applied feed" ]
}

@test "a name that is none is a usage error, and so is no name" {
	for verb in hold release; do
		run -2 stanch "$verb"
		run -2 stanch "$verb" a b
		for name in "" "a b" Feed ../x "$(printf 'x%.0s' $(seq 65))"; do
			run -2 --separate-stderr stanch "$verb" "$name"
		done
	done
	[ ! -e "$STATE/sources.json" ]
}

@test "a hold outlives a restart of the machine" {
	from_feed p1
	stanch -q hold feed
	restart
	stanch -q restore
	run -3 from_feed p2
	judges 1
}

@test "nobody may hold without the permission to write" {
	stanch -q hold feed
	chmod 0755 "$DIR" "$DIR/run"
	install -m 0755 "$STANCH" "$DIR/stanch"
	run -4 setpriv --reuid nobody --regid nogroup --clear-groups "$DIR/stanch" release feed
	run -0 stanch -j hold feed
	[ "$(json .result)" = unchanged ]
}
