#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages say what the tool does: every verb and option, and examples that work.

load ../lib/e2e.bash

setup() {
	instance_make
	PAGE=$ROOT/man/stanch.8.scd
}
teardown() { rm -rf "$DIR"; }

# verb_text VERB - what stanch(8) says about it: its line and everything indented below.
verb_text() {
	awk -v verb="*$1*" '
		$1 == verb && !/^\t/ { on = 1; print; next }
		/^[^\t]/ { on = 0 }
		on' "$PAGE"
}

@test "stanch(8) documents every verb and every option of its synopsis" {
	count=0
	while IFS=$'\t' read -r verb synopsis; do
		count=$((count + 1))
		text=$(verb_text "$verb")
		[ -n "$text" ] || { echo "stanch(8) does not document $verb"; return 1; }
		for option in $(grep -oE -- '(^|[^a-z-])--?[a-z][a-z-]*' <<<"$synopsis" | tr -d ' [|'); do
			grep -qF -- "*$option*" <<<"$text" ||
				{ echo "stanch(8) does not document $verb $option"; return 1; }
		done
	done < <(stanch -j help | jq -r '.verbs[] | .name + "\t" + (.synopsis | gsub("\n"; " "))')
	[ "$count" -ge 5 ]
}

@test "stanch(8) documents no verb that is not there" {
	verbs=$(stanch -j help | jq -r '.verbs[].name')
	documented=$(sed -n '/^# VERBS/,/^# EXIT/s/^\*\([a-z]*\)\*.*/\1/p' "$PAGE" | sort -u)
	[ -n "$documented" ]
	for verb in $documented; do
		grep -qx "$verb" <<<"$verbs" || { echo "there is no verb $verb"; return 1; }
	done
}

@test "stanch(8) documents no option that is not in a synopsis" {
	for verb in $(stanch -j help | jq -r '.verbs[].name'); do
		synopsis=$(stanch -j help "$verb" | jq -r '.verbs[0].synopsis')
		for option in $(verb_text "$verb" | grep -oE -- '\*--[a-z-]+\*' | tr -d '*' | sort -u); do
			[[ "$synopsis" == *"$option"* ]] || { echo "$verb has no $option"; return 1; }
		done
	done
}

@test "the policy of stanch-policy(5) is good" {
	mkdir "$DIR/lists"
	echo '{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}' >"$DIR/lists/googlebot.json"
	echo 198.51.100.0/24 >"$DIR/lists/abusers.netset"
	awk '/^```$/ { n++; next } n == 1' "$ROOT/man/stanch-policy.5.scd" | policy p
	run --separate-stderr stanch -j check "$DIR/p.yaml"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ "$(json .counts.lists)" = 4 ]
}

@test "the manual pages are well formed" {
	command -v scdoc >/dev/null || skip "needs scdoc"
	command -v mandoc >/dev/null || skip "needs mandoc"
	for page in "$ROOT"/man/*.scd; do
		scdoc <"$page" >"$DIR/page"
		# scdoc begins every paragraph with a macro, also where none is needed
		mandoc -Tlint -Wwarning <"$DIR/page" | grep -v "skipping paragraph macro" >"$DIR/lint" || true
		cat "$DIR/lint"
		[ ! -s "$DIR/lint" ]
	done
}
