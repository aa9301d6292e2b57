# SPDX-License-Identifier: GPL-2.0-or-later
# history: who did what, what the gates measured, what was repaired. observe.bats has the rest.

load ../lib/e2e
load ../lib/shim
load ../lib/restart

setup() {
	skip_for "$(kernel_reason)"
	instance_make
	numbered_policies
	policy wide <<-END
		version: 1
		mode: enforce
		lists: [{name: bad, action: drop, entries: [12.0.0.0/6]}]
	END
}

teardown() {
	instance_remove
}

@test "a gate that refused is shown with its value and its limit" {
	apply_all 1
	run -3 stanch apply --now --source feed "$DIR/wide.yaml"
	run -0 stanch history -n 1
	echo "$output"
	[[ $output == *"refused"*"wide.yaml"*"source feed"* ]]
	value=$(audit '.[-1].gates.coverage | .value + " of " + .limit')
	[[ $output == *"gate      coverage       refused  $value; "* ]]
	[ "$(grep -c ' gate ' <<<"$output")" = 1 ]
	# and the uid of who did it
	[[ $(sed -n 2p <<<"$output") =~ ^\ +2\ +2[0-9T:.-]+Z\ +$(id -u)\ +apply ]]
}

@test "with -v every gate that was judged, and what recent traffic said" {
	apply_all 1 2
	run -0 stanch -v history -n 1
	echo "$output"
	[ "$(grep -c ' gate  *[a-z_]*  *passed ' <<<"$output")" = "$(audit '.[-1].gates | length')" ]
	[[ $output == *"recent    of "*" packets that passed "* ]]
	run -0 stanch history -n 1
	[ "$(wc -l <<<"$output")" = 2 ]
}

@test "what was repaired and what restore skipped has lines of its own" {
	apply_all 1 2
	shim rename:/live 1 KILL "$STANCH" -q apply --now "$DIR/p3.yaml" || true
	stanch -q hold feed
	: >"$(image 2)"
	restart
	stanch -q restore
	run -0 stanch history
	echo "$output"
	[[ $output == *"skipped   live, generation 2: its image is damaged"* ]]
	[[ $output == *"repaired  generation 3 was staged and never kept"* ]]
	[[ $output == *"  hold "*"source feed"* ]]
	run -0 --separate-stderr stanch -j history
	[ "$(json '[.records[] | select(.event == "repair")][0].repaired | length')" -ge 1 ]
	run -0 stanch history --verify
}

@test "a log of another version is shown as far as it goes" {
	apply_all 1
	cp "$STATE/audit.jsonl" "$DIR/log"
	python3 - "$STATE/audit.jsonl" <<-'END'
		import hashlib, json, sys
		last = open(sys.argv[1], "rb").read().splitlines()[-1]
		record = {"seq": 2, "time": "2026-01-01T00:00:00.000Z", "uid": 0, "pid": 1,
		          "prev": hashlib.sha256(last).hexdigest(), "event": "future", "gates": [1],
		          "trial": "x", "traffic": 7, "repaired": {"a": 1}, "skipped": [3, {"why": 4}],
		          "source": {}, "problems": None}
		body = json.dumps(record, separators=(",", ":"))[:-1].encode()
		line = body + b',"hash":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
		open(sys.argv[1], "ab").write(line)
	END
	run -0 stanch history --verify
	run -0 stanch -v history
	[[ $output == *"  future "* ]]
}
