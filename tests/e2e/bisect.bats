# SPDX-License-Identifier: GPL-2.0-or-later
# bisect: the row of a policy that would drop what passes, by packets that really came. Nothing that
# is live changes.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(live_reason)"
	instance_make
	netns_make
	policy live <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [203.0.113.0/24]}
	END
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/live.yaml"
}

teardown() {
	instance_remove
	netns_remove
}

# packets_come - 4,000 UDP packets of forty good sources, and as many of a bad one.
packets_come() {
	local mac
	mac=$(ip -n "$SERVER" -j link show eth0 | jq -r '.[0].address')
	in_client "$B/tools/traffic" send --dev eth0 --dst-mac "$mac" --rate 4000 --count 8000 \
		--dst "$SERVER_V4" --dport 443 --flow G:src=198.51.100.0/29 --flow "B:src=$BAD_V4" \
		>/dev/null
}

# rows FROM TO - prefixes of nobody here
rows() { seq "$1" "$2" | awk '{ printf "10.%d.%d.0/24\n", $1 / 256, $1 % 256 }'; }

# wrong_policy - one row in three hundred is harmful: line 171 of its file.
wrong_policy() {
	{ rows 1 170; echo 198.51.100.4/31; rows 171 300; } >"$DIR/feed.list"
	policy wrong <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [203.0.113.0/24]}
		  - {name: feed, action: drop, file: feed.list}
	END
}

@test "without recent traffic there is nothing to judge by, and the exit code is 1" {
	wrong_policy
	stanch -q --instance idle apply --now "$DIR/live.yaml"
	run -1 --separate-stderr stanch --instance idle bisect "$DIR/wrong.yaml"
	[[ "$stderr" == *"no recent traffic"* ]]
	[ -z "$output" ]
}

@test "the harmful row is named with file, line, list and share, and nothing live changes" {
	wrong_policy
	packets_come
	before=$(live_word; stanch -j verify; audit length; ls "$PINS")
	run -0 --separate-stderr stanch bisect "$DIR/wrong.yaml"
	echo "$output"
	[[ "${lines[1]}" == "feed.list:171: 198.51.100.4/31 of list \`feed\` newly drops "*" rounds; "* ]]
	[[ "$output" == *"without it, rows newly drop 0.00 %"* ]]
	[ "$before" = "$(live_word; stanch -j verify; audit length; ls "$PINS")" ]
}

@test "as JSON: rounds, share, and what the kernel says to the same packets" {
	wrong_policy
	packets_come
	run -0 --separate-stderr stanch -j bisect "$DIR/wrong.yaml"
	echo "$output"
	[ "$(json '.schema + " " + .verdict')" = "stanch.bisect/1 harm" ]
	[ "$(json '.rows')" = 302 ]
	[ "$(json '.found | length')" = 1 ]
	[ "$(json '.found[0] | .list + " " + .prefix')" = "feed 198.51.100.4/31" ]
	[ "$(json '.found[0].rounds <= 9')" = true ]
	[ "$(json '.found[0] | .percent > 15 and .percent < 35')" = true ]
	[ "$(json '.found[0] | .kernel_asked > 100 and .kernel_asked == .kernel_drops')" = true ]
	[ "$(json '.remaining')" = 0 ]
}

@test "several harmful rows come one after the other when asked for" {
	wrong_policy
	echo 198.51.100.1 >>"$DIR/feed.list"
	packets_come
	run -0 --separate-stderr stanch -j bisect "$DIR/wrong.yaml"
	[ "$(json '.found | length')" = 1 ]
	[ "$(json '.remaining | tonumber > 0')" = true ]
	run -0 --separate-stderr stanch -j bisect --rows 9 "$DIR/wrong.yaml"
	[ "$(json '[.found[].prefix] | sort | join(" ")')" = "198.51.100.1/32 198.51.100.4/31" ]
	[ "$(json '.remaining')" = 0 ]
}

@test "a policy that drops nobody who passes is harmless, exit code 0" {
	rows 1 300 >"$DIR/feed.list"
	policy fine <<-'END'
		version: 1
		mode: enforce
		lists:
		  - {name: bad, action: drop, entries: [203.0.113.0/24]}
		  - {name: feed, action: drop, file: feed.list}
	END
	packets_come
	run -0 --separate-stderr stanch bisect "$DIR/fine.yaml"
	[[ "$output" == *"no row is harmful"* ]]
	run -0 --separate-stderr stanch -j bisect "$DIR/fine.yaml"
	[ "$(json '.verdict + " " + (.found | length | tostring)')" = "good 0" ]
}

@test "images, broken policies, missing files and wrong usage are refused" {
	wrong_policy
	packets_come
	stanch -q compile "$DIR/wrong.yaml" -o "$DIR/wrong.img"
	run -3 --separate-stderr stanch bisect "$DIR/wrong.img"
	[[ "$stderr" == *"an image has no rows to name"* ]]
	echo 10.0.1.0/24 >>"$DIR/feed.list"
	run -3 --separate-stderr stanch bisect "$DIR/wrong.yaml"
	[[ "$stderr" == *"feed.list:302"* ]]
	run -3 stanch bisect "$DIR/none.yaml"
	run -2 stanch bisect
	run -2 stanch bisect --rows 0 "$DIR/wrong.yaml"
	run -2 stanch bisect --rows many "$DIR/wrong.yaml"
	run -5 stanch --instance other bisect "$DIR/wrong.yaml"
}
