# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to real packets between two namespaces: drop, flag, allow, monitor, kill.

load ../lib/e2e
load ../lib/netns

setup() {
	skip_for "$(kernel_reason)"
	skip_for "$(netns_reason)"
	instance_make
	netns_make
	stanch -q --netns "$SERVER" attach eth0
	write_policy enforce
}

teardown() {
	instance_remove
	netns_remove
}

# write_policy MODE
write_policy() {
	policy main <<-END
		version: 1
		mode: $1
		mark: {mask: 0xff000000, value: 0x5b000000}
		lists:
		  - {name: crawlers, action: allow, entries: [$ALLOWED_V4]}
		  - {name: abusers, action: drop, entries: [203.0.113.0/24, "$BAD_V6"]}
		  - {name: grey, action: flag, entries: [$GREY_V4]}
	END
}

hits() { stanch -j stats --by list | jq -r --arg n "$1" '.rows[] | select(.name == $n).packets'; }

@test "a drop list drops, IPv4 and IPv6, and nothing else" {
	stanch apply --now "$DIR/main.yaml"
	run ! answers "$BAD_V4"
	run ! answers "$BAD_V6"
	answers "$GOOD_V4"
	answers "$GOOD_V6"
	[ "$(hits abusers)" = 4 ]
}

@test "an allowed source inside a dropped prefix passes" {
	stanch apply --now "$DIR/main.yaml"
	answers "$ALLOWED_V4"
	[ "$(hits crawlers)" = 2 ]
	[ "$(hits abusers)" = 0 ]
}

# mark_counter - count what arrives with and without the mark, behind tc.
mark_counter() {
	in_server nft -f - <<-'END'
		table inet seen {
			chain in {
				type filter hook input priority 0;
				meta mark & 0xff000000 == 0x5b000000 counter name marked
				icmp type echo-request counter name pings
			}
			counter marked { }
			counter pings { }
		}
	END
}

marked() { in_server nft -j list counter inet seen "$1" | jq '.nftables[] | select(.counter).counter.packets'; }

@test "a flagged packet passes with a mark that nftables sees" {
	command -v nft >/dev/null || skip "needs nft"
	stanch apply --now "$DIR/main.yaml"
	mark_counter
	answers "$GREY_V4"
	[ "$(marked marked)" = 2 ]
	answers "$GOOD_V4"
	answers "$ALLOWED_V4"
	[ "$(marked marked)" = 2 ]
	[ "$(marked pings)" = 6 ]
	[ "$(hits grey)" = 2 ]
}

@test "a killed flag stage leaves no mark" {
	command -v nft >/dev/null || skip "needs nft"
	stanch apply --now "$DIR/main.yaml"
	stanch kill flag
	mark_counter
	answers "$GREY_V4"
	[ "$(marked marked)" = 0 ]
	stanch unkill flag
	answers "$GREY_V4"
	[ "$(marked marked)" = 2 ]
}

@test "a policy in monitor mode counts and passes" {
	write_policy monitor
	stanch apply --now "$DIR/main.yaml"
	answers "$BAD_V4"
	[ "$(hits abusers)" = 2 ]
	run -0 --separate-stderr stanch -j stats --by reason
	[ "$(json '.rows[] | select(.name == "list_drop") | .dropped + " " + .monitored')" = "0 2" ]
}

@test "the operator's mode overrules a policy that enforces" {
	stanch apply --now "$DIR/main.yaml"
	run ! answers "$BAD_V4"
	stanch mode monitor
	answers "$BAD_V4"
	stanch mode enforce
	run ! answers "$BAD_V4"
	stanch mode bypass
	answers "$BAD_V4"
}

# wall_up - the policy wall.yaml, refused by every gate, forced past them: on a lease, behind us.
wall_up() {
	local gate forced=()

	run -3 stanch apply --now "$DIR/wall.yaml"
	for gate in coverage host newly_dropped growth shrinkage; do
		forced+=(--force "$gate")
	done
	"$STANCH" apply --now "${forced[@]}" --confirm 60s "$DIR/wall.yaml" >/dev/null 2>&1 3>&- &
	WALL=$!
	for _ in $(seq 100); do
		[ "$(stanch -j status | jq .lease.provisional)" = true ] && return
		sleep 0.1
	done
	return 1
}

# wall_down - by a rollback, which the waiting command then reports.
wall_down() {
	local code=0

	stanch rollback
	wait "$WALL" || code=$?
	[ "$code" = 7 ]
}

@test "a policy that blocks everybody is undone by the kill switch, and by a rollback" {
	policy wall <<-'END'
		version: 1
		mode: enforce
		protect: {ports: [22]}
		lists: [{name: all, action: drop, entries: [0.0.0.0/0, "::/0"]}]
	END
	stanch apply --now "$DIR/main.yaml"
	wall_up
	run ! answers "$GOOD_V4"
	[ "$(stanch -j explain --src "$GOOD_V4" --dport 22 | jq -r .reason)" = protect_port ]
	stanch kill drop
	answers "$GOOD_V4"
	stanch unkill drop
	run ! answers "$GOOD_V4"
	wall_down
	answers "$GOOD_V4"
	run ! answers "$BAD_V4"
}

@test "neighbours find each other behind a wall" {
	policy wall <<-'END'
		version: 1
		mode: enforce
		lists: [{name: all, action: drop, entries: [0.0.0.0/0, "::/0"]}]
	END
	wall_up
	in_client ip neigh flush dev eth0
	in_client ping -q -c 1 -W 0.3 "$SERVER_V4" >/dev/null 2>&1 || true
	in_client ip neigh show "$SERVER_V4" dev eth0 | grep -q lladdr
	wall_down
}

@test "the counters see every packet that the interface saw" {
	stanch apply --now "$DIR/main.yaml"
	before=$(stanch -j stats | jq '[.rows[].packets | tonumber] | add')
	in_client ping -q -f -c 500 -W 1 -I "$GOOD_V4" "$SERVER_V4" >/dev/null
	in_client ping -q -f -c 100 -W 1 -I "$BAD_V4" "$SERVER_V4" >/dev/null || true
	after=$(stanch -j stats | jq '[.rows[].packets | tonumber] | add')
	# neighbour discovery of either side may add a few
	[ $((after - before)) -ge 600 ]
	[ $((after - before)) -le 620 ]
}
