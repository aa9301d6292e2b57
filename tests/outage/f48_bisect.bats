# SPDX-License-Identifier: GPL-2.0-or-later
# F48: one harmful row among ten thousand, while packets flow. bisect names it in at most 14 rounds,
# enforces nothing and leaves everything that is live as it was.

load ../lib/e2e
load ../lib/netns
load ../lib/flows

setup() {
	outage_setup
}

teardown() {
	outage_teardown
}

# planted LINE - $DIR/wrong.yaml, its list of 10,000 rows with G's network at that line.
planted() {
	{ rows_of 1000 $((998 + $1)); echo "${FLOW_G%.*}.0/24"; rows_of $((999 + $1)) 10998; } \
		>"$DIR/feed.list"
	[ "$(wc -l <"$DIR/feed.list")" = 10000 ]
	policy wrong <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [$FLOW_P/32]}
		lists:
		  - {name: bad, action: drop, file: bad.list}
		  - {name: feed, action: drop, file: feed.list}
	END
}

bisected() {
	local line records
	records=$(audit length)
	for line in 1 5000 7321 10000; do
		planted "$line"
		run -0 --separate-stderr stanch -j bisect "$DIR/wrong.yaml"
		echo "$output"
		[ "$(json '.found[0] | .file + ":" + (.line | tostring) + " " + .list')" = \
			"feed.list:$line feed" ]
		[ "$(json '.found[0].rounds <= 14')" = true ]
		[ "$(json .remaining)" = 0 ]
	done
	[ "$(audit length)" = "$records" ]
}

@test "F48: one harmful row of ten thousand is named in at most 14 rounds, nothing is enforced" {
	good_policy
	row F48 bisected
}

# sampled - enough to say that a policy does no harm
sampled() { stanch -j bisect "$DIR/wrong.yaml" | jq -e '.samples | tonumber > 300'; }

@test "F48, control: without the planted row nothing is found" {
	good_policy
	flows_start
	planted 5000
	sed -i 5000d "$DIR/feed.list"
	until_true sampled
	run -0 --separate-stderr stanch -j bisect "$DIR/wrong.yaml"
	flows_stop
	echo "$output"
	[ "$(json .verdict)" = good ]
	[ "$(json '.found | length')" = 0 ]
}
