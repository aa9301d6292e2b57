# SPDX-License-Identifier: GPL-2.0-or-later
# test-slow, test-timeout: 1200
# What the gates refuse (F03 F04 F06 F19b F31 F81), while packets flow, and what forcing them means.
# Every gate stands by its name in a title: tools/mutants deletes one and expects those to go red.

load ../lib/e2e
load ../lib/netns
load ../lib/flows
load ../lib/trial

setup() {
	outage_setup
}

teardown() {
	[ -z "${APPLY:-}" ] || kill -TERM "$APPLY" 2>/dev/null || true
	outage_teardown
}

# sized N - $DIR/sized.yaml: the good policy with N rows in its list.
sized() {
	sed 's/bad\.list/sized.list/' "$DIR/good.yaml" >"$DIR/sized.yaml"
	{ cat "$DIR/bad.list"; rows_of 99 "$(($1 > 100 ? $1 - 2 : 99))"; } | head -n "$1" \
		>"$DIR/sized.list"
}

# dropping ENTRY... - $DIR/dropping.yaml: the good policy and a second drop list.
dropping() {
	sed "s|file: bad\.list}|&, {name: second, action: drop, entries: [$(IFS=,; echo "$*")]}|" \
		"$DIR/good.yaml" >"$DIR/dropping.yaml"
}

# gate NAME FILTER - what the last attempt recorded of a gate.
gate() { audit "[.[] | select(.gates)] | .[-1].gates.$1$2"; }

# refused_by GATE POLICY TEXT... - by this gate alone.
refused_by() {
	local name=$1
	shift
	refused "$@"
	[ "$(audit '.[-1].problems | join(" ")')" = "gate_$name" ]
	[ "$(gate "$name" .refused)" = true ]
	# another gate's being forced does not help
	run -3 stanch -q apply --now --force "$([ "$name" = host ] && echo growth || echo host)" "$1"
}

grown() {
	local rows
	for rows in 151 160 300 1000; do
		sized "$rows"
		refused_by growth "$DIR/sized.yaml" "from 100 to $rows rows" "x1.50"
		[ "$(gate growth ' | .value + " of " + .limit')" = "$((rows * 10)) of 1500" ]
	done
}

@test "F03: a table that grows 1.6x, 3x, 10x is refused by the gate growth" {
	good_policy
	row F03 grown
	# control: what grows to the limit is not, nor is more of it when that is forced
	sized 150
	run -0 stanch -q apply --now "$DIR/sized.yaml"
	sized 1000
	apply_confirmed --force growth "$DIR/sized.yaml"
	[ "$(gate growth .forced)" = true ]
	[ "$(stanch -j status | jq -r .live.digest)" = "$(audit '[.[] | select(.digest)] | .[-1].digest')" ]
}

shrunk() {
	local rows
	for rows in 49 40 2; do
		sized "$rows"
		refused_by shrinkage "$DIR/sized.yaml" "from 100 to $rows rows" "x0.50"
	done
	# as when a list is renamed
	sed 's/name: bad/name: worse/' "$DIR/good.yaml" >"$DIR/renamed.yaml"
	refused_by shrinkage "$DIR/renamed.yaml" "list \`bad\`" "from 100 to 0 rows"
}

@test "F04: a table that shrinks to 40 % is refused by the gate shrinkage" {
	good_policy
	row F04 shrunk
	# control: what shrinks to half is not, nor is less of it when that is forced
	sized 50
	run -0 stanch -q apply --now "$DIR/sized.yaml"
	stanch -q rollback
	sized 2
	apply_confirmed --force shrinkage "$DIR/sized.yaml"
}

# cut FILE - at every 4 KiB boundary, as $DIR/cut, and handed to the command that follows.
each_cut() {
	local file=$1 size at
	shift
	size=$(stat -c %s "$file")
	for ((at = 0; at < size; at += 4096)); do
		head -c "$at" "$file" >"$DIR/cut"
		"$@" "$at" "$size" || { echo "cut at $at of $size"; return 1; }
	done
}

image_is_refused() {
	run -3 stanch -q apply --now "$DIR/cut"
}

# Rows say nothing of how many there should be: less than half of them is what can be known.
list_is_refused() {
	[ "$1" -lt $(($2 / 2)) ] || return 0
	cp "$DIR/cut" "$DIR/sized.list"
	run -3 stanch -q apply --now "$DIR/sized.yaml"
}

cut_short() {
	each_cut "$DIR/whole.img" image_is_refused
	each_cut "$DIR/whole.list" list_is_refused
}

@test "F04: an image that is cut short anywhere is refused, and a list in its first half" {
	good_policy
	sized 1
	{
		echo "$FLOW_B"
		echo "$FLOW_P"
		awk 'BEGIN { for (i = 0; i < 3000; i++)
			printf "%d.%d.%d.%d\n", 20 + i % 80, i * 37 % 256, i * 101 % 256, i / 80 }'
	} >"$DIR/whole.list"
	cp "$DIR/whole.list" "$DIR/sized.list"
	stanch -q compile "$DIR/sized.yaml" -o "$DIR/whole.img"
	[ "$(stat -c %s "$DIR/whole.img")" -gt 40960 ]
	apply_confirmed --force growth "$DIR/whole.img"
	row F04 cut_short
	# control: the whole ones are not refused
	run -0 stanch -q apply --now "$DIR/whole.img"
	cp "$DIR/whole.list" "$DIR/sized.list"
	run -0 stanch -q apply --now "$DIR/sized.yaml"
}

@test "F06: growth to the limit loads when it is forced, one row more never does" {
	good_policy
	rows_of 1 1000000 >"$DIR/sized.list"
	sed 's/bad\.list/sized.list/' "$DIR/good.yaml" >"$DIR/sized.yaml"
	refused_by growth "$DIR/sized.yaml" "from 100 to 1000000 rows"
	apply_confirmed --force growth "$DIR/sized.yaml"
	rows_of 1 1000001 >"$DIR/sized.list"
	run -3 --separate-stderr stanch apply --now --force growth "$DIR/sized.yaml"
	[[ "$stderr" == *1000001*1000000* ]]
	[ "$(audit '.[-1].problems | join(" ")')" = too_many_prefixes ]
}

# own_name_server - the first of this host that is not itself.
own_name_server() {
	awk '$1 == "nameserver" && $2 !~ /^127\.|^::1$/ { print $2; exit }' /etc/resolv.conf
}

lived_by() {
	local resolver
	dropping 10.77.0.2
	refused_by host "$DIR/dropping.yaml" "list \`second\`" "10.77.0.2 (own address)"
	dropping "'fd77::2'"
	refused_by host "$DIR/dropping.yaml" "fd77::2 (own address)"
	dropping 10.77.0.0/30
	refused_by host "$DIR/dropping.yaml" "list \`second\`" "and 1 more"
	dropping 10.77.0.1
	refused_by host "$DIR/dropping.yaml" "10.77.0.1 (gateway)"
	dropping "'fd77::1'"
	refused_by host "$DIR/dropping.yaml" "fd77::1 (gateway)"
	dropping 10.77.0.99
	refused_by host "$DIR/dropping.yaml" "10.77.0.99 (neighbour)"
	resolver=$(own_name_server)
	[ -n "$resolver" ] || return 0
	dropping "'$resolver'"
	refused_by host "$DIR/dropping.yaml" "$resolver (resolver)"
}

@test "F19b: a policy that blocks what the host lives by is refused by the gate host" {
	good_policy
	ip -n "$SERVER" neigh add 10.77.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
	row F19b lived_by
	# control: beside those addresses nobody minds, nor is anybody cut off who is allowed
	dropping 10.77.0.128/25
	run -0 stanch -q apply --now "$DIR/dropping.yaml"
	dropping 10.77.0.0/30
	sed -i 's/^lists: \[/&{name: friends, action: allow, entries: [10.77.0.0\/24]}, /' \
		"$DIR/dropping.yaml"
	run -0 stanch -q apply --now "$DIR/dropping.yaml"
}

@test "F19b: forced past the gate host, a policy is leased and ends unless somebody confirms" {
	local kept
	good_policy
	answers 10.77.0.1
	kept=$(live_word)
	dropping 10.77.0.1
	apply_behind --now --force host --confirm 4s "$DIR/dropping.yaml"
	until_true judges_everybody
	run ! answers 10.77.0.1
	apply_end 7
	answers 10.77.0.1
	[ "$(live_word)" = "$kept" ]
	[ "$(gate host .forced)" = true ]
	seen F19b "refused; forced, its lease of 4 s ended it"
}

covered() {
	dropping 12.0.0.0/6
	refused_by coverage "$DIR/dropping.yaml" "IPv4 sources" "the limit is 1%"
	# no single prefix is too much, all of them are
	# shellcheck disable=SC2046 # a word each
	dropping $(seq -f '%g.0.0.0/10' 21 32)
	refused_by coverage "$DIR/dropping.yaml" "IPv4 sources" "the limit is 1%"
	dropping "'2400::/8'"
	refused_by coverage "$DIR/dropping.yaml" "IPv6 sources in 2000::/3"
}

@test "F81: a policy that drops too much of the address space is refused by the gate coverage" {
	good_policy
	row F81 covered
	# control: less of it is not, nor is as much when the policy or the operator says so
	dropping 21.0.0.0/9
	run -0 stanch -q apply --now "$DIR/dropping.yaml"
	dropping 24.0.0.0/6
	echo 'gates: {coverage: 2%}' >>"$DIR/dropping.yaml"
	run -0 stanch -q apply --now "$DIR/dropping.yaml"
	dropping 28.0.0.0/6
	apply_confirmed --force coverage "$DIR/dropping.yaml"
}

# nests - $DIR/nests.yaml: at every length another list, for source and destination, inside too.
nests() {
	python3 - "$FLOW_P" >"$DIR/nests.yaml" <<-'END'
		import ipaddress, sys
		whole = 0x20010db8fedcba9876543210aaaa5555
		print(f"version: 1\nmode: enforce\ninner: true\nprotect: {{prefixes: [{sys.argv[1]}/32]}}")
		print("gates: {growth: 1000}")
		print("lists:")
		for match in "source", "destination":
		    for turn in 0, 1:
		        nets = ", ".join(f"'{ipaddress.IPv6Network((whole >> (128 - n) << (128 - n), n))}'"
		                         for n in range(12 + turn, 129, 2))
		        print(f"  - {{name: {match}-{turn}, action: drop, match: {match}, entries: [{nets}]}}")
	END
}

expensive() {
	nests
	refused_by cost "$DIR/nests.yaml" "the limit is 16"
}

# The shipped program goes through with twice what the deepest nests cost: here, one that does not.
@test "F31: the most expensive policy that can be written is refused by the gate cost" {
	export STANCH_OBJECT=$B/tests/bpf/few_steps.bpf.o
	policy good <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [$FLOW_P/32]}
		lists: [{name: bad, action: drop, entries: [$FLOW_B, $FLOW_P]}]
	END
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/good.yaml"
	row F31 expensive
	# control: without looking inside it is half as much, and what that costs is said
	sed -i 's/inner: true/inner: false/' "$DIR/nests.yaml"
	run -0 stanch -q apply --now "$DIR/nests.yaml"
	[ "$(gate cost .refused)" = false ]
	[ "$(gate cost '.value | tonumber')" -gt 10 ]
}

@test "the gates capacity, schema, cost and guard cannot be forced, the others can" {
	local name
	good_policy
	for name in capacity schema cost guard; do
		run -2 --separate-stderr stanch apply --now --force "$name" "$DIR/good.yaml"
		[[ "$stderr" == *"'$name' cannot be forced"* ]]
	done
	for name in growth shrinkage coverage host newly_dropped quarantine; do
		run -0 stanch -q plan --force "$name" "$DIR/good.yaml"
	done
	run -2 stanch apply --now --force everything "$DIR/good.yaml"
}

@test "every gate is asked in each attempt: capacity, schema, cost, guard and the rest are on record" {
	good_policy
	sized 120
	run -0 stanch -q apply --now "$DIR/sized.yaml"
	[ "$(audit '.[-1].gates | keys | map(select(. != "newly_dropped" and . != "quarantine")) |
		join(" ")')" = "capacity cost coverage growth guard host schema shrinkage" ]
	[ "$(audit '[.[-1].gates[] | select(.refused or .forced)] | length')" = 0 ]
	[[ "$(gate guard .text)" == *"built into the program"* ]]
}
