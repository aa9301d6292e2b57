#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# F63: memory runs out under the tool, at every size of a control group that an apply of a large
# image does not fit in: the kernel kills the tool, or refuses it. Packets never notice, and the
# next command clears up.
# test-timeout: 600

load ../lib/e2e
load ../lib/outage
load ../lib/netns
load ../lib/flows
load ../lib/cgroup
load f62

SMALLEST=$((6 << 20))

setup() {
	skip_for "$(cgroup_reason)"
	outage_setup
	cgroup_make
	image kept 1
	image next 2
	stanch -q --netns "$SERVER" attach eth0
	stanch -q apply --now "$DIR/kept.img" >/dev/null
	stanch -q unallow 192.0.2.77 >/dev/null
	standing=$(names)
	old=0 new=0 repaired=0 killed=0 refused=0
}

teardown() {
	outage_teardown
	[ -z "${CGROUP:-}" ] || cgroup_remove
}

# image NAME SEED - the bad flow, and 200,000 others of IPv6 that share nothing: about 17 MB.
image() {
	awk -v seed="$2" 'BEGIN {
		srand(seed)
		for (i = 0; i < 200000; i++)
			printf "2%03x:%x:%x:%x::%x:%x\n", rand() * 4096, rand() * 65536, rand() * 65536,
				rand() * 65536, i / 65536, i % 65536
	}' | sort -u >"$DIR/$1.list"
	policy "$1" <<-END
		version: 1
		mode: enforce
		protect: {prefixes: [$FLOW_P/32]}
		lists:
		  - {name: bad, action: drop, entries: [$FLOW_B, $FLOW_P]}
		  - {name: many, action: drop, file: $1.list}
	END
	stanch compile "$DIR/$1.yaml" -o "$DIR/$1.img" >/dev/null
}

# apply_within BYTES - false once that is enough. What is wrong goes to $DIR/wrong.
apply_within() {
	local before code=0 problems
	before=$(live)
	cgroup_limit "$1"
	in_cgroup timeout -k 5 120 "$STANCH" -q apply --now "$DIR/next.img" >"$DIR/out" 2>&1 || code=$?
	case $code in
	0) return 1 ;;
	137) killed=$((killed + 1)) ;;
	*) refused=$((refused + 1)) ;;
	esac
	judge "$before" "$(stanch -j inspect "$DIR/next.img" | jq -r .digest)" >"$DIR/problems"
	problems=$(cat "$DIR/problems")
	[ -z "$problems" ] || echo "within $1, exit code $code: $problems" >>"$DIR/wrong"
}

apply_within_less_and_less_trouble() {
	local bytes=$SMALLEST
	while apply_within "$bytes"; do
		bytes=$((bytes * 3 / 2))
		[ "$bytes" -lt $((1 << 30)) ] || { echo "it never fits" >>"$DIR/wrong"; return; }
	done
	enough=$bytes
}

@test "F63: whenever memory runs out packets are judged as before, and nothing is left over" {
	flows_start
	apply_within_less_and_less_trouble
	flows_stop
	text="killed $killed times, refused $refused times, $repaired repaired; it fits in $((enough >> 20)) MiB"
	echo "$text"
	touch "$DIR/wrong"
	cat "$DIR/wrong"
	[ ! -s "$DIR/wrong" ]
	[ "$killed" -ge 3 ]
	[ "$new" = 0 ] && [ "$old" = $((killed + refused)) ]
	flows_whole || { [ "$(overflows)" -gt 0 ] && [ "$(leaked)" = 0 ]; }
	stanch -q verify >/dev/null
	seen F63 "$text; $(flows_text)"
}

@test "F63 control: what a tool without a store of its own had half done stays" {
	cat >"$DIR/naive" <<-END
		bpftool map create $PINS/naive type array key 4 value 64 entries 16 name naive
		x=\$(head -c $((64 << 20)) /dev/zero | tr '\0' x)
		rm $PINS/naive
	END
	cgroup_limit $((16 << 20))
	in_cgroup sh "$DIR/naive" >/dev/null 2>&1 || true
	[ "$(names)" != "$standing" ]
	rm -f "$PINS/naive"
	[ "$(names)" = "$standing" ]
}
